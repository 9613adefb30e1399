//! Carries over row counters (SQLite `AUTOINCREMENT`, PostgreSQL sequences): numbering continues after the greatest
//! number ever used, even if that row was deleted.

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::tables::{Table, quoted};
use crate::{Conn, DbError, PgConn};

/// Sets the target's counter to that of the source.
pub(super) async fn carry_over(mut source: Conn<'_>, mut target: Conn<'_>, table: &Table) -> Result<(), DbError> {
    let counted: Option<i64> = match &mut source {
        Conn::Sqlite(conn) => sqlite_counter(conn, table).await?,
        Conn::Postgres(conn) => match sequence(conn.reborrow(), table).await? {
            Some((sequence, _)) => postgres_counter(conn.reborrow(), &sequence).await?,
            None => None,
        },
    };
    match &mut target {
        Conn::Sqlite(conn) if table.is_counted => {
            // Inserts have already set it to the greatest number present.
            let Some(counted) = counted else { return Ok(()) };
            sqlx::query(
                "INSERT INTO sqlite_sequence (name, seq) SELECT $1, 0 WHERE NOT EXISTS \
                         (SELECT 1 FROM sqlite_sequence WHERE name = $1)",
            )
            .bind(&table.name)
            .execute(&mut **conn)
            .await?;
            sqlx::query("UPDATE sqlite_sequence SET seq = $2 WHERE name = $1 AND seq < $2")
                .bind(&table.name)
                .bind(counted)
                .execute(&mut **conn)
                .await?;
        }
        Conn::Sqlite(_) => {}
        Conn::Postgres(conn) => {
            let Some((sequence, column)) = sequence(conn.reborrow(), table).await? else { return Ok(()) };
            let select = format!("SELECT CAST(MAX({column}) AS BIGINT) FROM {}", table.quoted_name());
            let greatest: Option<i64> = sqlx::query_scalar(AssertSqlSafe(select)).fetch_one(conn.reborrow()).await?;
            if let Some(last) = greatest.max(counted).filter(|last| *last > 0) {
                sqlx::query("SELECT setval(CAST($1 AS regclass), $2)")
                    .bind(sequence)
                    .bind(last)
                    .execute(conn.reborrow())
                    .await?;
            }
        }
    }
    Ok(())
}

async fn sqlite_counter(conn: &mut SqliteConnection, table: &Table) -> Result<Option<i64>, DbError> {
    if !table.is_counted {
        return Ok(None);
    }
    let select = "SELECT seq FROM sqlite_sequence WHERE name = $1";
    Ok(sqlx::query_scalar(select).bind(&table.name).fetch_optional(conn).await?)
}

/// Returns the sequence that numbers a key column, and the column; both quoted for a statement.
async fn sequence(mut conn: PgConn<'_>, table: &Table) -> Result<Option<(String, String)>, DbError> {
    for &place in &table.key {
        let column = &table.columns[place].name;
        let sequence: Option<String> = sqlx::query_scalar("SELECT pg_get_serial_sequence($1, $2)")
            .bind(table.quoted_name())
            .bind(column)
            .fetch_one(conn.reborrow())
            .await?;
        if let Some(sequence) = sequence {
            return Ok(Some((sequence, quoted(column))));
        }
    }
    Ok(None)
}

async fn postgres_counter(conn: PgConn<'_>, sequence: &str) -> Result<Option<i64>, DbError> {
    // The sequence name is already quoted.
    let select = format!("SELECT CASE WHEN is_called THEN last_value END FROM {sequence}");
    Ok(sqlx::query_scalar(AssertSqlSafe(select)).fetch_one(conn).await?)
}
