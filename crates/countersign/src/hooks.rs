//! A host's code inside the transactions of the accounts: what it writes is committed together with what happened, or not at all.

use std::pin::Pin;

use countersign_db::{Conn, DbError};

use crate::model::Event;

/// What a hook returns: a future in a box, so that the trait can be used as an object.
pub type HookFuture<'h> = Pin<Box<dyn Future<Output = Result<(), DbError>> + Send + 'h>>;

/// A host's code that runs when something has happened to an account; set as [`Config::hooks`](crate::config::Config::hooks).
///
/// It runs in the transaction that does it. What it writes by `conn` is committed with it, and an error undoes both: the user is
/// answered that something broke. Keep it short, because on SQLite every writer waits for this transaction. Send nothing over a
/// network and write no file: the transaction may still be undone. Insert a row into an outbox of your own instead.
///
/// Kinds are added in any version: a hook passes over those that it does not know.
///
/// ```
/// use std::sync::Arc;
///
/// use countersign::model::EventKind;
/// use countersign::{Event, HookFuture, Hooks};
/// use countersign_db::{Conn, on_db};
///
/// /// Everybody begins with ten credits, and nobody is registered without them.
/// struct Credits;
///
/// impl Hooks for Credits {
///     fn happened<'h>(&'h self, event: &'h Event, conn: Conn<'h>) -> HookFuture<'h> {
///         Box::pin(async move {
///             if event.kind == EventKind::Registered {
///                 on_db!(conn, c => {
///                     sqlx::query("INSERT INTO credits (user_id, credits) VALUES ($1, 10)")
///                         .bind(event.subject.uuid())
///                         .execute(c)
///                         .await
///                         .map(drop)
///                 })?;
///             }
///             Ok(())
///         })
///     }
/// }
///
/// # fn configure(config: &mut countersign::config::Config) {
/// config.hooks = Some(Arc::new(Credits));
/// # }
/// ```
pub trait Hooks: Send + Sync {
    /// Something has happened to an account. Of a deletion it is told while the account's rows are still there; of everything
    /// else when they are as they will be.
    fn happened<'h>(&'h self, event: &'h Event, conn: Conn<'h>) -> HookFuture<'h>;
}
