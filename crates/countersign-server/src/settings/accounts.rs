//! The library's configuration, as the settings make it: a section of `Config` from each group of settings.

use std::time::Duration;

use countersign::config::{
    ChallengePolicy, Config, HashParameters, HashingPolicy, HttpPolicy, InvalidHashParameters, LinkPolicy, MailPolicy,
    PasswordPolicy, RecoveryPolicy, RegistrationPolicy, SecretKey, SessionPolicy, SiteUrl, TokenPolicy,
};
use countersign::model::ProxyPolicy;
use jiff::SignedDuration;

use super::ShellSettings;

impl ShellSettings {
    /// The library's configuration.
    pub(crate) fn accounts_config(
        &self,
        secret_key: SecretKey,
        site_url: SiteUrl,
        mail: MailPolicy,
    ) -> Result<Config, InvalidHashParameters> {
        let mut config = Config::new(secret_key, site_url);
        for key in self.secret_key_previous.iter().flat_map(|keys| &keys.0) {
            config.add_previous_secret_key(key.clone());
        }
        config.session = self.session_policy();
        config.tokens = TokenPolicy {
            signing_algorithm: self.algorithm,
            issuer: self.issuer.clone().unwrap_or(config.tokens.issuer),
            introspection_secret: self.introspection_secret.clone(),
        };
        config.registration = RegistrationPolicy {
            mode: self.registration,
            verification_ttl: of_minutes(self.verify_token_expire_minutes),
        };
        config.recovery = RecoveryPolicy {
            reset_ttl: of_minutes(self.reset_token_expire_minutes),
            email_undo_ttl: of_days(self.email_undo_days),
        };
        config.links = LinkPolicy {
            verify_email: self.verify_email_url.clone(),
            reset_password: self.reset_password_url.clone(),
            undo_email_change: self.undo_email_change_url.clone(),
            ..config.links
        };
        config.login_by = self.login_by;
        config.password =
            PasswordPolicy { blocklist: self.password_blocklist, hash_parameters: self.hash_parameters()? };
        config.challenge = ChallengePolicy { when: self.challenge, bits: self.challenge_bits, ..config.challenge };
        config.hashing = self.hashing_policy();
        config.limits = self.limits.policy();
        config.http = self.http_policy();
        config.proxies = self.proxy_policy();
        config.media = self.media_policy();
        config.mail = mail;
        Ok(config)
    }

    fn session_policy(&self) -> SessionPolicy {
        let default = SessionPolicy::default();
        SessionPolicy {
            access_token_ttl: of_minutes(self.access_token_expire_minutes),
            ttl: of_days(self.session_days),
            idle_ttl: of_days(self.session_idle_days),
            refresh_replay_window: SignedDuration::from_secs(self.refresh_replay_seconds.into()),
            reauthentication_ttl: of_minutes(self.reauthentication_minutes),
            cache_max: if self.session_cache { default.cache_max } else { 0 },
        }
    }

    pub(crate) fn hash_parameters(&self) -> Result<HashParameters, InvalidHashParameters> {
        HashParameters::new(self.argon2_memory_kib, self.argon2_iterations, self.argon2_lanes)
    }

    pub(crate) fn hashing_policy(&self) -> HashingPolicy {
        let default = HashingPolicy::default();
        HashingPolicy {
            threads: self.hashing_threads.unwrap_or(default.threads),
            memory_bytes_max: self.hashing_memory_bytes_max,
            queue_max: self.hashing_queue_max,
            wait_max: Duration::from_secs(self.hashing_wait_seconds_max.into()),
        }
    }

    pub(crate) fn http_policy(&self) -> HttpPolicy {
        HttpPolicy { body_bytes_max: self.body_bytes_max }
    }

    pub(crate) fn proxy_policy(&self) -> ProxyPolicy {
        let trusted = self.trusted_proxies.as_ref().map(|networks| networks.0.clone());
        ProxyPolicy { trusted: trusted.unwrap_or_default(), header: self.proxy_header }
    }
}

fn of_minutes(number: u32) -> SignedDuration {
    SignedDuration::from_mins(number.into())
}

fn of_days(number: u32) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(number))
}
