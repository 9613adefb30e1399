//! The pages that links in mails lead to.

/// The pages that links in mails lead to: paths on our own site, or full URLs of pages that the host has elsewhere. The token is
/// added as the parameter `token`; such a page must not use it before the user presses a button.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkPolicy {
    /// Confirms an address.
    pub verify_email: String,
    /// Sets a new password.
    pub reset_password: String,
    /// Undoes an e-mail change.
    pub undo_email_change: String,
    /// Requests a password reset.
    pub forgot_password: String,
    /// Logs in.
    pub log_in: String,
    /// Shows the account and its sessions.
    pub account: String,
}

impl Default for LinkPolicy {
    fn default() -> Self {
        let path = str::to_owned;
        Self {
            verify_email: path("/verify-email"),
            reset_password: path("/reset-password"),
            undo_email_change: path("/undo-email-change"),
            forgot_password: path("/forgot-password"),
            log_in: path("/login"),
            account: path("/account"),
        }
    }
}
