//! Hooks: a host's code inside the transactions of the accounts. Its writes are committed together with the event, or
//! not at all.

use std::pin::Pin;

use countersign_db::{Conn, DbError};

use crate::model::Event;

/// The return type of a hook: a boxed future, so that the trait can be used as an object.
pub type HookFuture<'h> = Pin<Box<dyn Future<Output = Result<(), DbError>> + Send + 'h>>;

/// A host's code that runs when something happens to an account; set as
/// [`Config::hooks`](crate::config::Config::hooks).
///
/// It runs in the transaction of the event. What it writes through `conn` is committed with the event, and an error
/// rolls both back: the client gets an internal error. Keep it short, because on SQLite every writer waits for this
/// transaction. Do not use the network or write files, because the transaction may still be rolled back. Insert a row
/// into your own outbox instead.
///
/// Any version may add kinds: ignore those that you do not know.
///
/// ```
/// use std::sync::Arc;
///
/// use countersign::model::EventKind;
/// use countersign::{Event, HookFuture, Hooks};
/// use countersign_db::{Conn, on_db};
///
/// /// Gives every new user ten credits, and registers nobody without them.
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
    /// Called for every event of an account. For a deletion, the account's rows still exist; for everything else, they
    /// have their final state.
    fn happened<'h>(&'h self, event: &'h Event, conn: Conn<'h>) -> HookFuture<'h>;
}
