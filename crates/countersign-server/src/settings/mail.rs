//! The settings of mail and its templates.

use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use countersign::config::MailPolicy;
use countersign::mail::{
    HeaderText, HelloName, MailTransport, RootCertificates, Sender, SmtpLogin, SmtpPolicy, SmtpTls, check_templates,
};
use countersign::model::{EmailAddress, Language};
use countersign::templates::{InvalidTemplates, Templates};
use secrecy::SecretString;

use super::load::{Purpose, is_blamed};
use super::report::Problem;
use super::values::{chosen, seconds, switch, text, whole_number};
use crate::Host;

/// The settings of mail.
#[derive(conf::Conf)]
pub struct MailSettings {
    /// The mail server: the host name that its certificate is for, or an IP address. If it is not set, `dev` sends
    /// nothing and shows mails at `/dev/mail`.
    #[conf(env, default_help_str = "`localhost`")]
    pub mail_server: Option<MailServer>,

    /// The port of the mail server. Port 465 implies `MAIL_TLS=implicit` unless another mode is set.
    #[conf(env, value_parser = whole_number(1..=65535), default_help_str = "587, or 465 with `MAIL_TLS=implicit`")]
    pub mail_port: Option<u16>,

    /// SMTP user name. Leave empty for no authentication.
    #[conf(env, value_parser = text)]
    pub mail_username: Option<String>,

    /// SMTP password of `MAIL_USERNAME`.
    #[conf(env, secret, value_parser = password)]
    pub mail_password: Option<SecretString>,

    /// The sender of mails: `noreply@example.org`, or with a name `Blog <noreply@example.org>`.
    #[conf(env, default(MailPolicy::default().from), value_parser = sender)]
    pub mail_from: Sender,

    /// The host name sent to the mail server in `EHLO`, if the server requires another: a full domain name such as
    /// `accounts.example.org`, or an address such as `[192.0.2.1]`.
    #[conf(
        env,
        value_parser = hello_name,
        default_help_str = "the host of `FRONTEND_URL`, or this machine's address if that is not a full domain name"
    )]
    pub mail_helo_name: Option<HelloName>,

    /// Whether mail is sent to the server over TLS: `true` means `MAIL_TLS=implicit` on port 465 and
    /// `MAIL_TLS=starttls` on any other port; `false` means no encryption, which is accepted only for a server on this
    /// machine.
    #[conf(parameter, env, value_parser = switch, default_help_str = "`true`")]
    pub mail_use_tls: Option<bool>,

    /// The TLS mode: `starttls` (usually on port 587), `implicit` (usually on port 465), or `none`, which is accepted
    /// for any server.
    #[conf(env, value_parser = tls, default_help_str = "what `MAIL_USE_TLS` says")]
    pub mail_tls: Option<SmtpTls>,

    /// A PEM file with certificates that are trusted in addition to the public authorities, for a mail server with a
    /// private CA.
    #[conf(env, value_parser = certificates)]
    pub mail_ca_file: Option<RootCertificates>,

    /// How long sending one mail may take, in seconds. A mail that times out is retried.
    #[conf(env, default(seconds(SmtpPolicy::default().time_max)), value_parser = whole_number(1..=300))]
    pub mail_timeout_seconds: u32,

    /// The name of the site in mails.
    #[conf(env, value_parser = text, default_help_str = "the application's own title")]
    pub site_name: Option<String>,

    /// A folder with templates and texts that override the embedded ones: `mail/reset_password.html`, `locales/de.ftl`,
    /// and so on. Each new file in `locales` adds a language.
    #[conf(env)]
    pub templates_dir: Option<PathBuf>,

    /// The language of users who have not chosen one and whose browser requests no available language.
    #[conf(env, default, value_parser = language)]
    pub default_language: Language,
}

/// The usual port for message submission (RFC 6409, section 3.1).
const STARTTLS_PORT: u16 = 587;
/// The usual port for implicit TLS (RFC 8314, section 3.3).
const IMPLICIT_PORT: u16 = 465;

/// The name or the IP address of a mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailServer(String);

impl MailServer {
    /// Returns whether the server is on this machine.
    pub fn is_loopback(&self) -> bool {
        let ip: Option<IpAddr> = self.0.parse().ok();
        ip.map_or(self.0 == "localhost", |ip| ip.is_loopback())
    }
}

impl Default for MailServer {
    fn default() -> Self {
        Self(SmtpPolicy::default().server)
    }
}

impl fmt::Display for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for MailServer {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        let is_name = |text: &str| {
            text.len() <= 253
                && text.split('.').all(|label| {
                    let within = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
                    (1..=63).contains(&label.len()) && label.bytes().all(within)
                })
        };
        if bare.parse::<IpAddr>().is_ok() || is_name(text) {
            return Ok(Self(bare.to_ascii_lowercase()));
        }
        Err("expected a name such as mail.example.org or an IP address; the port is MAIL_PORT")
    }
}

fn password(text: &str) -> Result<SecretString, &'static str> {
    const BYTES_MAX: usize = 1_000;
    let accepted = text.len() <= BYTES_MAX && !text.chars().any(char::is_control);
    if accepted { Ok(text.into()) } else { Err("expected up to 1000 bytes without control characters") }
}

fn sender(text: &str) -> Result<Sender, &'static str> {
    const ACCEPTED: &str = "expected an e-mail address, or `Name <address>`";
    let (name, address) = match text.trim().strip_suffix('>').map(|rest| rest.split_once('<')) {
        Some(Some((name, address))) => (name.trim().trim_matches('"'), address),
        Some(None) => return Err(ACCEPTED),
        None => ("", text.trim()),
    };
    if name.chars().any(char::is_control) {
        return Err(ACCEPTED);
    }
    let name = (!name.is_empty()).then(|| HeaderText::new(name));
    Ok(Sender::new(name, EmailAddress::parse(address).map_err(|_| ACCEPTED)?))
}

fn hello_name(text: &str) -> Result<HelloName, String> {
    HelloName::parse(text).map_err(|invalid| invalid.to_string())
}

fn tls(text: &str) -> Result<SmtpTls, String> {
    chosen(text, &[("starttls", SmtpTls::StartTls), ("implicit", SmtpTls::Implicit), ("none", SmtpTls::Off)])
}

fn certificates(path: &str) -> Result<RootCertificates, String> {
    let pem = fs::read(path).map_err(|error| format!("the file cannot be read: {error}"))?;
    RootCertificates::from_pem(&pem).map_err(|invalid| invalid.to_string())
}

fn language(text: &str) -> Result<Language, String> {
    Language::parse(text).map_err(|invalid| invalid.to_string())
}

impl MailSettings {
    /// Returns the mail server, or its default.
    pub(crate) fn server(&self) -> MailServer {
        self.mail_server.clone().unwrap_or_default()
    }

    pub(crate) fn tls(&self) -> SmtpTls {
        self.mail_tls.unwrap_or(match (self.mail_use_tls, self.mail_port) {
            (Some(false), _) => SmtpTls::Off,
            (_, Some(IMPLICIT_PORT)) => SmtpTls::Implicit,
            _ => SmtpTls::StartTls,
        })
    }

    /// Returns a warning if servers certainly use another TLS mode on this port.
    pub(super) fn unusual_port(&self) -> Option<String> {
        let setting = if self.mail_tls.is_some() { "MAIL_TLS" } else { "MAIL_USE_TLS" };
        match (self.mail_port?, self.tls()) {
            (IMPLICIT_PORT, SmtpTls::StartTls | SmtpTls::Off) => Some(format!(
                "MAIL_PORT is {IMPLICIT_PORT}, where mail servers expect TLS from the start, but {setting} says \
                 otherwise; use MAIL_TLS=implicit, or port {STARTTLS_PORT}"
            )),
            (port @ (25 | STARTTLS_PORT), SmtpTls::Implicit) => Some(format!(
                "MAIL_PORT is {port}, where mail servers start without TLS, but {setting} says otherwise; use \
                 MAIL_TLS=starttls, or port {IMPLICIT_PORT}"
            )),
            _ => None,
        }
    }

    pub(crate) fn smtp_policy(&self) -> SmtpPolicy {
        let tls = self.tls();
        let usual_port = if tls == SmtpTls::Implicit { IMPLICIT_PORT } else { STARTTLS_PORT };
        let mut policy = SmtpPolicy::default();
        policy.server = self.server().to_string();
        policy.port = self.mail_port.unwrap_or(usual_port);
        policy.tls = tls;
        policy.roots.clone_from(&self.mail_ca_file);
        policy.login = self.mail_username.as_ref().map(|username| {
            SmtpLogin::new(username, self.mail_password.clone().unwrap_or_else(|| String::new().into()))
        });
        policy.hello_name.clone_from(&self.mail_helo_name);
        policy.time_max = Duration::from_secs(self.mail_timeout_seconds.into());
        policy
    }

    fn templates<H: Host>(&self) -> Result<Templates, InvalidTemplates> {
        let mut builder = H::templates(Templates::builder()).default_language(self.default_language.clone());
        if let Some(folder) = &self.templates_dir {
            builder = builder.folder(folder);
        }
        let templates = builder.build()?;
        check_templates(&templates)?;
        Ok(templates)
    }

    /// Returns the library's policy, unless the settings contradict each other.
    pub(super) fn policy<H: Host>(&self, purpose: Purpose, problems: &mut Vec<Problem>) -> Option<MailPolicy> {
        self.demand(problems);
        let templates = self.templates::<H>();
        let Ok(templates) = templates.map_err(|InvalidTemplates(found)| {
            let name = if self.templates_dir.is_some() { "TEMPLATES_DIR" } else { "DEFAULT_LANGUAGE" };
            problems.extend(
                found.into_iter().map(|text| Problem::of_setting(name, None, format!("cannot be used: {text}"))),
            );
        }) else {
            return None;
        };
        let transport = match purpose {
            Purpose::Develop if self.mail_server.is_none() => MailTransport::Capture,
            _ => MailTransport::Smtp(self.smtp_policy()),
        };
        let mut policy = MailPolicy::default();
        policy.from = self.mail_from.clone();
        policy.site_name = HeaderText::new(self.site_name.as_deref().unwrap_or(H::TITLE));
        policy.templates = templates;
        policy.transport = transport;
        Some(policy)
    }

    fn demand(&self, problems: &mut Vec<Problem>) {
        let mut refuse = |name: &str, text: String| {
            if !is_blamed(name, problems) {
                problems.push(Problem::of_setting(name, None, text));
            }
        };
        let is_encrypted = self.tls() != SmtpTls::Off;
        if self.mail_tls.is_some() && self.mail_use_tls.is_some_and(|wanted| wanted != is_encrypted) {
            refuse("MAIL_USE_TLS", "contradicts MAIL_TLS; keep only one".to_owned());
        } else if !is_encrypted && self.mail_tls.is_none() && !self.server().is_loopback() {
            let text = format!(
                "is false, but {} is not this machine: anyone on the network could read mails and use their password \
                 reset links; if the network is trusted, set MAIL_TLS=none",
                self.server()
            );
            refuse("MAIL_USE_TLS", text);
        }
        if self.mail_username.is_some() != self.mail_password.is_some() {
            let (given, missing) = match self.mail_username {
                Some(_) => ("MAIL_USERNAME", "MAIL_PASSWORD"),
                None => ("MAIL_PASSWORD", "MAIL_USERNAME"),
            };
            refuse(missing, format!("is not set, but {given} is"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_server_is_a_name_or_an_address() {
        for (text, kept) in [
            ("Mail.Example.org", "mail.example.org"),
            ("mail_pit", "mail_pit"),
            ("::1", "::1"),
            ("[::1]", "::1"),
            ("127.0.0.1", "127.0.0.1"),
        ] {
            assert_eq!(text.parse::<MailServer>().unwrap().to_string(), kept);
        }
        for text in
            ["", "mail.example.org:587", "smtp://mail.example.org", "a b", "mail..org", "a\r\nb", &"a".repeat(64)]
        {
            assert!(text.parse::<MailServer>().is_err(), "{text}");
        }
        for (text, is_loopback) in
            [("localhost", true), ("127.8.8.8", true), ("::1", true), ("10.0.0.1", false), ("localhost.example", false)]
        {
            assert_eq!(text.parse::<MailServer>().unwrap().is_loopback(), is_loopback, "{text}");
        }
    }

    #[test]
    fn a_sender_is_an_address_with_or_without_a_name() {
        for (text, name, address) in [
            ("noreply@example.org", None, "noreply@example.org"),
            ("Blog <noreply@example.org>", Some("Blog"), "noreply@example.org"),
            ("\"Blog, für alle\" <Noreply@Example.org>", Some("Blog, für alle"), "noreply@example.org"),
            ("<noreply@example.org>", None, "noreply@example.org"),
        ] {
            let sender = sender(text).unwrap();
            assert_eq!(sender.name.as_ref().map(HeaderText::as_str), name);
            assert_eq!(sender.address.as_str(), address);
        }
        for text in
            ["", "Blog", "Blog noreply@example.org", "Blog <noreply@example.org> x", "a>", "A\r\nB <a@example.org>"]
        {
            assert!(sender(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn port_465_is_encrypted_from_the_first_byte_unless_told_otherwise() {
        use conf::Conf as _;
        for (given, tls, port) in [
            (&[][..], SmtpTls::StartTls, 587),
            (&[("MAIL_PORT", "465")], SmtpTls::Implicit, 465),
            (&[("MAIL_PORT", "465"), ("MAIL_USE_TLS", "true")], SmtpTls::Implicit, 465),
            (&[("MAIL_PORT", "465"), ("MAIL_USE_TLS", "false")], SmtpTls::Off, 465),
            (&[("MAIL_PORT", "465"), ("MAIL_TLS", "starttls")], SmtpTls::StartTls, 465),
            (&[("MAIL_PORT", "2525")], SmtpTls::StartTls, 2525),
            (&[("MAIL_TLS", "implicit")], SmtpTls::Implicit, 465),
        ] {
            let policy = MailSettings::try_parse_from(["settings"], given.to_vec()).unwrap().smtp_policy();
            assert_eq!((policy.tls, policy.port), (tls, port), "{given:?}");
        }
    }
}
