//! Why a mail was not accepted: the cause, which determines whether the mail is retried.

use std::fmt;

/// Why a mail was not accepted. The texts are for operators and contain no addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendMailError {
    /// Our settings are wrong: the server refuses the way we use it, not this mail. The mail can go once the setting is
    /// right.
    #[error("{reason}; look at {setting}")]
    Settings {
        /// The setting that is probably wrong.
        setting: MailSetting,
        /// What the server replied.
        reason: String,
    },
    /// The server is unreachable or busy, broke off, or did not answer in time.
    #[error("{0}")]
    Server(String),
    /// The address will never accept a mail.
    #[error("{0}")]
    Address(String),
    /// The mail cannot be rendered, or the server will never accept its content.
    #[error("{0}")]
    Mail(String),
}

impl SendMailError {
    /// Whether the mail is given up instead of retried.
    pub fn is_for_good(&self) -> bool {
        match self {
            Self::Settings { .. } | Self::Server(_) => false,
            Self::Address(_) | Self::Mail(_) => true,
        }
    }
}

/// A setting that a mail server's refusal points to. Its text is the name that operators know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MailSetting {
    /// Which server is used: another may accept the mail.
    Server,
    /// How the connection is encrypted.
    Tls,
    /// The login.
    Login,
    /// The name in the greeting.
    HelloName,
    /// The sender of mails.
    From,
}

impl fmt::Display for MailSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "MAIL_SERVER and MAIL_PORT",
            Self::Tls => "MAIL_TLS, MAIL_PORT and MAIL_CA_FILE",
            Self::Login => "MAIL_USERNAME and MAIL_PASSWORD",
            Self::HelloName => "MAIL_HELO_NAME",
            Self::From => "MAIL_FROM",
        })
    }
}
