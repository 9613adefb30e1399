//! Stored password hashes: parsing, verification and upgrades.
//!
//! Only one form is ever written: [`NewHash`]'s Argon2id string. The others are readable so that an application can
//! import its accounts, and [`PasswordHash::needs_upgrade`] replaces them at the next login. `PasswordHash::parse`
//! lists the readable forms.
//!
//! A stored hash is untrusted input, because it may be imported. So parsing is strict, and the time and memory that a
//! string can demand are bounded before use: by the limits here for all forms, and by those at the top of each family's
//! file.

mod argon2;
mod bcrypt;
mod fields;
mod pbkdf2;
mod recipes;
mod scrypt;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use countersign_argon2::{Arena, Input, Job, Params};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

pub(crate) use self::recipes::RecipesInUse;
use self::{argon2::Argon2, bcrypt::Bcrypt, pbkdf2::Pbkdf2, scrypt::Scrypt};
use crate::config::HashParameters;
use crate::model::Password;

/// Maximum length of a stored string. The longest one that a known library writes by default has about 150 bytes.
const ENCODED_BYTES_MAX: usize = 512;
/// Argon2 requires at least 8; the salts of the readable libraries start at 12.
const SALT_BYTES_MIN: usize = 8;
const SALT_BYTES_MAX: usize = 64;
/// The limits of the PHC string format. A truncated tag would match by chance, and an empty one would match every
/// password.
const TAG_BYTES_MIN: usize = 10;
const TAG_BYTES_MAX: usize = 64;

/// The lengths that this crate writes, below which a hash is replaced.
const CURRENT_SALT_BYTES: usize = 16;
const CURRENT_TAG_BYTES: usize = 32;

/// A parsed password hash. It cannot be printed or turned back into its string.
pub(crate) struct PasswordHash {
    recipe: Recipe,
    salt: Vec<u8>,
    tag: Zeroizing<Vec<u8>>,
    purpose: Purpose,
}

#[derive(Clone, Copy)]
enum Recipe {
    Argon2(Argon2),
    Bcrypt(Bcrypt),
    Scrypt(Scrypt),
    Pbkdf2(Pbkdf2),
}

#[derive(PartialEq, Eq)]
enum Purpose {
    /// Belongs to a user.
    Stored,
    /// Belongs to no user. It is verified anyway, so that response time does not reveal which accounts exist.
    Decoy,
}

/// Why a stored string cannot be verified here. The error never repeats the string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnreadableHash {
    /// Longer than any known form.
    #[error("the stored password hash is longer than {ENCODED_BYTES_MAX} bytes")]
    TooLong,
    /// Another algorithm, another library's spelling, or not a hash.
    #[error("the stored password hash is in none of the readable forms")]
    UnknownForm,
    /// A known form with a field that no library would have written.
    #[error("the stored password hash has a malformed field")]
    Malformed,
    /// A known form that is too weak to be useful or too expensive to verify.
    #[error("the stored password hash has a parameter, salt or tag outside the accepted bounds")]
    OutOfBounds,
}

impl PasswordHash {
    /// Parses a stored hash: a PHC or modular crypt string (both begin with `$`), or one in Django's spelling.
    pub(crate) fn parse(encoded: &str) -> Result<PasswordHash, UnreadableHash> {
        if encoded.len() > ENCODED_BYTES_MAX {
            return Err(UnreadableHash::TooLong);
        }
        let fields: Vec<&str> = encoded.split('$').collect();
        match *fields.as_slice() {
            ["" | "argon2", variant @ ("argon2d" | "argon2i" | "argon2id"), ref rest @ ..] => {
                argon2::parse(variant, rest)
            }
            ["", "2a" | "2b" | "2y", cost, salt_and_tag] | ["bcrypt", "", "2a" | "2b" | "2y", cost, salt_and_tag] => {
                bcrypt::parse(bcrypt::Input::Password, cost, salt_and_tag)
            }
            ["bcrypt_sha256", "", "2a" | "2b" | "2y", cost, salt_and_tag] => {
                bcrypt::parse(bcrypt::Input::Sha256Hex, cost, salt_and_tag)
            }
            ["", "scrypt", cost, salt, tag] => scrypt::parse_phc(cost, salt, tag),
            ["scrypt", n, salt, r, p, tag] => scrypt::parse_django([n, r, p], salt, tag),
            ["", digest @ ("pbkdf2" | "pbkdf2-sha256" | "pbkdf2-sha512"), cost, salt, tag] => {
                pbkdf2::parse_phc_or_passlib(digest, cost, salt, tag)
            }
            [digest @ ("pbkdf2_sha1" | "pbkdf2_sha256"), iterations, salt, tag] => {
                pbkdf2::parse_django(digest, iterations, salt, tag)
            }
            _ => Err(UnreadableHash::UnknownForm),
        }
    }

    fn stored(recipe: Recipe, salt: Vec<u8>, tag: Vec<u8>) -> Result<PasswordHash, UnreadableHash> {
        let tag = Zeroizing::new(tag);
        let bounded = (SALT_BYTES_MIN..=SALT_BYTES_MAX).contains(&salt.len())
            && (TAG_BYTES_MIN..=TAG_BYTES_MAX).contains(&tag.len());
        if !bounded {
            return Err(UnreadableHash::OutOfBounds);
        }
        Ok(PasswordHash { recipe, salt, tag, purpose: Purpose::Stored })
    }

    /// Returns the computation that verifies `password`.
    pub(crate) fn derivation(&self, password: &Arc<Password>) -> Derivation {
        Derivation {
            recipe: self.recipe,
            password: Arc::clone(password),
            salt: self.salt.clone(),
            tag_bytes: self.tag.len(),
        }
    }

    /// Returns whether this is the hash of `password`, given the result of [`PasswordHash::derivation`]. Runs in
    /// constant time.
    ///
    /// `false` for a password with a NUL in every family but Argon2: HMAC (PBKDF2, scrypt) ignores trailing NULs, and
    /// some bcrypt libraries stop at one.
    pub(crate) fn matches(&self, password: &Password, derived: &Tag) -> bool {
        // Refused only after the computation: a fast refusal would reveal that the account exists.
        let unambiguous = matches!(self.recipe, Recipe::Argon2(_)) || !password.expose().contains(&0);
        let equal = bool::from(derived.ct_eq(&self.tag));
        unambiguous && equal && self.purpose == Purpose::Stored
    }

    /// Returns whether a hash with the `current` parameters should replace this one once the password is known.
    ///
    /// Replaces everything but Argon2id 0x13 whose memory, iterations, salt and tag are not weaker. Lanes do not count:
    /// they divide the same work and do not change an attacker's cost.
    pub(crate) fn needs_upgrade(&self, current: &HashParameters) -> bool {
        let Recipe::Argon2(argon2) = &self.recipe else {
            return true;
        };
        argon2.is_weaker_than(&Argon2::current(current))
            || self.salt.len() < CURRENT_SALT_BYTES
            || self.tag.len() < CURRENT_TAG_BYTES
    }
}

/// The output of a hash for a password and a salt.
pub(crate) type Tag = Zeroizing<Vec<u8>>;

/// A pending computation of a tag. It is expensive and must not run on an async thread.
pub(crate) struct Derivation {
    recipe: Recipe,
    password: Arc<Password>,
    salt: Vec<u8>,
    tag_bytes: usize,
}

impl Derivation {
    /// Returns the parameters if it is Argon2. Derivations with equal parameters can be computed together.
    pub(crate) fn argon2(&self) -> Option<Params> {
        match self.recipe {
            Recipe::Argon2(argon2) => argon2.params(self.tag_bytes),
            Recipe::Bcrypt(_) | Recipe::Scrypt(_) | Recipe::Pbkdf2(_) => None,
        }
    }

    /// Returns the derivation with an empty salt, which Argon2 rejects: [`Derivation::run`] panics.
    #[cfg(test)]
    pub(crate) fn without_salt(self) -> Self {
        Self { salt: Vec::new(), ..self }
    }

    /// Returns the memory that the computation needs.
    pub(crate) fn memory_bytes(&self) -> u64 {
        match self.recipe {
            Recipe::Argon2(argon2) => argon2.params(self.tag_bytes).map_or(0, |params| params.memory_bytes()),
            Recipe::Scrypt(scrypt) => scrypt.memory_bytes(),
            Recipe::Bcrypt(_) | Recipe::Pbkdf2(_) => 0,
        }
    }

    /// Computes the tags of several derivations. Those of Argon2 must have equal parameters and fit into the arena.
    ///
    /// # Panics
    /// If they do not.
    pub(crate) fn run(derivations: &[Derivation], arena: &mut Arena) -> Vec<Tag> {
        let mut tags: Vec<Tag> = derivations.iter().map(|one| Zeroizing::new(vec![0; one.tag_bytes])).collect();
        let mut jobs = Vec::new();
        for (derivation, tag) in derivations.iter().zip(&mut tags) {
            let (password, salt) = (derivation.password.expose(), derivation.salt.as_slice());
            match derivation.recipe {
                Recipe::Argon2(_) => jobs.push(Job { input: Input::new(password, salt), tag: tag.as_mut_slice() }),
                Recipe::Bcrypt(bcrypt) => bcrypt.derive(password, salt, tag),
                Recipe::Scrypt(scrypt) => scrypt.derive(password, salt, tag),
                Recipe::Pbkdf2(pbkdf2) => pbkdf2.derive(password, salt, tag),
            }
        }
        if let Some(params) = derivations.iter().find_map(Derivation::argon2) {
            arena.hash_many(&params, &mut jobs).expect("costs, salts and tags were checked when they were read");
        }
        tags
    }
}

/// A hash to be created: Argon2id with a fresh salt.
pub(crate) struct NewHash {
    parameters: HashParameters,
    salt: [u8; CURRENT_SALT_BYTES],
}

impl NewHash {
    pub(crate) fn new(parameters: HashParameters) -> Self {
        Self { parameters, salt: super::bytes() }
    }

    /// Returns the Argon2 parameters of a new hash.
    pub(crate) fn params(parameters: &HashParameters) -> Params {
        Argon2::current(parameters).params(CURRENT_TAG_BYTES).expect("the parameters are legal by their type")
    }

    /// Returns the computation of the tag.
    pub(crate) fn derivation(&self, password: &Arc<Password>) -> Derivation {
        Derivation {
            recipe: Recipe::Argon2(Argon2::current(&self.parameters)),
            password: Arc::clone(password),
            salt: self.salt.to_vec(),
            tag_bytes: CURRENT_TAG_BYTES,
        }
    }

    /// Returns the PHC string as argon2-cffi and pwdlib write it, `$argon2id$v=19$m=…,t=…,p=…$salt$tag`, with at most
    /// 200 characters.
    pub(crate) fn encode(&self, tag: &Tag) -> String {
        format!(
            "$argon2id$v=19$m={},t={},p={}${}${}",
            self.parameters.memory_kib(),
            self.parameters.iterations(),
            self.parameters.lanes(),
            STANDARD_NO_PAD.encode(self.salt),
            STANDARD_NO_PAD.encode(tag),
        )
    }
}

/// Stored in place of a hash if no password shall match until a new one is set.
pub(crate) const VOID: &str = "!";

/// Returns a hash that costs as much to verify as a [`NewHash`] with these parameters and never matches.
pub(crate) fn decoy(parameters: &HashParameters) -> PasswordHash {
    PasswordHash {
        recipe: Recipe::Argon2(Argon2::current(parameters)),
        salt: vec![0; CURRENT_SALT_BYTES],
        tag: Zeroizing::new(vec![0; CURRENT_TAG_BYTES]),
        purpose: Purpose::Decoy,
    }
}
