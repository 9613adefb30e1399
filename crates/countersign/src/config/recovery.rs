//! Recovery: the lifetimes of the mails that let an owner back into an account.

use jiff::SignedDuration;

/// What a host configures about account recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryPolicy {
    /// Lifetime of password reset mails.
    pub reset_ttl: SignedDuration,
    /// How long an e-mail change can be undone from the old address.
    pub email_undo_ttl: SignedDuration,
}

impl Default for RecoveryPolicy {
    /// An hour to reset the password; a week to undo an e-mail change.
    fn default() -> Self {
        Self { reset_ttl: SignedDuration::from_mins(60), email_undo_ttl: SignedDuration::from_hours(7 * 24) }
    }
}
