//! How a presented password is compared with what is stored for a user, if there is one.

use std::sync::Arc;

use crate::accounts::Accounts;
use crate::model::{Asker, Password};
use crate::secrets::hashing_pool::Overloaded;
use crate::secrets::password_hash::{self, PasswordHash};

impl Accounts {
    /// The stored hash if the password is its own. A hash that cannot be read, or none, matches nothing and costs as much.
    pub(in crate::operations) async fn check_password(
        &self,
        asker: Asker,
        stored: Option<&str>,
        password: &Arc<Password>,
    ) -> Result<Option<PasswordHash>, Overloaded> {
        let hash = stored.and_then(|stored| PasswordHash::parse(stored).ok());
        let hash = hash.unwrap_or_else(|| password_hash::decoy(&self.config().password.hash_parameters));
        Ok(self.hashing().verify(asker, &hash, password).await?.then_some(hash))
    }
}
