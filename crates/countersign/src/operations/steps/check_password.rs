//! Password verification against the stored hash of a user, if there is one.

use std::sync::Arc;

use countersign_db::DbError;

use crate::accounts::Accounts;
use crate::model::{Password, Requester};
use crate::secrets::hashing_pool::Overloaded;
use crate::secrets::password_hash::{self, PasswordHash, RecipesInUse};
use crate::session_cache::Changed;
use crate::store;

impl Accounts {
    /// Returns the stored hash if the password matches. An unreadable or missing hash matches nothing and costs as
    /// much.
    pub(in crate::operations) async fn check_password(
        &self,
        requester: Requester,
        stored: Option<&str>,
        password: &Arc<Password>,
    ) -> Result<Option<PasswordHash>, Overloaded> {
        let hash = self.hash_or_decoy(stored);
        Ok(self.hashing().verify(requester, &hash, password).await?.then_some(hash))
    }

    /// Like `check_password`, but for a client that has proven nothing yet: the cost does not reveal the stored hash,
    /// because a wrong password is hashed with every recipe that stored hashes use.
    pub(in crate::operations) async fn check_password_alike<E>(
        &self,
        requester: Requester,
        stored: Option<&str>,
        password: &Arc<Password>,
    ) -> Result<Option<PasswordHash>, E>
    where
        E: From<Overloaded> + From<DbError>,
    {
        let hash = self.hash_or_decoy(stored);
        if self.hashing().verify(requester, &hash, password).await? {
            return Ok(Some(hash));
        }
        let noted = store::password_recipes::list(self.db().read().await?.conn()).await?;
        let noted = noted.iter().map(|(recipe, _)| recipe.as_str());
        let recipes = RecipesInUse::new(&self.config().password.hash_parameters, noted);
        if !recipes.cover(&hash) {
            // The hash was written to the database after the recipes were read.
            let mut change = self.change(Changed::Nothing).await?;
            let now = change.now();
            store::password_recipes::note(change.conn(), &hash.recipe(), now).await?;
            change.commit().await?;
        }
        for left in recipes.without(&hash) {
            self.hashing().verify(requester, &left, password).await?;
        }
        Ok(None)
    }

    fn hash_or_decoy(&self, stored: Option<&str>) -> PasswordHash {
        let hash = stored.and_then(|stored| PasswordHash::parse(stored).ok());
        hash.unwrap_or_else(|| password_hash::decoy(&self.config().password.hash_parameters))
    }
}
