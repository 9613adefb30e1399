//! Writes a new secret key to `.env` so that other users cannot read it, nothing is lost, and it is not committed.

use std::fs::Permissions;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use countersign::operator::generate_secret_key;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use fs_err::{self as fs, OpenOptions};

use super::{Failure, Finding, say};

/// What to do with a `SECRET_KEY` that `.env` already has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    Keep,
    Replace,
}

pub(super) fn write_env(existing: Existing) -> Result<Finding, Failure> {
    // Follows a link, so that the rename replaces its target and not the link.
    let target = fs::canonicalize(".env").unwrap_or_else(|_| PathBuf::from(".env"));
    let before = read_or_empty(&target)?;
    let has_key = before.lines().any(sets_secret_key);
    if has_key && existing == Existing::Keep {
        return Err(Failure(
            "SECRET_KEY is already in .env; it was left alone. A new one logs everybody out; --force replaces it"
                .to_owned(),
        ));
    }
    let key = generate_secret_key();
    let mut lines: Vec<&str> = before.lines().filter(|line| !sets_secret_key(line)).collect();
    let entry = format!("SECRET_KEY={}", key.expose());
    lines.push(&entry);
    replace_privately(&target, &(lines.join("\n") + "\n"))?;
    say(format_args!("{} a new SECRET_KEY in .env (mode 0600)", if has_key { "replaced it with" } else { "put" }));
    if ignore_dot_env()? {
        say(format_args!("added .env to .gitignore, so that it is never committed"));
    }
    Ok(Finding::InOrder)
}

fn sets_secret_key(line: &str) -> bool {
    let line = line.trim_start();
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    line.split_once('=').is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case("SECRET_KEY"))
}

/// Writes a temporary file and renames it, so that readers see the old text or the new one, and other users can never
/// read it.
fn replace_privately(target: &Path, text: &str) -> io::Result<()> {
    let draft = target.with_file_name(format!(".env.{}.new", std::process::id()));
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).and_then(|mut file| {
        // The umask can only clear bits; this sets the exact mode.
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&draft, target)).inspect_err(|_| {
        let _ = fs::remove_file(&draft);
    })
}

/// Adds `.env` to `.gitignore` if it is missing, and returns whether it was.
fn ignore_dot_env() -> io::Result<bool> {
    let path = Path::new(".gitignore");
    let before = read_or_empty(path)?;
    let covers = |line: &str| matches!(line.trim(), ".env" | "/.env" | ".env*" | "/.env*" | "*.env");
    if before.lines().any(covers) {
        return Ok(false);
    }
    let separator = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    OpenOptions::new().create(true).append(true).open(path)?.write_all(format!("{separator}.env\n").as_bytes())?;
    Ok(true)
}

fn read_or_empty(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        result => result,
    }
}
