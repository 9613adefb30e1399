//! Database errors that callers can tell apart.

/// A failed database operation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DbError {
    /// The database is unreachable, or no connection became free in time. A retry may succeed.
    #[error("the database is unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// A unique constraint refused the write.
    #[error("a unique constraint refused the write")]
    UniqueViolation,
    /// A foreign key refused the write: the referenced row does not exist.
    #[error("a foreign key refused the write")]
    ForeignKeyViolation,
    /// A stored value does not match its column's format.
    #[error("column {column} of table {table} holds an unreadable value")]
    CorruptRow {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// The address leads to a pooler in transaction mode without declaring it. Statements of different clients would
    /// mix.
    #[error(
        "the database is behind a pooler in transaction mode: say so with `pgbouncer=true` in its address or \
         DATABASE_POOLER=transaction, or name the pooler's port for session mode, or the server's own"
    )]
    TransactionPooler,
    /// Any other error: a bug in the program or a faulty installation.
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
            // If a connection ends before the server answers, the driver reports a protocol violation.
            sqlx::Error::Io(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::Tls(_)
            // Concerns the connection: errors in statements have other variants.
            | sqlx::Error::Configuration(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error),
            _ => Self::Other(error),
        }
    }
}

/// Returns whether an error code means a temporary failure.
///
/// SQLite: primary result codes 5 (busy), 6 (locked), 8 (read-only), 10 (disk I/O error), 13 (disk full) and 14 (a file
/// cannot be opened); an extended code keeps the primary in its low byte (<https://www.sqlite.org/rescode.html>).
/// PostgreSQL: classes 08 (connection), 40 (rollback, including deadlock), 53 (resources), 57 (operator intervention,
/// shutdown, timeout) and 58 (system error), and the codes 55P03 (lock not available), XX000 (internal errors, such as
/// a file that cannot grow) and 25006 (read-only, because the server became a standby); see the PostgreSQL documentation,
/// appendix A.
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
