//! Deletion of expired data: sessions, one-time tokens, used challenges, invitations, devices not seen for long,
//! forgiven attempts, and old events.
//!
//! Where no index finds expired rows, a reader walks through the table, and the writer deletes by key what it found, if
//! it is still expired. Every login and every use of a session would have to update such an index, only so that a sweep
//! reads less once in ten minutes.

use countersign_db::DbError;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::JobError;
use crate::accounts::Accounts;
use crate::config::{FAILURE_DECAY, LimitPolicy};
use crate::model::{EventId, Horizon, earlier};
use crate::store::{self, SWEEP_BATCH};

/// A device not used for this long counts as new.
const DEVICE_KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

/// How long account events are kept.
const EVENTS_KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

/// Tables that are walked through.
#[derive(Clone, Copy)]
enum ScannedTable {
    Sessions { now: Timestamp },
    Attempts { horizon: Horizon },
    Invitations { now: Timestamp },
    Devices { before: Timestamp },
}

impl Accounts {
    pub(super) async fn sweep(&self) -> Result<(), JobError> {
        let now = self.clock().now();
        let before = earlier(now, DEVICE_KEPT);
        let ahead_max = self.config().limits.as_ref().map(LimitPolicy::ahead_max);
        let horizon = Horizon::new(now, ahead_max.unwrap_or(SignedDuration::ZERO));
        while self.sweep_expired(now).await? >= SWEEP_BATCH.into() {}
        for walked in [
            ScannedTable::Sessions { now },
            ScannedTable::Attempts { horizon },
            ScannedTable::Invitations { now },
            ScannedTable::Devices { before },
        ] {
            self.walk(walked).await?;
        }
        Ok(self.find_password_recipes().await?)
    }

    /// Deletes what an index finds. Returns the largest number of rows deleted from one table.
    async fn sweep_expired(&self, now: Timestamp) -> Result<u64, DbError> {
        let oldest = EventId::new(earlier(now, EVENTS_KEPT));
        let mut tx = self.db().write().await?;
        let tokens = store::one_time_tokens::delete_expired(tx.conn(), now, SWEEP_BATCH.into()).await?;
        let challenges = store::spent_challenges::delete_expired(tx.conn(), now, SWEEP_BATCH.into()).await?;
        let events = store::events::delete_before(tx.conn(), oldest, SWEEP_BATCH).await?;
        tx.commit().await?;
        Ok(tokens.max(challenges).max(events))
    }

    async fn walk(&self, walked: ScannedTable) -> Result<(), DbError> {
        let mut after = Uuid::nil();
        loop {
            let found = self.find(walked, after).await?;
            let Some(last) = found.last() else { return Ok(()) };
            after = *last;
            self.take_away(walked, &found).await?;
            if found.len() < usize::from(SWEEP_BATCH) {
                return Ok(());
            }
        }
    }

    async fn find(&self, walked: ScannedTable, after: Uuid) -> Result<Vec<Uuid>, DbError> {
        let mut read = self.db().read().await?;
        match walked {
            ScannedTable::Sessions { now } => store::sessions::list_expired(read.conn(), after, now).await,
            ScannedTable::Attempts { horizon } => {
                store::attempts::list_forgiven(read.conn(), after, FAILURE_DECAY, horizon).await
            }
            ScannedTable::Invitations { now } => store::invitations::list_spent(read.conn(), after, now).await,
            ScannedTable::Devices { before } => {
                store::known_devices::list_users_with_older(read.conn(), after, before).await
            }
        }
    }

    async fn take_away(&self, walked: ScannedTable, found: &[Uuid]) -> Result<(), DbError> {
        let mut tx = self.db().write().await?;
        match walked {
            ScannedTable::Sessions { now } => store::sessions::delete_expired(tx.conn(), found, now).await?,
            ScannedTable::Attempts { horizon } => {
                store::attempts::delete_forgiven(tx.conn(), found, FAILURE_DECAY, horizon).await?;
            }
            ScannedTable::Invitations { .. } => store::invitations::delete_spent(tx.conn(), found).await?,
            ScannedTable::Devices { before } => store::known_devices::delete_older(tx.conn(), found, before).await?,
        }
        tx.commit().await
    }
}
