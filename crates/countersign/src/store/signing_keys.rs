//! Keys that sign access tokens, sealed.

use countersign_db::{Conn, DbError, DbTime, on_db};
use jiff::Timestamp;

use crate::model::{Sealed, SigningAlgorithm};

/// A stored key.
pub(crate) struct StoredKey {
    pub(crate) kid: String,
    pub(crate) algorithm: SigningAlgorithm,
    pub(crate) sealed: Sealed,
    pub(crate) created_at: Timestamp,
    pub(crate) active_from: Timestamp,
    pub(crate) retired_at: Option<Timestamp>,
}

/// Lists all keys, ordered by activation.
pub(crate) async fn list(conn: Conn<'_>) -> Result<Vec<StoredKey>, DbError> {
    type Row = (String, String, Vec<u8>, String, DbTime, DbTime, Option<DbTime>);
    let rows: Vec<Row> = on_db!(conn, c => {
        sqlx::query_as(
            "SELECT kid, algorithm, sealed_key, sealed_by, created_at, active_from, retired_at FROM auth_signing_keys \
             ORDER BY active_from, kid",
        )
        .fetch_all(c)
        .await
    })?;
    let corrupt = |column| DbError::CorruptRow { table: "auth_signing_keys", column };
    rows.into_iter()
        .map(|(kid, algorithm, bytes, by, created_at, active_from, retired_at)| {
            Ok(StoredKey {
                kid,
                algorithm: SigningAlgorithm::of_name(&algorithm).ok_or(corrupt("algorithm"))?,
                sealed: Sealed { bytes, by },
                created_at: created_at.timestamp().ok_or(corrupt("created_at"))?,
                active_from: active_from.timestamp().ok_or(corrupt("active_from"))?,
                retired_at: retired_at.and_then(DbTime::timestamp),
            })
        })
        .collect()
}

pub(crate) async fn insert(conn: Conn<'_>, key: &StoredKey) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query(
            "INSERT INTO auth_signing_keys (kid, algorithm, sealed_key, sealed_by, created_at, active_from) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(&key.kid)
        .bind(key.algorithm.as_str())
        .bind(&key.sealed.bytes)
        .bind(&key.sealed.by)
        .bind(DbTime::from(key.created_at))
        .bind(DbTime::from(key.active_from))
        .execute(c)
        .await
        .map(drop)
    })?;
    Ok(())
}

/// Lets a published key sign from now on, unless it already does or was withdrawn.
pub(crate) async fn activate(conn: Conn<'_>, kid: &str, now: Timestamp) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query(
            "UPDATE auth_signing_keys SET active_from = $2 WHERE kid = $1 AND active_from > $2 AND retired_at IS NULL",
        )
        .bind(kid)
        .bind(DbTime::from(now))
        .execute(c)
        .await
        .map(drop)
    })?;
    Ok(())
}

/// Withdraws a key; `false` if there is none, or it was already withdrawn.
pub(crate) async fn retire(conn: Conn<'_>, kid: &str, now: Timestamp) -> Result<bool, DbError> {
    let retired: Option<String> = on_db!(conn, c => {
        sqlx::query_scalar("UPDATE auth_signing_keys SET retired_at = $2 WHERE kid = $1 AND retired_at IS NULL RETURNING kid")
            .bind(kid)
            .bind(DbTime::from(now))
            .fetch_optional(c)
            .await
    })?;
    Ok(retired.is_some())
}

/// Replaces a key's sealed form with the same key sealed with another secret, unless another instance has done so.
pub(crate) async fn reseal(conn: Conn<'_>, kid: &str, before: &Sealed, after: &Sealed) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("UPDATE auth_signing_keys SET sealed_key = $3, sealed_by = $4 WHERE kid = $1 AND sealed_by = $2")
            .bind(kid)
            .bind(&before.by)
            .bind(&after.bytes)
            .bind(&after.by)
            .execute(c)
            .await
            .map(drop)
    })?;
    Ok(())
}
