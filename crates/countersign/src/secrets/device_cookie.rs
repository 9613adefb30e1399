//! Device cookies: a client that presents a genuine one has logged in with it before, so guesses from elsewhere do not
//! block it. The cookie does not grant access.
//!
//! It contains the user, a random device id, its creation time and a fingerprint of the password hash at that time,
//! authenticated by an HMAC. After a password change all devices are unknown again, so that someone who knew the old
//! password keeps no advantage.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use uuid::Uuid;

use super::bytes;
use super::keys::{Keys, Purpose};
use crate::model::UserId;

/// How long a device stays known without a login.
const DEVICE_TTL: SignedDuration = SignedDuration::from_hours(365 * 24);

const VERSION: u8 = 1;
const PRINT_BYTES: usize = 8;
const MAC_BYTES: usize = 32;
/// Version, user, device, creation time, fingerprint.
const SIGNED_BYTES: usize = 1 + 16 + 16 + 8 + PRINT_BYTES;
const COOKIE_BYTES: usize = SIGNED_BYTES + MAC_BYTES;

/// A device that was used for a login, according to its genuine cookie.
#[derive(Clone, Copy)]
pub(crate) struct KnownDevice {
    pub(crate) user: UserId,
    pub(crate) id: [u8; 16],
    print: [u8; PRINT_BYTES],
}

impl Keys {
    /// Returns the cookie of a device from which `user` has just proven the password of this hash: for the known
    /// device, or for a new one.
    pub(crate) fn device_cookie(
        &self,
        user: UserId,
        known: Option<&KnownDevice>,
        password_hash: &str,
        now: Timestamp,
    ) -> SecretString {
        let id = known.map_or_else(bytes::<16>, |device| device.id);
        let print: [u8; 32] =
            print(self.present(Purpose::DevicePrints), user, password_hash).finalize().into_bytes().into();
        let mut cookie = Vec::with_capacity(COOKIE_BYTES);
        cookie.push(VERSION);
        cookie.extend_from_slice(user.uuid().as_bytes());
        cookie.extend_from_slice(&id);
        cookie.extend_from_slice(&now.as_second().to_be_bytes());
        cookie.extend_from_slice(&print[..PRINT_BYTES]);
        let mac = self.present(Purpose::DeviceCookies).clone().chain_update(&cookie).finalize().into_bytes();
        cookie.extend_from_slice(&mac);
        URL_SAFE_NO_PAD.encode(cookie).into()
    }

    /// Parses a device cookie; `None` if it is not ours or is too old.
    pub(crate) fn read_device_cookie(&self, cookie: &SecretString, now: Timestamp) -> Option<KnownDevice> {
        let mut bytes = [0; COOKIE_BYTES];
        let length = URL_SAFE_NO_PAD.decode_slice(cookie.expose_secret(), &mut bytes).ok()?;
        let (signed, mac) = bytes.split_first_chunk::<SIGNED_BYTES>().filter(|_| length == COOKIE_BYTES)?;
        let is_ours = |key: &Hmac<Sha256>| key.clone().chain_update(signed).verify_slice(mac).is_ok();
        if !self.all(Purpose::DeviceCookies).any(is_ours) {
            return None;
        }
        let (version, rest) = signed.split_first()?;
        let (user, rest) = rest.split_first_chunk::<16>()?;
        let (id, rest) = rest.split_first_chunk::<16>()?;
        let (made_at, print) = rest.split_first_chunk::<8>()?;
        let made_at = Timestamp::from_second(i64::from_be_bytes(*made_at)).ok()?;
        let is_valid = *version == VERSION && now.duration_since(made_at) < DEVICE_TTL;
        let device = KnownDevice { user: Uuid::from_bytes(*user).into(), id: *id, print: print.try_into().ok()? };
        is_valid.then_some(device)
    }

    /// Returns whether a device belongs to this user and the password is the one it logged in with.
    pub(crate) fn is_device_of(&self, device: &KnownDevice, user: UserId, password_hash: &str) -> bool {
        let is_print =
            |key: &Hmac<Sha256>| print(key, user, password_hash).verify_truncated_left(&device.print).is_ok();
        device.user == user && self.all(Purpose::DevicePrints).any(is_print)
    }
}

fn print(key: &Hmac<Sha256>, user: UserId, password_hash: &str) -> Hmac<Sha256> {
    key.clone().chain_update(user.uuid().as_bytes()).chain_update(password_hash)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::secrets::generate_secret_key;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn user(number: u128) -> UserId {
        Uuid::from_u128(number).into()
    }

    #[test]
    fn a_cookie_is_good_for_its_user_and_password_alone() {
        let keys = Keys::new(&[generate_secret_key()]);
        let cookie = keys.device_cookie(user(1), None, "hash", NOW);
        let device = keys.read_device_cookie(&cookie, NOW).unwrap();
        assert!(keys.is_device_of(&device, user(1), "hash"));
        assert!(!keys.is_device_of(&device, user(2), "hash"));
        assert!(!keys.is_device_of(&device, user(1), "another"));
        let again = keys.read_device_cookie(&keys.device_cookie(user(1), Some(&device), "another", NOW), NOW).unwrap();
        assert_eq!(again.id, device.id);
        assert!(keys.is_device_of(&again, user(1), "another"));
        assert_ne!(
            keys.read_device_cookie(&keys.device_cookie(user(1), None, "hash", NOW), NOW).unwrap().id,
            device.id
        );
    }

    #[test]
    fn a_cookie_lasts_for_a_year_and_under_earlier_secrets() {
        let (key, other) = (generate_secret_key(), generate_secret_key());
        let cookie = Keys::new(std::slice::from_ref(&key)).device_cookie(user(1), None, "hash", NOW);
        let both = Keys::new(&[other.clone(), key]);
        let device = both.read_device_cookie(&cookie, NOW + DEVICE_TTL - SignedDuration::from_secs(1)).unwrap();
        assert!(both.is_device_of(&device, user(1), "hash"));
        assert!(both.read_device_cookie(&cookie, NOW + DEVICE_TTL).is_none());
        assert!(Keys::new(&[other]).read_device_cookie(&cookie, NOW).is_none());
    }

    proptest! {
        #[test]
        fn what_was_changed_in_any_bit_is_no_cookie(bit in 0..8 * COOKIE_BYTES) {
            let keys = Keys::new(&[generate_secret_key()]);
            let cookie = keys.device_cookie(user(1), None, "hash", NOW);
            let mut bytes = URL_SAFE_NO_PAD.decode(cookie.expose_secret()).unwrap();
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(keys.read_device_cookie(&URL_SAFE_NO_PAD.encode(bytes).into(), NOW).is_none());
        }

        #[test]
        fn what_is_no_cookie_is_refused(text in "[A-Za-z0-9_=-]{0,130}") {
            prop_assert!(Keys::new(&[generate_secret_key()]).read_device_cookie(&text.into(), NOW).is_none());
        }
    }
}
