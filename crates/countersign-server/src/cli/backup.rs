//! The `backup` and `backup-key` commands.

use std::path::Path;

use age::secrecy::ExposeSecret as _;
use age::x25519::{Identity, Recipient};
use countersign::clock::{Clock as _, SystemClock};
use tokio::task::JoinSet;

use super::{Failure, Finding, print_error, progress, say, settings_for};
use crate::Host;
use crate::backup::archive::Manifest;
use crate::backup::place::{Place, Stop};
use crate::backup::{Made, Order, make};
use crate::serve::StopSignals;
use crate::settings::Purpose;

/// Runs the command. `recipients` defaults to those of the settings.
pub(super) async fn back_up<H: Host>(place: &Path, mut recipients: Vec<Recipient>) -> Result<Finding, Failure> {
    let shell = settings_for::<H>(Purpose::Inspect)?.shell;
    if recipients.is_empty() {
        recipients = shell.backup_recipients();
    }
    let place = Place::parse(place, &shell)?;
    let (stop, stopped) = Stop::new();
    let mut signals = StopSignals::listen()?;
    let mut listening = JoinSet::new();
    listening.spawn(async move {
        signals.next().await;
        let _ = stop.send(true);
    });
    let order = Order { shell: &shell, place: &place, recipients: &recipients, now: SystemClock.now() };
    let made = make::<H>(&order, &stopped, &progress::show).await?;
    let Made { manifest, bytes, lost } = made;
    let encrypted = match recipients.len() {
        0 => String::new(),
        1 => ", encrypted to 1 recipient".to_owned(),
        many => format!(", encrypted to {many} recipients"),
    };
    for file in lost {
        print_error(&format!("error: {file} is missing from the storage, but a user has it"));
    }
    let Manifest { created_at, pictures, pictures_missing, .. } = &manifest;
    say(format_args!(
        "{}: {} users, {pictures} pictures, {bytes} bytes{encrypted}; database as of {created_at}",
        place.shown(),
        manifest.users(),
    ));
    if *pictures_missing == 0 {
        return Ok(Finding::InOrder);
    }
    print_error(&format!(
        "error: {pictures_missing} pictures of users are missing from the storage; everything else is backed up"
    ));
    Ok(Finding::NotInOrder)
}

/// Generates a key pair and prints it in the format of `age-keygen`. It is not stored.
pub(super) fn print_new_key() -> Finding {
    let key = Identity::generate();
    say(format_args!(
        "# created: {:.0}\n# public key: {}\n{}",
        SystemClock.now(),
        key.to_public(),
        key.to_string().expose_secret()
    ));
    Finding::InOrder
}
