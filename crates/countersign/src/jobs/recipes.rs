//! The hashing recipes of stored passwords, found by a scan of the users table once a day and whenever the configured
//! cost changes.

use countersign_db::DbError;
use jiff::{SignedDuration, Timestamp};

use crate::accounts::Accounts;
use crate::secrets::password_hash::{self, PasswordHash};
use crate::store;

const FOUND_FOR: SignedDuration = SignedDuration::from_hours(24);

impl Accounts {
    /// Scans for recipes, unless a recent scan covers them. Each query finds one hash with a prefix not seen yet, so
    /// the whole table is read once, and parts of it once per recipe.
    pub(super) async fn find_password_recipes(&self) -> Result<(), DbError> {
        let now = self.clock().now();
        let current = password_hash::decoy(&self.config().password.hash_parameters).recipe();
        let noted = store::password_recipes::list(self.db().read().await?.conn()).await?;
        let is_recent = |found_at: Timestamp| now.duration_since(found_at).abs() < FOUND_FOR;
        if noted.iter().any(|(recipe, found_at)| *recipe == current && found_at.is_some_and(is_recent)) {
            return Ok(());
        }
        let mut found = Vec::new();
        let mut prefixes = std::array::from_fn(|_| PasswordHash::prefix(&current).to_owned());
        for seen in 1..=prefixes.len() {
            let hash =
                store::users::find_password_hash_without_prefixes(self.db().read().await?.conn(), &prefixes).await?;
            let (Some(hash), Some(prefix)) = (hash, prefixes.get_mut(seen)) else { break };
            PasswordHash::prefix(&hash).clone_into(prefix);
            found.extend(PasswordHash::parse(&hash).ok().map(|hash| hash.recipe()));
        }
        found.push(current);
        let mut tx = self.db().write().await?;
        for (recipe, _) in noted.iter().filter(|(recipe, _)| !found.contains(recipe)) {
            store::password_recipes::delete(tx.conn(), recipe).await?;
        }
        for recipe in &found {
            store::password_recipes::note(tx.conn(), recipe, now).await?;
        }
        tx.commit().await
    }
}
