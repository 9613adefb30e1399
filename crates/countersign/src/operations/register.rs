//! Decides who may have an account: whoever asks, under a name and an address that nobody has yet.

use std::sync::Arc;

use countersign_db::DbError;

use crate::accounts::Accounts;
use crate::config::Blocklist;
use crate::error::InternalError;
use crate::model::{ClientInfo, EmailAddress, Password, User, UserId, Username};
use crate::secrets::hashing_pool::Overloaded;
use crate::store;

/// What a registration needs.
pub struct Register {
    /// The public name.
    pub username: Username,
    /// The private address.
    pub email: EmailAddress,
    /// The password.
    pub password: Password,
    /// Who is asking.
    pub client: ClientInfo,
}

/// Why nobody was registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// One of the most common passwords.
    #[error("the password is among the most common ones")]
    CommonPassword,
    /// Somebody has this name, in this or another spelling.
    #[error("the username is taken")]
    UsernameTaken,
    /// Somebody has this address.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// Too many passwords are being hashed.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// Something broke.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

impl From<DbError> for RegisterError {
    fn from(error: DbError) -> Self {
        Self::Internal(error.into())
    }
}

impl Accounts {
    /// Registers a user.
    ///
    /// The password is hashed before the database is asked, so that a taken name costs the asker as much as a free one.
    pub async fn register(&self, register: Register) -> Result<User, RegisterError> {
        let Register { username, email, password, client } = register;
        if self.config().blocklist == Blocklist::Common && password.is_common() {
            return Err(RegisterError::CommonPassword);
        }
        let hash = self.hashing().hash(client.network(), self.config().hash_parameters, &Arc::new(password)).await?;
        let now = self.clock().now();
        let mut tx = self.db().write().await?;
        let user = store::users::insert(tx.conn(), UserId::new(now), &username, &email, &hash, now).await?;
        let Some(user) = user else {
            return Err(match store::users::find_id_by_username(tx.conn(), &username).await? {
                Some(_) => RegisterError::UsernameTaken,
                None => RegisterError::EmailTaken,
            });
        };
        tx.commit().await?;
        Ok(user)
    }
}
