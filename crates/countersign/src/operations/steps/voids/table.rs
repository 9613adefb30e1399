//! The table of acts and the secrets that they void. It has no imports, so that a test can compile it alone with
//! another act or secret and see the compiler refuse it.

/// An act on an account. "Present" below is the session that acts, or that the act is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    PasswordChanged,
    /// By a link mailed to the address.
    PasswordReset,
    OthersLoggedOut,
    SessionEnded,
    /// An exchanged refresh token was presented again.
    RefreshTokenReused,
    Reauthenticated,
    /// To a confirmed address.
    AddressChanged,
    /// To an unconfirmed address.
    AddressSet,
    /// By a link mailed to the former address.
    AddressChangeUndone,
    AccountDeleted,
}

/// A secret that can still open something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secret {
    /// Cookies and tokens of other sessions, and links requested by them.
    OtherSessions,
    /// Access tokens of the present session, until they expire.
    PresentAccessTokens,
    /// Cookie and refresh token of the present session.
    PresentSecrets,
    ResetLinks,
    VerificationLinks,
    /// Make another address the user's.
    ChangeLinks,
    /// Restore the former address after a change to a confirmed one.
    UndoLinks,
    /// Restore the former address after a change to an unconfirmed one.
    UnprovenUndoLinks,
    /// Registrations of the same address that wait for its proof. They belong to no user yet.
    WaitingRegistrations,
    /// Open nothing, but keep an attacker from locking out a known device.
    DeviceCookies,
}

/// What happens to a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Kept,
    Void,
    /// Void, and the acting client gets a new one.
    Replaced,
    /// Void if it belongs to a later change than the undone one.
    VoidIfLater,
}

impl Act {
    #[cfg(feature = "testing")]
    pub(crate) const ALL: [Self; 10] = [
        Self::PasswordChanged,
        Self::PasswordReset,
        Self::OthersLoggedOut,
        Self::SessionEnded,
        Self::RefreshTokenReused,
        Self::Reauthenticated,
        Self::AddressChanged,
        Self::AddressSet,
        Self::AddressChangeUndone,
        Self::AccountDeleted,
    ];

    /// Returns what the act does to a secret.
    #[expect(clippy::too_many_lines, reason = "a table is read as a whole")]
    pub(crate) const fn fate_of(self, secret: Secret) -> Fate {
        use Act as A;
        use Fate::{Kept, Replaced, Void, VoidIfLater};
        use Secret as S;
        match secret {
            S::OtherSessions => match self {
                A::PasswordChanged
                | A::PasswordReset
                | A::OthersLoggedOut
                | A::AddressChanged
                | A::AddressSet
                | A::AddressChangeUndone
                | A::AccountDeleted => Void,
                A::SessionEnded | A::RefreshTokenReused | A::Reauthenticated => Kept,
            },
            S::PresentAccessTokens => match self {
                A::PasswordReset
                | A::SessionEnded
                | A::RefreshTokenReused
                | A::Reauthenticated
                | A::AddressChangeUndone
                | A::AccountDeleted => Void,
                // A client that has no other token keeps using this one, but it no longer counts as a recent login.
                A::PasswordChanged | A::OthersLoggedOut | A::AddressChanged | A::AddressSet => Kept,
            },
            S::PresentSecrets => match self {
                A::PasswordChanged | A::Reauthenticated => Replaced,
                A::PasswordReset
                | A::SessionEnded
                | A::RefreshTokenReused
                | A::AddressChangeUndone
                | A::AccountDeleted => Void,
                A::OthersLoggedOut | A::AddressChanged | A::AddressSet => Kept,
            },
            S::ResetLinks => match self {
                A::PasswordChanged
                | A::PasswordReset
                | A::OthersLoggedOut
                | A::AddressChanged
                | A::AddressSet
                | A::AccountDeleted => Void,
                A::AddressChangeUndone => Replaced,
                A::SessionEnded | A::RefreshTokenReused | A::Reauthenticated => Kept,
            },
            S::VerificationLinks => match self {
                A::PasswordReset | A::AddressChanged | A::AddressChangeUndone | A::AccountDeleted => Void,
                A::AddressSet => Replaced,
                // They prove an address that is already the user's.
                A::PasswordChanged
                | A::OthersLoggedOut
                | A::SessionEnded
                | A::RefreshTokenReused
                | A::Reauthenticated => Kept,
            },
            S::ChangeLinks => match self {
                A::PasswordChanged
                | A::PasswordReset
                | A::OthersLoggedOut
                | A::AddressChanged
                | A::AddressSet
                | A::AddressChangeUndone
                | A::AccountDeleted => Void,
                A::SessionEnded | A::RefreshTokenReused | A::Reauthenticated => Kept,
            },
            S::UndoLinks => match self {
                A::AddressChangeUndone => VoidIfLater,
                A::AccountDeleted => Void,
                // The way back of an owner whose password, sessions and mailbox were stolen.
                A::PasswordChanged
                | A::PasswordReset
                | A::OthersLoggedOut
                | A::SessionEnded
                | A::RefreshTokenReused
                | A::Reauthenticated
                | A::AddressChanged
                | A::AddressSet => Kept,
            },
            S::UnprovenUndoLinks => match self {
                A::AddressChangeUndone => VoidIfLater,
                // Somebody set this address on an account, and its reader takes the account over.
                A::PasswordReset | A::AccountDeleted => Void,
                A::PasswordChanged
                | A::OthersLoggedOut
                | A::SessionEnded
                | A::RefreshTokenReused
                | A::Reauthenticated
                | A::AddressChanged
                | A::AddressSet => Kept,
            },
            S::WaitingRegistrations => match self {
                A::PasswordChanged
                | A::PasswordReset
                | A::OthersLoggedOut
                | A::SessionEnded
                | A::RefreshTokenReused
                | A::Reauthenticated
                | A::AddressChanged
                | A::AddressSet
                | A::AddressChangeUndone
                | A::AccountDeleted => Kept,
            },
            // Bound to the password hash.
            S::DeviceCookies => match self {
                A::PasswordChanged | A::PasswordReset => Replaced,
                A::AddressChangeUndone | A::AccountDeleted => Void,
                A::OthersLoggedOut
                | A::SessionEnded
                | A::RefreshTokenReused
                | A::Reauthenticated
                | A::AddressChanged
                | A::AddressSet => Kept,
            },
        }
    }
}

impl Secret {
    pub(crate) const ALL: [Self; 10] = [
        Self::OtherSessions,
        Self::PresentAccessTokens,
        Self::PresentSecrets,
        Self::ResetLinks,
        Self::VerificationLinks,
        Self::ChangeLinks,
        Self::UndoLinks,
        Self::UnprovenUndoLinks,
        Self::WaitingRegistrations,
        Self::DeviceCookies,
    ];
}
