//! Queries for invitations.

use countersign_db::{Conn, DbError, DbTime, on_db};
use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{KEYS, SWEEP_BATCH, padded};
use crate::model::EmailAddress;

/// An invitation to insert.
pub(crate) struct NewInvitation<'i> {
    pub(crate) id: Uuid,
    pub(crate) code_hash: &'i str,
    pub(crate) address: Option<&'i EmailAddress>,
    pub(crate) uses: u32,
    pub(crate) now: Timestamp,
    pub(crate) expires_at: Timestamp,
}

pub(crate) async fn insert(conn: Conn<'_>, invitation: &NewInvitation<'_>) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query(
            "INSERT INTO auth_invitations (id, code_hash, address, uses_left, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(invitation.id)
        .bind(invitation.code_hash)
        .bind(invitation.address.map(EmailAddress::as_str))
        .bind(i64::from(invitation.uses))
        .bind(DbTime::from(invitation.now))
        .bind(DbTime::from(invitation.expires_at))
        .execute(c)
        .await
        .map(drop)
    })?;
    Ok(())
}

/// Returns whether the invitation is valid for this address.
pub(crate) async fn is_open(
    conn: Conn<'_>,
    code_hash: &str,
    address: &EmailAddress,
    now: Timestamp,
) -> Result<bool, DbError> {
    let found: Option<Uuid> = on_db!(conn, c => {
        sqlx::query_scalar(
            "SELECT id FROM auth_invitations WHERE code_hash = $1 AND (address IS NULL OR address = $2) \
             AND expires_at > $3 AND uses_left > 0",
        )
        .bind(code_hash)
        .bind(address.as_str())
        .bind(DbTime::from(now))
        .fetch_optional(c)
        .await
    })?;
    Ok(found.is_some())
}

/// Uses an invitation once; `false` if it is not valid.
pub(crate) async fn consume(
    conn: Conn<'_>,
    code_hash: &str,
    address: &EmailAddress,
    now: Timestamp,
) -> Result<bool, DbError> {
    let consumed: Option<Uuid> = on_db!(conn, c => {
        sqlx::query_scalar(
            "UPDATE auth_invitations SET uses_left = uses_left - 1 WHERE code_hash = $1 \
             AND (address IS NULL OR address = $2) AND expires_at > $3 AND uses_left > 0 RETURNING id",
        )
        .bind(code_hash)
        .bind(address.as_str())
        .bind(DbTime::from(now))
        .fetch_optional(c)
        .await
    })?;
    Ok(consumed.is_some())
}

/// Lists invitations that are expired or used up, in order of ids after `after`; at most one sweep's batch.
pub(crate) async fn list_spent(conn: Conn<'_>, after: Uuid, now: Timestamp) -> Result<Vec<Uuid>, DbError> {
    Ok(on_db!(conn, c => {
        sqlx::query_scalar(
            "SELECT id FROM auth_invitations WHERE id > $1 AND (expires_at <= $2 OR uses_left <= 0) ORDER BY id LIMIT $3",
        )
        .bind(after)
        .bind(DbTime::from(now))
        .bind(i64::from(SWEEP_BATCH))
        .fetch_all(c)
        .await
    })?)
}

/// Deletes these invitations. A spent invitation never becomes valid again.
pub(crate) async fn delete_spent(conn: Conn<'_>, ids: &[Uuid]) -> Result<(), DbError> {
    on_db!(conn, c => {
        let statement = AssertSqlSafe(format!("DELETE FROM auth_invitations WHERE id IN ({keys})", keys = *KEYS));
        padded(ids).fold(sqlx::query(statement), sqlx::query::Query::bind).execute(c).await.map(drop)
    })?;
    Ok(())
}
