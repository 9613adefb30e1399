//! Spent challenges, kept until they expire, so that each can be used only once.

use countersign_db::{Conn, DbError, DbTime, on_db};
use jiff::Timestamp;
use uuid::Uuid;

/// Records that a challenge was used; `false` if it was used before. Of several concurrent callers, one succeeds.
pub(crate) async fn spend(conn: Conn<'_>, id: Uuid, expires_at: Timestamp) -> Result<bool, DbError> {
    let spent: Option<Uuid> = on_db!(conn, c => {
        sqlx::query_scalar(
            "INSERT INTO auth_spent_challenges (id, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id",
        )
        .bind(id)
        .bind(DbTime::from(expires_at))
        .fetch_optional(c)
        .await
    })?;
    Ok(spent.is_some())
}

/// Deletes up to `max` expired records, and returns their number.
pub(crate) async fn delete_expired(conn: Conn<'_>, now: Timestamp, max: i64) -> Result<u64, DbError> {
    Ok(on_db!(conn, c => {
        sqlx::query(
            "DELETE FROM auth_spent_challenges WHERE id IN \
             (SELECT id FROM auth_spent_challenges WHERE expires_at <= $1 LIMIT $2)",
        )
        .bind(DbTime::from(now))
        .bind(max)
        .execute(c)
        .await
        .map(|done| done.rows_affected())
    })?)
}
