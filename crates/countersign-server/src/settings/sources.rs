//! Finds the text of each setting in its tiers: the environment, then `.env`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use super::names::{Known, Suggestion, suggest};
use super::report::Problem;

/// Larger than any secret, in bytes, so that a device file or a log given by mistake is not read to its end.
const SECRET_FILE_BYTES_MAX: u64 = 64 * 1024;

/// Where a setting's text was found.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Environment,
    DotEnv { line: usize },
    File { path: PathBuf, named_in: Box<Origin> },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("environment"),
            Self::DotEnv { line } => write!(f, ".env, line {line}"),
            Self::File { path, named_in } => write!(f, "file {}, named in {named_in}", path.display()),
        }
    }
}

/// A setting's text. It may be a secret, so there is no `Debug`.
pub(crate) struct Given {
    pub(crate) text: String,
    pub(crate) origin: Origin,
}

/// The environment and `.env`, merged, with the problems found and warnings about likely typos.
pub(crate) struct Sources {
    pub(crate) given: BTreeMap<String, Given>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<String>,
}

/// The texts of one tier by upper-case name, which is a setting or `<secret>_FILE`.
type TierTexts = BTreeMap<String, (String, Origin)>;

impl Sources {
    /// Reads both tiers for the names in `known`; `.env` is expected in `folder`.
    pub(crate) fn read(folder: &Path, known: &[Known]) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
        let environment: Vec<(OsString, OsString)> = std::env::vars_os().collect();
        let dot_env = match fs::read_to_string(folder.join(".env")) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(error.to_string()),
        };
        Self::merge(environment, dot_env, folder, known)
    }

    fn merge(
        environment: Vec<(OsString, OsString)>,
        dot_env: Result<String, String>,
        folder: &Path,
        known: &[Known],
    ) -> Self {
        let mut sources = Self { given: BTreeMap::new(), problems: Vec::new(), warnings: Vec::new() };
        let high = sources.environment_tier(environment, known);
        let low = match dot_env {
            Ok(text) => sources.dot_env_tier(&text, known),
            Err(reason) => {
                sources.problems.push(Problem::of_file(".env", format!("cannot be read: {reason}")));
                TierTexts::new()
            }
        };
        for known in known {
            for tier in [&high, &low] {
                if sources.take(known, tier, folder) {
                    break;
                }
            }
        }
        sources
    }

    /// Takes the text of `known` from `tier`, directly or through its `_FILE`. Returns whether the tier sets it.
    fn take(&mut self, known: &Known, tier: &TierTexts, folder: &Path) -> bool {
        let file_name = known.file_name();
        let direct = tier.get(&known.name);
        let file = file_name.as_ref().and_then(|name| tier.get(name));
        let given = match (direct, file, file_name) {
            (Some((_, origin)), Some(_), Some(file_name)) => {
                let text = format!("is set, and so is {file_name}; keep one of the two");
                self.problems.push(Problem::of_setting(&known.name, Some(origin), text));
                return true;
            }
            (Some((text, origin)), _, _) => Given { text: text.clone(), origin: origin.clone() },
            (None, Some((path, named_in)), Some(file_name)) => match read_secret_file(&folder.join(path)) {
                Ok(text) => Given {
                    text,
                    origin: Origin::File { path: PathBuf::from(path), named_in: Box::new(named_in.clone()) },
                },
                Err(reason) => {
                    let text = format!("names {path}, {reason}");
                    let problem = Problem::of_setting(&file_name, Some(named_in), text);
                    self.problems.push(problem.blocking(&known.name));
                    return true;
                }
            },
            _ => return false,
        };
        self.given.insert(known.name.clone(), given);
        true
    }

    fn environment_tier(&mut self, environment: Vec<(OsString, OsString)>, known: &[Known]) -> TierTexts {
        let mut tier = TierTexts::new();
        for (key, value) in environment {
            // A name that is not Unicode cannot be a setting.
            let Ok(key) = key.into_string() else { continue };
            let name = key.to_ascii_uppercase();
            if !known.iter().any(|known| known.answers_to(&name)) {
                if let Suggestion::Near(meant) = suggest(&name, known) {
                    self.warnings.push(format!("{key} in the environment is not a setting; did you mean {meant}?"));
                }
                continue;
            }
            let Ok(text) = value.into_string() else {
                self.problems.push(Problem::of_setting(
                    &name,
                    Some(&Origin::Environment),
                    "is not valid UTF-8".to_owned(),
                ));
                continue;
            };
            // Compose files and shells leave a variable empty to mean "not set".
            if text.is_empty() {
                continue;
            }
            if tier.insert(name.clone(), (text, Origin::Environment)).is_some() {
                let text = "is set twice, in different letter cases; keep one".to_owned();
                self.problems.push(Problem::of_setting(&name, Some(&Origin::Environment), text));
            }
        }
        tier
    }

    fn dot_env_tier(&mut self, text: &str, known: &[Known]) -> TierTexts {
        let mut tier = TierTexts::new();
        for (line, entry) in parse_dot_env(text) {
            let (key, value) = match entry {
                Ok(pair) => pair,
                Err(reason) => {
                    self.problems.push(Problem::of_file(&format!(".env, line {line}"), reason.to_owned()));
                    continue;
                }
            };
            let name = key.to_ascii_uppercase();
            if !known.iter().any(|known| known.answers_to(&name)) {
                self.warnings.push(match suggest(&name, known) {
                    Suggestion::Near(meant) => {
                        format!("{key} (.env, line {line}) is not a setting; did you mean {meant}?")
                    }
                    Suggestion::None => format!("{key} (.env, line {line}) is not a setting"),
                });
                continue;
            }
            if value.is_empty() {
                continue;
            }
            if tier.insert(name.clone(), (value, Origin::DotEnv { line })).is_some() {
                self.warnings.push(format!("{name} is set more than once in .env; line {line} counts"));
            }
        }
        tier
    }
}

/// The line where the entry begins, with its name and value, or why it is malformed.
type DotEnvEntry = (usize, Result<(String, String), &'static str>);

/// Parses a `.env` file into entries, each with its first line. Every malformed line is reported, not only the first.
fn parse_dot_env(text: &str) -> Vec<DotEnvEntry> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().enumerate();
    let mut entries = Vec::new();
    while let Some((index, first)) = lines.next() {
        let mut chunk = format!("{first}\n");
        let entry = loop {
            match dotenvy::from_read_iter(chunk.as_bytes()).next() {
                None => break None,
                // dotenvy would substitute `$NAME` with another variable's value, so a password with a dollar sign
                // would silently change.
                Some(Ok(_)) if has_bare_dollar(&chunk) => {
                    break Some(Err("has a `$` outside single quotes; write the value in single quotes"));
                }
                Some(Ok(pair)) => break Some(Ok(pair)),
                // Only the error for an unterminated quote includes the line break.
                Some(Err(dotenvy::Error::LineParse(blamed, _))) if blamed.ends_with('\n') => match lines.next() {
                    Some((_, more)) => {
                        chunk.push_str(more);
                        chunk.push('\n');
                    }
                    None => break Some(Err("opens a quote that is never closed")),
                },
                Some(Err(_)) => {
                    break Some(Err("is not of the form NAME=value; a value with spaces or a `#` needs quotes"));
                }
            }
        };
        entries.extend(entry.map(|entry| (index + 1, entry)));
    }
    entries
}

fn has_bare_dollar(chunk: &str) -> bool {
    let mut quoted = false;
    let mut escaped = false;
    for c in chunk.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if !quoted => escaped = true,
            '\'' => quoted = !quoted,
            '$' if !quoted => return true,
            _ => {}
        }
    }
    false
}

fn read_secret_file(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    fs::File::open(path)
        .and_then(|file| file.take(SECRET_FILE_BYTES_MAX).read_to_string(&mut text))
        .map_err(|error| format!("which cannot be read: {error}"))?;
    match text.trim() {
        "" => Err("which is empty".to_owned()),
        trimmed => Ok(trimmed.to_owned()),
    }
}
