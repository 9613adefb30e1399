//! Queries for sessions.

use countersign_db::{Conn, DbError, DbTime, on_db};
use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{KEYS, SWEEP_BATCH, padded};
use crate::model::{Authenticated, ClientInfo, Horizon, LiveSession, Methods, Session, SessionId, Stay, User, UserId};

/// A session to insert.
pub(crate) struct NewSession<'s> {
    pub(crate) id: SessionId,
    pub(crate) user: UserId,
    pub(crate) methods: Methods,
    pub(crate) stay: Stay,
    pub(crate) salt: &'s [u8],
    pub(crate) client: &'s ClientInfo,
    pub(crate) now: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) idle_expires_at: Timestamp,
}

pub(crate) async fn insert(conn: Conn<'_>, session: &NewSession<'_>) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query(
            "INSERT INTO auth_sessions (id, user_id, created_at, last_seen_at, authenticated_at, expires_at, idle_expires_at, \
             address, user_agent, salt, refresh_counter, methods, stay) \
             VALUES ($1, $2, $3, $3, $3, $4, $5, $6, $7, $8, 0, $9, $10)",
        )
        .bind(session.id.uuid())
        .bind(session.user.uuid())
        .bind(DbTime::from(session.now))
        .bind(DbTime::from(session.expires_at))
        .bind(DbTime::from(session.idle_expires_at))
        .bind(session.client.address.ip().map(|address| address.to_string()))
        .bind(session.client.user_agent.as_deref())
        .bind(session.salt)
        .bind(session.methods.to_string())
        .bind(session.stay.as_str())
        .execute(c)
        .await
        .map(drop)
    })?;
    Ok(())
}

/// Maximum sessions per user. Another one ends the oldest.
pub(crate) const SESSIONS_OF_USER_MAX: i64 = 100;

/// Makes room for another session of a user: deletes expired sessions, and the oldest beyond the limit.
pub(crate) async fn make_room(conn: Conn<'_>, user: UserId, now: Timestamp) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query(
            "DELETE FROM auth_sessions WHERE user_id = $1 AND (expires_at <= $2 OR idle_expires_at <= $2 OR id <= \
             (SELECT id FROM auth_sessions WHERE user_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $3))",
        )
        .bind(user.uuid())
        .bind(DbTime::from(now))
        .bind(SESSIONS_OF_USER_MAX - 1)
        .execute(c)
        .await
        .map(drop)
    })?;
    Ok(())
}

/// Returns how long a session of this user is meant to last; `None` if it has ended.
pub(crate) async fn find_stay(
    conn: Conn<'_>,
    id: SessionId,
    user: UserId,
    now: Timestamp,
) -> Result<Option<Stay>, DbError> {
    let found: Option<String> = on_db!(conn, c => {
        sqlx::query_scalar(
            "SELECT stay FROM auth_sessions WHERE id = $1 AND user_id = $2 AND expires_at > $3 AND idle_expires_at > $3",
        )
        .bind(id.uuid())
        .bind(user.uuid())
        .bind(DbTime::from(now))
        .fetch_optional(c)
        .await
    })?;
    Ok(found.as_deref().map(stay_of))
}

/// An unknown value from a later version does not keep anyone logged in.
fn stay_of(column: &str) -> Stay {
    Stay::parse(column).unwrap_or(Stay::Brief)
}

/// Finds a live session with its user: the one query behind every authenticated request.
pub(crate) async fn find_live(conn: Conn<'_>, id: SessionId, now: Timestamp) -> Result<Option<LiveSession>, DbError> {
    type Row = (Uuid, String, String, Option<String>, DbTime, String, Vec<u8>, i64, String, DbTime, DbTime, DbTime);
    let row: Option<Row> = on_db!(conn, c => {
        sqlx::query_as(
            "SELECT u.id, u.username, u.email, u.image_file, s.authenticated_at, s.methods, s.salt, s.refresh_counter, \
             s.stay, s.expires_at, s.idle_expires_at, s.last_seen_at FROM auth_sessions s JOIN auth_users u ON u.id = s.user_id \
             WHERE s.id = $1 AND s.expires_at > $2 AND s.idle_expires_at > $2",
        )
        .bind(id.uuid())
        .bind(DbTime::from(now))
        .fetch_optional(c)
        .await
    })?;
    let Some(row) = row else { return Ok(None) };
    let (user, username, email, image_file, confirmed, methods, salt, refresh_counter, stay, expires_at, idle, seen) =
        row;
    let user = User::from((user, username, email, image_file));
    let (authenticated_at, methods) = (instant(confirmed, "authenticated_at")?, Methods::parse(&methods));
    Ok(Some(LiveSession {
        authenticated: Authenticated { user, session: id, authenticated_at, methods },
        salt,
        refresh_counter: counter_of(refresh_counter)?,
        stay: stay_of(&stay),
        expires_at: instant(expires_at, "expires_at")?,
        idle_expires_at: instant(idle, "idle_expires_at")?,
        last_seen_at: instant(seen, "last_seen_at")?,
    }))
}

fn counter_of(column: i64) -> Result<u64, DbError> {
    let corrupt = |_| DbError::CorruptRow { table: "auth_sessions", column: "refresh_counter" };
    u64::try_from(column).map_err(corrupt)
}

fn instant(time: DbTime, column: &'static str) -> Result<Timestamp, DbError> {
    time.timestamp().ok_or(DbError::CorruptRow { table: "auth_sessions", column })
}

/// Records that a session is in use, unless that was already recorded after `before`.
pub(crate) async fn touch(
    conn: Conn<'_>,
    id: SessionId,
    before: Timestamp,
    horizon: Horizon,
    idle_expires_at: Timestamp,
) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query(
            "UPDATE auth_sessions SET last_seen_at = $3, idle_expires_at = $4 \
             WHERE id = $1 AND (last_seen_at <= $2 OR last_seen_at > $5)",
        )
        .bind(id.uuid())
        .bind(DbTime::from(before))
        .bind(DbTime::from(horizon.now()))
        .bind(DbTime::from(idle_expires_at))
        .bind(DbTime::from(horizon.latest()))
        .execute(c)
        .await
        .map(drop)
    })?;
    Ok(())
}

/// Makes the token after `counter` the valid one; `false` if a later one is valid already.
pub(crate) async fn rotate(
    conn: Conn<'_>,
    id: SessionId,
    counter: u64,
    client: &ClientInfo,
    now: Timestamp,
    idle_expires_at: Timestamp,
) -> Result<bool, DbError> {
    let rotated: Option<i64> = on_db!(conn, c => {
        sqlx::query_scalar(
            "UPDATE auth_sessions SET refresh_counter = $2, last_seen_at = $3, idle_expires_at = $4, \
             address = $5, user_agent = $6 WHERE id = $1 AND refresh_counter < $2 RETURNING refresh_counter",
        )
        .bind(id.uuid())
        .bind(counter_column(counter.saturating_add(1)))
        .bind(DbTime::from(now))
        .bind(DbTime::from(idle_expires_at))
        .bind(client.address.ip().map(|address| address.to_string()))
        .bind(client.user_agent.as_deref())
        .fetch_optional(c)
        .await
    })?;
    Ok(rotated.is_some())
}

/// Converts a counter to its column. A number that does not fit was never issued, and is mapped to one that no row has.
pub(crate) fn counter_column(counter: u64) -> i64 {
    i64::try_from(counter).unwrap_or(-1)
}

/// A session that continues with new secrets.
pub(crate) struct RenewedSession {
    pub(crate) methods: Methods,
    pub(crate) stay: Stay,
    /// The counter of its valid refresh token.
    pub(crate) refresh_counter: u64,
    pub(crate) expires_at: Timestamp,
}

/// Replaces a session's salt, which invalidates all its previous cookies and refresh tokens, and records that its user
/// has just authenticated. `None` if the session is gone. The counter keeps increasing, because rows of earlier
/// exchanges may still exist.
pub(crate) async fn renew(
    conn: Conn<'_>,
    id: SessionId,
    user: UserId,
    salt: &[u8],
    now: Timestamp,
) -> Result<Option<RenewedSession>, DbError> {
    let row: Option<(String, String, i64, DbTime)> = on_db!(conn, c => {
        sqlx::query_as(
            "UPDATE auth_sessions SET salt = $3, authenticated_at = $4, refresh_counter = refresh_counter + 1 \
             WHERE id = $1 AND user_id = $2 RETURNING methods, stay, refresh_counter, expires_at",
        )
        .bind(id.uuid())
        .bind(user.uuid())
        .bind(salt)
        .bind(DbTime::from(now))
        .fetch_optional(c)
        .await
    })?;
    let Some((methods, stay, refresh_counter, expires_at)) = row else { return Ok(None) };
    Ok(Some(RenewedSession {
        methods: Methods::parse(&methods),
        stay: stay_of(&stay),
        refresh_counter: counter_of(refresh_counter)?,
        expires_at: instant(expires_at, "expires_at")?,
    }))
}

/// Lists the live sessions of a user, most recently used first.
pub(crate) async fn list_of_user(conn: Conn<'_>, user: UserId, now: Timestamp) -> Result<Vec<Session>, DbError> {
    type Row = (Uuid, DbTime, DbTime, DbTime, DbTime, Option<String>, Option<String>);
    let rows: Vec<Row> = on_db!(conn, c => {
        sqlx::query_as(
            "SELECT id, created_at, last_seen_at, expires_at, idle_expires_at, address, user_agent FROM auth_sessions \
             WHERE user_id = $1 AND expires_at > $2 AND idle_expires_at > $2 ORDER BY last_seen_at DESC, id DESC LIMIT 100",
        )
        .bind(user.uuid())
        .bind(DbTime::from(now))
        .fetch_all(c)
        .await
    })?;
    rows.into_iter()
        .map(|(id, created_at, last_seen_at, expires_at, idle_expires_at, address, user_agent)| {
            Ok(Session {
                id: id.into(),
                created_at: instant(created_at, "created_at")?,
                last_seen_at: instant(last_seen_at, "last_seen_at")?,
                expires_at: instant(expires_at.min(idle_expires_at), "expires_at")?,
                address,
                user_agent,
            })
        })
        .collect()
}

/// Ends a session of this user; `false` if there is none.
pub(crate) async fn delete(conn: Conn<'_>, id: SessionId, user: UserId) -> Result<bool, DbError> {
    let deleted: Option<Uuid> = on_db!(conn, c => {
        sqlx::query_scalar("DELETE FROM auth_sessions WHERE id = $1 AND user_id = $2 RETURNING id")
            .bind(id.uuid())
            .bind(user.uuid())
            .fetch_optional(c)
            .await
    })?;
    Ok(deleted.is_some())
}

/// Ends all sessions of this user, except `kept`, and returns their number.
pub(crate) async fn delete_others(conn: Conn<'_>, user: UserId, kept: Option<SessionId>) -> Result<u64, DbError> {
    Ok(on_db!(conn, c => {
        sqlx::query("DELETE FROM auth_sessions WHERE user_id = $1 AND id <> $2")
            .bind(user.uuid())
            .bind(kept.map_or(Uuid::nil(), SessionId::uuid))
            .execute(c)
            .await
            .map(|done| done.rows_affected())
    })?)
}

/// Lists expired sessions, in order of ids after `after`; at most one sweep's batch.
pub(crate) async fn list_expired(conn: Conn<'_>, after: Uuid, now: Timestamp) -> Result<Vec<Uuid>, DbError> {
    Ok(on_db!(conn, c => {
        sqlx::query_scalar(
            "SELECT id FROM auth_sessions WHERE id > $1 AND (expires_at <= $2 OR idle_expires_at <= $2) ORDER BY id LIMIT $3",
        )
        .bind(after)
        .bind(DbTime::from(now))
        .bind(i64::from(SWEEP_BATCH))
        .fetch_all(c)
        .await
    })?)
}

/// Deletes those of these sessions that are still expired.
pub(crate) async fn delete_expired(conn: Conn<'_>, ids: &[Uuid], now: Timestamp) -> Result<(), DbError> {
    on_db!(conn, c => {
        let statement = AssertSqlSafe(format!(
            "DELETE FROM auth_sessions WHERE id IN ({keys}) AND (expires_at <= $501 OR idle_expires_at <= $501)",
            keys = *KEYS,
        ));
        padded(ids).fold(sqlx::query(statement), sqlx::query::Query::bind).bind(DbTime::from(now)).execute(c).await.map(drop)
    })?;
    Ok(())
}

/// Returns when the newest session began. Ids are ordered by time, so the primary key finds it.
pub(crate) async fn find_newest_created_at(conn: Conn<'_>) -> Result<Option<Timestamp>, DbError> {
    let created_at: Option<DbTime> = on_db!(conn, c => {
        sqlx::query_scalar("SELECT created_at FROM auth_sessions ORDER BY id DESC LIMIT 1").fetch_optional(c).await
    })?;
    Ok(created_at.and_then(DbTime::timestamp))
}
