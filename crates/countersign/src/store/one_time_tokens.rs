//! One-time tokens: secrets that are sent by mail.

use countersign_db::{Conn, DbError, DbTime, on_db};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::model::{EmailAddress, Horizon, Language, OneTimeToken, OneTimeTokenId, SessionId, TokenPurpose, UserId};

/// Maximum wrong codes from the network that requested the mail; all other networks together have the same number.
const CODE_ATTEMPTS_MAX: i64 = 5;
/// Maximum tokens per address, newest first, that a code or a password is checked against.
pub(super) const TOKENS_TRIED: i64 = 3;

/// Returns the latest plausible creation time. Tokens beyond it come from a wrong clock and do not count as new.
pub(super) fn latest(now: Timestamp) -> DbTime {
    Horizon::new(now, SignedDuration::ZERO).latest().into()
}

type Row = (Uuid, String, Option<Uuid>, Option<Uuid>, String, String, Vec<u8>, String, DbTime, DbTime);

fn token(row: Row) -> Result<OneTimeToken, DbError> {
    let (id, purpose, user, session, address, language, salt, hash, created_at, expires_at) = row;
    let corrupt = |column| DbError::CorruptRow { table: "auth_one_time_tokens", column };
    Ok(OneTimeToken {
        id: id.into(),
        purpose: TokenPurpose::parse(&purpose).ok_or(corrupt("purpose"))?,
        user: user.map(UserId::from),
        session: session.map(Into::into),
        address: EmailAddress::parse(&address).map_err(|_| corrupt("address"))?,
        language: Language::parse(&language).unwrap_or_default(),
        salt,
        hash,
        created_at: created_at.timestamp().ok_or(corrupt("created_at"))?,
        expires_at: expires_at.timestamp().ok_or(corrupt("expires_at"))?,
    })
}

/// Inserts a token that was requested from the network with the key `asker`.
pub(crate) async fn insert(conn: Conn<'_>, token: &OneTimeToken, asker: &[u8]) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query(
            "INSERT INTO auth_one_time_tokens (id, purpose, user_id, session_id, address, language, token_hash, salt, \
             created_at, expires_at, asker) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(token.id.uuid())
        .bind(token.purpose.as_str())
        .bind(token.user.map(UserId::uuid))
        .bind(token.session.map(SessionId::uuid))
        .bind(token.address.as_str())
        .bind(token.language.to_string())
        .bind(token.hash.as_str())
        .bind(token.salt.as_slice())
        .bind(DbTime::from(token.created_at))
        .bind(DbTime::from(token.expires_at))
        .bind(asker)
        .execute(c)
        .await
        .map(drop)
    })?;
    Ok(())
}

/// Returns the token with this id, even if expired.
pub(crate) async fn find(conn: Conn<'_>, id: OneTimeTokenId) -> Result<Option<OneTimeToken>, DbError> {
    let row: Option<Row> = on_db!(conn, c => {
        sqlx::query_as(
            "SELECT id, purpose, user_id, session_id, address, language, salt, token_hash, created_at, expires_at \
             FROM auth_one_time_tokens WHERE id = $1",
        )
        .bind(id.uuid())
        .fetch_optional(c)
        .await
    })?;
    row.map(token).transpose()
}

/// Returns the token with this hash, unless expired.
pub(crate) async fn find_live(conn: Conn<'_>, hash: &str, now: Timestamp) -> Result<Option<OneTimeToken>, DbError> {
    let row: Option<Row> = on_db!(conn, c => {
        sqlx::query_as(
            "SELECT id, purpose, user_id, session_id, address, language, salt, token_hash, created_at, expires_at \
             FROM auth_one_time_tokens WHERE token_hash = $1 AND expires_at > $2",
        )
        .bind(hash)
        .bind(DbTime::from(now))
        .fetch_optional(c)
        .await
    })?;
    row.map(token).transpose()
}

/// Returns the pending registration for the address of `again`: preferably one from the network that requested `again`,
/// otherwise the newest.
pub(crate) async fn find_registration(
    conn: Conn<'_>,
    again: &OneTimeToken,
    now: Timestamp,
) -> Result<Option<OneTimeToken>, DbError> {
    let row: Option<Row> = on_db!(conn, c => {
        sqlx::query_as(
            "SELECT id, purpose, user_id, session_id, address, language, salt, token_hash, created_at, expires_at \
             FROM auth_one_time_tokens WHERE address = $1 AND purpose = 'complete_registration' AND expires_at > $2 \
             ORDER BY CASE WHEN asker = (SELECT a.asker FROM auth_one_time_tokens a WHERE a.id = $4) THEN 0 ELSE 1 END, \
             CASE WHEN created_at > $3 THEN 0 ELSE created_at END DESC LIMIT 1",
        )
        .bind(again.address.as_str())
        .bind(DbTime::from(now))
        .bind(latest(now))
        .bind(again.id.uuid())
        .fetch_optional(c)
        .await
    })?;
    row.map(token).transpose()
}

/// Returns the new address that a user has requested but not yet verified.
pub(crate) async fn find_pending_address(
    conn: Conn<'_>,
    user: UserId,
    now: Timestamp,
) -> Result<Option<EmailAddress>, DbError> {
    let address: Option<String> = on_db!(conn, c => {
        sqlx::query_scalar(
            "SELECT address FROM auth_one_time_tokens WHERE user_id = $1 AND purpose = 'confirm_email_change' \
             AND expires_at > $2 AND session_id IN (SELECT id FROM auth_sessions WHERE user_id = $1 AND expires_at > $2 \
             AND idle_expires_at > $2) ORDER BY CASE WHEN created_at > $3 THEN 0 ELSE created_at END DESC LIMIT 1",
        )
        .bind(user.uuid())
        .bind(DbTime::from(now))
        .bind(latest(now))
        .fetch_optional(c)
        .await
    })?;
    Ok(address.and_then(|address| EmailAddress::parse(&address).ok()))
}

/// Counts a code attempt of a network against the tokens that verify this address, and returns those with attempts
/// left. Considers tokens that the network requested first, then the newest.
pub(crate) async fn count_code_attempt(
    conn: Conn<'_>,
    address: &EmailAddress,
    network: &[u8],
    now: Timestamp,
) -> Result<Vec<OneTimeToken>, DbError> {
    let rows: Vec<Row> = on_db!(conn, c => {
        sqlx::query_as(
            "UPDATE auth_one_time_tokens SET attempts = attempts + CASE WHEN asker = $6 THEN 1 ELSE 0 END, \
             attempts_elsewhere = attempts_elsewhere + CASE WHEN asker = $6 THEN 0 ELSE 1 END \
             WHERE CASE WHEN asker = $6 THEN attempts ELSE attempts_elsewhere END < $3 AND id IN ( \
             SELECT id FROM auth_one_time_tokens WHERE address = $1 AND expires_at > $2 \
             AND purpose IN ('verify_email', 'complete_registration', 'confirm_email_change') \
             ORDER BY CASE WHEN asker = $6 THEN 0 ELSE 1 END, \
             CASE WHEN created_at > $5 THEN 0 ELSE created_at END DESC LIMIT $4) \
             RETURNING id, purpose, user_id, session_id, address, language, salt, token_hash, created_at, expires_at",
        )
        .bind(address.as_str())
        .bind(DbTime::from(now))
        .bind(CODE_ATTEMPTS_MAX)
        .bind(TOKENS_TRIED)
        .bind(latest(now))
        .bind(network)
        .fetch_all(c)
        .await
    })?;
    rows.into_iter().map(token).collect()
}

/// Consumes a token. Returns `false` if it is gone, or if the session that requested it has ended. Of several
/// concurrent callers, one succeeds.
pub(crate) async fn consume(conn: Conn<'_>, id: OneTimeTokenId, now: Timestamp) -> Result<bool, DbError> {
    let consumed: Option<Uuid> = on_db!(conn, c => {
        sqlx::query_scalar(
            "DELETE FROM auth_one_time_tokens WHERE id = $1 AND (session_id IS NULL OR EXISTS (SELECT s.id FROM auth_sessions s \
             WHERE s.id = auth_one_time_tokens.session_id AND s.expires_at > $2 AND s.idle_expires_at > $2)) RETURNING id",
        )
        .bind(id.uuid())
        .bind(DbTime::from(now))
        .fetch_optional(c)
        .await
    })?;
    Ok(consumed.is_some())
}

/// Deletes a token that is no longer needed.
pub(crate) async fn delete(conn: Conn<'_>, id: OneTimeTokenId) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("DELETE FROM auth_one_time_tokens WHERE id = $1").bind(id.uuid()).execute(c).await.map(drop)
    })?;
    Ok(())
}

/// Transfers the tokens that one session of a user requested to the session that replaces it.
pub(crate) async fn hand_over(conn: Conn<'_>, user: UserId, from: SessionId, to: SessionId) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("UPDATE auth_one_time_tokens SET session_id = $3 WHERE user_id = $1 AND session_id = $2")
            .bind(user.uuid())
            .bind(from.uuid())
            .bind(to.uuid())
            .execute(c)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Deletes a user's tokens for a purpose, because they are superseded or pointless.
pub(crate) async fn delete_of_user(conn: Conn<'_>, user: UserId, purpose: TokenPurpose) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("DELETE FROM auth_one_time_tokens WHERE user_id = $1 AND purpose = $2")
            .bind(user.uuid())
            .bind(purpose.as_str())
            .execute(c)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Deletes the tokens for a purpose and an address that belong to no user.
pub(crate) async fn delete_without_user(
    conn: Conn<'_>,
    address: &EmailAddress,
    purpose: TokenPurpose,
) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("DELETE FROM auth_one_time_tokens WHERE address = $1 AND purpose = $2 AND user_id IS NULL")
            .bind(address.as_str())
            .bind(purpose.as_str())
            .execute(c)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Deletes the undo tokens of a user's address changes made after the change that `token` undoes.
pub(crate) async fn delete_undos_after(conn: Conn<'_>, user: UserId, token: &OneTimeToken) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query(
            "DELETE FROM auth_one_time_tokens WHERE user_id = $1 \
             AND purpose IN ('undo_email_change', 'undo_unproven_change') AND created_at > $2",
        )
        .bind(user.uuid())
        .bind(DbTime::from(token.created_at))
        .execute(c)
        .await
        .map(drop)
    })?;
    Ok(())
}

/// Deletes up to `max` expired tokens, and returns their number.
pub(crate) async fn delete_expired(conn: Conn<'_>, now: Timestamp, max: i64) -> Result<u64, DbError> {
    Ok(on_db!(conn, c => {
        sqlx::query(
            "DELETE FROM auth_one_time_tokens WHERE id IN \
             (SELECT id FROM auth_one_time_tokens WHERE expires_at <= $1 LIMIT $2)",
        )
        .bind(DbTime::from(now))
        .bind(max)
        .execute(c)
        .await
        .map(|done| done.rows_affected())
    })?)
}
