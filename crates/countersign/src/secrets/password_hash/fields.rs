//! Decides how strictly the fields between the `$` of a stored hash are read: only as their producers write them.

use base64::{
    Engine as _,
    alphabet::{self, Alphabet},
    engine::general_purpose::{GeneralPurpose, NO_PAD, STANDARD, STANDARD_NO_PAD},
};

use super::UnreadableHash;

/// PHC strings: base64 as everybody knows it, without padding.
pub(super) const PHC: GeneralPurpose = STANDARD_NO_PAD;
/// Django's tags: base64 with padding.
pub(super) const DJANGO: GeneralPurpose = STANDARD;
/// The order of bcrypt's 64 characters is its own.
pub(super) const BCRYPT: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, NO_PAD);
/// passlib's "adapted" base64 for PBKDF2: a dot in place of the plus sign.
pub(super) const PASSLIB: GeneralPurpose = GeneralPurpose::new(
    &match Alphabet::new("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./") {
        Ok(alphabet) => alphabet,
        Err(_) => panic!("64 distinct printable characters are an alphabet"),
    },
    NO_PAD,
);

/// Bytes in one of the encodings above. Refuses foreign characters, wrong padding and stray bits at the end, so that
/// no two strings stand for the same bytes.
pub(super) fn bytes(encoding: &GeneralPurpose, field: &str) -> Result<Vec<u8>, UnreadableHash> {
    encoding.decode(field).map_err(|_| UnreadableHash::Malformed)
}

/// A decimal number without sign or leading zeros.
pub(super) fn number(field: &str) -> Result<u32, UnreadableHash> {
    let canonical = field.bytes().all(|byte| byte.is_ascii_digit()) && (field == "0" || !field.starts_with('0'));
    if !canonical {
        return Err(UnreadableHash::Malformed);
    }
    // What does not fit, or is empty, is malformed too.
    field.parse().map_err(|_| UnreadableHash::Malformed)
}

/// PHC parameters, `m=65536,t=3,p=4`: exactly these names in this order, and nothing else.
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
