//! Database failures that an operator can fix, told apart from all others.

use std::io;

use crate::DbError;

/// Why a database is unusable, if an operator can fix it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The address leads to a pooler in transaction mode without declaring it.
    TransactionPooler,
    /// The user name or password is wrong, or the server permits no such login.
    Login,
    /// The database does not exist.
    NoDatabase,
    /// No server answers at the address.
    Unreachable,
    /// The server accepts only encrypted connections.
    EncryptionRequired,
    /// The address requires encryption, and the server does not offer it.
    NoEncryption,
    /// The server's certificate is untrusted, or is for another name.
    ForeignCertificate,
    /// The server requires a client certificate.
    CertificateWanted,
    /// The database is read-only: a standby, or a file without write permission.
    ReadOnly,
    /// The database's file cannot be opened, such as one without read permission.
    CannotOpen,
    /// The file is no SQLite database, or is damaged.
    Damaged,
    /// The database's disk is full.
    DiskFull,
    /// All connections that the server or the pooler allows are in use.
    TooManyConnections,
}

impl DbError {
    /// Returns the cause, if an operator can fix it.
    pub fn cause(&self) -> Option<Cause> {
        match self {
            Self::TransactionPooler => Some(Cause::TransactionPooler),
            Self::Unavailable(error) | Self::Other(error) => cause(error),
            _ => None,
        }
    }
}

fn cause(error: &sqlx::Error) -> Option<Cause> {
    match error {
        sqlx::Error::Database(refusal) => cause_of_code(&refusal.code()?, refusal.message()),
        sqlx::Error::Io(error) => cause_of_io(error),
        // The driver's text is the only sign of a server without TLS.
        sqlx::Error::Tls(error) if error.to_string().contains("does not support TLS") => Some(Cause::NoEncryption),
        sqlx::Error::Tls(_) => Some(Cause::ForeignCertificate),
        sqlx::Error::PoolTimedOut => Some(Cause::Unreachable),
        _ => None,
    }
}

/// Maps error codes to causes. SQLite: primary result codes 8 (read-only), 11 (damaged), 13 (full), 14 (a file cannot be
/// opened) and 26 (no database).
/// PostgreSQL: its documentation, appendix A. PgBouncer uses PostgreSQL's codes where they exist.
fn cause_of_code(code: &str, message: &str) -> Option<Cause> {
    const SQLITE_READ_ONLY: u32 = 8;
    const SQLITE_DAMAGED: u32 = 11;
    const SQLITE_FULL: u32 = 13;
    const SQLITE_CANNOT_OPEN: u32 = 14;
    const SQLITE_NO_DATABASE: u32 = 26;
    match code {
        "53100" => Some(Cause::DiskFull),
        "53300" => Some(Cause::TooManyConnections),
        "25006" => Some(Cause::ReadOnly),
        "3D000" => Some(Cause::NoDatabase),
        // One code covers every refused client; only the text names the reason.
        "28000" if message.contains("no encryption") || message.contains("SSL off") => Some(Cause::EncryptionRequired),
        "28000" if message.contains("client certificate") => Some(Cause::CertificateWanted),
        "08P01" if message.contains("SSL required") => Some(Cause::EncryptionRequired),
        "28000" | "28P01" => Some(Cause::Login),
        "08P01" if message.contains("authentication failed") => Some(Cause::Login),
        _ => match code.parse::<u32>().ok().filter(|_| code.len() < 5)? & 0xff {
            SQLITE_READ_ONLY => Some(Cause::ReadOnly),
            SQLITE_FULL => Some(Cause::DiskFull),
            SQLITE_CANNOT_OPEN => Some(Cause::CannotOpen),
            SQLITE_DAMAGED | SQLITE_NO_DATABASE => Some(Cause::Damaged),
            _ => None,
        },
    }
}

fn cause_of_io(error: &io::Error) -> Option<Cause> {
    #[cfg(feature = "postgres")]
    if let Some(refusal) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return match refusal {
            rustls::Error::InvalidCertificate(_) => Some(Cause::ForeignCertificate),
            rustls::Error::AlertReceived(_) => Some(Cause::CertificateWanted),
            _ => None,
        };
    }
    match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem => Some(Cause::ReadOnly),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(Cause::DiskFull),
        _ => Some(Cause::Unreachable),
    }
}

#[cfg(test)]
mod tests {
    use super::{Cause, cause_of_code};

    #[test]
    fn what_a_person_can_mend_is_told_by_its_code() {
        for (code, message, cause) in [
            ("53100", "could not extend file", Some(Cause::DiskFull)),
            ("13", "database or disk is full", Some(Cause::DiskFull)),
            ("8", "attempt to write a readonly database", Some(Cause::ReadOnly)),
            ("1032", "attempt to write a readonly database", Some(Cause::ReadOnly)),
            ("26", "file is not a database", Some(Cause::Damaged)),
            ("14", "unable to open database file", Some(Cause::CannotOpen)),
            ("25006", "cannot execute INSERT in a read-only transaction", Some(Cause::ReadOnly)),
            ("53300", "too many connections", Some(Cause::TooManyConnections)),
            ("28P01", "password authentication failed", Some(Cause::Login)),
            ("28000", "no pg_hba.conf entry for host, SSL off", Some(Cause::EncryptionRequired)),
            ("23505", "duplicate key", None),
            ("1", "no such table", None),
        ] {
            assert_eq!(cause_of_code(code, message), cause, "{code} {message}");
        }
    }
}
