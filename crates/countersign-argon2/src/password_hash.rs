//! The traits of the `password-hash` crate, for applications that hash through them, and PHC strings
//! (`$argon2id$v=19$m=19456,t=2,p=1$salt$tag`).

use std::sync::{Mutex, PoisonError};

use ::password_hash::phc::{Ident, Output, ParamsString, PasswordHash, Salt};
use ::password_hash::{CustomizedPasswordHasher, Error, PasswordHasher, Result};

use crate::{Arena, HashError, Input, InvalidParams, Params, Variant, Version};

/// Hashes and verifies through the traits [`PasswordHasher`] and
/// [`PasswordVerifier`](::password_hash::PasswordVerifier).
///
/// A hasher keeps the arena of one hash between calls, wiped, unless that hash needed more memory than its own hashes.
/// Threads may share a hasher: a call that finds the arena in use allocates another one. A thread pool with one [`Arena`] for each thread is faster.
///
/// ```
/// use countersign_argon2::{Hasher, Params};
/// use password_hash::phc::PasswordHash;
/// use password_hash::{PasswordHasher, PasswordVerifier};
///
/// # fn main() -> password_hash::Result<()> {
/// let hasher = Hasher::new(Params::default());
/// let hash = hasher.hash_password_with_salt(b"correct horse battery staple", b"sixteen byte salt")?;
/// let stored = hash.to_string();
/// let read = PasswordHash::new(&stored)?;
/// hasher.verify_password(b"correct horse battery staple", &read)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct Hasher {
    params: Params,
    arena: Mutex<Option<Arena>>,
}

impl Hasher {
    /// The most memory that a verified hash may ask for, in KiB: 1 GiB.
    pub const MEMORY_KIB_MAX: u32 = 1 << 20;
    /// The most passes that a verified hash may ask for.
    pub const ITERATIONS_MAX: u32 = 64;

    /// A hasher whose new hashes cost what `params` says. It verifies hashes of any cost up to
    /// [`Hasher::MEMORY_KIB_MAX`] and [`Hasher::ITERATIONS_MAX`].
    pub const fn new(params: Params) -> Self {
        Self { params, arena: Mutex::new(None) }
    }

    fn hash(&self, params: &Params, password: &[u8], salt: &[u8]) -> Result<PasswordHash> {
        let salt = Salt::new(salt)?;
        let mut arena = match self.spare().take() {
            Some(arena) => arena,
            None => Arena::new(params.memory_bytes()).map_err(|_| Error::OutOfMemory)?,
        };
        arena.grow(params.memory_bytes()).map_err(|_| Error::OutOfMemory)?;
        let mut tag = [0; Output::MAX_LENGTH];
        let tag = tag.get_mut(..params.tag_len() as usize).ok_or(Error::OutputSize)?;
        arena.hash(params, &Input::new(password, &salt), tag)?;
        // What is kept tells nothing about the password, and a single costly hash does not hold its memory for good.
        if params.memory_bytes() <= self.params.memory_bytes() {
            arena.wipe();
            *self.spare() = Some(arena);
        }
        Ok(PasswordHash {
            algorithm: Ident::try_from(params.variant().name())?,
            version: Some(params.version().number()),
            params: encoded(params)?,
            salt: Some(salt),
            hash: Some(Output::new(tag)?),
        })
    }

    fn spare(&self) -> std::sync::MutexGuard<'_, Option<Arena>> {
        self.arena.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PasswordHasher<PasswordHash> for Hasher {
    fn hash_password_with_salt(&self, password: &[u8], salt: &[u8]) -> Result<PasswordHash> {
        self.hash(&self.params, password, salt)
    }
}

impl CustomizedPasswordHasher<PasswordHash> for Hasher {
    type Params = Params;

    fn hash_password_customized(
        &self,
        password: &[u8],
        salt: &[u8],
        algorithm: Option<&str>,
        version: Option<u32>,
        params: Params,
    ) -> Result<PasswordHash> {
        if params.memory_kib() > Self::MEMORY_KIB_MAX || params.iterations() > Self::ITERATIONS_MAX {
            return Err(Error::ParamsInvalid);
        }
        let variant = algorithm.map_or(Ok(params.variant()), variant)?;
        let version = version.map_or(Ok(params.version()), self::version)?;
        let (memory, iterations, lanes) = (params.memory_kib(), params.iterations(), params.lanes());
        self.hash(&Params::new(variant, version, memory, iterations, lanes, params.tag_len())?, password, salt)
    }
}

/// The costs of a stored hash. A hash without a version is of version 16, as in the reference implementation.
impl TryFrom<&PasswordHash> for Params {
    type Error = Error;

    fn try_from(hash: &PasswordHash) -> Result<Self> {
        let cost = |name: &str| hash.params.get_decimal(name).ok_or(Error::ParamsInvalid);
        // A key id and associated data are part of what is hashed, and a hasher has neither.
        if hash.params.iter().any(|(name, _)| !matches!(name.as_str(), "m" | "t" | "p")) {
            return Err(Error::ParamsInvalid);
        }
        let tag_len = hash.hash.as_ref().map_or(Self::default().tag_len(), |tag| u32::try_from(tag.len()).unwrap_or(0));
        let (variant, version) = (variant(hash.algorithm.as_str())?, version(hash.version.unwrap_or(0x10))?);
        Ok(Self::new(variant, version, cost("m")?, cost("t")?, cost("p")?, tag_len)?)
    }
}

fn variant(name: &str) -> Result<Variant> {
    let named = |variant: &Variant| variant.name() == name;
    [Variant::Argon2id, Variant::Argon2i, Variant::Argon2d].into_iter().find(named).ok_or(Error::Algorithm)
}

fn version(number: u32) -> Result<Version> {
    [Version::V0x13, Version::V0x10].into_iter().find(|version| version.number() == number).ok_or(Error::Version)
}

fn encoded(params: &Params) -> Result<ParamsString> {
    let mut encoded = ParamsString::new();
    for (name, value) in [("m", params.memory_kib()), ("t", params.iterations()), ("p", params.lanes())] {
        encoded.add_decimal(name, value)?;
    }
    Ok(encoded)
}

impl From<InvalidParams> for Error {
    fn from(_: InvalidParams) -> Self {
        Self::ParamsInvalid
    }
}

impl From<HashError> for Error {
    fn from(error: HashError) -> Self {
        match error {
            HashError::SaltTooShort => Self::SaltInvalid,
            HashError::InputTooLong => Self::PasswordInvalid,
            HashError::TagLen { .. } => Self::OutputSize,
            HashError::ArenaTooSmall { .. } => Self::OutOfMemory,
        }
    }
}
