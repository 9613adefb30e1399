//! The table: which act voids what. It has no imports, so that a test can compile it alone with another act or another
//! secret and see that this is refused.

/// What happens to an account. "Present" below is the session that acts, or that the act is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    PasswordChanged,
    /// By a link that came to the address.
    PasswordReset,
    OthersLoggedOut,
    SessionEnded,
    /// A refresh token was presented for the second time.
    RefreshTokenReused,
    Reauthenticated,
    /// To an address whose reader has confirmed it.
    AddressChanged,
    /// To an address that nobody has confirmed.
    AddressSet,
    /// By a link that came to the former address.
    AddressChangeUndone,
    AccountDeleted,
}

/// What can still open something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secret {
    /// Cookies and tokens of other sessions, and the links that these have asked for.
    OtherSessions,
    /// Access tokens of the present session, until they expire.
    PresentAccessTokens,
    /// Its cookie and its refresh token.
    PresentSecrets,
    ResetLinks,
    VerificationLinks,
    /// They make another address the user's.
    ChangeLinks,
    /// They bring back an address after a change to one that was confirmed.
    UndoLinks,
    /// They bring back an address after a change to one that was not.
    UnprovenUndoLinks,
    /// Registrations of the same address that wait for its proof. They are nobody's yet.
    WaitingRegistrations,
    /// They open nothing, but keep guessers from locking a device out.
    DeviceCookies,
}

/// What becomes of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Kept,
    Void,
    /// Void, and the person who acts gets another one.
    Replaced,
    /// Void, if it belongs to a later change than the one that is undone.
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

    /// What the act does to a secret.
    #[expect(clippy::too_many_lines, reason = "a table is read as one")]
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
                // A client that knows of no other goes on with the one it has; it counts for no recent login any more.
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
                // They prove an address that is the user's already.
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
                // The way back of an owner whose password, sessions and mailbox are a thief's.
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
                // Somebody put an address on the account, and its reader takes the account over.
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
            // Bound to the hash of the password.
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
