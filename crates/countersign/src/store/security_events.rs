//! Decides how events that concern an account's safety are kept.

use countersign_db::{Conn, DbError, DbTime, on_db};
use jiff::Timestamp;
use uuid::Uuid;

use crate::model::{ClientInfo, EventKind, UserId};

pub(crate) async fn insert(
    conn: Conn<'_>,
    id: Uuid,
    user: UserId,
    kind: EventKind,
    client: &ClientInfo,
    now: Timestamp,
) -> Result<(), DbError> {
    let address = client.address.map(|address| address.to_string());
    on_db!(conn, c => {
        sqlx::query("INSERT INTO auth_security_events (id, user_id, kind, address, happened_at) VALUES ($1, $2, $3, $4, $5)")
            .bind(id)
            .bind(user.uuid())
            .bind(kind.as_str())
            .bind(address)
            .bind(DbTime::from(now))
            .execute(c)
            .await
            .map(drop)
    })?;
    Ok(())
}
