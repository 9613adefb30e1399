//! Decides how sessions are kept and found.

use countersign_db::{Conn, DbError, DbTime, on_db};
use jiff::Timestamp;

use crate::model::{SessionId, User, UserId};
use crate::store::users::UserRow;

pub(crate) async fn insert(
    conn: Conn<'_>,
    id: SessionId,
    user: UserId,
    created_at: Timestamp,
    expires_at: Timestamp,
) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("INSERT INTO auth_sessions (id, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4)")
            .bind(id.uuid())
            .bind(user.uuid())
            .bind(DbTime::from(created_at))
            .bind(DbTime::from(expires_at))
            .execute(c)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Takes away what has run out, so that a user's rows stay as few as their live sessions.
pub(crate) async fn delete_expired_of(conn: Conn<'_>, user: UserId, now: Timestamp) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("DELETE FROM auth_sessions WHERE user_id = $1 AND expires_at <= $2")
            .bind(user.uuid())
            .bind(DbTime::from(now))
            .execute(c)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// The user of a live session: the one query behind every authenticated request.
pub(crate) async fn find_user(
    conn: Conn<'_>,
    id: SessionId,
    user: UserId,
    now: Timestamp,
) -> Result<Option<User>, DbError> {
    let row: Option<UserRow> = on_db!(conn, c => {
        sqlx::query_as(
            "SELECT u.id, u.username, u.email, u.image_file FROM auth_sessions s JOIN auth_users u ON u.id = s.user_id \
             WHERE s.id = $1 AND s.user_id = $2 AND s.expires_at > $3",
        )
        .bind(id.uuid())
        .bind(user.uuid())
        .bind(DbTime::from(now))
        .fetch_optional(c)
        .await
    })?;
    Ok(row.map(User::from))
}

/// When the newest session began. Ids are ordered by time, so the primary key finds it.
pub(crate) async fn find_newest_created_at(conn: Conn<'_>) -> Result<Option<Timestamp>, DbError> {
    let created_at: Option<DbTime> = on_db!(conn, c => {
        sqlx::query_scalar("SELECT created_at FROM auth_sessions ORDER BY id DESC LIMIT 1").fetch_optional(c).await
    })?;
    Ok(created_at.and_then(DbTime::timestamp))
}
