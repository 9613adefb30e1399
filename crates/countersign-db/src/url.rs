//! Decides which database a `DATABASE_URL` names.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

/// A parsed database address. Its `Display` and `Debug` mask the password.
#[derive(Clone)]
pub struct DatabaseUrl(pub(crate) Address);

#[derive(Clone)]
pub(crate) enum Address {
    Sqlite(PathBuf),
    Postgres { options: Box<PgConnectOptions>, masked: String },
}

/// Why a text is not a database address; the message says what is accepted and never repeats the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; use `sqlite:path/to/file.db` or `postgres://user:password@host:5432/database`")]
pub struct InvalidDatabaseUrl {
    reason: String,
}

impl DatabaseUrl {
    /// An SQLite database in this file.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self(Address::Sqlite(path.into()))
    }

    /// The file, when the address names an SQLite database.
    pub fn sqlite_path(&self) -> Option<&Path> {
        match &self.0 {
            Address::Sqlite(path) => Some(path),
            Address::Postgres { .. } => None,
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |reason: &str| InvalidDatabaseUrl { reason: reason.to_owned() };
        let (scheme, rest) = text.split_once(':').ok_or_else(|| refuse("no scheme"))?;
        match scheme.to_ascii_lowercase().as_str() {
            "sqlite" => {
                // `sqlite:a.db`, `sqlite://a.db` and `sqlite:///abs/a.db` are all in use; the path is what follows.
                let path = rest.strip_prefix("//").unwrap_or(rest);
                if path.is_empty() || path.starts_with(":memory:") {
                    return Err(refuse("an SQLite database needs a file, memory alone would lose every account"));
                }
                if path.contains(['?', '#']) {
                    return Err(refuse("an SQLite address takes no parameters"));
                }
                Ok(Self::sqlite(path))
            }
            "postgres" | "postgresql" => {
                let options = PgConnectOptions::from_str(text).map_err(|_| refuse("not a PostgreSQL address"))?;
                Ok(Self(Address::Postgres { options: Box::new(options), masked: mask_password(text) }))
            }
            other if other.contains('+') => {
                Err(refuse("the scheme names a driver of another language, leave out everything from `+`"))
            }
            _ => Err(refuse("unknown scheme")),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Address::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Address::Postgres { masked, .. } => f.write_str(masked),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `postgres://user:secret@host/db?password=x` → `postgres://user:***@host/db`: parameters can hold a password too.
fn mask_password(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.split(':').next().unwrap_or_default().to_owned();
    };
    match rest.rsplit_once('@') {
        Some((login, place)) => match login.split_once(':') {
            Some((user, _)) => format!("{scheme}://{user}:***@{place}"),
            None => format!("{scheme}://{login}@{place}"),
        },
        None => format!("{scheme}://{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_spellings_are_read() {
        for (text, path) in [
            ("sqlite:data/a.db", "data/a.db"),
            ("sqlite://data/a.db", "data/a.db"),
            ("sqlite:///var/lib/a.db", "/var/lib/a.db"),
            ("sqlite:/var/lib/a.db", "/var/lib/a.db"),
        ] {
            let url: DatabaseUrl = text.parse().unwrap();
            assert_eq!(url.sqlite_path(), Some(Path::new(path)), "{text}");
        }
        assert!("postgresql://u:p@localhost/db".parse::<DatabaseUrl>().is_ok());
    }

    #[test]
    fn what_is_refused_is_not_repeated() {
        for text in [
            "",
            "hunter2",
            "mysql://u:hunter2@h/d",
            "sqlite:",
            "sqlite::memory:",
            "sqlite:a?mode=hunter2",
            "postgresql+psycopg://u:hunter2@h/d",
            "postgres://h:hunter2",
        ] {
            let error = text.parse::<DatabaseUrl>().unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
            assert!(error.contains("postgres://user:password@host"), "{error}");
        }
    }

    #[test]
    fn the_password_is_masked() {
        for text in [
            "postgres://ada:hunter2@db:5432/app?sslmode=require",
            "postgres://ada@db/app?password=hunter2",
            "postgres://ada:hun@hunter2@db/app",
        ] {
            let url: DatabaseUrl = match text.parse() {
                Ok(url) => url,
                Err(_) => continue,
            };
            assert!(!format!("{url} {url:?}").contains("hunter2"), "{url}");
            assert!(url.to_string().starts_with("postgres://ada"), "{url}");
        }
    }
}
