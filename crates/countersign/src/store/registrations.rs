//! Registrations that wait for their address to be verified.

use countersign_db::{Conn, DbError, DbTime, on_db};
use jiff::Timestamp;
use uuid::Uuid;

use super::one_time_tokens::{TOKENS_TRIED, latest};
use crate::model::{OneTimeToken, OneTimeTokenId, Username};

/// A registration that becomes a user when its address is verified.
pub(crate) struct Registration {
    pub(crate) token: OneTimeTokenId,
    pub(crate) username: Username,
    pub(crate) password_hash: String,
}

pub(crate) async fn insert(
    conn: Conn<'_>,
    token: OneTimeTokenId,
    username: &Username,
    password_hash: &str,
) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("INSERT INTO auth_registrations (token_id, username, password_hash) VALUES ($1, $2, $3)")
            .bind(token.uuid())
            .bind(username.as_str())
            .bind(password_hash)
            .execute(c)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Returns the registration that a token completes.
pub(crate) async fn find(conn: Conn<'_>, token: OneTimeTokenId) -> Result<Option<Registration>, DbError> {
    let row: Option<(String, String)> = on_db!(conn, c => {
        sqlx::query_as("SELECT username, password_hash FROM auth_registrations WHERE token_id = $1")
            .bind(token.uuid())
            .fetch_optional(c)
            .await
    })?;
    Ok(row.and_then(|(username, password_hash)| registration(token, &username, password_hash)))
}

/// An earlier version may have accepted a name that this one refuses. Such a registration cannot be completed, and
/// expires like any other.
fn registration(token: OneTimeTokenId, username: &str, password_hash: String) -> Option<Registration> {
    let username = Username::parse(username).ok()?;
    Some(Registration { token, username, password_hash })
}

/// Lists the registrations that wait for the address of `token`: the token's own first, then those from this network,
/// then the newest.
pub(crate) async fn list_waiting(
    conn: Conn<'_>,
    token: &OneTimeToken,
    network: &[u8],
    now: Timestamp,
) -> Result<Vec<Registration>, DbError> {
    let rows: Vec<(Uuid, String, String)> = on_db!(conn, c => {
        sqlx::query_as(
            "SELECT r.token_id, r.username, r.password_hash FROM auth_registrations r \
             JOIN auth_one_time_tokens t ON t.id = r.token_id WHERE t.address = $1 AND t.expires_at > $2 \
             ORDER BY CASE WHEN r.token_id = $3 THEN 0 WHEN t.asker = $6 THEN 1 ELSE 2 END, \
             CASE WHEN t.created_at > $4 THEN 0 ELSE t.created_at END DESC LIMIT $5",
        )
        .bind(token.address.as_str())
        .bind(DbTime::from(now))
        .bind(token.id.uuid())
        .bind(latest(now))
        .bind(TOKENS_TRIED)
        .bind(network)
        .fetch_all(c)
        .await
    })?;
    let waiting = rows.into_iter().filter_map(|(token, username, hash)| registration(token.into(), &username, hash));
    Ok(waiting.collect())
}
