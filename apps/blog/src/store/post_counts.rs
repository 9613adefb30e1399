//! The numbers of posts, which triggers maintain (see the migration), so nothing is counted here.

use countersign_db::{Conn, DbError, on_db};

use crate::model::Scope;

/// Returns the number of posts in a list.
pub(crate) async fn of(conn: Conn<'_>, scope: Scope) -> Result<i64, DbError> {
    Ok(on_db!(conn, c => {
        match scope {
            Scope::Everyone => sqlx::query_scalar("SELECT CAST(COALESCE(SUM(posts), 0) AS BIGINT) FROM post_totals"),
            // An author without posts has no row.
            Scope::Author(author) => {
                sqlx::query_scalar("SELECT CAST(COALESCE(SUM(posts), 0) AS BIGINT) FROM post_counts WHERE user_id = $1")
                    .bind(author.uuid())
            }
        }
        .fetch_one(c)
        .await
    })?)
}
