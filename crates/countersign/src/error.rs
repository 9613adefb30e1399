//! Internal errors: one opaque type that keeps its cause for the log.

use countersign_db::DbError;

/// An internal failure. The caller can only retry if the cause is the database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InternalError {
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// A signing key of access tokens cannot be used; the log says why.
    #[error("a signing key cannot be used")]
    SigningKey,
    /// Another request failed to read the signing keys for several requests; the log has its error. Retrying may help.
    #[error("the keys that sign access tokens could not be read")]
    KeysUnread,
    /// A token could not be signed.
    #[error("an access token could not be signed")]
    Token(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Implements `From<DbError>` for an operation's error, by its variant `Internal`.
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
