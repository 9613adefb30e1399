//! Decides how many posts there are, without counting them: triggers keep the counts (see the migration).

use countersign::model::UserId;
use countersign_db::{Conn, DbError, on_db};

/// How many posts there are in all.
pub(crate) async fn total(conn: Conn<'_>) -> Result<i64, DbError> {
    Ok(on_db!(conn, c => {
        sqlx::query_scalar("SELECT CAST(COALESCE(SUM(posts), 0) AS BIGINT) FROM post_totals").fetch_one(c).await
    })?)
}

/// How many posts this author has.
pub(crate) async fn of_author(conn: Conn<'_>, author: UserId) -> Result<i64, DbError> {
    let count: Option<i64> = on_db!(conn, c => {
        sqlx::query_scalar("SELECT posts FROM post_counts WHERE user_id = $1")
            .bind(author.uuid())
            .fetch_optional(c)
            .await
    })?;
    // An author without posts has no row.
    Ok(count.unwrap_or(0))
}
