//! Decides how it is kept that a challenge was used, as long as it could be used again.

use countersign_db::{Conn, DbError, DbTime, on_db};
use jiff::Timestamp;
use uuid::Uuid;

/// Notes that a challenge is used; whether it was not before. Of several who present it at once one has it.
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

/// Takes away what has run out, at most so many; how many there were.
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
