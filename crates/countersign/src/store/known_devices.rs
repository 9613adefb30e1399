//! Known devices: devices that a user has logged in with.

use countersign_db::{Conn, DbError, DbTime, on_db};
use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{KEYS, SWEEP_BATCH, padded};
use crate::model::UserId;

/// Maximum known devices per user; the least recently used one is forgotten first.
const DEVICES_OF_USER_MAX: i64 = 50;

/// Records a login from a device. Returns the number of the user's other devices, or `None` if the device was known.
pub(crate) async fn note(
    mut conn: Conn<'_>,
    user: UserId,
    device: &str,
    now: Timestamp,
) -> Result<Option<i64>, DbError> {
    let known = on_db!(conn.reborrow(), c => {
        sqlx::query("UPDATE auth_known_devices SET last_seen_at = $3 WHERE user_id = $1 AND device = $2")
            .bind(user.uuid())
            .bind(device)
            .bind(DbTime::from(now))
            .execute(c)
            .await
            .map(|done| done.rows_affected())
    })?;
    if known > 0 {
        return Ok(None);
    }
    let others: i64 = on_db!(conn.reborrow(), c => {
        sqlx::query_scalar("SELECT COUNT(*) FROM auth_known_devices WHERE user_id = $1")
            .bind(user.uuid())
            .fetch_one(c)
            .await
    })?;
    if others >= DEVICES_OF_USER_MAX {
        on_db!(conn.reborrow(), c => {
            sqlx::query(
                "DELETE FROM auth_known_devices WHERE user_id = $1 AND device NOT IN (SELECT device FROM auth_known_devices \
                 WHERE user_id = $1 ORDER BY last_seen_at DESC, device LIMIT $2)",
            )
            .bind(user.uuid())
            .bind(DEVICES_OF_USER_MAX - 1)
            .execute(c)
            .await
            .map(drop)
        })?;
    }
    on_db!(conn, c => {
        sqlx::query(
            "INSERT INTO auth_known_devices (user_id, device, last_seen_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(user.uuid())
        .bind(device)
        .bind(DbTime::from(now))
        .execute(c)
        .await
        .map(drop)
    })?;
    Ok(Some(others))
}

/// Lists users with devices last used before `before`, in order of ids after `after`; at most one sweep's batch.
pub(crate) async fn list_users_with_older(
    conn: Conn<'_>,
    after: Uuid,
    before: Timestamp,
) -> Result<Vec<Uuid>, DbError> {
    Ok(on_db!(conn, c => {
        sqlx::query_scalar(
            "SELECT DISTINCT user_id FROM auth_known_devices WHERE user_id > $1 AND last_seen_at < $2 ORDER BY user_id LIMIT $3",
        )
        .bind(after)
        .bind(DbTime::from(before))
        .bind(i64::from(SWEEP_BATCH))
        .fetch_all(c)
        .await
    })?)
}

/// Deletes devices of these users that were last used before `before`.
pub(crate) async fn delete_older(conn: Conn<'_>, users: &[Uuid], before: Timestamp) -> Result<(), DbError> {
    on_db!(conn, c => {
        let statement = AssertSqlSafe(format!(
            "DELETE FROM auth_known_devices WHERE user_id IN ({keys}) AND last_seen_at < $501",
            keys = *KEYS,
        ));
        padded(users).fold(sqlx::query(statement), sqlx::query::Query::bind).bind(DbTime::from(before)).execute(c).await.map(drop)
    })?;
    Ok(())
}
