//! The messages that the accounts send, and their contents.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use secrecy::{ExposeSecret as _, SecretString};

use crate::catalogue::{Argument, Catalogue, TextError};
use crate::model::{Device, EmailAddress, Language};
use crate::templates::{Value, context};

/// The recipient of a message.
#[derive(Clone)]
#[non_exhaustive]
pub struct Recipient {
    /// The address.
    pub address: EmailAddress,
    /// The name in the greeting, inserted as it is. For an unverified address, see [`without_links`](super::without_links).
    pub username: String,
    /// The preferred language. The closest available one is used.
    pub language: Language,
}

impl Recipient {
    /// A recipient who is greeted by this name.
    pub fn new(address: EmailAddress, username: impl Into<String>, language: Language) -> Self {
        Self { address, username: username.into(), language }
    }
}

/// A message to a user. Links are absolute URLs.
#[non_exhaustive]
pub enum Message {
    /// Asks the user to verify an address.
    VerifyEmail {
        /// A link that verifies it.
        link: SecretString,
        /// A code that verifies it too.
        code: SecretString,
        /// Lifetime of both, in minutes.
        minutes: u32,
    },
    /// Asks the reader to verify an address, which creates the account.
    CompleteRegistration {
        /// A link that verifies it.
        link: SecretString,
        /// A code that verifies it too.
        code: SecretString,
        /// Lifetime of both, in minutes.
        minutes: u32,
    },
    /// Tells a user that somebody tried to register with their address.
    AlreadyRegistered {
        /// The login page.
        login_link: String,
        /// The page to request a password reset.
        reset_link: String,
    },
    /// Lets the user choose a new password.
    ResetPassword {
        /// The page to choose it.
        link: SecretString,
        /// Lifetime of the link, in minutes.
        minutes: u32,
    },
    /// Asks the reader of a new address to confirm it.
    ConfirmEmailChange {
        /// A link that confirms it.
        link: SecretString,
        /// A code that confirms it too.
        code: SecretString,
        /// Lifetime of both, in minutes.
        minutes: u32,
    },
    /// Tells the old address that the account has a new one.
    EmailChanged {
        /// The new address, masked.
        new_address: String,
        /// A link that undoes the change.
        undo_link: SecretString,
        /// Lifetime of the link, in days.
        days: u32,
    },
    /// Notifies a user of a login from a new device.
    NewSignIn {
        /// The device, or `None` if it is not a known browser.
        device: Option<Device>,
        /// The IP address of the client.
        address: String,
        /// When the login happened.
        at: Timestamp,
        /// The account page, where sessions can be ended.
        account_link: String,
    },
    /// Notifies a user that the password was changed.
    PasswordChanged {
        /// When it was changed.
        at: Timestamp,
        /// The page to request a password reset.
        reset_link: String,
    },
    /// Notifies a user that a refresh token was reused and its session was ended.
    RefreshTokenReused {
        /// When it was reused.
        at: Timestamp,
        /// The account page, which lists the sessions.
        account_link: String,
    },
    /// Tells an operator that mail works.
    Test {
        /// When the test was made.
        at: Timestamp,
    },
}

const MINUTES_OF_HOUR: u32 = 60;
const MINUTES_OF_DAY: u32 = 24 * MINUTES_OF_HOUR;

impl Message {
    /// Returns one message of each kind, with links to the site at `url`, for previews.
    ///
    /// # Panics
    /// Never: the timestamp in it is valid.
    pub fn samples(url: &str) -> [Self; 10] {
        const TOKEN: &str = "kN2yq0LkVZ1m8sXr5tQ7uBw3cE6dF9gHjAxPzRyTvWo";
        let secret = |path: &str| SecretString::from(format!("{url}{path}?token={TOKEN}"));
        let code = || SecretString::from("482913");
        let at: Timestamp = "2026-11-24T08:00:00Z".parse().expect("an instant");
        let (account_link, reset_link) = (format!("{url}/account"), format!("{url}/forgot-password"));
        [
            Self::VerifyEmail { link: secret("/verify-email"), code: code(), minutes: 1_440 },
            Self::CompleteRegistration { link: secret("/verify-email"), code: code(), minutes: 60 },
            Self::AlreadyRegistered { login_link: format!("{url}/login"), reset_link: reset_link.clone() },
            Self::ResetPassword { link: secret("/reset-password"), minutes: 60 },
            Self::ConfirmEmailChange { link: secret("/confirm-email"), code: code(), minutes: 30 },
            Self::EmailChanged {
                new_address: "a…@e….org".to_owned(),
                undo_link: secret("/undo-email-change"),
                days: 7,
            },
            Self::NewSignIn {
                device: Some(Device { browser: "Firefox", system: "Linux" }),
                address: "203.0.113.7".to_owned(),
                at,
                account_link: account_link.clone(),
            },
            Self::PasswordChanged { at, reset_link },
            Self::RefreshTokenReused { at, account_link },
            Self::Test { at },
        ]
    }

    /// Returns the name of its templates: `mail/<name>.html` and `mail/<name>.txt`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::VerifyEmail { .. } => "verify_email",
            Self::CompleteRegistration { .. } => "complete_registration",
            Self::AlreadyRegistered { .. } => "already_registered",
            Self::ResetPassword { .. } => "reset_password",
            Self::ConfirmEmailChange { .. } => "confirm_email_change",
            Self::EmailChanged { .. } => "email_changed",
            Self::NewSignIn { .. } => "new_sign_in",
            Self::PasswordChanged { .. } => "password_changed",
            Self::RefreshTokenReused { .. } => "refresh_token_reused",
            Self::Test { .. } => "test",
        }
    }

    /// Returns the template variables, in addition to those of every message.
    pub(super) fn context(&self, catalogue: &Catalogue, language: &Language) -> Result<Value, TextError> {
        let lifetime = |minutes: u32| lifetime(catalogue, language, minutes);
        let moment = |at: Timestamp| moment(catalogue, language, at);
        Ok(match self {
            Self::VerifyEmail { link, code, minutes }
            | Self::CompleteRegistration { link, code, minutes }
            | Self::ConfirmEmailChange { link, code, minutes } => {
                context! { link => link.expose_secret(), code => code.expose_secret(), lifetime => lifetime(*minutes)? }
            }
            Self::AlreadyRegistered { login_link, reset_link } => context! { login_link, reset_link },
            Self::ResetPassword { link, minutes } => {
                context! { link => link.expose_secret(), lifetime => lifetime(*minutes)? }
            }
            Self::EmailChanged { new_address, undo_link, days } => {
                let lifetime = lifetime(days.saturating_mul(MINUTES_OF_DAY))?;
                context! { new_address, undo_link => undo_link.expose_secret(), lifetime }
            }
            Self::NewSignIn { device, address, at, account_link } => {
                let device = match device {
                    Some(Device { browser, system }) => {
                        let names = [("browser", Argument::Text(browser)), ("system", Argument::Text(system))];
                        catalogue.text(language, "page-device", &names)?
                    }
                    None => catalogue.text(language, "page-unknown-device", &[])?,
                };
                context! { device, address, at => moment(*at)?, account_link }
            }
            Self::PasswordChanged { at, reset_link } => context! { at => moment(*at)?, reset_link },
            Self::RefreshTokenReused { at, account_link } => context! { at => moment(*at)?, account_link },
            Self::Test { at } => context! { at => moment(*at)? },
        })
    }
}

/// Formats a lifetime in the largest unit that divides it: `1 hour`, not `60 minutes`.
fn lifetime(catalogue: &Catalogue, language: &Language, minutes: u32) -> Result<String, TextError> {
    let (key, count) = match minutes {
        _ if minutes.is_multiple_of(MINUTES_OF_DAY) => ("duration-days", minutes / MINUTES_OF_DAY),
        _ if minutes.is_multiple_of(MINUTES_OF_HOUR) => ("duration-hours", minutes / MINUTES_OF_HOUR),
        _ => ("duration-minutes", minutes),
    };
    catalogue.text(language, key, &[("count", Argument::Number(count.into()))])
}

fn moment(catalogue: &Catalogue, language: &Language, at: Timestamp) -> Result<String, TextError> {
    let at = TimeZone::UTC.to_datetime(at);
    let time = format!("{:02}:{:02}", at.hour(), at.minute());
    let year = at.year().to_string();
    let arguments = [
        ("day", Argument::Number(at.day().into())),
        ("month", Argument::Number(at.month().into())),
        ("year", Argument::Text(&year)),
        ("time", Argument::Text(&time)),
    ];
    catalogue.text(language, "moment", &arguments)
}
