//! What a password that is chosen must be, and how it becomes what is stored.

use std::sync::Arc;

use crate::accounts::Accounts;
use crate::config::Blocklist;
use crate::model::{Asker, Password};
use crate::secrets::hashing_pool::Overloaded;

impl Accounts {
    /// Whether a password is among the most common, and those are refused.
    pub(in crate::operations) fn is_too_common(&self, password: &Password) -> bool {
        self.config().password.blocklist == Blocklist::Common && password.is_common()
    }

    /// The hash of a password at the present costs.
    pub(in crate::operations) async fn hash_password(
        &self,
        asker: Asker,
        password: &Arc<Password>,
    ) -> Result<String, Overloaded> {
        self.hashing().hash(asker, self.config().password.hash_parameters, password).await
    }
}
