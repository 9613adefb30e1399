//! Secret keys: strong enough to sign with, and never printed.

use secrecy::{ExposeSecret as _, SecretString};

/// The key that signs access tokens. It cannot be printed, and is zeroized on drop.
#[derive(Clone)]
pub struct SecretKey(SecretString);

/// Why a text is too weak for a key; the error never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WeakSecretKey {
    /// Fewer than 32 bytes.
    #[error("shorter than 32 bytes; make one with the command `secret`")]
    Short,
    /// A placeholder from documentation.
    #[error("a placeholder that everybody knows; make one with the command `secret`")]
    Placeholder,
    /// Fewer than 10 distinct bytes, or a short run repeated.
    #[error("too regular to be random; make one with the command `secret`")]
    LowVariety,
}

/// Words of placeholders in documentation.
const PLACEHOLDERS: [&str; 9] =
    ["change", "replace", "your", "secret-key", "secret_key", "secretkey", "example", "placeholder", "insecure"];

impl SecretKey {
    /// Parses a key of at least 32 bytes that looks random.
    pub fn parse(text: String) -> Result<Self, WeakSecretKey> {
        let text = SecretString::from(text);
        let bytes = text.expose_secret().as_bytes();
        if bytes.len() < 32 {
            return Err(WeakSecretKey::Short);
        }
        let lower = text.expose_secret().to_lowercase();
        if PLACEHOLDERS.iter().any(|word| lower.contains(word)) {
            return Err(WeakSecretKey::Placeholder);
        }
        let mut seen = [false; 256];
        for byte in bytes {
            seen[usize::from(*byte)] = true;
        }
        let repeats = (1..=bytes.len() / 2).any(|run| bytes.iter().zip(&bytes[run..]).all(|(a, b)| a == b));
        if seen.iter().filter(|seen| **seen).count() < 10 || repeats {
            return Err(WeakSecretKey::LowVariety);
        }
        Ok(Self(text))
    }

    /// Returns the key's text.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_keys_are_refused_with_their_reason() {
        for (text, reason) in [
            ("short", WeakSecretKey::Short),
            ("change-me-please-change-me-please-0123456789", WeakSecretKey::Placeholder),
            ("YOUR_SECRET_KEY_HERE_0123456789abcdef", WeakSecretKey::Placeholder),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", WeakSecretKey::LowVariety),
            ("0123456789abcdef0123456789abcdef", WeakSecretKey::LowVariety),
        ] {
            assert_eq!(SecretKey::parse(text.to_owned()).err(), Some(reason), "{text}");
        }
        assert!(SecretKey::parse("7f3c9a1e5b2d8c4f6a0e9b7d3c5f1a8e2d4b6c80".to_owned()).is_ok());
    }
}
