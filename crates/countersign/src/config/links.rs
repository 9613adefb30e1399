//! Links in mails: the pages that they lead to.

/// Where the links in mails lead: paths on our own site, or whole addresses of pages that the host has elsewhere. The secret
/// is added as the parameter `token`; such a page must do nothing before somebody presses a button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkPolicy {
    /// Confirms an address.
    pub verify_email: String,
    /// Chooses a new password.
    pub reset_password: String,
    /// Takes back a change of the address.
    pub undo_email_change: String,
    /// Asks for a new password.
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
