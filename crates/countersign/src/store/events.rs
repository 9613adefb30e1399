//! Account events: an append-only table that outlives the user. A trigger keeps the newest 200 per user and kind.

use countersign_db::{Conn, DbError, DbTime, on_db};
use jiff::Timestamp;
use uuid::Uuid;

use crate::model::{Event, EventId, EventKind, SessionId, UserId};

pub(crate) async fn insert(conn: Conn<'_>, event: &Event) -> Result<(), DbError> {
    let (actor_kind, actor) = event.actor.columns();
    on_db!(conn, c => {
        sqlx::query(
            "INSERT INTO auth_events \
                 (id, kind, outcome, actor_kind, actor_id, subject_id, session_id, address, user_agent, happened_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(event.id.uuid())
        .bind(event.kind.as_str())
        .bind(event.kind.outcome().as_str())
        .bind(actor_kind)
        .bind(actor.map(UserId::uuid))
        .bind(event.subject.uuid())
        .bind(event.session.map(SessionId::uuid))
        .bind(event.address.as_deref())
        .bind(event.user_agent.as_deref())
        .bind(DbTime::from(event.happened_at))
        .execute(c)
        .await
        .map(drop)
    })?;
    Ok(())
}

/// The fields of an event that a notice mentions.
pub(crate) struct Noticed {
    pub(crate) kind: EventKind,
    pub(crate) subject: UserId,
    pub(crate) address: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) happened_at: Timestamp,
}

pub(crate) async fn find(conn: Conn<'_>, id: EventId) -> Result<Option<Noticed>, DbError> {
    type Row = (Uuid, String, Option<String>, Option<String>, DbTime);
    let row: Option<Row> = on_db!(conn, c => {
        sqlx::query_as("SELECT subject_id, kind, address, user_agent, happened_at FROM auth_events WHERE id = $1")
            .bind(id.uuid())
            .fetch_optional(c)
            .await
    })?;
    let Some((subject, kind, address, user_agent, happened_at)) = row else { return Ok(None) };
    let corrupt = |column| DbError::CorruptRow { table: "auth_events", column };
    Ok(Some(Noticed {
        kind: EventKind::parse(&kind).ok_or(corrupt("kind"))?,
        subject: subject.into(),
        address,
        user_agent,
        happened_at: happened_at.timestamp().ok_or(corrupt("happened_at"))?,
    }))
}

/// Erases the client data (address and user agent) of a user's events, but keeps the events.
pub(crate) async fn erase_places(conn: Conn<'_>, subject: UserId) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("UPDATE auth_events SET address = NULL, user_agent = NULL WHERE subject_id = $1")
            .bind(subject.uuid())
            .execute(c)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Deletes up to `rows_max` events with ids below `before`, and returns their number.
pub(crate) async fn delete_before(conn: Conn<'_>, before: EventId, rows_max: u16) -> Result<u64, DbError> {
    Ok(on_db!(conn, c => {
        sqlx::query("DELETE FROM auth_events WHERE id IN (SELECT id FROM auth_events WHERE id < $1 ORDER BY id LIMIT $2)")
            .bind(before.uuid())
            .bind(i64::from(rows_max))
            .execute(c)
            .await
            .map(|done| done.rows_affected())
    })?)
}
