//! Decides how registrations wait for their address to be proven.

use countersign_db::{Conn, DbError, on_db};

use crate::model::{OneTimeTokenId, Username};

/// What becomes a user when the address is proven.
pub(crate) struct Registration {
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

/// The registration that a token completes.
pub(crate) async fn find(conn: Conn<'_>, token: OneTimeTokenId) -> Result<Option<Registration>, DbError> {
    let row: Option<(String, String)> = on_db!(conn, c => {
        sqlx::query_as("SELECT username, password_hash FROM auth_registrations WHERE token_id = $1")
            .bind(token.uuid())
            .fetch_optional(c)
            .await
    })?;
    let Some((username, password_hash)) = row else { return Ok(None) };
    let corrupt = DbError::CorruptRow { table: "auth_registrations", column: "username" };
    Ok(Some(Registration { username: Username::parse(&username).map_err(|_| corrupt)?, password_hash }))
}
