//! Passwords: changed by their owner, or chosen again by the reader of a mail.

pub(super) mod change;
pub(super) mod forgot;
pub(super) mod reset;
