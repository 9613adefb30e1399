//! Proof of an address by a mailed link or code. It verifies the address, completes a registration or completes an
//! address change.

use std::sync::Arc;

use countersign_db::DbError;
use secrecy::SecretString;

use crate::accounts::Accounts;
use crate::error::{InternalError, from_db_error};
use crate::limits::{Limit, TooManyAttempts};
use crate::model::{
    ClientInfo, DeviceTrust, EmailAddress, EventKind, OneTimeCode, OneTimeToken, Password, TokenPurpose, UserId,
    Username,
};
use crate::operations::steps::change_address::NewAddress;
use crate::operations::steps::record_event::NewEvent;
use crate::secrets::attempt_key::Counted;
use crate::secrets::hashing_pool::Overloaded;
use crate::secrets::one_time_secret::hash_of;
use crate::session_cache::Changed;
use crate::store;
use crate::store::users::NewUser;

/// A secret that came by mail.
#[non_exhaustive]
pub enum AddressProof {
    /// The token in the link.
    Token(SecretString),
    /// The six-digit code, which is valid only with its address.
    Code {
        /// The address that it was sent to.
        address: EmailAddress,
        /// The code.
        code: OneTimeCode,
    },
}

/// Input of a proof.
#[non_exhaustive]
pub struct ProveAddress {
    /// The secret that came by mail.
    pub proof: AddressProof,
    /// For a registration: its password. Several registrations may wait for one address; the password selects the one
    /// that the reader of the address made.
    pub password: Option<Password>,
    /// For a registration: another username, if the requested one has been taken meanwhile.
    pub username: Option<Username>,
    /// The client that makes the request.
    pub client: ClientInfo,
}

impl ProveAddress {
    /// A proof without the password and username of a registration.
    pub fn new(proof: AddressProof, client: ClientInfo) -> Self {
        Self { proof, password: None, username: None, client }
    }
}

/// What the proof completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProvenAddress {
    /// The address of this user is verified.
    Verified(UserId),
    /// This account was created; the user can log in now.
    Registered(UserId),
    /// This user's address was changed.
    Changed(UserId),
}

/// Why the proof was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProveAddressError {
    /// The link or code is unknown, used, superseded or expired, or the code was wrong too often.
    #[error("the link or code is not valid")]
    Invalid,
    /// The proof completes a registration, but its password is missing. The proof stays valid.
    #[error("the password of the registration is missing")]
    PasswordRequired,
    /// No registration for this address has that password. The proof stays valid.
    #[error("the password is not that of the registration")]
    WrongPassword,
    /// Too many passwords are being hashed. The proof stays valid.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// Another user has the name now. The proof stays valid for another name.
    #[error("the username is taken")]
    UsernameTaken,
    /// Another user has the address now.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// This network presented too many secrets.
    #[error(transparent)]
    TooMany(#[from] TooManyAttempts),
    /// An internal error.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

from_db_error!(ProveAddressError);

impl Accounts {
    /// Accepts a mailed secret as proof that the caller reads the address.
    pub async fn prove_address(&self, prove: ProveAddress) -> Result<ProvenAddress, ProveAddressError> {
        let ProveAddress { proof, password, username, client } = prove;
        self.take(Limit::Secret, &client)?;
        let now = self.clock().now();
        let token = match &proof {
            AddressProof::Token(token) => {
                store::one_time_tokens::find_live(self.db().read().await?.conn(), &hash_of(token), now).await?
            }
            AddressProof::Code { address, code } => self.find_by_code(address, code, &client).await?,
        };
        let token = token.ok_or(ProveAddressError::Invalid)?;
        match (token.purpose, token.user) {
            (TokenPurpose::VerifyEmail, Some(user)) => self.verify_email(user, &token, &client).await,
            (TokenPurpose::ConfirmEmailChange, Some(user)) => self.confirm_email_change(user, &token, &client).await,
            (TokenPurpose::CompleteRegistration, None) => {
                let password = password.ok_or(ProveAddressError::PasswordRequired)?;
                self.complete_registration(&token, password, username, &client).await
            }
            _ => Err(ProveAddressError::Invalid),
        }
    }

    /// Counts the attempt before comparing the code, and does not refund it.
    async fn find_by_code(
        &self,
        address: &EmailAddress,
        code: &OneTimeCode,
        client: &ClientInfo,
    ) -> Result<Option<OneTimeToken>, DbError> {
        let network = self.keys().attempt_key(&Counted::CodesOf(client.network()));
        let mut change = self.change(Changed::Nothing).await?;
        let now = change.now();
        let tried = store::one_time_tokens::count_code_attempt(change.conn(), address, &network, now).await?;
        change.commit().await?;
        let has_code = |token: &OneTimeToken| {
            let secret = self.keys().recover_one_time_secret(token.id, &token.salt, &token.hash);
            secret.is_some_and(|secret| secret.has_code(code))
        };
        Ok(tried.into_iter().find(has_code))
    }

    async fn verify_email(
        &self,
        user: UserId,
        token: &OneTimeToken,
        client: &ClientInfo,
    ) -> Result<ProvenAddress, ProveAddressError> {
        let mut change = self.change(Changed::Rows(user)).await?;
        let now = change.now();
        let is_verified = store::one_time_tokens::consume(change.conn(), token.id, now).await?
            && store::users::verify_email(change.conn(), user, &token.address, now).await?;
        if !is_verified {
            return Err(ProveAddressError::Invalid);
        }
        change.record(NewEvent::by_owner(EventKind::EmailVerified, user, None), client).await?;
        change.commit().await?;
        Ok(ProvenAddress::Verified(user))
    }

    async fn confirm_email_change(
        &self,
        user: UserId,
        token: &OneTimeToken,
        client: &ClientInfo,
    ) -> Result<ProvenAddress, ProveAddressError> {
        let mut change = self.change(Changed::User(user)).await?;
        let now = change.now();
        if !store::one_time_tokens::consume(change.conn(), token.id, now).await? {
            return Err(ProveAddressError::Invalid);
        }
        let before = store::users::find_contact(change.conn(), user).await?.ok_or(ProveAddressError::Invalid)?;
        match store::users::replace_email(change.conn(), user, before.email.as_str(), &token.address, now).await {
            Ok(true) => {}
            Ok(false) => return Err(ProveAddressError::Invalid),
            Err(DbError::UniqueViolation) => return Err(ProveAddressError::EmailTaken),
            Err(error) => return Err(error.into()),
        }
        if before.email != token.address {
            change.follow_change_of_address(user, &before, NewAddress::Proven, token.session, client).await?;
        }
        change.commit().await?;
        Ok(ProvenAddress::Changed(user))
    }

    /// Completes a registration. The mail of any registration that waits for the address proves it; the password
    /// selects the reader's own.
    async fn complete_registration(
        &self,
        token: &OneTimeToken,
        password: Password,
        username: Option<Username>,
        client: &ClientInfo,
    ) -> Result<ProvenAddress, ProveAddressError> {
        let (now, password) = (self.clock().now(), Arc::new(password));
        let network = self.keys().attempt_key(&Counted::CodesOf(client.network()));
        let waiting = store::registrations::list_waiting(self.db().read().await?.conn(), token, &network, now).await?;
        let mut theirs = None;
        for registration in waiting {
            let requester = client.requester(DeviceTrust::Stranger);
            if self.check_password(requester, Some(&registration.password_hash), &password).await?.is_some() {
                theirs = Some(registration);
                break;
            }
        }
        let theirs = theirs.ok_or(ProveAddressError::WrongPassword)?;

        let mut change = self.change(Changed::Nothing).await?;
        let now = change.now();
        if !store::one_time_tokens::consume(change.conn(), theirs.token, now).await? {
            return Err(ProveAddressError::Invalid);
        }
        let username = username.unwrap_or(theirs.username);
        let new = NewUser {
            id: UserId::new(now),
            username: &username,
            email: &token.address,
            email_verified_at: Some(now),
            password_hash: &theirs.password_hash,
            language: &token.language,
            now,
        };
        if store::users::insert(change.conn(), &new).await?.is_none() {
            return Err(match store::users::find_id_by_username(change.conn(), &username).await? {
                Some(_) => ProveAddressError::UsernameTaken,
                None => ProveAddressError::EmailTaken,
            });
        }
        change.record(NewEvent::by_owner(EventKind::Registered, new.id, None), client).await?;
        change.commit().await?;
        Ok(ProvenAddress::Registered(new.id))
    }
}
