//! Decides what a failure inside looks like from outside: one opaque error that keeps its cause for the log.

use countersign_db::DbError;

use crate::secrets::password_hash::HashFailure;

/// Something broke that the caller can do nothing about, except to try again where the cause is the database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InternalError {
    /// The database did not answer as hoped.
    #[error(transparent)]
    Db(#[from] DbError),
    /// A password could not be hashed.
    #[error("a password could not be hashed: {0}")]
    Hash(String),
    /// A token could not be signed.
    #[error("an access token could not be signed")]
    Token(#[from] jsonwebtoken::errors::Error),
}

impl From<HashFailure> for InternalError {
    fn from(failure: HashFailure) -> Self {
        Self::Hash(failure.to_string())
    }
}
