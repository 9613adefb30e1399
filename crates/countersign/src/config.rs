//! The configuration of the accounts: a section for each subject, which holds its safe defaults. Reads no environment.

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

pub use self::challenge::{ChallengePolicy, ChallengeWhen};
pub use self::hashing::HashingPolicy;
pub use self::http::HttpPolicy;
pub(crate) use self::limits::{FORGIVEN_AFTER, WAIT_MAX};
pub use self::limits::{InvalidRate, LimitPolicy, Rate};
pub use self::links::LinkPolicy;
pub use self::log_in::LoginBy;
pub use self::mail::MailPolicy;
pub use self::media::{Addressing, BucketCredentials, BucketPolicy, Delivery, MediaPolicy, StoragePolicy};
pub(crate) use self::media::{DEFAULT_PICTURE_PATH, PICTURES_FOLDER};
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

/// Everything a host chooses about its accounts.
pub struct Config {
    /// The present secret and the earlier ones; see [`Config::secret_keys`].
    secret_keys: Vec<SecretKey>,
    /// Where the site is reached. Links begin with it, and whether cookies are secure depends on it.
    pub public_url: SiteUrl,
    /// How long sessions last, and how many are kept in memory.
    pub session: SessionPolicy,
    /// What access tokens say to other services.
    pub tokens: TokenPolicy,
    /// Who may register, and what that takes.
    pub registration: RegistrationPolicy,
    /// How long the ways back into an account are open.
    pub recovery: RecoveryPolicy,
    /// Where the links in mails lead.
    pub links: LinkPolicy,
    /// What people log in with.
    pub login_by: LoginBy,
    /// Which passwords are refused, and what their hashes cost.
    pub password: PasswordPolicy,
    /// When a proof of work is asked for, and how much.
    pub challenge: ChallengePolicy,
    /// The host's code that runs in the transactions of the accounts.
    pub hooks: Option<Arc<dyn Hooks>>,
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
    /// tokens too, unless [`TokenPolicy::issuer`] is set to another.
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

    /// The secrets of the installation, the present one first. It signs and seals; the others verify and open what was
    /// signed and sealed under them, so that a secret can be replaced without logging anybody out.
    pub fn secret_keys(&self) -> &[SecretKey] {
        &self.secret_keys
    }

    /// Adds a secret that was the present one before.
    pub fn add_previous_secret_key(&mut self, key: SecretKey) {
        self.secret_keys.push(key);
    }

    /// The whole address of a page: one of our own site, or one of [`LinkPolicy`] that is whole already.
    pub(crate) fn link(&self, page: &str) -> String {
        if page.starts_with('/') { format!("{}{page}", self.public_url) } else { page.to_owned() }
    }
}
