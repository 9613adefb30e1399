//! E-mail addresses: verification, changes, and undoing a change.

mod change;
pub(super) mod prove;
mod resend_verification;
pub(super) mod undo;
