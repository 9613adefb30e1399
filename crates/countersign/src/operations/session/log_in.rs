//! Login: compares an identifier and a password, and starts a session if they match.

use std::convert::Infallible;
use std::sync::Arc;

use countersign_db::DbError;

use crate::accounts::Accounts;
use crate::config::{LoginBy, RegistrationMode};
use crate::error::{InternalError, from_db_error};
use crate::limits::{Limit, Taken, TooManyAttempts};
use crate::model::{
    ClientInfo, DeviceTrust, EmailAddress, EventKind, Methods, Password, Stay, Username, Verification, trim_pasted,
};
use crate::operations::steps::attempts::Attempt;
use crate::operations::steps::issue_tokens::Tokens;
use crate::operations::steps::record_event::NewEvent;
use crate::operations::steps::start_session::{MatchedBy, StartSession};
use crate::secrets::attempt_key::Counted;
use crate::secrets::device_cookie::KnownDevice;
use crate::secrets::hashing_pool::Overloaded;
use crate::session_cache::Changed;
use crate::store;
use crate::store::users::Credentials;

/// Input of a login.
#[non_exhaustive]
pub struct LogIn {
    /// The e-mail address, or the username where [`LoginBy`] allows it; any text. Whitespace and invisible characters
    /// around it, as left by copying, are ignored.
    pub identifier: String,
    /// The password.
    pub password: Password,
    /// How long the session should last.
    pub stay: Stay,
    /// The client that makes the request.
    pub client: ClientInfo,
}

impl LogIn {
    /// A login that stays until the session ends.
    pub fn new(identifier: impl Into<String>, password: Password, client: ClientInfo) -> Self {
        Self { identifier: identifier.into(), password, stay: Stay::Kept, client }
    }
}

/// The result of a login.
#[non_exhaustive]
pub enum LogInOutcome {
    /// A session has started.
    Session(Tokens),
    /// The password is correct, and a second factor is required. No version returns this yet.
    SecondStep(SecondStep),
}

/// A login that still needs its second step. No second factor exists yet, so this type has no values.
pub struct SecondStep(Infallible);

impl LogInOutcome {
    /// Returns the tokens of the session.
    pub fn into_tokens(self) -> Tokens {
        match self {
            Self::Session(tokens) => tokens,
            Self::SecondStep(SecondStep(never)) => match never {},
        }
    }
}

/// Why the login failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogInError {
    /// No such user, or a wrong password. Deliberately one case.
    #[error("the identifier and the password do not belong together")]
    WrongCredentials,
    /// The password is correct, but the address is not verified, as [`RegistrationMode::Verified`] requires.
    #[error("the e-mail address is not verified")]
    EmailNotVerified,
    /// Too many failed logins from this network or for this account.
    #[error(transparent)]
    TooMany(#[from] TooManyAttempts),
    /// Too many passwords are being hashed.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// An internal error.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

from_db_error!(LogInError);

impl LogInError {
    /// Whether the error does not count as a wrong guess.
    fn is_refundable(&self) -> bool {
        matches!(self, Self::EmailNotVerified | Self::Overloaded(_))
    }
}

/// The typed identifier, parsed into what can match a user.
enum Identifier {
    Address(EmailAddress),
    Username(Username),
    Unmatched(String),
}

impl Identifier {
    fn parse(text: &str, by: LoginBy) -> Self {
        let text = trim_pasted(text);
        if let Ok(address) = EmailAddress::parse(text) {
            return Self::Address(address);
        }
        match (by, Username::parse(text)) {
            (LoginBy::EmailOrUsername, Ok(username)) => Self::Username(username),
            _ => Self::Unmatched(text.to_owned()),
        }
    }

    fn found_by(&self) -> MatchedBy<'_> {
        match self {
            Self::Address(address) => MatchedBy::Email(address),
            Self::Username(username) => MatchedBy::Username(username),
            Self::Unmatched(_) => MatchedBy::Nothing,
        }
    }

    fn counted(&self) -> Counted<'_> {
        match self {
            Self::Address(address) => Counted::Address(address),
            Self::Username(username) => Counted::Username(username),
            Self::Unmatched(text) => Counted::Text(text),
        }
    }
}

/// A login whose attempt has been counted.
struct CountedLogin<'g> {
    found: Option<Credentials>,
    found_by: MatchedBy<'g>,
    password: Password,
    stay: Stay,
    client: &'g ClientInfo,
    /// The device, if the user has logged in on it before.
    device: Option<KnownDevice>,
    attempt: &'g Attempt,
}

impl Accounts {
    /// Logs a user in, or returns the remaining step. An unknown identifier costs as much work as a wrong password and
    /// has the same limits. Known devices have their own attempt counter.
    ///
    /// ```
    /// use countersign::model::{ClientInfo, Password};
    /// use countersign::{LogIn, LogInError, LogInOutcome};
    /// use secrecy::ExposeSecret as _;
    /// # use countersign::model::{EmailAddress, Username};
    /// # use countersign::Register;
    /// # use countersign::testing::TestApp;
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let app = TestApp::start().await;
    /// # let accounts = app.accounts();
    /// # let (username, email) = (Username::parse("ada")?, EmailAddress::parse("ada@example.com")?);
    /// # let password = Password::choose("a lighthouse in the fog")?;
    /// # accounts.register(Register::new(username, email, password, ClientInfo::default())).await?;
    /// let password = Password::presented("a lighthouse in the fog");
    /// let log_in = LogIn::new("ada@example.com", password, ClientInfo::default());
    /// match accounts.log_in(log_in).await {
    ///     Ok(LogInOutcome::Session(tokens)) => {
    ///         let authenticated = accounts.verify_session_cookie(tokens.session_cookie.expose_secret()).await?;
    ///         assert_eq!(authenticated.unwrap().user.username.as_str(), "ada");
    ///     }
    ///     Ok(_) => {} // another step is needed
    ///     Err(LogInError::WrongCredentials) => {} // unknown address, or wrong password
    ///     Err(error) => return Err(error.into()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn log_in(&self, log_in: LogIn) -> Result<LogInOutcome, LogInError> {
        let logged_in = self.try_log_in(log_in).await.map(LogInOutcome::Session);
        self.event_counts().logins.add(match &logged_in {
            Ok(_) => "succeeded",
            Err(LogInError::WrongCredentials) => "wrong_credentials",
            Err(LogInError::EmailNotVerified) => "email_not_verified",
            Err(LogInError::TooMany(_)) => "limited",
            Err(LogInError::Overloaded(_)) => "overloaded",
            Err(LogInError::Internal(_)) => "failed",
        });
        logged_in
    }

    async fn try_log_in(&self, log_in: LogIn) -> Result<Tokens, LogInError> {
        let LogIn { identifier, password, stay, client } = log_in;
        let identifier = Identifier::parse(&identifier, self.config().login_by);
        let claimed = self.devices_of(&client);
        // A client without a device cookie is counted before any lookup, so that a flood does not keep others from the
        // database.
        let network = if claimed.is_empty() { Some(self.count_unknown_device(&client)?) } else { None };
        let found = self.find_credentials(&identifier).await?;
        let is_theirs = |device: &KnownDevice| {
            found.as_ref().is_some_and(|found| self.keys().is_device_of(device, found.user, &found.password_hash))
        };
        let device = claimed.into_iter().find(is_theirs);
        let network = match (network, &device) {
            (None, Some(_)) => {
                self.hashing().find_place(client.requester(DeviceTrust::Known))?;
                None
            }
            // Devices of other users do not count.
            (None, None) => Some(self.count_unknown_device(&client)?),
            (network, _) => network,
        };
        let counted = device.as_ref().map_or_else(|| identifier.counted(), Counted::Device);
        let logged_in = match self.reserve_attempt::<LogInError>(&counted).await {
            Ok(attempt) => {
                let found_by = identifier.found_by();
                let guess =
                    CountedLogin { found, found_by, password, stay, client: &client, device, attempt: &attempt };
                self.settle_attempt(&attempt, self.compare(guess).await, LogInError::is_refundable).await
            }
            Err(error) => Err(error),
        };
        if let (Some(network), true) = (network, logged_in.as_ref().err().is_none_or(LogInError::is_refundable)) {
            network.refund();
        }
        logged_in
    }

    /// Counts an attempt for the client's network, unless the hashing queue has no place for it.
    fn count_unknown_device(&self, client: &ClientInfo) -> Result<Taken, LogInError> {
        self.hashing().find_place(client.requester(DeviceTrust::Stranger))?;
        Ok(self.take(Limit::LogIn, client)?)
    }

    async fn find_credentials(&self, identifier: &Identifier) -> Result<Option<Credentials>, DbError> {
        let mut read = self.db().read().await?;
        match identifier {
            Identifier::Address(email) => store::users::find_credentials_by_email(read.conn(), email).await,
            Identifier::Username(username) => store::users::find_credentials_by_username(read.conn(), username).await,
            Identifier::Unmatched(_) => Ok(None),
        }
    }

    async fn compare(&self, guess: CountedLogin<'_>) -> Result<Tokens, LogInError> {
        let requester = guess.client.requester(standing(guess.device.as_ref()));
        let password = Arc::new(guess.password);
        let stored = guess.found.as_ref().map(|found| found.password_hash.as_str());
        let checked = self.check_password_alike::<LogInError>(requester, stored, &password).await?;
        let (Some(credentials), Some(hash)) = (guess.found, checked) else {
            return Err(LogInError::WrongCredentials);
        };
        let is_verified = credentials.verification == Verification::Verified;
        if !is_verified && self.config().registration.mode == RegistrationMode::Verified {
            return Err(LogInError::EmailNotVerified);
        }
        let costs = &self.config().password.hash_parameters;
        let upgrade =
            if hash.needs_upgrade(costs) { Some(self.hash_password(requester, &password).await?) } else { None };
        let start = StartSession {
            user: credentials.user,
            methods: Methods::PASSWORD,
            stay: guess.stay,
            password_hash: &credentials.password_hash,
            upgrade: upgrade.as_deref(),
            found_by: guess.found_by,
            client: guess.client,
        };
        self.begin(&start, guess.device.as_ref(), guess.attempt).await
    }

    async fn begin(
        &self,
        start: &StartSession<'_>,
        device: Option<&KnownDevice>,
        attempt: &Attempt,
    ) -> Result<Tokens, LogInError> {
        let &StartSession { user, client, .. } = start;
        let mut change = self.change(Changed::Nothing).await?;
        let now = change.now();
        // The user was changed or deleted after we read the hash.
        let session = change.start_session(start).await?.ok_or(LogInError::WrongCredentials)?;
        match device {
            // Keep the failures of strangers: a user who logs in now and then must not give an attacker new attempts.
            None => self.refund_attempt(change.conn(), attempt).await?,
            Some(_) => self.forget_attempts(change.conn(), attempt).await?,
        }
        // The first device needs no notice.
        let others = store::known_devices::note(change.conn(), user, &client.device(), now).await?;
        if others.is_some_and(|others| others > 0) {
            let news = NewEvent::by_owner(EventKind::NewSignIn, user, Some(session.session));
            change.record_and_notify(news, client).await?;
        }
        change.commit().await?;
        let tokens = self.issue_tokens(&session, now).await?;
        let hash = start.upgrade.unwrap_or(start.password_hash);
        let device_cookie = match start.stay {
            Stay::Kept => Some(self.keys().device_cookie(user, device, hash, now)),
            Stay::Brief => None,
        };
        Ok(Tokens { device_cookie, ..tokens })
    }
}

fn standing(device: Option<&KnownDevice>) -> DeviceTrust {
    if device.is_some() { DeviceTrust::Known } else { DeviceTrust::Stranger }
}
