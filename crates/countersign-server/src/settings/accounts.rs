//! Builds the library's `Config` from the settings, one section per group of settings.

use std::time::Duration;

use countersign::config::{
    Config, HashParameters, HashingPolicy, HttpPolicy, InvalidHashParameters, MailPolicy, SecretKey, SessionPolicy,
    SiteUrl,
};
use countersign::model::ProxyPolicy;
use jiff::SignedDuration;

use super::ShellSettings;

impl ShellSettings {
    /// Returns the library's configuration.
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
        config.tokens.signing_algorithm = self.algorithm;
        if let Some(issuer) = &self.issuer {
            config.tokens.issuer.clone_from(issuer);
        }
        config.tokens.audience.clone_from(&self.audience);
        config.tokens.introspection_secret.clone_from(&self.introspection_secret);
        config.registration.mode = self.registration;
        config.registration.verification_ttl = of_minutes(self.verify_token_expire_minutes);
        config.recovery.reset_ttl = of_minutes(self.reset_token_expire_minutes);
        config.recovery.email_undo_ttl = of_days(self.email_undo_days);
        config.links.verify_email.clone_from(&self.verify_email_url);
        config.links.reset_password.clone_from(&self.reset_password_url);
        config.links.undo_email_change.clone_from(&self.undo_email_change_url);
        config.login_by = self.login_by;
        config.password.blocklist = self.password_blocklist;
        config.password.hash_parameters = self.hash_parameters()?;
        config.challenge.when = self.challenge;
        config.challenge.bits = self.challenge_bits;
        config.hashing = self.hashing_policy();
        config.limits = self.limits.policy();
        config.http = self.http_policy();
        config.proxies = self.proxy_policy();
        config.media = self.media_policy();
        config.mail = mail;
        Ok(config)
    }

    fn session_policy(&self) -> SessionPolicy {
        let mut policy = SessionPolicy::default();
        policy.access_token_ttl = of_minutes(self.access_token_expire_minutes);
        policy.ttl = of_days(self.session_days);
        policy.idle_ttl = of_days(self.session_idle_days);
        policy.brief_ttl = of_minutes(self.session_brief_minutes);
        policy.refresh_replay_window = SignedDuration::from_secs(self.refresh_replay_seconds.into());
        policy.reauthentication_ttl = of_minutes(self.reauthentication_minutes);
        if !self.session_cache {
            policy.cache_max = 0;
        }
        policy
    }

    pub(crate) fn hash_parameters(&self) -> Result<HashParameters, InvalidHashParameters> {
        HashParameters::new(self.argon2_memory_kib, self.argon2_iterations, self.argon2_lanes)
    }

    pub(crate) fn hashing_policy(&self) -> HashingPolicy {
        let mut policy = HashingPolicy::default();
        policy.threads = self.hashing_threads.unwrap_or(policy.threads);
        policy.memory_bytes_max = self.hashing_memory_bytes_max;
        policy.queue_max = self.hashing_queue_max;
        policy.wait_max = Duration::from_secs(self.hashing_wait_seconds_max.into());
        policy
    }

    pub(crate) fn http_policy(&self) -> HttpPolicy {
        let mut policy = HttpPolicy::default();
        policy.body_bytes_max = self.body_bytes_max;
        policy
    }

    pub(crate) fn proxy_policy(&self) -> ProxyPolicy {
        let mut policy = ProxyPolicy::default();
        policy.trusted = self.trusted_proxies.as_ref().map(|networks| networks.0.clone()).unwrap_or_default();
        policy.header = self.proxy_header;
        policy
    }
}

fn of_minutes(number: u32) -> SignedDuration {
    SignedDuration::from_mins(number.into())
}

fn of_days(number: u32) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(number))
}

#[cfg(test)]
mod tests {
    use conf::Conf as _;
    use countersign::Accounts;
    use countersign::config::RegistrationMode;
    use countersign::mail::SmtpPolicy;
    use countersign::testing::differences;

    use super::*;
    use crate::settings::load::{Purpose, name, options};
    use crate::{Host, HostError, NoCommands, NoSettings, OpenApiRouter};

    /// A host that adds no settings and keeps the library's default site name.
    struct Plain;

    impl Host for Plain {
        const NAME: &'static str = "plain";
        const TITLE: &'static str = "Countersign";
        const ABOUT: &'static str = "Accounts";
        const VERSION: &'static str = env!("CARGO_PKG_VERSION");

        type Settings = NoSettings;
        type State = Accounts;
        type Commands = NoCommands;

        async fn state(accounts: Accounts, _: &NoSettings) -> Result<Accounts, HostError> {
            Ok(accounts)
        }

        fn routes(_: &NoSettings, http: &HttpPolicy) -> OpenApiRouter<Accounts> {
            countersign::http::routes(http)
        }
    }

    fn secret_key() -> SecretKey {
        SecretKey::parse("7f3c9a1e5b2d8c4f6a0e9b7d3c5f1a8e2d4b6c80".to_owned()).unwrap()
    }

    fn site_url() -> SiteUrl {
        "https://accounts.example.org".parse().unwrap()
    }

    /// Returns the configuration of a server on which only the settings in `given` are set.
    fn config(given: &[(String, String)]) -> Config {
        let shell = ShellSettings::try_parse_from(["settings"], given.to_vec()).unwrap();
        let mut problems = Vec::new();
        let mail = shell.mail.policy::<Plain>(Purpose::Serve, &mut problems);
        assert!(problems.is_empty(), "{} problems", problems.len());
        shell.accounts_config(secret_key(), site_url(), mail.unwrap()).unwrap()
    }

    /// Returns the settings with the default that the manual shows, except defaults that are descriptions.
    fn shown_defaults() -> Vec<(String, String)> {
        options::<ShellSettings>()
            .filter_map(|option| Some((name(&option), option.default_help_str.as_ref()?.to_string())))
            .filter(|(_, default)| !default.contains([' ', '`']))
            .collect()
    }

    #[test]
    fn a_server_of_which_nothing_is_set_has_the_defaults_of_the_library() {
        let found = differences(&config(&[]), &Config::new(secret_key(), site_url()));
        assert!(found.is_empty(), "the settings have other defaults than the library: {found:?}");
    }

    #[test]
    fn the_defaults_that_the_manual_shows_are_those_that_hold() {
        let shown = shown_defaults();
        assert!(shown.len() > 40, "{} defaults", shown.len());
        let found = differences(&config(&shown), &Config::new(secret_key(), site_url()));
        assert!(found.is_empty(), "the manual shows other defaults than those of the library: {found:?}");
    }

    #[test]
    fn the_manual_describes_the_mail_server_of_the_library() {
        let SmtpPolicy { server, port, .. } = SmtpPolicy::default();
        for (setting, begin) in [("MAIL_SERVER", format!("`{server}`")), ("MAIL_PORT", port.to_string())] {
            let option = options::<ShellSettings>().find(|option| name(option) == setting).unwrap();
            let shown = option.default_help_str.unwrap().to_string();
            assert!(shown.starts_with(&begin), "{setting}: {shown}");
        }
    }

    #[test]
    fn a_setting_that_differs_is_found() {
        let mut other = Config::new(secret_key(), site_url());
        other.registration.mode = RegistrationMode::Closed;
        other.limits = None;
        assert_eq!(differences(&config(&[]), &other), ["registration.mode", "limits"]);
    }
}
