//! An SMTP conversation, command by command, so that a refusal is known by the command that it answers. Its duration is
//! bounded.

use std::net::SocketAddr;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{Extension, MailBodyParameter, MailParameter};
use secrecy::ExposeSecret as _;
use tokio::net::lookup_host;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::hello::HelloName;
use super::message::wire_address;
use super::refusal::{Phase, is_unreachable, judge};
use super::{Smtp, SmtpPolicy, SmtpTls, SmtpTrial};
use crate::model::EmailAddress;
use crate::transport::{MailSetting, OutgoingMail, SendMailError};

/// A server that is silent for this long may be waiting for TLS.
const SILENCE_MAX: Duration = Duration::from_secs(3);
/// How long a kept connection may take to show that it still works.
const PROOF_MAX: Duration = Duration::from_secs(5);
/// How long to wait for the reply to a goodbye, which does not matter.
const GOODBYE_MAX: Duration = Duration::from_secs(2);
/// The port for mail between servers. No server starts with TLS there, and many reject clients that speak first.
const RELAY_PORT: u16 = 25;

pub(super) struct Conversation<'s> {
    bounds: Bounds<'s>,
    connection: AsyncSmtpConnection,
}

impl<'s> Conversation<'s> {
    /// Opens a new connection, encrypted and logged in as the policy says.
    pub(super) async fn begin(smtp: &'s Smtp) -> Result<Self, SendMailError> {
        let bounds = Bounds::from_now(smtp);
        Ok(Self { bounds, connection: bounds.connect().await? })
    }

    /// Takes a kept connection that still answers, or opens a new one.
    pub(super) async fn resume(smtp: &'s Smtp) -> Result<Self, SendMailError> {
        let bounds = Bounds::from_now(smtp);
        let proof_max = PROOF_MAX.min(smtp.policy.time_max / 2);
        while let Some(mut connection) = smtp.take() {
            if timeout(proof_max, connection.test_connected()).await == Ok(true) {
                return Ok(Self { bounds, connection });
            }
        }
        Ok(Self { bounds, connection: bounds.connect().await? })
    }

    /// Delivers a mail. Returns once the server has accepted it.
    pub(super) async fn deliver(&mut self, mail: &OutgoingMail) -> Result<(), SendMailError> {
        let content = mail.message().formatted();
        let (from, to) = (wire_address(&mail.from.address), wire_address(&mail.to));
        self.name_sender(&from, &to, &content).await?;
        self.name_recipient(&to).await?;
        let bounds = self.bounds;
        bounds.step(Phase::Content, Some(&to), self.connection.command(Data)).await?;
        bounds.step(Phase::Content, Some(&to), self.connection.message(&content)).await?;
        Ok(())
    }

    /// Tries a mail from this address to itself without sending its content.
    pub(super) async fn try_out(&mut self, sender: &EmailAddress) -> Result<SmtpTrial, SendMailError> {
        let address = wire_address(sender);
        self.name_sender(&address, &address, b"").await?;
        let recipient_refusal = self.name_recipient(&address).await.err();
        let goodbye = Instant::now() + GOODBYE_MAX;
        let _ = timeout_at(goodbye.min(self.bounds.deadline), self.connection.command(Rset)).await;
        Ok(SmtpTrial { takes_utf8: self.takes_utf8(), recipient_refusal })
    }

    pub(super) async fn leave(mut self) {
        let goodbye = Instant::now() + GOODBYE_MAX;
        let _ = timeout_at(goodbye.min(self.bounds.deadline), self.connection.quit()).await;
    }

    pub(super) fn into_connection(self) -> AsyncSmtpConnection {
        self.connection
    }

    /// Sends MAIL FROM. Addresses that are not ASCII go only to servers that announce SMTPUTF8 (RFC 6531, section 3.2).
    async fn name_sender(&mut self, from: &Address, to: &Address, content: &[u8]) -> Result<(), SendMailError> {
        let is_ascii = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
        let mut parameters = Vec::new();
        if !(is_ascii(from) && is_ascii(to)) {
            if !self.takes_utf8() {
                let place = self.bounds.place();
                let reason =
                    format!("{place}: the server does not announce SMTPUTF8, so it takes no address that is not ASCII");
                return Err(if is_ascii(from) {
                    SendMailError::Address(reason)
                } else {
                    SendMailError::Settings { setting: MailSetting::From, reason }
                });
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !content.is_ascii() {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let command = Mail::new(Some(from.clone()), parameters);
        self.bounds.step(Phase::Sender, Some(to), self.connection.command(command)).await.map(drop)
    }

    async fn name_recipient(&mut self, to: &Address) -> Result<(), SendMailError> {
        let command = Rcpt::new(to.clone(), Vec::new());
        self.bounds.step(Phase::Recipient, Some(to), self.connection.command(command)).await.map(drop)
    }

    fn takes_utf8(&self) -> bool {
        // A server that announces the first must announce the second (RFC 6531, section 3.1), which is needed with it.
        let announced = [Extension::SmtpUtfEight, Extension::EightBitMime];
        announced.into_iter().all(|extension| self.connection.server_info().supports_feature(extension))
    }
}

/// The server of a conversation, and its deadline.
#[derive(Clone, Copy)]
struct Bounds<'s> {
    smtp: &'s Smtp,
    deadline: Instant,
}

type Greeted = (AsyncSmtpConnection, HelloName);

impl<'s> Bounds<'s> {
    fn from_now(smtp: &'s Smtp) -> Self {
        Self { smtp, deadline: Instant::now() + smtp.policy.time_max }
    }

    fn place(&self) -> String {
        let SmtpPolicy { server, port, .. } = &self.smtp.policy;
        format!("{server}:{port}")
    }

    /// Waits for the server in one phase, and attributes a failure to its cause.
    async fn step<T>(
        &self,
        phase: Phase,
        recipient: Option<&Address>,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, SendMailError> {
        let recipient = recipient.map_or("", AsRef::as_ref);
        match timeout_at(self.deadline, work).await {
            Ok(outcome) => outcome.map_err(|error| judge(&self.place(), phase, &error, recipient)),
            Err(_) => Err(SendMailError::Server(self.unanswered(phase))),
        }
    }

    fn unanswered(&self, phase: Phase) -> String {
        let SmtpPolicy { tls, time_max, .. } = &self.smtp.policy;
        let text = format!("{}: {phase}: no answer within {} s", self.place(), time_max.as_secs_f32());
        match (phase, tls) {
            (Phase::Greeting, SmtpTls::Implicit) => format!("{text}; look at {}", MailSetting::Server),
            (Phase::Greeting, _) => {
                format!(
                    "{text}; look at {}, and if the server begins with TLS, set MAIL_TLS=implicit",
                    MailSetting::Server
                )
            }
            _ => text,
        }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SendMailError> {
        let SmtpPolicy { tls, login, .. } = &self.smtp.policy;
        let (mut connection, hello) = self.greet().await?;
        if *tls == SmtpTls::StartTls {
            let upgrade = connection.starttls(self.smtp.tls.clone(), hello.client_id());
            self.step(Phase::Tls, None, upgrade).await?;
        }
        if let Some(login) = login {
            let credentials = Credentials::new(login.username.clone(), login.password.expose_secret().to_owned());
            let logged_in = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials);
            self.step(Phase::Login, None, logged_in).await?;
        }
        Ok(connection)
    }

    async fn look_up(&self) -> Result<Addresses, SendMailError> {
        let SmtpPolicy { server, port, .. } = &self.smtp.policy;
        // The resolver takes an address in brackets for a name.
        let host = server.trim_start_matches('[').trim_end_matches(']');
        let failed = |reason: &str| {
            let place = self.place();
            SendMailError::Server(format!("{place}: {}: {reason}; look at {}", Phase::Greeting, MailSetting::Server))
        };
        let found = timeout_at(self.deadline, lookup_host((host, *port))).await;
        let found = found.map_err(|_| SendMailError::Server(self.unanswered(Phase::Greeting)))?;
        let mut others: Vec<SocketAddr> = found.map_err(|error| failed(&error.to_string()))?.collect();
        let last = others.pop().ok_or_else(|| failed("the name has no address"))?;
        Ok(Addresses { others, last })
    }

    /// Connects and greets. If the server stays silent, probes on a second connection whether it starts with TLS, so
    /// that the wrong setting is reported without a long wait.
    async fn greet(&self) -> Result<Greeted, SendMailError> {
        let SmtpPolicy { port, tls, .. } = &self.smtp.policy;
        let addresses = self.look_up().await?;
        if *tls == SmtpTls::Implicit {
            let reached = self.reach(&addresses, Some(&self.smtp.tls));
            return self.step(Phase::Greeting, None, reached).await;
        }
        let reached = self.step(Phase::Greeting, None, self.reach(&addresses, None));
        if *port == RELAY_PORT {
            return reached.await;
        }
        let probe = async {
            sleep(SILENCE_MAX).await;
            self.reach(&addresses, Some(&self.smtp.tls)).await
        };
        tokio::select! {
            reached = reached => reached,
            Ok(_) = probe => {
                let reason = format!("{}: the server begins with TLS, which is MAIL_TLS=implicit", self.place());
                Err(SendMailError::Settings { setting: MailSetting::Tls, reason })
            }
        }
    }

    /// Connects to the first reachable address. Each address gets an equal share of the time.
    async fn reach(&self, addresses: &Addresses, tls: Option<&TlsParameters>) -> Result<Greeted, Error> {
        let count = u32::try_from(addresses.others.len() + 1).unwrap_or(u32::MAX);
        let limit = Some(self.smtp.policy.time_max / count);
        let attempt = async |address: SocketAddr| {
            let hello = match &self.smtp.hello_name {
                Some(name) => name.clone(),
                None => HelloName::of_route_to(address).await,
            };
            let connected = AsyncSmtpConnection::connect_tokio1(address, limit, hello.client_id(), tls.cloned(), None);
            connected.await.map(|connection| (connection, hello))
        };
        for address in &addresses.others {
            match attempt(*address).await {
                Err(error) if is_unreachable(&error) => {}
                outcome => return outcome,
            }
        }
        attempt(addresses.last).await
    }
}

/// The addresses of a server; at least one.
struct Addresses {
    others: Vec<SocketAddr>,
    last: SocketAddr,
}
