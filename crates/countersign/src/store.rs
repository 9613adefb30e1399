//! All SQL of this crate, one file per table.

pub(crate) mod attempts;
pub(crate) mod changes;
pub(crate) mod events;
pub(crate) mod image_files;
pub(crate) mod invitations;
pub(crate) mod jobs;
pub(crate) mod known_devices;
pub(crate) mod one_time_tokens;
pub(crate) mod password_recipes;
pub(crate) mod refresh_rotations;
pub(crate) mod registrations;
pub(crate) mod sessions;
pub(crate) mod signing_keys;
pub(crate) mod spent_challenges;
pub(crate) mod users;

use std::sync::LazyLock;

/// Maximum rows that a sweep deletes per transaction, so that logins do not wait long for it.
pub(crate) const SWEEP_BATCH: u16 = 500;

/// The parameters `$1` to `$500` for the keys that a sweep deletes. The number is fixed, so that the statement text is
/// always the same.
static KEYS: LazyLock<String> = LazyLock::new(|| {
    let parameters: Vec<String> = (1..=SWEEP_BATCH).map(|number| format!("${number}")).collect();
    parameters.join(", ")
});

/// Yields as many keys as [`KEYS`] has parameters, repeating the last key.
fn padded<K: Copy>(keys: &[K]) -> impl Iterator<Item = K> {
    let last = keys.last().copied();
    keys.iter().copied().chain(std::iter::from_fn(move || last)).take(SWEEP_BATCH.into())
}
