//! Sessions: login, authentication of requests, refresh, reauthentication and logout.

mod authenticate;
mod end;
pub(super) mod introspect;
pub(super) mod log_in;
pub(super) mod reauthenticate;
pub(super) mod refresh_tokens;
