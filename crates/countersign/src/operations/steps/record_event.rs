//! The one writer of events: what happened to an account, in the transaction that did it. A host's hook is told at the same place.

use countersign_db::DbError;

use super::change::Change;
use crate::model::{Actor, ClientInfo, Event, EventId, EventKind, SessionId, UserId};
use crate::store;

/// What is to be recorded.
#[derive(Clone, Copy)]
pub(in crate::operations) struct Happened {
    kind: EventKind,
    actor: Actor,
    subject: UserId,
    session: Option<SessionId>,
}

impl Happened {
    /// A user did it to their own account, perhaps by a session.
    pub(in crate::operations) fn by_owner(kind: EventKind, user: UserId, session: Option<SessionId>) -> Self {
        Self { kind, actor: Actor::User(user), subject: user, session }
    }

    /// We did it, to protect the account.
    pub(in crate::operations) fn by_system(kind: EventKind, subject: UserId, session: Option<SessionId>) -> Self {
        Self { kind, actor: Actor::System, subject, session }
    }
}

impl Change<'_> {
    /// Records an event, and tells the host's hook.
    pub(in crate::operations) async fn record(
        &mut self,
        happened: Happened,
        client: &ClientInfo,
    ) -> Result<EventId, DbError> {
        let Happened { kind, actor, subject, session } = happened;
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

    /// Records an event, and enqueues the notice to its user.
    pub(in crate::operations) async fn record_and_notify(
        &mut self,
        happened: Happened,
        client: &ClientInfo,
    ) -> Result<(), DbError> {
        let id = self.record(happened, client).await?;
        self.enqueue_notice(id, happened.kind, happened.subject).await
    }
}
