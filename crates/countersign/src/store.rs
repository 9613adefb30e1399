//! What is asked of the database: one file a table, all SQL of this crate.

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

/// How many rows are taken away in one transaction, so that logins need not wait for it.
pub(crate) const SWEPT_AT_ONCE: u16 = 500;

/// The parameters `$1` to `$500`, for the keys of the rows that a sweep takes away. Always as many, so that it is one statement.
static KEYS: LazyLock<String> = LazyLock::new(|| {
    let parameters: Vec<String> = (1..=SWEPT_AT_ONCE).map(|number| format!("${number}")).collect();
    parameters.join(", ")
});

/// As many keys as [`KEYS`] has parameters: these, and the last one again.
fn padded<K: Copy>(keys: &[K]) -> impl Iterator<Item = K> {
    let last = keys.last().copied();
    keys.iter().copied().chain(std::iter::from_fn(move || last)).take(SWEPT_AT_ONCE.into())
}
