//! Decides how events that concern an account's safety are kept.

use countersign_db::{Conn, DbError, DbTime, on_db};
use uuid::Uuid;

use crate::model::{EventId, EventKind, SecurityEvent};

pub(crate) async fn insert(conn: Conn<'_>, event: &SecurityEvent) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query(
            "INSERT INTO auth_security_events (id, user_id, kind, address, user_agent, happened_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(event.id.uuid())
        .bind(event.user.uuid())
        .bind(event.kind.as_str())
        .bind(event.address.as_deref())
        .bind(event.user_agent.as_deref())
        .bind(DbTime::from(event.happened_at))
        .execute(c)
        .await
        .map(drop)
    })?;
    Ok(())
}

pub(crate) async fn find(conn: Conn<'_>, id: EventId) -> Result<Option<SecurityEvent>, DbError> {
    type Row = (Uuid, String, Option<String>, Option<String>, DbTime);
    let row: Option<Row> = on_db!(conn, c => {
        sqlx::query_as("SELECT user_id, kind, address, user_agent, happened_at FROM auth_security_events WHERE id = $1")
            .bind(id.uuid())
            .fetch_optional(c)
            .await
    })?;
    let Some((user, kind, address, user_agent, happened_at)) = row else { return Ok(None) };
    let corrupt = |column| DbError::CorruptRow { table: "auth_security_events", column };
    Ok(Some(SecurityEvent {
        id,
        user: user.into(),
        kind: EventKind::parse(&kind).ok_or(corrupt("kind"))?,
        address,
        user_agent,
        happened_at: happened_at.timestamp().ok_or(corrupt("happened_at"))?,
    }))
}
