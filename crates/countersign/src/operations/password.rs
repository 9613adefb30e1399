//! Passwords: changed by the user, or reset by mail.

pub(super) mod change;
pub(super) mod forgot;
pub(super) mod reset;
