//! Loads the settings, checks that they fit the purpose, and reports all problems at once.

use std::env;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use conf::{Conf, ProgramOption};
use countersign::config::{MailPolicy, SiteUrl};
use countersign_db::Pooler;

use super::ShellSettings;
use super::names::{Known, Secrecy};
use super::report::{Problem, Report, quote};
use super::sources::Sources;
use crate::Host;
use crate::tls::TlsFiles;

/// What the settings are loaded for; determines which settings are required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Serving the public, or creating links for it: requires a secret key and the site's URL.
    Serve,
    /// Changing or showing the database's contents: requires a secret key.
    Administer,
    /// Local development, on this machine only.
    Develop,
    /// Any command that serves no requests.
    Inspect,
}

/// Settings that passed all checks.
pub(crate) struct Settings<H: Host> {
    pub(crate) mail: MailPolicy,
    pub(crate) shell: ShellSettings,
    pub(crate) host: H::Settings,
}

/// The outcome of loading the settings.
pub(crate) struct Loaded<H: Host> {
    pub(crate) settings: Result<Settings<H>, Report>,
    pub(crate) warnings: Vec<String>,
    pub(crate) lines: Vec<SettingLine>,
}

/// A setting's effective value, with secrets masked.
pub(crate) struct SettingLine {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) origin: String,
}

/// Loads the settings from the environment and the working directory.
pub(crate) fn load<H: Host>(purpose: Purpose) -> Loaded<H> {
    let options: Vec<ProgramOption> = options::<ShellSettings>().chain(options::<H::Settings>()).collect();
    let known: Vec<Known> = options.iter().map(known).collect();
    let folder = env::current_dir().unwrap_or_else(|_| Path::new(".").to_owned());
    let mut sources = Sources::read(&folder, &known);
    let lines = options.iter().map(|option| setting_line(option, &sources)).collect();

    let shell = parse::<ShellSettings>(&mut sources).map(|shell| behind_pooler(shell, &mut sources.problems));
    let host = parse::<H::Settings>(&mut sources);
    if let Some(shell) = &shell {
        demand(shell, purpose, H::NAME, &mut sources.problems);
        sources.warnings.extend(shell.mail.unusual_port());
    }
    let mail = shell.as_ref().and_then(|shell| shell.mail.policy::<H>(purpose, &mut sources.problems));
    let settings = match (shell, host, mail) {
        (Some(shell), Some(host), Some(mail)) if sources.problems.is_empty() => Ok(Settings { mail, shell, host }),
        _ => Err(Report(sources.problems)),
    };
    Loaded { settings, warnings: sources.warnings, lines }
}

/// Returns the settings of a section. `conf` hides this list only because it may still change; its version is pinned.
pub(super) fn options<C: Conf>() -> impl Iterator<Item = ProgramOption> {
    C::PROGRAM_OPTIONS.iter()
}

/// Returns the name of a setting. An option without an environment form would be a command-line switch, and there are
/// no switches.
pub(super) fn name(option: &ProgramOption) -> String {
    option.env_form.as_deref().unwrap_or_default().to_owned()
}

pub(super) fn known(option: &ProgramOption) -> Known {
    let secrecy = if option.is_secret() { Secrecy::Secret } else { Secrecy::Open };
    Known { name: name(option), secrecy }
}

fn setting_line(option: &ProgramOption, sources: &Sources) -> SettingLine {
    let name = name(option);
    let (value, origin) = match (sources.given.get(&name), &option.default_help_str) {
        (Some(given), _) if option.is_secret() => ("(set)".to_owned(), given.origin.to_string()),
        (Some(given), _) => (given.text.escape_debug().to_string(), given.origin.to_string()),
        (None, Some(default)) => (default.to_string(), "default".to_owned()),
        (None, None) => ("(not set)".to_owned(), "default".to_owned()),
    };
    SettingLine { name, value, origin }
}

/// Parses one section, each setting separately. `conf` also reports all errors at once, but as a single text that does
/// not name the tier of each.
fn parse<C: Conf>(sources: &mut Sources) -> Option<C> {
    let problems_before = sources.problems.len();
    let mut valid = Vec::new();
    for option in options::<C>() {
        let name = name(&option);
        match sources.given.get(&name) {
            None if option.is_required && !is_blamed(&name, &sources.problems) => {
                sources.problems.push(Problem::of_setting(&name, None, "is not set".to_owned()));
            }
            None => {}
            Some(given) => match refusal::<C>(&name, &given.text) {
                None => valid.push((name, given.text.clone())),
                Some(reason) => {
                    let text = if option.is_secret() {
                        format!("cannot be used: {reason}")
                    } else {
                        format!("is {}: {reason}", quote(&given.text))
                    };
                    sources.problems.push(Problem::of_setting(&name, Some(&given.origin), text));
                }
            },
        }
    }
    match C::try_parse_from(["settings"], valid) {
        Ok(section) => Some(section),
        Err(error) => {
            if sources.problems.len() == problems_before {
                sources.problems.push(Problem::of_file("the settings", format!("contradict each other: {error}")));
            }
            None
        }
    }
}

/// Returns why `text` is not a valid value of the setting `name`, in the words of its parser.
fn refusal<C: Conf>(name: &str, text: &str) -> Option<String> {
    let error = C::try_parse_from(["settings"], [(name, text)]).err()?.to_string();
    let (_, blame) = error.split_once(&format!("when parsing env '{name}' value"))?;
    // Shown values are stripped of escape sequences, so the text may differ.
    let blame = match blame.strip_prefix(&format!(" '{text}'")) {
        Some(reason) => reason,
        None => blame.rsplit_once("': ").map_or(blame, |(_, reason)| reason),
    };
    let blame = blame.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = blame.trim_start_matches(':').split_whitespace().collect();
    Some(words.join(" "))
}

pub(super) fn is_blamed(name: &str, problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.setting.as_deref() == Some(name))
}

/// Adds the pooler mode to the database URL.
fn behind_pooler(mut shell: ShellSettings, problems: &mut Vec<Problem>) -> ShellSettings {
    if shell.database_pooler == Pooler::Session {
        return shell;
    }
    if shell.database_url.sqlite_path().is_some() {
        let text = "is transaction, but DATABASE_URL names an SQLite database, which has no pooler".to_owned();
        problems.push(Problem::of_setting("DATABASE_POOLER", None, text));
        return shell;
    }
    match shell.database_url.clone().behind(shell.database_pooler) {
        Ok(url) => shell.database_url = url,
        Err(invalid) => {
            problems.push(Problem::of_setting("DATABASE_URL", None, format!("cannot be used: {invalid}")));
        }
    }
    shell
}

/// Checks the requirements of `purpose` and the settings that depend on each other.
fn demand(shell: &ShellSettings, purpose: Purpose, binary: &str, problems: &mut Vec<Problem>) {
    let mut refuse = |name: &str, text: String| {
        if !is_blamed(name, problems) {
            problems.push(Problem::of_setting(name, None, text));
        }
    };
    if matches!(purpose, Purpose::Serve | Purpose::Administer) && shell.secret_key.is_none() {
        refuse("SECRET_KEY", format!("is not set; `{binary} secret --write-env` makes one and puts it into .env"));
    }
    if purpose == Purpose::Serve && shell.frontend_url.is_none() {
        let text = "is not set; it is the public URL of the site, such as https://accounts.example.org, and links in \
                    mails begin with it";
        refuse("FRONTEND_URL", text.to_owned());
    }
    if purpose == Purpose::Develop && !shell.host.is_loopback() {
        let text = format!(
            "is {}: `dev` listens on this machine only (127.0.0.1 or ::1); `{binary} serve` is for the public",
            shell.host
        );
        refuse("HOST", text);
    }
    if let Some(address) = shell.telemetry.metrics_listen
        && purpose == Purpose::Develop
        && !address.ip().is_loopback()
    {
        refuse("METRICS_LISTEN", format!("is {address}: `dev` listens on this machine only"));
    }
    match (&shell.tls_cert_file, &shell.tls_key_file, &shell.frontend_url) {
        (Some(_), None, _) => refuse("TLS_KEY_FILE", "is not set, but TLS_CERT_FILE is".to_owned()),
        (None, Some(_), _) => refuse("TLS_CERT_FILE", "is not set, but TLS_KEY_FILE is".to_owned()),
        // Otherwise links in mails would not work, and cookies would lack `Secure`.
        (Some(_), Some(_), Some(site)) if !site.is_https() => {
            refuse("FRONTEND_URL", format!("is {site}, but with TLS_CERT_FILE the site accepts only https"));
        }
        _ => {}
    }
    if let Err(invalid) = shell.hash_parameters() {
        refuse("ARGON2_MEMORY_KIB", format!("does not fit the other ARGON2 settings: {invalid}"));
    }
    let hash_bytes = u64::from(shell.argon2_memory_kib) * 1024;
    if shell.hashing_memory_bytes_max.is_some_and(|bytes_max| bytes_max < hash_bytes) {
        let text = format!("is less than one hash needs: expected at least {hash_bytes}, which is ARGON2_MEMORY_KIB");
        refuse("HASHING_MEMORY_BYTES_MAX", text);
    }
    if let Some((name, text)) = shell.media_contradiction(purpose) {
        refuse(name, text.to_owned());
    }
    if shell.backups.backup_to.is_some() && shell.database_url.sqlite_path().is_none() {
        let text =
            "is set, but DATABASE_URL names a PostgreSQL database; back it up with its own tools, such as `pg_dump`";
        refuse("BACKUP_TO", text.to_owned());
    }
}

impl ShellSettings {
    /// Returns the files of certificate and key, if the server is to speak TLS.
    pub(crate) fn tls_files(&self) -> Option<TlsFiles> {
        let (certificate, key) = self.tls_cert_file.clone().zip(self.tls_key_file.clone())?;
        Some(TlsFiles { certificate, key })
    }

    /// Returns the URL at which this machine reaches a server on `port`; 0 stands for any port.
    pub(crate) fn local_url(&self, port: u16) -> SiteUrl {
        let scheme = if self.tls_cert_file.is_some() { "https" } else { "http" };
        let host = match self.host {
            IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            address => address,
        };
        let port = if port == 0 { if scheme == "https" { 443 } else { 80 } } else { port };
        format!("{scheme}://{}", SocketAddr::new(host, port)).parse().expect("an address and a port are a site's")
    }

    /// Returns the URL of the site: `FRONTEND_URL`, which `serve` requires, or else a URL of this machine.
    pub(crate) fn site_url(&self, port: u16) -> SiteUrl {
        self.frontend_url.clone().unwrap_or_else(|| self.local_url(port))
    }

    /// Returns a warning if other machines reach the site over plain HTTP.
    pub(crate) fn plain_http(&self) -> Option<String> {
        const REMEDY: &str =
            "set TLS_CERT_FILE and TLS_KEY_FILE, or put a proxy that ends TLS in front, and make FRONTEND_URL https";
        let site = self.frontend_url.as_ref().filter(|site| !site.is_https())?;
        if !site.is_loopback() {
            Some(format!(
                "FRONTEND_URL is {site}: over plain HTTP browsers drop the session cookie, so nobody stays logged in, \
                 and passwords are sent unencrypted; {REMEDY}"
            ))
        } else if !self.host.is_loopback() {
            Some(format!(
                "HOST={} is open to other machines and FRONTEND_URL is {site}: under any other host name nobody stays \
                 logged in, and passwords are sent unencrypted; {REMEDY}",
                self.host
            ))
        } else {
            None
        }
    }
}
