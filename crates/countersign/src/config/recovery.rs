//! Recovery: how long the mails work that let an owner back in.

use jiff::SignedDuration;

/// What a host chooses about the ways back into an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryPolicy {
    /// How long a mail works that lets a new password be chosen.
    pub reset_ttl: SignedDuration,
    /// How long a change of the e-mail address can be undone from the old one.
    pub email_undo_ttl: SignedDuration,
}

impl Default for RecoveryPolicy {
    /// An hour for a new password; a week to undo a change of the address.
    fn default() -> Self {
        Self { reset_ttl: SignedDuration::from_mins(60), email_undo_ttl: SignedDuration::from_hours(7 * 24) }
    }
}
