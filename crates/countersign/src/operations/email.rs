//! E-mail addresses: proven, changed, changed back.

mod change;
pub(super) mod prove;
mod resend_verification;
pub(super) mod undo;
