//! The mail server of the tests: a real one in its own process, Debian's `python3-aiosmtpd`, as strict as configured.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::timeout;

use crate::mail::{RootCertificates, SmtpLogin, SmtpPolicy, SmtpTls};

/// A mail server on this machine, which stops when dropped.
///
/// It accepts all mail, with these exceptions: for the local parts `refused` and `relayed` it answers 550 and 554, for `later` 451,
/// for `vanished` and `unverified` 550 and 554 after the whole mail, and for `silence` nothing at all. It rejects the sender
/// `forbidden` with 550.
pub struct SmtpServer {
    child: Child,
    port: u16,
    certificate: String,
    options: SmtpServerOptions,
    mails: Mutex<Receiver<Value>>,
    moods: std::sync::Mutex<mpsc::Receiver<()>>,
}

/// How a mail server treats incoming mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpMood {
    /// It accepts mail; the initial mood.
    Taking,
    /// It answers 451 to every recipient.
    Busy,
    /// It does not answer to any recipient.
    Silent,
    /// It answers 451 to the first attempt for each recipient.
    Greylisting,
    /// It drops the connection in the middle of every mail.
    Dropping,
}

/// The greetings that a mail server accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpHello {
    /// Any name.
    Anything,
    /// Full names and addresses; it rejects others with 501 at the greeting, or with 504 at the recipient.
    Full(SmtpRefusal),
    /// Only full names; it rejects others in the same way.
    Names(SmtpRefusal),
}

/// When a mail server rejects a greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpRefusal {
    /// At once.
    AtGreeting,
    /// At the recipient, as Postfix does.
    AtRecipient,
}

/// What a mail server requires of its clients.
#[derive(Clone)]
pub struct SmtpServerOptions {
    /// The encryption of connections.
    pub tls: SmtpTls,
    /// The name and password that a client must log in with.
    pub login: Option<(String, String)>,
    /// Whether it accepts addresses that are not ASCII (RFC 6531).
    pub smtputf8: bool,
    /// The greetings that it accepts.
    pub hello: SmtpHello,
}

impl Default for SmtpServerOptions {
    /// No encryption, no login, all addresses, any greeting.
    fn default() -> Self {
        Self { tls: SmtpTls::Off, login: None, smtputf8: true, hello: SmtpHello::Anything }
    }
}

/// How long a test waits for a mail before it fails.
const MAIL_WAIT_MAX: Duration = Duration::from_secs(20);
const MAILS_MAX: usize = 100_000;

impl SmtpServer {
    /// Starts a server on a free port.
    pub fn start(options: SmtpServerOptions) -> Self {
        let tls = match options.tls {
            SmtpTls::Off => "off",
            SmtpTls::StartTls => "starttls",
            SmtpTls::Implicit => "implicit",
        };
        let login = options.login.as_ref().map(|(name, password)| [name, password]);
        let (accepted, refusal) = match options.hello {
            SmtpHello::Anything => ("anything", SmtpRefusal::AtRecipient),
            SmtpHello::Full(refusal) => ("full", refusal),
            SmtpHello::Names(refusal) => ("names", refusal),
        };
        let asked = if refusal == SmtpRefusal::AtGreeting { "ehlo" } else { "rcpt" };
        let hello = json!({ "accepted": accepted, "asked": asked });
        let told = json!({ "tls": tls, "login": login, "smtputf8": options.smtputf8, "hello": hello });
        // Debian's Python, whatever other Python is on the path.
        let mut child = Command::new("/usr/bin/python3")
            .args(["-c", include_str!("smtp_server.py"), &told.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is installed");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let first = lines.next().and_then(Result::ok).expect("python3-aiosmtpd and python3-cryptography are installed");
        let begun: Value = serde_json::from_str(&first).expect("JSON");
        let (sender, mails) = channel(MAILS_MAX);
        let (obeyed, moods) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let Ok(told) = serde_json::from_str::<Value>(&line) else { break };
                let is_heard =
                    if told["mood"].is_null() { sender.blocking_send(told).is_ok() } else { obeyed.send(()).is_ok() };
                if !is_heard {
                    break;
                }
            }
        });
        Self {
            child,
            port: begun["port"].as_u64().and_then(|port| port.try_into().ok()).expect("a port"),
            certificate: begun["certificate"].as_str().expect("a certificate").to_owned(),
            options,
            mails: Mutex::new(mails),
            moods: std::sync::Mutex::new(moods),
        }
    }

    /// Changes how it treats mail from now on.
    ///
    /// # Panics
    /// If the server does not obey.
    pub fn set_mood(&mut self, mood: SmtpMood) {
        let name = match mood {
            SmtpMood::Taking => "taking",
            SmtpMood::Busy => "busy",
            SmtpMood::Silent => "silent",
            SmtpMood::Greylisting => "greylisting",
            SmtpMood::Dropping => "dropping",
        };
        let input = self.child.stdin.as_mut().expect("it is piped");
        writeln!(input, "{name}").expect("the server runs");
        let moods = self.moods.get_mut().expect("nobody panics while they wait");
        moods.recv_timeout(MAIL_WAIT_MAX).expect("the server obeys in time");
    }

    /// Returns its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns its own certificate for `localhost`, in PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Returns the settings to send mail to it.
    pub fn policy(&self) -> SmtpPolicy {
        let login = self.options.login.clone();
        SmtpPolicy {
            port: self.port,
            tls: self.options.tls,
            roots: Some(RootCertificates::from_pem(self.certificate.as_bytes()).expect("a certificate")),
            login: login.map(|(username, password)| SmtpLogin { username, password: password.into() }),
            ..SmtpPolicy::default()
        }
    }

    /// Returns the next mail that it received: `from`, `to`, `tls`, `login`, `hello`, `smtputf8`, `peer_port`, `content` as
    /// received, and the result of Python's parser: `type`, `headers` as pairs, `parts` with `type`, `charset`, `encoding` and
    /// `text`, `defects`.
    pub async fn next_mail(&self) -> Value {
        let mut mails = self.mails.lock().await;
        timeout(MAIL_WAIT_MAX, mails.recv()).await.expect("a mail comes in time").expect("the server runs")
    }

    /// Returns the received mails that were not returned before.
    pub async fn mails_so_far(&self) -> Vec<Value> {
        let mut mails = self.mails.lock().await;
        std::iter::from_fn(|| mails.try_recv().ok()).collect()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
