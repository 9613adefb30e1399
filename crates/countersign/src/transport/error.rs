//! Why a mail was not taken: whose fault that is, and with it whether the mail is tried again.

use std::fmt;

/// Why a mail was not taken. The texts are for operators and have no addresses in them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendMailError {
    /// Ours: the server refuses how it is spoken to, not this mail. Once the setting is right, the mail can go.
    #[error("{reason}; look at {setting}")]
    Settings {
        /// What is probably wrong.
        setting: MailSetting,
        /// What the server said to it.
        reason: String,
    },
    /// The server's: it cannot be reached, is busy, breaks off, or did not answer in time.
    #[error("{0}")]
    Server(String),
    /// The address's: no mail will ever be taken for it.
    #[error("{0}")]
    Address(String),
    /// The mail's: it cannot be put together, or the server will never take what is in it.
    #[error("{0}")]
    Mail(String),
}

impl SendMailError {
    /// Whether the mail is given up. Otherwise it is tried again later.
    pub fn is_for_good(&self) -> bool {
        match self {
            Self::Settings { .. } | Self::Server(_) => false,
            Self::Address(_) | Self::Mail(_) => true,
        }
    }
}

/// A setting that a mail server's refusal points to. Its text is the name that an operator knows it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailSetting {
    /// Which server it is: another may take the mail.
    Server,
    /// How the connection is encrypted.
    Tls,
    /// Who logs in.
    Login,
    /// The name that the server is greeted with.
    HelloName,
    /// Who mail is from.
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
