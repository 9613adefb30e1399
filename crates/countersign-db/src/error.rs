//! What a caller can tell apart when the database does not answer as hoped.

/// What went wrong between us and the database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DbError {
    /// The database cannot be reached, or no connection came free in time. Trying later may help.
    #[error("the database is unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// A unique constraint refused the write.
    #[error("a unique constraint refused the write")]
    UniqueViolation,
    /// A foreign key refused the write: what it refers to is gone.
    #[error("a foreign key refused the write")]
    ForeignKeyViolation,
    /// A stored value does not parse as what its column holds.
    #[error("column {column} of table {table} holds an unreadable value")]
    CorruptRow {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// The address leads to a pooler in transaction mode and does not say so. Statements of different users would be mixed up.
    #[error(
        "the database is behind a pooler in transaction mode: say so with `pgbouncer=true` in its address or \
         DATABASE_POOLER=transaction, or name the pooler's port for session mode, or the server's own"
    )]
    TransactionPooler,
    /// Anything else; a defect of the program or of the installation.
    #[error("the database refused a statement")]
    Other(#[source] sqlx::Error),
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::error::ErrorKind;
        match &error {
            sqlx::Error::Database(refusal) => match refusal.kind() {
                ErrorKind::UniqueViolation => Self::UniqueViolation,
                ErrorKind::ForeignKeyViolation => Self::ForeignKeyViolation,
                _ if refusal.code().is_some_and(|code| is_passing(&code)) => Self::Unavailable(error),
                _ => Self::Other(error),
            },
            // What ends a connection before the server has answered looks to the driver like a breach of the protocol.
            sqlx::Error::Io(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::Tls(_)
            // Of the ways there; what is wrong with a statement is known by other names.
            | sqlx::Error::Configuration(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error),
            _ => Self::Other(error),
        }
    }
}

/// Whether a refusal's code means "not now" rather than "not so".
///
/// SQLite: primary result codes 5 (busy), 6 (locked), 8 (read-only), 10 (a failed read or write of the disk), 13 (disk full)
/// and 14 (a file cannot be opened); an extended code keeps the primary in its low byte
/// (<https://www.sqlite.org/rescode.html>). PostgreSQL: classes 08 (connection), 40 (rollback, deadlock included),
/// 53 (resources), 55P03 (lock not available), 57 (intervention, shutdown, time-out), 58 (the server's system), XX000 (what
/// else befalls the server: a file that may not grow) and 25006 (read-only, which a server is that has become a standby)
/// (PostgreSQL documentation, appendix A).
fn is_passing(code: &str) -> bool {
    const SQLITE_PASSING: [u32; 6] = [5, 6, 8, 10, 13, 14];
    if code.len() == 5 {
        ["08", "40", "53", "57", "58"].iter().any(|class| code.starts_with(class))
            || ["55P03", "25006", "XX000"].contains(&code)
    } else {
        code.parse::<u32>().is_ok_and(|code| SQLITE_PASSING.contains(&(code & 0xff)))
    }
}

#[cfg(test)]
mod tests {
    use super::is_passing;

    #[test]
    fn passing_refusals_are_told_from_lasting_ones() {
        for code in
            ["5", "517", "6", "8", "10", "778", "13", "14", "40P01", "08006", "53300", "57P01", "55P03", "25006"]
        {
            assert!(is_passing(code), "{code}");
        }
        for code in ["1", "19", "2067", "42P01", "22001", "23505", "XX001"] {
            assert!(!is_passing(code), "{code}");
        }
    }
}
