//! The messages that the accounts send, and what each of them says.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use secrecy::{ExposeSecret as _, SecretString};

use crate::catalogue::{Argument, Catalogue, TextError};
use crate::model::{Device, EmailAddress, Language};
use crate::templates::{Value, context};

/// Whom a message is for.
#[derive(Clone)]
pub struct Recipient {
    /// Where it goes.
    pub address: EmailAddress,
    /// How they are greeted, as it is put in: for an address that nobody has proven, see [`without_links`].
    pub username: String,
    /// What they read; the closest that there is is taken.
    pub language: Language,
}

/// What can be said to a user. Links are whole addresses.
pub enum Message {
    /// Confirm that the address is yours.
    VerifyEmail {
        /// Confirms it.
        link: SecretString,
        /// Confirms it too.
        code: SecretString,
        /// How long both work.
        minutes: u32,
    },
    /// Confirm that the address is yours, and the account comes to be.
    CompleteRegistration {
        /// Confirms it.
        link: SecretString,
        /// Confirms it too.
        code: SecretString,
        /// How long both work.
        minutes: u32,
    },
    /// Somebody tried to register with an address that has an account.
    AlreadyRegistered {
        /// Where one logs in.
        login_link: String,
        /// Where one asks for a new password.
        reset_link: String,
    },
    /// Choose a new password.
    ResetPassword {
        /// Where that is done.
        link: SecretString,
        /// How long it works.
        minutes: u32,
    },
    /// To the new address: confirm that it is yours.
    ConfirmEmailChange {
        /// Confirms it.
        link: SecretString,
        /// Confirms it too.
        code: SecretString,
        /// How long both work.
        minutes: u32,
    },
    /// To the old address: the account has another now.
    EmailChanged {
        /// The new address, masked.
        new_address: String,
        /// Where the change is undone.
        undo_link: SecretString,
        /// How long it works.
        days: u32,
    },
    /// A login from a device that was not seen before.
    NewSignIn {
        /// What it is; `None` for what is no browser that we know by name.
        device: Option<Device>,
        /// Where it is, as far as its IP address tells.
        address: String,
        /// When it was.
        at: Timestamp,
        /// Where sessions are ended.
        account_link: String,
    },
    /// The password is another now.
    PasswordChanged {
        /// When it was changed.
        at: Timestamp,
        /// Where one asks for a new password.
        reset_link: String,
    },
    /// A refresh token came twice, and its session was ended.
    RefreshTokenReused {
        /// When it came again.
        at: Timestamp,
        /// Where sessions are looked at.
        account_link: String,
    },
    /// To an operator: mail works.
    Test {
        /// When it was tried.
        at: Timestamp,
    },
}

const MINUTES_OF_HOUR: u32 = 60;
const MINUTES_OF_DAY: u32 = 24 * MINUTES_OF_HOUR;

impl Message {
    /// One of each, with links to the site at `url`, for previews.
    ///
    /// # Panics
    /// Never: the instant in it is one.
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

    /// What its templates are called: `mail/<name>.html` and `mail/<name>.txt`.
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

    /// What its templates put in, beside what every message has.
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

/// In the largest unit that goes into it without a rest: `1 hour`, not `60 minutes`.
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
