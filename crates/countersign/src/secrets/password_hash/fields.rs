//! Strict parsers for the fields between the `$` of a stored hash, which accept only what the known libraries write.

use base64::{
    Engine as _,
    alphabet::{self, Alphabet},
    engine::general_purpose::{GeneralPurpose, NO_PAD, STANDARD, STANDARD_NO_PAD},
};

use super::UnreadableHash;

/// PHC strings: standard base64 without padding.
pub(super) const PHC: GeneralPurpose = STANDARD_NO_PAD;
/// Django's tags: standard base64 with padding.
pub(super) const DJANGO: GeneralPurpose = STANDARD;
/// bcrypt's base64 has its own alphabet.
pub(super) const BCRYPT: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, NO_PAD);
/// passlib's "adapted" base64 for PBKDF2: a dot instead of the plus sign.
pub(super) const PASSLIB: GeneralPurpose = GeneralPurpose::new(
    &match Alphabet::new("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./") {
        Ok(alphabet) => alphabet,
        Err(_) => panic!("64 distinct printable characters are an alphabet"),
    },
    NO_PAD,
);

/// Decodes bytes in one of the encodings above. Refuses foreign characters, wrong padding and stray trailing bits, so
/// that no two strings encode the same bytes.
pub(super) fn bytes(encoding: &GeneralPurpose, field: &str) -> Result<Vec<u8>, UnreadableHash> {
    encoding.decode(field).map_err(|_| UnreadableHash::Malformed)
}

/// Parses a decimal number without sign or leading zeros.
pub(super) fn number(field: &str) -> Result<u32, UnreadableHash> {
    let canonical = field.bytes().all(|byte| byte.is_ascii_digit()) && (field == "0" || !field.starts_with('0'));
    if !canonical {
        return Err(UnreadableHash::Malformed);
    }
    // A number that is empty or out of range is malformed too.
    field.parse().map_err(|_| UnreadableHash::Malformed)
}

/// Parses PHC parameters such as `m=65536,t=3,p=4`: exactly these names in this order.
pub(super) fn numbers<const N: usize>(names: [&str; N], field: &str) -> Result<[u32; N], UnreadableHash> {
    let mut parts = field.split(',');
    let mut values = [0; N];
    for (name, value) in names.iter().zip(&mut values) {
        let digits = parts
            .next()
            .and_then(|part| part.strip_prefix(name)?.strip_prefix('='))
            .ok_or(UnreadableHash::Malformed)?;
        *value = number(digits)?;
    }
    match parts.next() {
        None => Ok(values),
        Some(_) => Err(UnreadableHash::Malformed),
    }
}
