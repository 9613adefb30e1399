//! Old notes are deleted: once a day by a job of one of the instances, and at once by a command. And the check whether
//! this instance can read notes.

use countersign::jiff::SignedDuration;
use countersign::{Accounts, RecurringJob};
use countersign_db::DbError;
use countersign_server::{HostCommands, HostError, NoSettings, ReadinessCheck, clap, say};

use crate::Notes;
use crate::store::{self, NoteId};

const KEPT_DAYS: u32 = 365;

#[derive(clap::Subcommand)]
pub(crate) enum Commands {
    /// Delete old notes
    Forget {
        /// The age from which they are deleted
        #[arg(long, default_value_t = KEPT_DAYS, value_parser = clap::value_parser!(u32).range(0..=3650))]
        days: u32,
    },
}

impl HostCommands<Notes> for Commands {
    async fn run(self, accounts: Accounts, _: &NoSettings) -> Result<(), HostError> {
        let Self::Forget { days } = self;
        let deleted = forget(&accounts, days).await?;
        say(format_args!("deleted {deleted} notes"));
        Ok(())
    }
}

pub(crate) fn job(accounts: &Accounts) -> RecurringJob {
    RecurringJob::new("notes.forget", SignedDuration::from_hours(24), accounts.clone(), forget_old)
}

async fn forget_old(accounts: Accounts) -> Result<(), HostError> {
    forget(&accounts, KEPT_DAYS).await?;
    Ok(())
}

async fn forget(accounts: &Accounts, days: u32) -> Result<u64, DbError> {
    let before = accounts.clock().now() - SignedDuration::from_hours(24 * i64::from(days));
    let mut tx = accounts.db().write().await?;
    let deleted = store::delete_before(tx.conn(), NoteId::new(before)).await?;
    tx.commit().await?;
    Ok(deleted)
}

pub(crate) fn readiness_check(accounts: &Accounts) -> ReadinessCheck {
    ReadinessCheck::new("notes", accounts.clone(), are_readable)
}

/// Everybody can read the reason, so it is not the error itself.
async fn are_readable(accounts: Accounts) -> Result<(), String> {
    read_any(&accounts).await.map_err(|_| "The notes cannot be read".to_owned())
}

async fn read_any(accounts: &Accounts) -> Result<(), DbError> {
    store::read_any(accounts.db().read().await?.conn()).await
}
