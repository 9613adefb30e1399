//! The only writer of events: records what happened to an account in the transaction that did it, and calls the host's
//! hook.

use countersign_db::DbError;

use super::change::Change;
use crate::model::{Actor, ClientInfo, Event, EventId, EventKind, SessionId, UserId};
use crate::store;

/// An event to record.
#[derive(Clone, Copy)]
pub(in crate::operations) struct NewEvent {
    kind: EventKind,
    actor: Actor,
    subject: UserId,
    session: Option<SessionId>,
}

impl NewEvent {
    /// An act of a user on their own account, possibly in a session.
    pub(in crate::operations) fn by_owner(kind: EventKind, user: UserId, session: Option<SessionId>) -> Self {
        Self { kind, actor: Actor::User(user), subject: user, session }
    }

    /// An act of the system to protect the account.
    pub(in crate::operations) fn by_system(kind: EventKind, subject: UserId, session: Option<SessionId>) -> Self {
        Self { kind, actor: Actor::System, subject, session }
    }
}

impl Change<'_> {
    /// Records an event and calls the host's hook.
    pub(in crate::operations) async fn record(
        &mut self,
        happened: NewEvent,
        client: &ClientInfo,
    ) -> Result<EventId, DbError> {
        let NewEvent { kind, actor, subject, session } = happened;
        let happened_at = self.now();
        let event = Event {
            id: EventId::new(happened_at),
            kind,
            actor,
            subject,
            session,
            address: client.address.ip().map(|address| address.to_string()),
            user_agent: client.user_agent.clone(),
            happened_at,
        };
        store::events::insert(self.conn(), &event).await?;
        if let Some(hooks) = &self.accounts.config().hooks {
            hooks.happened(&event, self.conn()).await?;
        }
        Ok(event.id)
    }

    /// Records an event and enqueues a notice to its user.
    pub(in crate::operations) async fn record_and_notify(
        &mut self,
        happened: NewEvent,
        client: &ClientInfo,
    ) -> Result<(), DbError> {
        let id = self.record(happened, client).await?;
        self.enqueue_notice(id, happened.kind, happened.subject).await
    }
}
