//! Invitations: codes for a limited number of registrations, with an expiry and optionally for a single address.

use countersign_db::DbError;
use jiff::SignedDuration;
use secrecy::SecretString;

use crate::accounts::Accounts;
use crate::model::{EmailAddress, later};
use crate::secrets;
use crate::secrets::one_time_secret::{generate, hash_of};
use crate::session_cache::Changed;
use crate::store;
use crate::store::invitations::NewInvitation;

impl Accounts {
    /// Creates an invitation and returns its code. Only the hash is stored, so the code cannot be shown again.
    pub async fn invite(
        &self,
        address: Option<&EmailAddress>,
        uses: u32,
        ttl: SignedDuration,
    ) -> Result<SecretString, DbError> {
        let now = self.clock().now();
        let code = generate();
        let mut change = self.change(Changed::Nothing).await?;
        let expires_at = later(now, ttl);
        let id = secrets::random_uuid_v7(now);
        let invitation = NewInvitation { id, code_hash: &hash_of(&code), address, uses, now, expires_at };
        store::invitations::insert(change.conn(), &invitation).await?;
        change.commit().await?;
        Ok(code)
    }
}
