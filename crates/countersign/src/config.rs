//! How accounts behave: plain typed sections with safe defaults. Reads no environment.

mod challenge;
mod limits;
mod mail;
mod media;
mod site_url;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};

use crate::hooks::Hooks;
use crate::model::{ProxyPolicy, SigningAlgorithm};

pub use self::challenge::{ChallengePolicy, ChallengeWhen};
pub(crate) use self::limits::{FORGIVEN_AFTER, WAIT_MAX};
pub use self::limits::{InvalidRate, LimitPolicy, Rate};
pub use self::mail::MailPolicy;
pub use self::media::{Addressing, BucketCredentials, BucketPolicy, Delivery, MediaPolicy, StoragePolicy};
pub(crate) use self::media::{DEFAULT_PICTURE_PATH, PICTURES_FOLDER};
pub(crate) use self::site_url::is_loopback_authority;
pub use self::site_url::{InvalidSiteUrl, SiteUrl};

/// Everything a host chooses about its accounts.
pub struct Config {
    /// The present secret and the earlier ones; see [`Config::secret_keys`].
    secret_keys: Vec<SecretKey>,
    /// What signs access tokens.
    pub signing_algorithm: SigningAlgorithm,
    /// Where the site is reached. Links begin with it, and whether cookies are secure depends on it.
    pub public_url: SiteUrl,
    /// What other services ask about tokens with; without it none may.
    pub introspection_secret: Option<SecretKey>,
    /// The `iss` claim of access tokens: who vouches for them, usually the site's own address.
    pub issuer: String,
    /// How long an access token is valid.
    pub access_token_ttl: SignedDuration,
    /// How long a session lasts at the most, however much it is used.
    pub session_ttl: SignedDuration,
    /// How long a session lasts that is not used.
    pub session_idle_ttl: SignedDuration,
    /// How long a refresh token may be presented again after it was exchanged, for the sake of lost answers and second
    /// tabs; later it ends its session.
    pub refresh_replay_window: SignedDuration,
    /// How many sessions are kept in memory, so that their requests need no database; 0 is none.
    pub session_cache_max: usize,
    /// How long after the password was given acts that need a recent login are allowed.
    pub reauthentication_ttl: SignedDuration,
    /// Who may register, and what that takes.
    pub registration: RegistrationMode,
    /// How long a mail works that asks to confirm an address.
    pub verification_ttl: SignedDuration,
    /// How long a mail works that lets a new password be chosen.
    pub reset_ttl: SignedDuration,
    /// How long a change of the e-mail address can be undone from the old one.
    pub email_undo_ttl: SignedDuration,
    /// Where the links in mails lead.
    pub links: LinkPolicy,
    /// What people log in with.
    pub login_by: LoginBy,
    /// Whether common passwords are refused.
    pub blocklist: Blocklist,
    /// When a proof of work is asked for, and how much.
    pub challenge: ChallengePolicy,
    /// The host's code that runs in the transactions of the accounts.
    pub hooks: Option<Arc<dyn Hooks>>,
    /// What a new password hash costs.
    pub hash_parameters: HashParameters,
    /// How much hashing may go on at once.
    pub hashing: HashingPolicy,
    /// How often things may be tried; `None` is without end.
    pub limits: Option<LimitPolicy>,
    /// Bounds on requests.
    pub http: HttpPolicy,
    /// Proxies that are believed about whom they speak for.
    pub proxies: ProxyPolicy,
    /// How profile pictures are taken, kept and delivered.
    pub media: MediaPolicy,
    /// How mail is sent.
    pub mail: MailPolicy,
}

impl Config {
    /// Safe defaults for everything but the key and the address of the site, which have none. The address is the issuer of
    /// tokens too, unless [`Config::issuer`] is set to another.
    pub fn new(secret_key: SecretKey, public_url: SiteUrl) -> Self {
        Self {
            secret_keys: vec![secret_key],
            signing_algorithm: SigningAlgorithm::Hs256,
            issuer: public_url.to_string(),
            public_url,
            introspection_secret: None,
            access_token_ttl: SignedDuration::from_mins(30),
            session_ttl: SignedDuration::from_hours(90 * 24),
            session_idle_ttl: SignedDuration::from_hours(14 * 24),
            refresh_replay_window: SignedDuration::from_secs(30),
            session_cache_max: 20_000,
            reauthentication_ttl: SignedDuration::from_mins(30),
            registration: RegistrationMode::Open,
            verification_ttl: SignedDuration::from_hours(24),
            reset_ttl: SignedDuration::from_mins(60),
            email_undo_ttl: SignedDuration::from_hours(7 * 24),
            links: LinkPolicy::default(),
            login_by: LoginBy::Email,
            blocklist: Blocklist::Common,
            challenge: ChallengePolicy::default(),
            hooks: None,
            hash_parameters: HashParameters::default(),
            hashing: HashingPolicy::default(),
            limits: Some(LimitPolicy::default()),
            http: HttpPolicy::default(),
            proxies: ProxyPolicy::default(),
            media: MediaPolicy::default(),
            mail: MailPolicy::default(),
        }
    }
}

impl Config {
    /// The secrets of the installation, the present one first. It signs and seals; the others verify and open what was
    /// signed and sealed under them, so that a secret can be replaced without logging anybody out.
    pub fn secret_keys(&self) -> &[SecretKey] {
        &self.secret_keys
    }

    /// The whole address of a page: one of our own site, or one of [`LinkPolicy`] that is whole already.
    pub(crate) fn link(&self, page: &str) -> String {
        if page.starts_with('/') { format!("{}{page}", self.public_url) } else { page.to_owned() }
    }

    /// Adds a secret that was the present one before.
    pub fn add_previous_secret_key(&mut self, key: SecretKey) {
        self.secret_keys.push(key);
    }
}

/// Who may register, and what that takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationMode {
    /// Anybody; the account is there at once, and a mail asks to confirm the address. The answer tells whether an address
    /// has an account.
    Open,
    /// Anybody who reads the address: the account comes to be when that is proven, and the answer is the same whether or not
    /// the address has one. Also another address counts only when it is proven.
    Verified,
    /// Whoever has an invitation.
    Invite,
    /// Nobody.
    Closed,
}

/// Where the links in mails lead: paths on our own site, or whole addresses of pages that the host has elsewhere. The secret
/// is added as the parameter `token`; such a page must do nothing before somebody presses a button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkPolicy {
    /// Confirms an address.
    pub verify_email: String,
    /// Chooses a new password.
    pub reset_password: String,
    /// Takes back a change of the address.
    pub undo_email_change: String,
    /// Asks for a new password.
    pub forgot_password: String,
    /// Logs in.
    pub log_in: String,
    /// Shows the account and its sessions.
    pub account: String,
}

impl Default for LinkPolicy {
    fn default() -> Self {
        let path = str::to_owned;
        Self {
            verify_email: path("/verify-email"),
            reset_password: path("/reset-password"),
            undo_email_change: path("/undo-email-change"),
            forgot_password: path("/forgot-password"),
            log_in: path("/login"),
            account: path("/account"),
        }
    }
}

/// What a login's `username` field may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginBy {
    /// The e-mail address alone.
    Email,
    /// The e-mail address or the username. Usernames are public, so this tells a guesser half of what it needs.
    EmailOrUsername,
}

/// Whether the most common passwords are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocklist {
    /// The embedded list is consulted.
    Common,
    /// Any password of legal length is taken.
    Off,
}

/// Costs of Argon2id (RFC 9106, section 3.1), checked to be legal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashParameters {
    memory_kib: u32,
    iterations: u32,
    lanes: u32,
}

/// Why costs are not legal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHashParameters {
    /// Lanes out of range.
    #[error("Argon2 lanes must be between 1 and 16")]
    Lanes,
    /// Iterations out of range.
    #[error("Argon2 iterations must be between 1 and 16")]
    Iterations,
    /// Memory out of range.
    #[error("Argon2 memory must be between 8 KiB for each lane and 262144 KiB")]
    Memory,
    /// Memory times iterations out of range.
    #[error("Argon2 memory times iterations must not be more than 1048576 KiB")]
    Work,
}

/// Memory for one hash, ours or imported, in KiB: four times the default.
pub(crate) const HASH_MEMORY_KIB_MAX: u32 = 256 * 1024;
/// Memory written over all iterations of one hash, in KiB: some five times the default's work.
pub(crate) const HASH_WORK_KIB_MAX: u32 = 1024 * 1024;
/// Lanes of one hash.
pub(crate) const HASH_LANES_MAX: u32 = 16;

impl HashParameters {
    /// Memory in KiB, iterations, lanes. The upper ends keep one login from costing seconds.
    pub fn new(memory_kib: u32, iterations: u32, lanes: u32) -> Result<Self, InvalidHashParameters> {
        if !(1..=HASH_LANES_MAX).contains(&lanes) {
            return Err(InvalidHashParameters::Lanes);
        }
        if !(1..=16).contains(&iterations) {
            return Err(InvalidHashParameters::Iterations);
        }
        if !(8 * lanes..=HASH_MEMORY_KIB_MAX).contains(&memory_kib) {
            return Err(InvalidHashParameters::Memory);
        }
        // Both are small enough for the product.
        if memory_kib * iterations > HASH_WORK_KIB_MAX {
            return Err(InvalidHashParameters::Work);
        }
        Ok(Self { memory_kib, iterations, lanes })
    }

    /// Whether an attacker pays less than OWASP's Password Storage Cheat Sheet asks for at the least: 46 MiB in one pass,
    /// or 19 MiB in two.
    pub fn is_below_recommendations(&self) -> bool {
        self.memory_kib < 19_456 || (self.iterations == 1 && self.memory_kib < 47_104)
    }

    /// Memory, in KiB.
    pub fn memory_kib(&self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Independent lanes.
    pub fn lanes(&self) -> u32 {
        self.lanes
    }
}

impl Default for HashParameters {
    /// 64 MiB, 3 passes, 4 lanes: the second choice of RFC 9106, section 4, and the profile of Python's pwdlib.
    fn default() -> Self {
        Self { memory_kib: 65_536, iterations: 3, lanes: 4 }
    }
}

/// How many passwords are hashed at once, in how much memory, and how long the others wait.
#[derive(Clone, Debug)]
pub struct HashingPolicy {
    /// Threads that hash, at the most.
    pub threads: NonZeroUsize,
    /// Memory that hashing may take, in bytes. `None`: what the threads need at today's costs and 256 MiB for imported
    /// hashes of higher ones, but at most half of what the machine or the control group has.
    pub memory_bytes_max: Option<u64>,
    /// Requests waiting for their turn, and as many from devices that their users have logged in with before. One more is
    /// refused at once, unless it comes from a network that has fewer waiting than another.
    pub queue_max: usize,
    /// How long a request waits before it is refused.
    pub wait_max: Duration,
}

impl Default for HashingPolicy {
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            memory_bytes_max: None,
            queue_max: 1_024,
            wait_max: Duration::from_secs(10),
        }
    }
}

/// Bounds on requests.
#[derive(Clone, Debug)]
pub struct HttpPolicy {
    /// Largest body of a request, in bytes.
    pub body_bytes_max: usize,
}

impl Default for HttpPolicy {
    fn default() -> Self {
        Self { body_bytes_max: 65_536 }
    }
}

/// The key that signs access tokens. It cannot be printed and is wiped when dropped.
#[derive(Clone)]
pub struct SecretKey(SecretString);

/// Why a text is too weak for a key; never repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakSecretKey {
    /// Fewer than 32 bytes.
    #[error("shorter than 32 bytes; make one with the command `secret`")]
    Short,
    /// A text from somebody's example.
    #[error("a placeholder that everybody knows; make one with the command `secret`")]
    Placeholder,
    /// Fewer than 10 different bytes, or a short run repeated.
    #[error("too regular to be random; make one with the command `secret`")]
    LowVariety,
}

/// Words that stand in examples where a key should be.
const PLACEHOLDERS: [&str; 9] =
    ["change", "replace", "your", "secret-key", "secret_key", "secretkey", "example", "placeholder", "insecure"];

impl SecretKey {
    /// Takes a key of at least 32 bytes that looks random.
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

    /// The key's text.
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

    #[test]
    fn costs_below_the_recommendations_are_known() {
        let is_below =
            |memory_kib, iterations| HashParameters::new(memory_kib, iterations, 1).unwrap().is_below_recommendations();
        assert!(!HashParameters::default().is_below_recommendations());
        assert!(!is_below(19_456, 2) && !is_below(47_104, 1));
        assert!(is_below(19_456, 1) && is_below(19_455, 2) && is_below(47_103, 1));
    }

    #[test]
    fn costs_out_of_range_are_refused() {
        assert!(HashParameters::new(65_536, 3, 4).is_ok());
        assert_eq!(HashParameters::new(65_536, 3, 0), Err(InvalidHashParameters::Lanes));
        assert_eq!(HashParameters::new(65_536, 0, 4), Err(InvalidHashParameters::Iterations));
        assert_eq!(HashParameters::new(31, 3, 4), Err(InvalidHashParameters::Memory));
        assert_eq!(HashParameters::new(262_144, 5, 4), Err(InvalidHashParameters::Work));
        assert_eq!(HashParameters::new(u32::MAX, 3, 4), Err(InvalidHashParameters::Memory));
    }
}
