//! The rules for a new password, and its hashing.

use std::sync::Arc;

use crate::accounts::Accounts;
use crate::config::Blocklist;
use crate::model::{Password, Requester};
use crate::secrets::hashing_pool::Overloaded;

impl Accounts {
    /// Whether the password is one of the most common ones and the configuration refuses those.
    pub(in crate::operations) fn is_too_common(&self, password: &Password) -> bool {
        self.config().password.blocklist == Blocklist::Common && password.is_common()
    }

    /// Hashes a password with the configured parameters.
    pub(in crate::operations) async fn hash_password(
        &self,
        requester: Requester,
        password: &Arc<Password>,
    ) -> Result<String, Overloaded> {
        self.hashing().hash(requester, self.config().password.hash_parameters, password).await
    }
}
