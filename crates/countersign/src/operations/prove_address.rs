//! What follows when somebody shows that they read an address: it is verified, an account comes to be, or the
//! address takes the place of another.

use countersign_db::{Conn, DbError};
use jiff::Timestamp;
use secrecy::SecretString;

use crate::accounts::Accounts;
use crate::error::InternalError;
use crate::limits::{Limit, TooManyAttempts};
use crate::model::{ClientInfo, EmailAddress, OneTimeToken, TokenPurpose, UserId, Username};
use crate::secrets::one_time_secret::hash_of;
use crate::session_cache::Changed;
use crate::store;
use crate::store::users::NewUser;

/// What came by mail.
pub enum AddressProof {
    /// What the link carries.
    Token(SecretString),
    /// The six digits, which count for their address alone.
    Code {
        /// Where they were sent.
        address: EmailAddress,
        /// The digits.
        code: SecretString,
    },
}

/// What is to be proven, and by whom.
pub struct ProveAddress {
    /// What came by mail.
    pub proof: AddressProof,
    /// Another name for the account that comes to be, where somebody has taken the one that was asked for.
    pub username: Option<Username>,
    /// Who is asking.
    pub client: ClientInfo,
}

/// What the proof was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProvenAddress {
    /// The address of this user is verified.
    Verified(UserId),
    /// This account has come to be; one can log in now.
    Registered(UserId),
    /// The address has become this user's.
    Changed(UserId),
}

/// Why nothing was proven.
#[derive(Debug, thiserror::Error)]
pub enum ProveAddressError {
    /// Unknown, used, superseded or expired; or the code was wrong too often.
    #[error("the link or code is not valid")]
    Invalid,
    /// Somebody has the name by now; the proof can be used again with another.
    #[error("the username is taken")]
    UsernameTaken,
    /// Somebody has the address by now.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// Too many secrets were presented by this network.
    #[error(transparent)]
    TooMany(#[from] TooManyAttempts),
    /// Something broke.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

impl From<DbError> for ProveAddressError {
    fn from(error: DbError) -> Self {
        Self::Internal(error.into())
    }
}

impl Accounts {
    /// Takes what came by mail as the proof that the caller reads that address.
    pub async fn prove_address(&self, prove: ProveAddress) -> Result<ProvenAddress, ProveAddressError> {
        let ProveAddress { proof, username, client } = prove;
        self.take(Limit::Secret, &client)?;
        let now = self.clock().now();
        let token = match &proof {
            AddressProof::Token(token) => {
                store::one_time_tokens::find_live(self.db().read().await?.conn(), &hash_of(token), now).await?
            }
            AddressProof::Code { address, code } => self.find_by_code(address, code, now).await?,
        };
        let token = token.filter(|token| token.purpose.proves_address()).ok_or(ProveAddressError::Invalid)?;
        let mut tx = match token.user {
            Some(user) => self.change(Changed::User(user)).await?,
            None => self.db().write().await?,
        };
        let registration = match token.purpose {
            TokenPurpose::CompleteRegistration => store::registrations::find(tx.conn(), token.id).await?,
            _ => None,
        };
        if !store::one_time_tokens::consume(tx.conn(), token.id).await? {
            return Err(ProveAddressError::Invalid);
        }
        let proven = match (token.purpose, token.user, registration) {
            (TokenPurpose::VerifyEmail, Some(user), _) => {
                if !store::users::verify_email(tx.conn(), user, &token.address, now).await? {
                    return Err(ProveAddressError::Invalid);
                }
                ProvenAddress::Verified(user)
            }
            (TokenPurpose::ConfirmEmailChange, Some(user), _) => {
                self.make_theirs(tx.conn(), user, &token, &client, now).await?;
                ProvenAddress::Changed(user)
            }
            (TokenPurpose::CompleteRegistration, None, Some(registration)) => {
                let username = username.unwrap_or(registration.username);
                let hash = &registration.password_hash;
                ProvenAddress::Registered(complete(tx.conn(), &username, &token, hash, now).await?)
            }
            _ => return Err(ProveAddressError::Invalid),
        };
        tx.commit().await?;
        self.jobs_are_due();
        Ok(proven)
    }

    /// A try is counted before the code is compared, and stays counted.
    async fn find_by_code(
        &self,
        address: &EmailAddress,
        code: &SecretString,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, DbError> {
        let mut tx = self.db().write().await?;
        let tried = store::one_time_tokens::count_code_attempt(tx.conn(), address, now).await?;
        tx.commit().await?;
        let has_code = |token: &OneTimeToken| {
            let secret = self.one_time_keys().recover(token.id, &token.salt, &token.hash);
            secret.is_some_and(|secret| secret.has_code(code))
        };
        Ok(tried.into_iter().find(has_code))
    }

    async fn make_theirs(
        &self,
        mut conn: Conn<'_>,
        user: UserId,
        token: &OneTimeToken,
        client: &ClientInfo,
        now: Timestamp,
    ) -> Result<(), ProveAddressError> {
        let contact = store::users::find_contact(conn.reborrow(), user).await?.ok_or(ProveAddressError::Invalid)?;
        let old = contact.email;
        match store::users::replace_email(conn.reborrow(), user, old.as_str(), &token.address, now).await {
            Ok(true) => {}
            Ok(false) => return Err(ProveAddressError::Invalid),
            Err(DbError::UniqueViolation) => return Err(ProveAddressError::EmailTaken),
            Err(error) => return Err(error.into()),
        }
        if old != token.address {
            self.follow_change_of_address(conn.reborrow(), user, &old, token.session, client, now).await?;
        }
        store::changes::insert(conn, user, None, now).await?;
        Ok(())
    }
}

async fn complete(
    mut conn: Conn<'_>,
    username: &Username,
    token: &OneTimeToken,
    password_hash: &str,
    now: Timestamp,
) -> Result<UserId, ProveAddressError> {
    let new = NewUser {
        id: UserId::new(now),
        username,
        email: &token.address,
        email_verified_at: Some(now),
        password_hash,
        language: &token.language,
        now,
    };
    if store::users::insert(conn.reborrow(), &new).await?.is_none() {
        return Err(match store::users::find_id_by_username(conn, username).await? {
            Some(_) => ProveAddressError::UsernameTaken,
            None => ProveAddressError::EmailTaken,
        });
    }
    Ok(new.id)
}
