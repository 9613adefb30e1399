//! What a failure inside looks like from outside: one opaque error that keeps its cause for the log.

use countersign_db::DbError;

/// Something broke that the caller can do nothing about, except to try again where the cause is the database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InternalError {
    /// The database did not answer as hoped.
    #[error(transparent)]
    Db(#[from] DbError),
    /// A key that signs access tokens cannot be used; the log says why.
    #[error("a signing key cannot be used")]
    SigningKey,
    /// The keys could not be read by the request that did so for several; the log has its error. Trying later may help.
    #[error("the keys that sign access tokens could not be read")]
    KeysUnread,
    /// A token could not be signed.
    #[error("an access token could not be signed")]
    Token(#[from] jsonwebtoken::errors::Error),
}

/// Has errors of the database be the variant `Internal` of an operation's error.
macro_rules! from_db_error {
    ($error:ident) => {
        impl From<countersign_db::DbError> for $error {
            fn from(error: countersign_db::DbError) -> Self {
                Self::Internal(error.into())
            }
        }
    };
}
pub(crate) use from_db_error;
