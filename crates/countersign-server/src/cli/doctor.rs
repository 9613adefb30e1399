//! The `doctor` command: checks whether an installation is ready to serve, and suggests remedies.

mod database;

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use countersign::clock::{Clock as _, SystemClock};
use countersign::config::StoragePolicy;
use countersign::mail::{SendMailError, Smtp, SmtpPolicy, SmtpTls, SmtpTrial};
use countersign::media::Storage;

use super::start::WEAK_COSTS;
use super::{Failure, Finding, say, settings_for};
use crate::Host;
use crate::backup::place::BackupStore;
use crate::settings::{Loaded, MailSettings, Purpose, Report, Settings, ShellSettings, load};
use crate::tls::Identity;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok  ",
            Self::Warn => "warn",
            Self::Fail => "fail",
        })
    }
}

/// The lines collected so far.
#[derive(Default)]
struct Examination {
    lines: Vec<(Verdict, String)>,
}

impl Examination {
    fn add(&mut self, verdict: Verdict, text: impl Into<String>) {
        self.lines.push((verdict, text.into()));
    }

    /// Adds the outcome of a check.
    fn check<E: Into<Failure>>(&mut self, outcome: Result<(), E>, good: impl Into<String>) {
        match outcome.map_err(Into::into) {
            Ok(()) => self.add(Verdict::Ok, good),
            Err(Failure(text)) => self.add(Verdict::Fail, text),
        }
    }
}

pub(super) async fn examine<H: Host>() -> Result<Finding, Failure> {
    let Loaded { settings, warnings, .. } = load::<H>(Purpose::Serve);
    let mut examination = Examination::default();
    for warning in warnings {
        examination.add(Verdict::Warn, warning);
    }
    match settings {
        Ok(settings) => {
            examination.add(Verdict::Ok, "settings: all valid");
            examination.add(Verdict::Ok, "secret: SECRET_KEY is strong");
            site(&mut examination, &settings.shell);
            network(&mut examination, &settings.shell);
            browsers(&mut examination, &settings.shell);
            certificate(&mut examination, &settings.shell);
            hashing(&mut examination, &settings.shell);
            files(&mut examination, &settings.shell);
            pictures(&mut examination, &settings.shell).await;
            backups(&mut examination, &settings.shell).await;
            mail(&mut examination, &settings).await;
            database::examine::<H>(&mut examination, &settings.shell).await;
        }
        Err(Report(problems)) => {
            for problem in problems {
                examination.add(Verdict::Fail, format!("settings: {problem}"));
            }
            examination.add(Verdict::Warn, "database: not checked until the settings are valid");
        }
    }
    let mut finding = Finding::InOrder;
    for (verdict, text) in examination.lines {
        say(format_args!("{verdict}  {text}"));
        if verdict == Verdict::Fail {
            finding = Finding::NotInOrder;
        }
    }
    Ok(finding)
}

/// Shows the client address of a request.
pub(super) fn resolve<H: Host>(peer: IpAddr, lines: &[String]) -> Result<Finding, Failure> {
    let proxies = settings_for::<H>(Purpose::Inspect)?.shell.proxy_policy();
    let address = proxies.client_address(peer, lines.iter().map(String::as_str));
    let header = proxies.header.as_str();
    say(format_args!("{address}"));
    say(format_args!(
        "{}",
        match (address == peer.to_canonical(), proxies.trusted.is_empty()) {
            (true, true) => "the TCP peer: TRUSTED_PROXIES is not set".to_owned(),
            (true, false) =>
                format!("the TCP peer: it is not in TRUSTED_PROXIES, or {header} names no address before it"),
            (false, _) => format!("from {header}: all addresses after it are in TRUSTED_PROXIES"),
        }
    ));
    Ok(Finding::InOrder)
}

/// Checks the public URL of the site.
fn site(examination: &mut Examination, shell: &ShellSettings) {
    match &shell.frontend_url {
        Some(site) if site.is_loopback() => examination.add(
            Verdict::Warn,
            format!("site: FRONTEND_URL is {site}, which is only this machine; links in mails do not work for others"),
        ),
        Some(site) => examination.add(Verdict::Ok, format!("site: links lead to {site}")),
        None => examination.add(Verdict::Fail, "site: FRONTEND_URL is not set"),
    }
}

fn network(examination: &mut Examination, shell: &ShellSettings) {
    if let Some(text) = shell.plain_http() {
        examination.add(Verdict::Warn, format!("network: {text}"));
    } else if shell.host.is_loopback() {
        examination.add(
            Verdict::Ok,
            format!("network: HOST={} accepts connections only from this machine, such as a proxy's", shell.host),
        );
    } else if shell.tls_cert_file.is_some() {
        let text = format!("network: HOST={} is open to other machines, over TLS", shell.host);
        examination.add(Verdict::Ok, text);
    } else {
        let text = format!(
            "network: HOST={} is open to other machines; let only the proxy that ends TLS reach it",
            shell.host
        );
        examination.add(Verdict::Ok, text);
    }
}

/// Checks HSTS and CORS. Without https it says nothing about HSTS, because [`network`] already warns.
fn browsers(examination: &mut Examination, shell: &ShellSettings) {
    let is_https = shell.frontend_url.as_ref().is_some_and(|site| site.is_https() && !site.is_loopback());
    match shell.browsers.hsts() {
        None if is_https => examination.add(
            Verdict::Warn,
            "browsers: HSTS_DAYS is off, so browsers follow links to http, where an attacker on the network can answer",
        ),
        Some(hsts) if is_https => examination
            .add(Verdict::Ok, format!("browsers: they insist on https for {} days after each visit", hsts.days)),
        _ => {}
    }
    if let Some(origins) = &shell.browsers.cors_origins {
        let origins: Vec<&str> = origins.iter().collect();
        let text = format!("browsers: pages of {} may use the API with access tokens", origins.join(" and "));
        examination.add(Verdict::Ok, text);
    }
}

fn certificate(examination: &mut Examination, shell: &ShellSettings) {
    let Some(files) = shell.tls_files() else { return };
    match Identity::load(&files) {
        Ok(identity) => {
            let now = SystemClock.now();
            let verdict = if identity.is_untimely(now) { Verdict::Warn } else { Verdict::Ok };
            examination.add(verdict, format!("tls: {}", identity.lifetime(now)));
        }
        Err(unusable) => examination.add(Verdict::Fail, format!("tls: {unusable}")),
    }
}

fn hashing(examination: &mut Examination, shell: &ShellSettings) {
    if shell.hash_parameters().is_ok_and(|parameters| parameters.is_below_recommendations()) {
        examination.add(Verdict::Warn, format!("hashing: {WEAK_COSTS}"));
    } else {
        examination.add(Verdict::Ok, "hashing: the costs are within the recommendations");
    }
}

fn files(examination: &mut Examination, shell: &ShellSettings) {
    for path in [Some(Path::new(".env")), shell.database_url.sqlite_path()].into_iter().flatten() {
        let shown = path.display();
        match fs::metadata(path) {
            // The group may be allowed to read it, other users may not.
            Ok(found) if found.permissions().mode() & 0o007 != 0 => {
                examination.add(
                    Verdict::Warn,
                    format!("files: every user of this machine can read {shown}; run `chmod 600 {shown}`"),
                );
            }
            Ok(_) => examination.add(Verdict::Ok, format!("files: {shown} is private")),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => examination.add(Verdict::Warn, format!("files: {shown} cannot be inspected: {error}")),
        }
    }
}

/// Checks that the folder can be created, without leaving anything behind: creates a folder in its nearest existing
/// ancestor and removes it.
fn can_be_made(folder: &Path) -> Result<(), Failure> {
    let folder = std::path::absolute(folder)?;
    let parent = folder.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/"));
    let probe = parent.join(format!(".countersign-{}", std::process::id()));
    fs::create_dir(&probe).and_then(|()| fs::remove_dir(&probe)).map_err(|error| {
        Failure(format!(
            "pictures: {} cannot be created in {}: {error}; check MEDIA_DIR",
            folder.display(),
            parent.display()
        ))
    })
}

/// Checks the storage of pictures by writing, reading and deleting a file.
async fn pictures(examination: &mut Examination, shell: &ShellSettings) {
    let policy = shell.media_policy().storage;
    let (place, remedy) = match &policy {
        StoragePolicy::Disk { folder } => (folder.display().to_string(), "check MEDIA_DIR"),
        StoragePolicy::S3(bucket) => (bucket.public_url(), "check the S3_ settings and the permissions of the key"),
    };
    if let StoragePolicy::Disk { folder } = &policy
        && !folder.exists()
    {
        examination.check(can_be_made(folder), format!("pictures: {place} can be created with the first one"));
        return;
    }
    let checked = match Storage::open(&policy) {
        Ok(storage) => storage.check().await,
        Err(error) => Err(error),
    };
    match checked {
        Ok(()) => examination.add(Verdict::Ok, format!("pictures: {place} can be written, read and deleted")),
        Err(error) => {
            let Failure(reason) = error.into();
            examination.add(Verdict::Fail, format!("pictures: {place}: {reason}; {remedy}"));
        }
    }
}

async fn backups(examination: &mut Examination, shell: &ShellSettings) {
    let Some(to) = &shell.backups.backup_to else { return };
    let listed = async { BackupStore::open(to, shell)?.list(|_| None::<()>).await };
    match listed.await {
        Ok(_) => examination.add(Verdict::Ok, format!("backups: {to} can be listed")),
        Err(Failure(reason)) => examination.add(Verdict::Fail, format!("backups: {reason}; check BACKUP_TO")),
    }
    if shell.backup_recipients().is_empty() {
        examination.add(Verdict::Warn, "backups: they are not encrypted; set BACKUP_RECIPIENTS to encrypt them");
    }
}

async fn mail<H: Host>(examination: &mut Examination, settings: &Settings<H>) {
    let mail = &settings.shell.mail;
    let policy = mail.smtp_policy();
    let server = policy.server.clone();
    let from = &settings.mail.from.address;
    let site_url = settings.shell.site_url(settings.shell.port);
    match Smtp::new(policy, site_url.as_str()).check(from).await {
        Ok(trial) => conversation(examination, mail, &trial),
        // Such a site can serve, but nobody can reset a password.
        Err(error) if mail.mail_server.is_none() => {
            examination.add(Verdict::Warn, format!("mail: MAIL_SERVER is not set, so no mail can be sent ({error})"));
        }
        Err(error) => {
            examination.add(Verdict::Fail, format!("mail: {error}{}", advice(&error)));
        }
    }
    if mail.tls() == SmtpTls::Off && !mail.server().is_loopback() {
        let text = format!("mail: mails with password reset links are sent to {server} unencrypted");
        examination.add(Verdict::Warn, text);
    }
    let from = from.as_str();
    if mail.mail_server.is_some() && from.ends_with("@example.com") {
        examination.add(Verdict::Warn, format!("mail: the sender is {from}; set MAIL_FROM to your own address"));
    }
}

/// Reports the trial of a mail server that accepted the sender.
fn conversation(examination: &mut Examination, mail: &MailSettings, trial: &SmtpTrial) {
    let SmtpPolicy { server, port, .. } = mail.smtp_policy();
    let login = if mail.mail_username.is_some() { ", accepts the login" } else { "" };
    match &trial.recipient_refusal {
        None => examination
            .add(Verdict::Ok, format!("mail: {server}:{port} answers{login} and accepts mail; `mail test` sends one")),
        Some(error @ SendMailError::Settings { .. }) => {
            examination.add(Verdict::Fail, format!("mail: {error}"));
        }
        // The server still accepts mail to others, but many receivers verify that the sender's mailbox exists.
        Some(error @ (SendMailError::Address(_) | SendMailError::Mail(_))) => {
            let text = format!("mail: the address in MAIL_FROM cannot receive mail, such as replies: {error}");
            examination.add(Verdict::Warn, text);
        }
        Some(error) => {
            examination
                .add(Verdict::Warn, format!("mail: {error}; mails are retried, and you can run this check again"));
        }
    }
    if !trial.takes_utf8 {
        let text = format!(
            "mail: {server}:{port} does not announce SMTPUTF8: users with non-ASCII letters before the @ of their \
             address can register but receive no mail"
        );
        examination.add(Verdict::Warn, text);
    }
}

/// Returns a remedy for errors that contain none.
fn advice(error: &SendMailError) -> &'static str {
    match error {
        SendMailError::Settings { .. } => "",
        _ => "; check the MAIL_ settings",
    }
}
