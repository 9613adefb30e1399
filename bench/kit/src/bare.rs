//! The limit that servers are compared with: `bench/bare`, which gives one answer to all requests.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::broken::{Outcome, While as _};
use crate::client::Answer;
use crate::process::Process;
use crate::server::Server;

/// Starts a server that repeats this answer at this path.
pub fn start(program: &Path, path: &str, answer: &Answer<'_>) -> Outcome<Server> {
    let head = answer.head();
    // hyper adds the others itself.
    let added = |name: &str| ["date", "content-length"].iter().any(|other| name.eq_ignore_ascii_case(other));
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers: Vec<(&str, &str)> = headers.filter(|(name, _)| !added(name)).collect();
    let mut command = Command::new(program);
    command
        .arg(path.split('?').next().unwrap_or(path))
        .arg(serde_json::to_string(&headers)?)
        .arg(answer.text().as_ref());
    let mut process = Process::start(command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()))?;
    let address = process.first_line()?.parse().doing("the bare server's address")?;
    Ok(Server::of(process, address))
}
