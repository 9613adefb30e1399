//! Recent exchanges of refresh tokens, kept while a replay is still tolerated.

use countersign_db::{Conn, DbError, DbTime, on_db};
use jiff::Timestamp;

use crate::model::SessionId;
use crate::store::sessions::counter_column;

pub(crate) async fn insert(conn: Conn<'_>, session: SessionId, counter: u64, now: Timestamp) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("INSERT INTO auth_refresh_rotations (session_id, counter, rotated_at) VALUES ($1, $2, $3)")
            .bind(session.uuid())
            .bind(counter_column(counter))
            .bind(DbTime::from(now))
            .execute(c)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Returns when the token with this counter was exchanged, if that is still known.
pub(crate) async fn find(conn: Conn<'_>, session: SessionId, counter: u64) -> Result<Option<Timestamp>, DbError> {
    let rotated_at: Option<DbTime> = on_db!(conn, c => {
        sqlx::query_scalar("SELECT rotated_at FROM auth_refresh_rotations WHERE session_id = $1 AND counter = $2")
            .bind(session.uuid())
            .bind(counter_column(counter))
            .fetch_optional(c)
            .await
    })?;
    Ok(rotated_at.and_then(DbTime::timestamp))
}

/// Changes the recorded time of an exchange.
pub(crate) async fn date(
    conn: Conn<'_>,
    session: SessionId,
    counter: u64,
    rotated_at: Timestamp,
) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("UPDATE auth_refresh_rotations SET rotated_at = $3 WHERE session_id = $1 AND counter = $2")
            .bind(session.uuid())
            .bind(counter_column(counter))
            .bind(DbTime::from(rotated_at))
            .execute(c)
            .await
            .map(drop)
    })?;
    Ok(())
}

pub(crate) async fn delete_older(conn: Conn<'_>, session: SessionId, than: Timestamp) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("DELETE FROM auth_refresh_rotations WHERE session_id = $1 AND rotated_at < $2")
            .bind(session.uuid())
            .bind(DbTime::from(than))
            .execute(c)
            .await
            .map(drop)
    })?;
    Ok(())
}
