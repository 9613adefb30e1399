//! The `invite` command.

use countersign::config::RegistrationMode;
use countersign::model::EmailAddress;
use jiff::SignedDuration;
use secrecy::ExposeSecret as _;

use super::{Failure, Finding, open_accounts, print_error, say};
use crate::Host;
use crate::settings::Purpose;

pub(super) async fn invite<H: Host>(email: Option<EmailAddress>, uses: u32, days: u32) -> Result<Finding, Failure> {
    let accounts = open_accounts::<H>(Purpose::Serve).await?;
    if accounts.config().registration.mode != RegistrationMode::Invite {
        print_error("warning: REGISTRATION is not `invite`, so no invitation is required");
    }
    let ttl = SignedDuration::from_hours(24 * i64::from(days));
    let code = accounts.invite(email.as_ref(), uses, ttl).await?;
    let code = code.expose_secret();
    say(format_args!("{code}\n{}/register?invitation={code}", accounts.config().public_url));
    accounts.db().close().await;
    Ok(Finding::InOrder)
}
