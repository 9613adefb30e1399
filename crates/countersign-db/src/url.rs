//! Parses `DATABASE_URL`.

use std::fmt;
use std::path::Path;
#[cfg(feature = "sqlite")]
use std::path::PathBuf;
use std::str::FromStr;

#[cfg(feature = "postgres")]
use crate::postgres::{Pooler, PostgresAddress};

/// A parsed database address. `Display` and `Debug` mask the password.
#[derive(Clone)]
pub struct DatabaseUrl(pub(crate) Address);

#[derive(Clone)]
pub(crate) enum Address {
    #[cfg(feature = "sqlite")]
    Sqlite(PathBuf),
    #[cfg(feature = "postgres")]
    Postgres { address: Box<PostgresAddress>, masked: String },
}

/// Why a text is not a database address. The message names the accepted forms and never repeats the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; use `sqlite:path/to/file.db` or `postgres://user:password@host:5432/database`")]
pub struct InvalidDatabaseUrl {
    reason: String,
}

impl DatabaseUrl {
    #[cfg(feature = "sqlite")]
    /// Creates the address of an SQLite database in this file.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self(Address::Sqlite(path.into()))
    }

    /// Returns the file, if the address names an SQLite database.
    pub fn sqlite_path(&self) -> Option<&Path> {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Address::Sqlite(path) => Some(path),
            #[cfg(feature = "postgres")]
            Address::Postgres { .. } => None,
        }
    }

    #[cfg(feature = "postgres")]
    /// Returns the pooler that the address declares.
    pub fn pooler(&self) -> Pooler {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Address::Sqlite(_) => Pooler::Session,
            #[cfg(feature = "postgres")]
            Address::Postgres { address, .. } => address.pooler(),
        }
    }

    #[cfg(feature = "postgres")]
    /// Returns the same database, reached through this kind of pooler. SQLite addresses are unchanged.
    ///
    /// # Errors
    /// If the address has a parameter that the pooler does not support.
    pub fn behind(self, pooler: Pooler) -> Result<Self, InvalidDatabaseUrl> {
        match self.0 {
            #[cfg(feature = "sqlite")]
            Address::Sqlite(path) => Ok(Self::sqlite(path)),
            #[cfg(feature = "postgres")]
            Address::Postgres { address, masked } => {
                let address = address.behind(pooler).map_err(|reason| InvalidDatabaseUrl { reason })?;
                Ok(Self(Address::Postgres { address: Box::new(address), masked }))
            }
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |reason: &str| InvalidDatabaseUrl { reason: reason.to_owned() };
        let (scheme, _) = text.split_once(':').ok_or_else(|| refuse("no scheme"))?;
        match scheme.to_ascii_lowercase().as_str() {
            #[cfg(not(feature = "sqlite"))]
            "sqlite" => Err(refuse("this program is built without SQLite")),
            #[cfg(feature = "sqlite")]
            "sqlite" => {
                let rest = &text["sqlite:".len()..];
                // `sqlite:a.db`, `sqlite://a.db` and `sqlite:///abs/a.db` are all in use; the rest is the path.
                let path = rest.strip_prefix("//").unwrap_or(rest);
                if path.is_empty() || path.starts_with(":memory:") {
                    return Err(refuse("an SQLite database needs a file, memory alone would lose every account"));
                }
                if path.contains(['?', '#']) {
                    return Err(refuse("an SQLite address takes no parameters"));
                }
                Ok(Self::sqlite(path))
            }
            #[cfg(not(feature = "postgres"))]
            "postgres" | "postgresql" => Err(refuse("this program is built without PostgreSQL")),
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => {
                let address = PostgresAddress::parse(text).map_err(|reason| InvalidDatabaseUrl { reason })?;
                Ok(Self(Address::Postgres { address: Box::new(address), masked: mask_password(text) }))
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
            #[cfg(feature = "sqlite")]
            Address::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            #[cfg(feature = "postgres")]
            Address::Postgres { masked, .. } => f.write_str(masked),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(feature = "postgres")]
/// Masks the password: `postgres://user:secret@host/db?password=x` → `postgres://user:***@host/db`. Parameters are
/// dropped, because they can hold a password too.
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
    fn parameters_are_done_or_refused_by_name() {
        for accepted in [
            "sslmode=verify-full&sslrootcert=/etc/ssl/own.pem&sslcert=/a.pem&sslkey=/a.key",
            "sslmode=verify-full&sslrootcert=system",
            "sslmode=require&channel_binding=prefer&application_name=accounts&connect_timeout=10",
            "pgbouncer=true&gssencmode=disable&target_session_attrs=read-write&client_encoding=UTF8",
            "options=-c%20search_path%3Dours",
        ] {
            let url = format!("postgres://ada:hunter2@db/app?{accepted}").parse::<DatabaseUrl>();
            assert!(url.is_ok(), "{accepted}: {}", url.unwrap_err());
        }
        for (refused, reason) in [
            ("schema=hunter2", "the parameter `schema` is not supported"),
            ("hunter2=x", "a parameter is not supported"),
            ("hunter2@db/app", "a parameter has no value"),
            ("sslmode=hunter2", "sslmode takes"),
            ("sslrootcert=/a.pem", "sslrootcert is looked at with sslmode=verify-full alone"),
            ("sslmode=verify-full&sslcert=/a.pem", "sslcert and sslkey go together"),
            ("channel_binding=require", "channel_binding=require cannot be met"),
            ("connect_timeout=hunter2", "connect_timeout takes whole seconds"),
            ("target_session_attrs=standby", "of `target_session_attrs` only read-write"),
            ("pgbouncer=hunter2", "of `pgbouncer` only true or false"),
            ("pgbouncer=true&options=-c%20x%3Dhunter2", "takes no startup options"),
            ("application_name=a#hunter2", "%23"),
        ] {
            let error = format!("postgres://ada:hunter2@db/app?{refused}").parse::<DatabaseUrl>().unwrap_err();
            let error = error.to_string();
            assert!(error.starts_with(reason) || error.contains(reason), "{refused}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let several = "postgres://ada:hunter2@one,two/app".parse::<DatabaseUrl>().unwrap_err().to_string();
        assert!(several.starts_with("several hosts") && !several.contains("hunter2"), "{several}");
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
