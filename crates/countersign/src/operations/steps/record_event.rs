//! What happened to an account, recorded in the transaction that did it.

use countersign_db::DbError;

use super::change::Change;
use crate::model::{ClientInfo, EventId, EventKind, SecurityEvent, UserId};
use crate::store;

impl Change<'_> {
    /// Records an event.
    pub(in crate::operations) async fn record(
        &mut self,
        user: UserId,
        kind: EventKind,
        client: &ClientInfo,
    ) -> Result<EventId, DbError> {
        let id = EventId::new(self.now());
        let address = client.address.ip().map(|address| address.to_string());
        let happened_at = self.now();
        let event = SecurityEvent { id, user, kind, address, user_agent: client.user_agent.clone(), happened_at };
        store::security_events::insert(self.conn(), &event).await?;
        Ok(id)
    }
}
