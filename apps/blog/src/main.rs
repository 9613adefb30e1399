//! Runs the blog.

use std::process::ExitCode;

fn main() -> ExitCode {
    countersign_server::run::<blog::Blog>()
}
