//! Notes by which instances tell one another what to forget.

use countersign_db::{Conn, DbError, DbTime, on_db};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::model::{SessionId, UserId, earlier};

/// Longer than an instance is behind that answers requests. One that has slept for longer sees that notes are missing.
const KEPT: SignedDuration = SignedDuration::from_mins(10);

/// How many notes are read at once; nobody reads more, but empties the cache.
pub(crate) const READ_MAX: u32 = 20_000;

/// Notes that something about a session changed, or about all sessions of a user. Old notes are deleted, always from the lowest
/// number up, so that a reader who finds the last one it knows has missed none.
pub(crate) async fn insert(
    mut conn: Conn<'_>,
    user: UserId,
    session: Option<SessionId>,
    now: Timestamp,
) -> Result<(), DbError> {
    on_db!(conn.reborrow(), c => {
        sqlx::query("INSERT INTO auth_changes (user_id, session_id, changed_at) VALUES ($1, $2, $3)")
            .bind(user.uuid())
            .bind(session.map(SessionId::uuid))
            .bind(DbTime::from(now))
            .execute(c)
            .await
            .map(drop)
    })?;
    let old = earlier(now, KEPT);
    on_db!(conn, c => {
        sqlx::query("DELETE FROM auth_changes WHERE id <= (SELECT MAX(id) FROM auth_changes WHERE changed_at < $1)")
            .bind(DbTime::from(old))
            .execute(c)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// A note: its number, whose it is, and of which session if it is not about all.
pub(crate) type Change = (i64, Uuid, Option<Uuid>);

/// The notes behind a number, at most [`READ_MAX`], in the order of their numbers; which need not be that of their commits.
pub(crate) async fn list_after(conn: Conn<'_>, id: i64) -> Result<Vec<Change>, DbError> {
    Ok(on_db!(conn, c => {
        sqlx::query_as("SELECT id, user_id, session_id FROM auth_changes WHERE id > $1 ORDER BY id LIMIT $2")
            .bind(id)
            .bind(i64::from(READ_MAX))
            .fetch_all(c)
            .await
    })?)
}

/// The number of the newest note; 0 when there is none.
pub(crate) async fn find_newest(conn: Conn<'_>) -> Result<i64, DbError> {
    Ok(on_db!(conn, c => sqlx::query_scalar("SELECT COALESCE(MAX(id), 0) FROM auth_changes").fetch_one(c).await)?)
}
