//! Change notes: the log by which instances invalidate each other's session caches.

use countersign_db::{Conn, DbError, DbTime, on_db};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::model::{SessionId, UserId, earlier};

/// Retention of notes: longer than the lag of any instance that answers requests. An instance that was suspended for
/// longer notices the missing notes.
const KEPT: SignedDuration = SignedDuration::from_mins(10);

/// Maximum notes per read. An instance that is further behind clears its cache instead.
pub(crate) const READ_MAX: u32 = 20_000;

/// Records a change of one session, or of all sessions of a user. Also deletes old notes, always from the lowest number
/// up, so that a reader who finds its last known note has missed none.
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

/// A note: its number, the user, and the session unless it concerns all of them.
pub(crate) type Change = (i64, Uuid, Option<Uuid>);

/// Lists the notes after a number, at most [`READ_MAX`], ordered by number; commits may be in another order.
pub(crate) async fn list_after(conn: Conn<'_>, id: i64) -> Result<Vec<Change>, DbError> {
    Ok(on_db!(conn, c => {
        sqlx::query_as("SELECT id, user_id, session_id FROM auth_changes WHERE id > $1 ORDER BY id LIMIT $2")
            .bind(id)
            .bind(i64::from(READ_MAX))
            .fetch_all(c)
            .await
    })?)
}

/// Returns the number of the newest note, or 0 if there are none.
pub(crate) async fn find_newest(conn: Conn<'_>) -> Result<i64, DbError> {
    Ok(on_db!(conn, c => sqlx::query_scalar("SELECT COALESCE(MAX(id), 0) FROM auth_changes").fetch_one(c).await)?)
}
