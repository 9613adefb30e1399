//! The fields in which two configurations differ, so that a test can keep defaults defined in two places equal.

use secrecy::ExposeSecret as _;

use super::{
    BucketCredentials, BucketPolicy, ChallengePolicy, Config, HashingPolicy, HttpPolicy, LimitPolicy, LinkPolicy,
    MailPolicy, MediaPolicy, PasswordPolicy, RecoveryPolicy, RegistrationPolicy, SecretKey, SessionPolicy,
    StoragePolicy, TokenPolicy,
};
use crate::model::ProxyPolicy;
use crate::transport::{MailTransport, Sender, SmtpLogin, SmtpPolicy};

/// Adds the names of the fields of a section that differ. The section is destructured in full, so that a new field does not compile
/// until it is listed here; the fields after the semicolon are compared elsewhere.
macro_rules! compare {
    (
        $found:ident, $name:literal, $one:expr, $other:expr,
        $section:ident { $($field:ident),* $(; $($apart:ident),+)? }
    ) => {{
        let ($section { $($field,)* $($($apart: _),+)? }, other): (&$section, &$section) = ($one, $other);
        $(if *$field != other.$field { $found.push(concat!($name, ".", stringify!($field))); })*
    }};
}

/// Returns the names of the fields in which two configurations differ. Secrets are compared but not shown; of templates only the
/// default language is compared, and of certificates only whether there are any.
pub fn differences(one: &Config, other: &Config) -> Vec<&'static str> {
    let Config {
        secret_keys,
        public_url,
        session,
        tokens,
        registration,
        recovery,
        links,
        login_by,
        password,
        challenge,
        hooks,
        hashing,
        limits,
        http,
        proxies,
        media,
        mail,
    } = one;
    let mut found = Vec::new();
    if !secret_keys.iter().map(SecretKey::expose).eq(other.secret_keys.iter().map(SecretKey::expose)) {
        found.push("secret_keys");
    }
    if hooks.is_some() != other.hooks.is_some() {
        found.push("hooks");
    }
    if *public_url != other.public_url {
        found.push("public_url");
    }
    compare!(
        found,
        "session",
        session,
        &other.session,
        SessionPolicy {
            access_token_ttl,
            ttl,
            idle_ttl,
            brief_ttl,
            refresh_replay_window,
            reauthentication_ttl,
            cache_max
        }
    );
    compare_tokens(&mut found, tokens, &other.tokens);
    compare!(found, "registration", registration, &other.registration, RegistrationPolicy { mode, verification_ttl });
    compare!(found, "recovery", recovery, &other.recovery, RecoveryPolicy { reset_ttl, email_undo_ttl });
    compare!(
        found,
        "links",
        links,
        &other.links,
        LinkPolicy { verify_email, reset_password, undo_email_change, forgot_password, log_in, account }
    );
    if *login_by != other.login_by {
        found.push("login_by");
    }
    compare!(found, "password", password, &other.password, PasswordPolicy { blocklist, hash_parameters });
    compare!(found, "challenge", challenge, &other.challenge, ChallengePolicy { when, bits, ttl });
    compare!(
        found,
        "hashing",
        hashing,
        &other.hashing,
        HashingPolicy { threads, memory_bytes_max, queue_max, wait_max }
    );
    match (limits, &other.limits) {
        (Some(one), Some(other)) => compare!(
            found,
            "limits",
            one,
            other,
            LimitPolicy { log_in, register, mail, secret, refresh, upload, account_tries, mail_to_address }
        ),
        (None, None) => {}
        (Some(_), None) | (None, Some(_)) => found.push("limits"),
    }
    compare!(found, "http", http, &other.http, HttpPolicy { body_bytes_max });
    compare!(found, "proxies", proxies, &other.proxies, ProxyPolicy { trusted, header });
    compare_media(&mut found, media, &other.media);
    compare_mail(&mut found, mail, &other.mail);
    found
}

fn compare_tokens(found: &mut Vec<&'static str>, one: &TokenPolicy, other: &TokenPolicy) {
    compare!(found, "tokens", one, other, TokenPolicy { signing_algorithm, issuer, audience; introspection_secret });
    let secret = |tokens: &TokenPolicy| tokens.introspection_secret.as_ref().map(|key| key.expose().to_owned());
    if secret(one) != secret(other) {
        found.push("tokens.introspection_secret");
    }
}

fn compare_media(found: &mut Vec<&'static str>, one: &MediaPolicy, other: &MediaPolicy) {
    compare!(found, "media", one, other, MediaPolicy {
        delivery, upload_bytes_max, upload_pause_max, upload_time_max, uploads_max, decoding_threads,
        decoding_memory_bytes_max; storage
    });
    match (&one.storage, &other.storage) {
        (StoragePolicy::Disk { folder: one }, StoragePolicy::Disk { folder: other }) if one == other => {}
        (StoragePolicy::S3(one), StoragePolicy::S3(other)) => {
            compare!(found, "media.storage", one, other, BucketPolicy {
                bucket, region, endpoint_url, addressing; credentials
            });
            if credentials(one) != credentials(other) {
                found.push("media.storage.credentials");
            }
        }
        (StoragePolicy::Disk { .. } | StoragePolicy::S3(_), _) => found.push("media.storage"),
    }
}

fn credentials(bucket: &BucketPolicy) -> Option<(&str, &str)> {
    let BucketCredentials { access_key_id, secret_access_key } = bucket.credentials.as_ref()?;
    Some((access_key_id.expose_secret(), secret_access_key.expose_secret()))
}

fn compare_mail(found: &mut Vec<&'static str>, one: &MailPolicy, other: &MailPolicy) {
    compare!(found, "mail", one, other, MailPolicy { site_name; from, templates, transport });
    compare!(found, "mail.from", &one.from, &other.from, Sender { name, address });
    if one.templates.default_language() != other.templates.default_language() {
        found.push("mail.templates");
    }
    match (&one.transport, &other.transport) {
        (MailTransport::Smtp(one), MailTransport::Smtp(other)) => {
            compare!(found, "mail.transport", one, other, SmtpPolicy {
                server, port, tls, hello_name, time_max; roots, login
            });
            if one.roots.is_some() != other.roots.is_some() {
                found.push("mail.transport.roots");
            }
            if login(one) != login(other) {
                found.push("mail.transport.login");
            }
        }
        (MailTransport::Capture, MailTransport::Capture) => {}
        (MailTransport::Smtp(_) | MailTransport::Capture | MailTransport::Custom(_), _) => found.push("mail.transport"),
    }
}

fn login(server: &SmtpPolicy) -> Option<(&str, &str)> {
    let SmtpLogin { username, password } = server.login.as_ref()?;
    Some((username, password.expose_secret()))
}
