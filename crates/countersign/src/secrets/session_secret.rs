//! Refresh tokens and session cookies: a keyed chain over a counter.
//!
//! Tokens are not stored. A token is the session's id, a counter, and an HMAC over both and the session's random salt,
//! with a key derived from `SECRET_KEY`. An attacker with the database lacks the key, and one with the key lacks the
//! salt. The counter in the session's row identifies the valid token. Every earlier one can be recognized as genuine
//! but spent, and its successor can be recomputed (`docs/adr/0011-refresh-tokens-as-a-keyed-chain.md`).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use uuid::Uuid;

use super::keys::{Keys, Purpose};
use crate::model::SessionId;

/// A prefix by which secret scanners recognize a leaked token.
const REFRESH_PREFIX: &str = "csr_";
/// Session, counter, HMAC.
const REFRESH_BYTES: usize = 16 + 8 + MAC_BYTES;
const MAC_BYTES: usize = 32;

/// Session, HMAC.
const COOKIE_BYTES: usize = 16 + MAC_BYTES;

/// A session cookie as presented, not yet verified.
pub(crate) struct PresentedCookie {
    pub(crate) session: SessionId,
    mac: [u8; MAC_BYTES],
}

impl PresentedCookie {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; COOKIE_BYTES];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let (session, mac) = bytes.split_first_chunk::<16>().filter(|_| length == COOKIE_BYTES)?;
        Some(Self { session: Uuid::from_bytes(*session).into(), mac: mac.try_into().ok()? })
    }
}

/// A refresh token as presented, not yet verified.
pub(crate) struct PresentedRefreshToken {
    pub(crate) session: SessionId,
    pub(crate) counter: u64,
    mac: [u8; MAC_BYTES],
}

impl PresentedRefreshToken {
    pub(crate) fn parse(token: &SecretString) -> Option<Self> {
        let text = token.expose_secret().strip_prefix(REFRESH_PREFIX)?;
        let mut bytes = [0; REFRESH_BYTES];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let (session, rest) = bytes.split_first_chunk::<16>().filter(|_| length == REFRESH_BYTES)?;
        let (counter, mac) = rest.split_first_chunk::<8>()?;
        Some(Self {
            session: Uuid::from_bytes(*session).into(),
            counter: u64::from_be_bytes(*counter),
            mac: mac.try_into().ok()?,
        })
    }
}

impl Keys {
    /// Returns the session's cookie.
    pub(crate) fn session_cookie(&self, session: SessionId, salt: &[u8]) -> SecretString {
        let mac = chain(self.present(Purpose::SessionCookies), session, salt, 0).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([session.uuid().as_bytes().as_slice(), mac.as_slice()].concat()).into()
    }

    /// Returns whether this cookie was made with the current key or an earlier one.
    pub(crate) fn is_genuine_cookie(&self, cookie: &PresentedCookie, salt: &[u8]) -> bool {
        self.all(Purpose::SessionCookies)
            .any(|key| chain(key, cookie.session, salt, 0).verify_slice(&cookie.mac).is_ok())
    }

    /// Returns the session's refresh token with this counter.
    pub(crate) fn refresh_token(&self, session: SessionId, salt: &[u8], counter: u64) -> SecretString {
        let mut bytes = [0; REFRESH_BYTES];
        bytes[..16].copy_from_slice(session.uuid().as_bytes());
        bytes[16..24].copy_from_slice(&counter.to_be_bytes());
        let mac = chain(self.present(Purpose::RefreshTokens), session, salt, counter).finalize().into_bytes();
        bytes[24..].copy_from_slice(&mac);
        format!("{REFRESH_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)).into()
    }

    /// Returns whether this token was made with the current key or an earlier one.
    pub(crate) fn is_genuine_refresh_token(&self, token: &PresentedRefreshToken, salt: &[u8]) -> bool {
        self.all(Purpose::RefreshTokens)
            .any(|key| chain(key, token.session, salt, token.counter).verify_slice(&token.mac).is_ok())
    }
}

fn chain(key: &Hmac<Sha256>, session: SessionId, salt: &[u8], counter: u64) -> Hmac<Sha256> {
    // All parts except the salt have a fixed length, and the salt is last.
    key.clone().chain_update(session.uuid().as_bytes()).chain_update(counter.to_be_bytes()).chain_update(salt)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::secrets::generate_secret_key;

    fn parse(token: &SecretString) -> PresentedRefreshToken {
        PresentedRefreshToken::parse(token).unwrap()
    }

    #[test]
    fn a_token_is_genuine_under_its_own_key_session_salt_and_number_alone() {
        let (key, other) = (generate_secret_key(), generate_secret_key());
        let keys = Keys::new(std::slice::from_ref(&key));
        let session = SessionId::new(Timestamp::UNIX_EPOCH);
        let token = keys.refresh_token(session, &[7; 32], 5);
        assert!(keys.is_genuine_refresh_token(&parse(&token), &[7; 32]));
        assert_eq!((parse(&token).session, parse(&token).counter), (session, 5));
        assert!(!keys.is_genuine_refresh_token(&parse(&token), &[8; 32]));
        assert!(!Keys::new(std::slice::from_ref(&other)).is_genuine_refresh_token(&parse(&token), &[7; 32]));
        assert!(Keys::new(&[other, key]).is_genuine_refresh_token(&parse(&token), &[7; 32]));
        let forged = PresentedRefreshToken { counter: 6, ..parse(&token) };
        assert!(!keys.is_genuine_refresh_token(&forged, &[7; 32]));
        let forged = PresentedRefreshToken { session: SessionId::new(Timestamp::UNIX_EPOCH), ..parse(&token) };
        assert!(!keys.is_genuine_refresh_token(&forged, &[7; 32]));
    }

    #[test]
    fn the_same_number_is_the_same_token() {
        let keys = Keys::new(&[generate_secret_key()]);
        let session = SessionId::new(Timestamp::UNIX_EPOCH);
        let token = |counter| keys.refresh_token(session, &[7; 32], counter).expose_secret().to_owned();
        assert_eq!(token(1), token(1));
        assert_ne!(token(1), token(2));
    }

    proptest! {
        #[test]
        fn what_is_no_token_is_refused(text in "(csr_)?[A-Za-z0-9_=-]{0,80}") {
            let keys = Keys::new(&[generate_secret_key()]);
            if let Some(token) = PresentedRefreshToken::parse(&text.into()) {
                prop_assert!(!keys.is_genuine_refresh_token(&token, &[7; 32]));
            }
        }
    }
}
