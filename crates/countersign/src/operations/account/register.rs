//! Registration under each mode, with a name and an address that are not taken.

use std::sync::Arc;

use secrecy::SecretString;

use crate::accounts::Accounts;
use crate::config::RegistrationMode;
use crate::error::{InternalError, from_db_error};
use crate::limits::{Limit, TooManyAttempts};
use crate::model::{
    ChallengePurpose, ChallengeSolution, ClientInfo, DeviceTrust, EmailAddress, EventKind, Password, TokenPurpose,
    User, UserId, Username,
};
use crate::operations::steps::challenge::ChallengeRequired;
use crate::operations::steps::change::Change;
use crate::operations::steps::enqueue_mail::{Cause, Enqueued, TokenMail};
use crate::operations::steps::record_event::NewEvent;
use crate::secrets::hashing_pool::Overloaded;
use crate::secrets::one_time_secret::hash_of;
use crate::session_cache::Changed;
use crate::store;
use crate::store::users::NewUser;

/// Input of a registration.
#[non_exhaustive]
pub struct Register {
    /// The public name.
    pub username: Username,
    /// The private address.
    pub email: EmailAddress,
    /// The password.
    pub password: Password,
    /// The code of an invitation, if the client has one.
    pub invitation: Option<SecretString>,
    /// The proof of work, if one is required.
    pub challenge_solution: Option<ChallengeSolution>,
    /// The client that makes the request.
    pub client: ClientInfo,
}

impl Register {
    /// A registration without invitation and proof of work.
    pub fn new(username: Username, email: EmailAddress, password: Password, client: ClientInfo) -> Self {
        Self { username, email, password, invitation: None, challenge_solution: None, client }
    }
}

/// The result of a registration.
#[derive(Debug)]
#[non_exhaustive]
pub enum Registered {
    /// The user was created.
    User(User),
    /// A mail was enqueued. It tells the reader of the address how to continue, even if that address already has an
    /// account.
    AwaitsProof,
}

/// Why the registration failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// Registration is closed.
    #[error("the registration is closed")]
    Closed,
    /// The invitation does not exist, has expired, is used up, or is for another address.
    #[error("the invitation is not valid")]
    InvalidInvitation,
    /// A proof of work is required first.
    #[error(transparent)]
    ChallengeRequired(#[from] ChallengeRequired),
    /// The password is one of the most common ones.
    #[error("the password is among the most common ones")]
    CommonPassword,
    /// Another user has this name, possibly in another spelling.
    #[error("the username is taken")]
    UsernameTaken,
    /// Another user has this address.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// Too many registrations from this network, or too many mails to this address.
    #[error(transparent)]
    TooMany(#[from] TooManyAttempts),
    /// Too many passwords are being hashed.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// An internal error.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

from_db_error!(RegisterError);

impl Accounts {
    /// Registers a user.
    ///
    /// Hashes the password before querying the database, so that a taken name costs the client as much as a free one.
    ///
    /// ```
    /// use countersign::model::{ClientInfo, EmailAddress, Password, Username};
    /// use countersign::{Register, RegisterError, Registered};
    /// # use countersign::testing::TestApp;
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let app = TestApp::start().await;
    /// # let accounts = app.accounts();
    /// let (username, email) = (Username::parse("ada")?, EmailAddress::parse("ada@example.com")?);
    /// let password = Password::choose("a lighthouse in the fog")?;
    /// let register = Register::new(username, email, password, ClientInfo::default());
    /// match accounts.register(register).await {
    ///     Ok(Registered::User(user)) => assert_eq!(user.username.as_str(), "ada"),
    ///     Ok(_) => {} // a mail asks to confirm the address
    ///     Err(RegisterError::CommonPassword) => {} // ask for another one
    ///     Err(error) => return Err(error.into()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn register(&self, register: Register) -> Result<Registered, RegisterError> {
        let registered = self.try_register(register).await;
        self.event_counts().registrations.add(match &registered {
            Ok(Registered::User(_)) => "registered",
            Ok(Registered::AwaitsProof) => "awaits_proof",
            Err(RegisterError::Closed) => "closed",
            Err(RegisterError::InvalidInvitation) => "invalid_invitation",
            Err(RegisterError::ChallengeRequired(_)) => "challenge_required",
            Err(RegisterError::CommonPassword) => "common_password",
            Err(RegisterError::UsernameTaken) => "username_taken",
            Err(RegisterError::EmailTaken) => "email_taken",
            Err(RegisterError::TooMany(_)) => "limited",
            Err(RegisterError::Overloaded(_)) => "overloaded",
            Err(RegisterError::Internal(_)) => "failed",
        });
        registered
    }

    async fn try_register(&self, register: Register) -> Result<Registered, RegisterError> {
        let Register { username, email, password, invitation, challenge_solution, client } = register;
        let mode = self.config().registration.mode;
        if mode == RegistrationMode::Closed {
            return Err(RegisterError::Closed);
        }
        self.demand_challenge::<RegisterError>(ChallengePurpose::Register, challenge_solution.as_ref()).await?;
        self.take(Limit::Register, &client)?;
        let now = self.clock().now();
        let invitation = invitation.filter(|_| mode == RegistrationMode::Invite).map(|code| hash_of(&code));
        if mode == RegistrationMode::Invite {
            let code = invitation.as_deref().ok_or(RegisterError::InvalidInvitation)?;
            if !store::invitations::is_open(self.db().read().await?.conn(), code, &email, now).await? {
                return Err(RegisterError::InvalidInvitation);
            }
        }
        if self.is_too_common(&password) {
            return Err(RegisterError::CommonPassword);
        }
        let requester = client.requester(DeviceTrust::Stranger);
        let hash = self.hash_password(requester, &Arc::new(password)).await?;
        let mut change = self.change(Changed::Nothing).await?;
        let now = change.now();
        let registered = if mode == RegistrationMode::Verified {
            change.await_proof(&username, &email, &hash, &client).await?;
            Registered::AwaitsProof
        } else {
            if let Some(code) = invitation
                && !store::invitations::consume(change.conn(), &code, &email, now).await?
            {
                return Err(RegisterError::InvalidInvitation);
            }
            Registered::User(change.insert_user(&username, &email, &hash, &client).await?)
        };
        change.commit().await?;
        Ok(registered)
    }
}

impl Change<'_> {
    async fn insert_user(
        &mut self,
        username: &Username,
        email: &EmailAddress,
        password_hash: &str,
        client: &ClientInfo,
    ) -> Result<User, RegisterError> {
        let (now, language) = (self.now(), self.accounts.language_of(client));
        let id = UserId::new(now);
        let new = NewUser { id, username, email, email_verified_at: None, password_hash, language: &language, now };
        let Some(user) = store::users::insert(self.conn(), &new).await? else {
            return Err(match store::users::find_id_by_username(self.conn(), username).await? {
                Some(_) => RegisterError::UsernameTaken,
                None => RegisterError::EmailTaken,
            });
        };
        self.record(NewEvent::by_owner(EventKind::Registered, id, None), client).await?;
        let purpose = TokenPurpose::VerifyEmail;
        // An address over its mail limit gets none: the account exists, and the user can request the mail later.
        self.enqueue_token_mail(TokenMail {
            purpose,
            cause: Cause::Account,
            client,
            user: Some(id),
            session: None,
            address: email,
            language,
        })
        .await?;
        Ok(user)
    }

    /// Stores a registration until its address is proven. It reserves nothing, so several may wait for the same name or
    /// address.
    async fn await_proof(
        &mut self,
        username: &Username,
        address: &EmailAddress,
        password_hash: &str,
        client: &ClientInfo,
    ) -> Result<(), RegisterError> {
        let (purpose, language) = (TokenPurpose::CompleteRegistration, self.accounts.language_of(client));
        match self
            .enqueue_token_mail(TokenMail {
                purpose,
                cause: Cause::Anybody,
                client,
                user: None,
                session: None,
                address,
                language,
            })
            .await?
        {
            Enqueued::Token(token) => {
                Ok(store::registrations::insert(self.conn(), token, username, password_hash).await?)
            }
            Enqueued::TooMany(limited) => Err(limited.into()),
            Enqueued::SessionOver => unreachable!("no session asks"),
        }
    }
}
