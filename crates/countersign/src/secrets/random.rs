//! The only source of randomness: the operating system.

use std::cell::RefCell;
use std::fmt::Write as _;

use jiff::Timestamp;
use uuid::{Builder, Uuid};
use zeroize::Zeroizing;

use crate::config::SecretKey;
use crate::model::PictureFile;

/// Returns `N` random bytes from the operating system.
///
/// # Panics
/// If the operating system provides none; continuing would be worse.
#[expect(clippy::disallowed_methods, reason = "the only call of the operating system's random source")]
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// Returns a UUIDv7 (RFC 9562, section 5.7): the millisecond of `now`, then 74 random bits.
///
/// Ids are unique but not secret, and each request takes one, so random bits are fetched from the operating system for
/// many ids at a time.
///
/// # Panics
/// If the operating system provides no randomness.
pub fn random_uuid_v7(now: Timestamp) -> Uuid {
    const IDS: usize = 64;
    thread_local! {
        static FRESH: RefCell<Vec<[u8; 10]>> = const { RefCell::new(Vec::new()) };
    }
    let random = FRESH.with_borrow_mut(|fresh| {
        if fresh.is_empty() {
            fresh.extend(bytes::<{ 10 * IDS }>().as_chunks().0);
        }
        fresh.pop().expect("it has just been filled")
    });
    let milliseconds = u64::try_from(now.as_millisecond()).unwrap_or(0);
    Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid()
}

/// Returns a unique and unguessable file name for a picture: the digits of a random UUID (RFC 9562, section 5.4).
pub(crate) fn random_picture_file() -> PictureFile {
    PictureFile::of_random(Builder::from_random_bytes(bytes()).into_uuid().as_u128())
}

/// Generates a key of 64 hexadecimal digits (256 bits).
///
/// # Panics
/// Never in practice: 64 random digits have more than a few different values.
pub fn generate_secret_key() -> SecretKey {
    loop {
        let mut text = Zeroizing::new(String::with_capacity(64));
        for byte in bytes::<32>() {
            write!(text, "{byte:02x}").expect("a String takes everything");
        }
        // `SecretKey::parse` refuses fewer than 10 different digits, whatever their origin.
        if let Ok(key) = SecretKey::parse(text.as_str().to_owned()) {
            return key;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_64_hexadecimal_digits_and_never_the_same() {
        let (one, other) = (generate_secret_key(), generate_secret_key());
        assert!(one.expose().len() == 64 && one.expose().bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(one.expose(), other.expose());
    }

    #[test]
    fn ids_are_ordered_by_time() {
        let now = Timestamp::UNIX_EPOCH;
        let later = Timestamp::from_second(1).unwrap();
        assert!(random_uuid_v7(now) < random_uuid_v7(later));
        assert_eq!(random_uuid_v7(later).get_version_num(), 7);
    }
}
