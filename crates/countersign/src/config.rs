//! The configuration of the accounts: one section for each subject, with safe defaults. Nothing here reads the environment.

#[cfg(feature = "s3")]
mod bucket;
mod challenge;
#[cfg(feature = "testing")]
pub(crate) mod differences;
mod hashing;
mod http;
mod limits;
mod links;
mod log_in;
mod mail;
mod media;
mod password;
mod recovery;
mod registration;
mod secret_key;
mod session;
mod site_url;
mod tokens;

use std::sync::Arc;

#[cfg(feature = "s3")]
pub use self::bucket::{Addressing, BucketCredentials, BucketPolicy};
pub use self::challenge::{ChallengePolicy, ChallengeWhen};
pub use self::hashing::HashingPolicy;
pub use self::http::HttpPolicy;
pub(crate) use self::limits::{FAILURE_DECAY, WAIT_MAX};
pub use self::limits::{InvalidRate, LimitPolicy, Rate};
pub use self::links::LinkPolicy;
pub use self::log_in::LoginBy;
pub use self::mail::MailPolicy;
pub(crate) use self::media::DEFAULT_PICTURE_PATH;
#[cfg(feature = "pictures")]
pub(crate) use self::media::PICTURES_FOLDER;
pub use self::media::{Delivery, MediaPolicy, StoragePolicy};
pub use self::password::{Blocklist, HashParameters, InvalidHashParameters, PasswordPolicy};
pub(crate) use self::password::{HASH_LANES_MAX, HASH_MEMORY_KIB_MAX, HASH_WORK_KIB_MAX};
pub use self::recovery::RecoveryPolicy;
pub use self::registration::{RegistrationMode, RegistrationPolicy};
pub use self::secret_key::{SecretKey, WeakSecretKey};
pub use self::session::SessionPolicy;
pub(crate) use self::site_url::is_loopback_authority;
pub use self::site_url::{InvalidSiteUrl, SiteUrl};
pub use self::tokens::{FIRST_PARTY_CLIENT, TokenPolicy};

use crate::hooks::Hooks;
use crate::model::ProxyPolicy;

/// Everything that a host configures about its accounts.
pub struct Config {
    /// The current secret key, followed by earlier ones; see [`Config::secret_keys`].
    secret_keys: Vec<SecretKey>,
    /// The site's public URL: the base of links, and what makes cookies secure or not.
    pub public_url: SiteUrl,
    /// Lifetimes of sessions, and how many are cached.
    pub session: SessionPolicy,
    /// Signing, issuer and audience of access tokens, and their introspection.
    pub tokens: TokenPolicy,
    /// Who may register, and under which conditions.
    pub registration: RegistrationPolicy,
    /// Lifetimes of recovery mails.
    pub recovery: RecoveryPolicy,
    /// The pages that links in mails lead to.
    pub links: LinkPolicy,
    /// Accepted login identifiers.
    pub login_by: LoginBy,
    /// Rejected passwords, and the cost of hashes.
    pub password: PasswordPolicy,
    /// When a proof of work is required, and how hard it is.
    pub challenge: ChallengePolicy,
    /// The host's code that runs in the transactions of the accounts.
    pub hooks: Option<Arc<dyn Hooks>>,
    /// Limits of concurrent hashing.
    pub hashing: HashingPolicy,
    /// Rate limits; `None` turns them off.
    pub limits: Option<LimitPolicy>,
    /// Limits of requests.
    pub http: HttpPolicy,
    /// Proxies whose forwarding headers are trusted.
    pub proxies: ProxyPolicy,
    /// Upload, storage and delivery of profile pictures.
    pub media: MediaPolicy,
    /// Sending of mail.
    pub mail: MailPolicy,
}

impl Config {
    /// Makes a configuration with safe defaults for everything but the key and the URL of the site, which have none. The URL is
    /// also the issuer of tokens, unless [`TokenPolicy::issuer`] is changed.
    pub fn new(secret_key: SecretKey, public_url: SiteUrl) -> Self {
        Self {
            secret_keys: vec![secret_key],
            tokens: TokenPolicy::new(public_url.to_string()),
            public_url,
            session: SessionPolicy::default(),
            registration: RegistrationPolicy::default(),
            recovery: RecoveryPolicy::default(),
            links: LinkPolicy::default(),
            login_by: LoginBy::default(),
            password: PasswordPolicy::default(),
            challenge: ChallengePolicy::default(),
            hooks: None,
            hashing: HashingPolicy::default(),
            limits: Some(LimitPolicy::default()),
            http: HttpPolicy::default(),
            proxies: ProxyPolicy::default(),
            media: MediaPolicy::default(),
            mail: MailPolicy::default(),
        }
    }

    /// The secret keys of the installation, the current one first. It signs and seals; the earlier ones only verify and unseal, so
    /// that a key can be replaced without logging users out.
    pub fn secret_keys(&self) -> &[SecretKey] {
        &self.secret_keys
    }

    /// Adds an earlier secret key.
    pub fn add_previous_secret_key(&mut self, key: SecretKey) {
        self.secret_keys.push(key);
    }

    /// Returns the full URL of a page: a path on our own site, or an entry of [`LinkPolicy`] that is already a full URL.
    pub(crate) fn link(&self, page: &str) -> String {
        if page.starts_with('/') { format!("{}{page}", self.public_url) } else { page.to_owned() }
    }
}
