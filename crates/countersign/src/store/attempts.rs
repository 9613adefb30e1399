//! Attempt counters. An attempt is counted before anything is compared, so that concurrent attempts all count.

use countersign_db::{Conn, DbError, DbTime, on_db};
use jiff::{SignedDuration, Timestamp};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{KEYS, SWEEP_BATCH, padded};
use crate::model::{Horizon, later};

fn microseconds(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Reserves a failed attempt, after forgiving one failure per full `forgiven_after` since the last attempt. Returns the
/// number of failures, or `None` while the next attempt must wait. Concurrent attempts see each other. A row with
/// nothing to wait for has 0 as `next_at`: the current time would block attempts if the clock had been ahead.
pub(crate) async fn reserve(
    conn: Conn<'_>,
    key: &[u8],
    forgiven_after: SignedDuration,
    horizon: Horizon,
) -> Result<Option<i64>, DbError> {
    Ok(on_db!(conn, c => {
        sqlx::query_scalar(
            "INSERT INTO auth_attempts (key, failures, last_at, next_at) VALUES ($1, 1, $2, 0) \
             ON CONFLICT (key) DO UPDATE SET last_at = $2, next_at = 0, failures = 1 + CASE \
             WHEN auth_attempts.last_at >= $2 THEN auth_attempts.failures \
             WHEN auth_attempts.failures > ($2 - auth_attempts.last_at) / $3 \
             THEN auth_attempts.failures - ($2 - auth_attempts.last_at) / $3 ELSE 0 END \
             WHERE auth_attempts.next_at <= $2 OR auth_attempts.next_at > $4 RETURNING failures",
        )
        .bind(key)
        .bind(DbTime::from(horizon.now()))
        .bind(microseconds(forgiven_after))
        .bind(DbTime::from(horizon.latest()))
        .fetch_optional(c)
        .await
    })?)
}

/// Delays the next attempt until `next_at`.
pub(crate) async fn hold_back(conn: Conn<'_>, key: &[u8], next_at: Timestamp) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("UPDATE auth_attempts SET next_at = $2 WHERE key = $1")
            .bind(key)
            .bind(DbTime::from(next_at))
            .execute(c)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Returns when the next attempt is allowed; `None` without earlier attempts.
pub(crate) async fn find_next_at(conn: Conn<'_>, key: &[u8], horizon: Horizon) -> Result<Option<Timestamp>, DbError> {
    let next_at: Option<DbTime> = on_db!(conn, c => {
        sqlx::query_scalar("SELECT next_at FROM auth_attempts WHERE key = $1").bind(key).fetch_optional(c).await
    })?;
    Ok(next_at.and_then(DbTime::timestamp).map(|next_at| horizon.plausible(next_at)))
}

/// Cancels a reserved failure and allows the next attempt immediately.
pub(crate) async fn refund(conn: Conn<'_>, key: &[u8]) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("UPDATE auth_attempts SET failures = failures - 1, next_at = 0 WHERE key = $1 AND failures > 0")
            .bind(key)
            .execute(c)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Deletes the counter.
pub(crate) async fn delete(conn: Conn<'_>, key: &[u8]) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("DELETE FROM auth_attempts WHERE key = $1").bind(key).execute(c).await.map(drop)
    })?;
    Ok(())
}

/// Takes one unit of a rate limit that restores one unit per `interval`. Returns `false` if none is left. The row's
/// `next_at` is when all units are restored; it may be up to `slack` in the future.
pub(crate) async fn count(
    conn: Conn<'_>,
    key: &[u8],
    interval: SignedDuration,
    slack: SignedDuration,
    horizon: Horizon,
) -> Result<bool, DbError> {
    let at = |ahead: SignedDuration| DbTime::from(later(horizon.now(), ahead));
    let counted: Option<i64> = on_db!(conn, c => {
        sqlx::query_scalar(
            "INSERT INTO auth_attempts (key, failures, last_at, next_at) VALUES ($1, 0, $2, $3) \
             ON CONFLICT (key) DO UPDATE SET last_at = $2, next_at = CASE \
             WHEN auth_attempts.next_at > $2 AND auth_attempts.next_at <= $6 THEN auth_attempts.next_at + $5 ELSE $3 END \
             WHERE auth_attempts.next_at <= $4 OR auth_attempts.next_at > $6 RETURNING next_at",
        )
        .bind(key)
        .bind(DbTime::from(horizon.now()))
        .bind(at(interval))
        .bind(at(slack))
        .bind(microseconds(interval))
        .bind(DbTime::from(horizon.latest()))
        .fetch_optional(c)
        .await
    })?;
    Ok(counted.is_some())
}

/// Lists keys after `after`, in order, whose counters have expired or have an implausible time from a wrong clock; at
/// most one sweep's batch.
pub(crate) async fn list_forgiven(
    conn: Conn<'_>,
    after: Uuid,
    forgiven_after: SignedDuration,
    horizon: Horizon,
) -> Result<Vec<Uuid>, DbError> {
    let keys: Vec<Vec<u8>> = on_db!(conn, c => {
        sqlx::query_scalar(
            "SELECT key FROM auth_attempts WHERE key > $1 \
             AND ((next_at <= $2 AND last_at + failures * $3 <= $2) OR next_at > $4) ORDER BY key LIMIT $5",
        )
        .bind(after.as_bytes().as_slice())
        .bind(DbTime::from(horizon.now()))
        .bind(microseconds(forgiven_after))
        .bind(DbTime::from(horizon.latest()))
        .bind(i64::from(SWEEP_BATCH))
        .fetch_all(c)
        .await
    })?;
    let corrupt = |_| DbError::CorruptRow { table: "auth_attempts", column: "key" };
    keys.iter().map(|key| Uuid::from_slice(key).map_err(corrupt)).collect()
}

/// Deletes those of these counters that still qualify.
pub(crate) async fn delete_forgiven(
    conn: Conn<'_>,
    keys: &[Uuid],
    forgiven_after: SignedDuration,
    horizon: Horizon,
) -> Result<(), DbError> {
    on_db!(conn, c => {
        let statement = AssertSqlSafe(format!(
            "DELETE FROM auth_attempts WHERE key IN ({keys}) \
             AND ((next_at <= $501 AND last_at + failures * $502 <= $501) OR next_at > $503)",
            keys = *KEYS,
        ));
        let query = sqlx::query(statement);
        padded(keys)
            .fold(query, |query, key| query.bind(key.into_bytes().to_vec()))
            .bind(DbTime::from(horizon.now()))
            .bind(microseconds(forgiven_after))
            .bind(DbTime::from(horizon.latest()))
            .execute(c)
            .await
            .map(drop)
    })?;
    Ok(())
}
