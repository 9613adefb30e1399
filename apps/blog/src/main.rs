//! Decides nothing: the blog is [`blog::Blog`], and the server shell runs it.

use std::process::ExitCode;

fn main() -> ExitCode {
    countersign_server::run::<blog::Blog>()
}
