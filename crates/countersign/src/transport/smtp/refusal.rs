//! Meaning of a mail server's refusal: whether our settings, the server, the address or the mail is at fault (RFC 5321,
//! section 4.2; RFC 3463).

use std::error::Error as _;
use std::fmt;
use std::io;

use lettre::transport::smtp::Error;

use crate::transport::{MailSetting, SendMailError};

/// How far a conversation has come. The same code means something different in each phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Until the server has been greeted.
    Greeting,
    /// From STARTTLS to the second greeting.
    Tls,
    Login,
    /// MAIL FROM.
    Sender,
    /// RCPT TO.
    Recipient,
    /// DATA and what follows it.
    Content,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greeting => "connecting",
            Self::Tls => "STARTTLS",
            Self::Login => "logging in",
            Self::Sender => "MAIL FROM",
            Self::Recipient => "RCPT TO",
            Self::Content => "DATA",
        })
    }
}

/// Returns the error by its cause. The text begins with `place` and does not contain `recipient`.
pub(super) fn judge(place: &str, phase: Phase, error: &Error, recipient: &str) -> SendMailError {
    let reason = format!("{place}: {phase}: {}", without_addresses(&chain(error), recipient));
    let fault = match error.status() {
        Some(code) => {
            fault_of_reply(phase, u16::from(code), &error.source().map(ToString::to_string).unwrap_or_default())
        }
        None if phase == Phase::Login && error.is_client() => Fault::Setting(MailSetting::Login),
        None if phase <= Phase::Tls && (error.is_client() || is_refused_handshake(error)) => {
            Fault::Setting(MailSetting::Tls)
        }
        // The connection broke, or the reply is not valid.
        None => Fault::Server,
    };
    match fault {
        Fault::Setting(setting) => SendMailError::Settings { setting, reason },
        Fault::Server => SendMailError::Server(reason),
        Fault::Address => SendMailError::Address(reason),
        Fault::Mail => SendMailError::Mail(reason),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Setting(MailSetting),
    Server,
    Address,
    Mail,
}

fn fault_of_reply(phase: Phase, code: u16, text: &str) -> Fault {
    let text = text.to_ascii_lowercase();
    let named = named_setting(phase, code, &text);
    if code < 500 {
        // Some servers refuse a name that they cannot look up only temporarily, but it will fail again.
        return if named == Some(MailSetting::HelloName) {
            Fault::Setting(MailSetting::HelloName)
        } else {
            Fault::Server
        };
    }
    let about_us = |otherwise| Fault::Setting(named.unwrap_or(otherwise));
    match (phase, enhanced_code(&text)) {
        (Phase::Greeting, _) => about_us(MailSetting::Server),
        (Phase::Tls, _) => about_us(MailSetting::Tls),
        (Phase::Login, _) => about_us(MailSetting::Login),
        (Phase::Sender, _) => about_us(MailSetting::From),
        _ if matches!(code, 502..=504 | 521 | 523 | 530 | 534 | 535 | 538) => about_us(MailSetting::Server),
        // Codes about the sender's address, not the recipient's.
        (_, Some((1, 7 | 8))) => Fault::Setting(MailSetting::From),
        // No such mailbox, no route to it, or not ASCII (RFC 6531, section 3.5).
        (_, Some((1 | 2, _))) | (Phase::Recipient, Some((4 | 6, _))) => Fault::Address,
        (Phase::Recipient, Some(_)) => about_us(MailSetting::Server),
        (Phase::Recipient, None) => named.map_or(Fault::Address, Fault::Setting),
        (Phase::Content, Some((6, _) | (3, 4))) => Fault::Mail,
        (Phase::Content, _) if code == 552 => Fault::Mail,
        (Phase::Content, None) if named.is_none() && is_about_recipient(&text) => Fault::Address,
        // For example a sender without permission: providers report that only now.
        (Phase::Content, _) => about_us(MailSetting::From),
    }
}

/// Returns the setting that a reply names, by its code or in words, which are all that many servers give.
fn named_setting(phase: Phase, code: u16, text: &str) -> Option<MailSetting> {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    // 503 is about the order of commands, whichever it names.
    let names_hello = code != 503 && says(&["helo ", "ehlo ", "helo:", "ehlo:"]);
    if names_hello || (code == 504 && phase != Phase::Login) || (phase <= Phase::Tls && matches!(code, 501 | 550)) {
        return Some(MailSetting::HelloName);
    }
    if matches!(code, 523 | 538) || says(&["starttls", "encrypt"]) {
        return Some(MailSetting::Tls);
    }
    let wants_login = phase > Phase::Tls && matches!(code, 502 | 503 | 530 | 534 | 535);
    if wants_login || says(&["authent", "smtp auth", "log in", "relay", "rcpthosts"]) {
        return Some(MailSetting::Login);
    }
    says(&["sender", "mail from"]).then_some(MailSetting::From)
}

fn is_about_recipient(text: &str) -> bool {
    ["recipient", "mailbox", "user "].iter().any(|word| text.contains(word))
}

/// Returns subject and detail of an enhanced status code of class 5 (RFC 3463) that gives a reason: at the beginning,
/// or behind a `#` as in qmail.
fn enhanced_code(text: &str) -> Option<(u16, u16)> {
    let first = text.split_whitespace().next();
    let marked = text.split_once("(#").map(|(_, rest)| rest.split(')').next().unwrap_or_default());
    let parse = |word: &str| {
        let mut numbers = word.strip_prefix("5.")?.splitn(2, '.').map(str::parse);
        let (subject, detail) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        // `5.0.0` and `5.3.0` give no particular reason.
        (subject != 0 && (subject, detail) != (3, 0)).then_some((subject, detail))
    };
    first.and_then(parse).or_else(|| marked.and_then(parse))
}

/// Whether the TLS handshake was refused, rather than the connection broken.
fn is_refused_handshake(error: &Error) -> bool {
    causes(error).any(|cause| {
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        kind == Some(io::ErrorKind::InvalidData) || cause.to_string() == "domain isn't a valid DNS name"
    })
}

/// Whether another address of the server may be reachable if this one is not.
pub(super) fn is_unreachable(error: &Error) -> bool {
    use io::ErrorKind::{
        AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkUnreachable, PermissionDenied, TimedOut,
    };
    causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|cause| {
        matches!(
            cause.kind(),
            AddrNotAvailable | ConnectionRefused | HostUnreachable | NetworkUnreachable | PermissionDenied | TimedOut
        )
    })
}

fn causes(error: &Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}

/// Formats an error with its causes.
fn chain(error: &Error) -> String {
    causes(error)
        .map(ToString::to_string)
        .fold(error.to_string(), |text, cause| if text.contains(&cause) { text } else { format!("{text}: {cause}") })
}

/// Maximum length of a quoted reply. More is not needed to understand it.
const REASON_CHARACTERS_MAX: usize = 400;

/// Removes addresses, which servers repeat in full or as the local part, because logs must not contain them.
pub(super) fn without_addresses(text: &str, recipient: &str) -> String {
    let local = recipient.split('@').next().unwrap_or_default().to_lowercase();
    let is_local = |word: &str| {
        let bare = word.trim_matches(|character: char| !character.is_alphanumeric());
        !local.is_empty() && bare.to_lowercase() == local
    };
    let words: Vec<&str> = text
        .split(|character: char| character.is_whitespace() || character.is_control())
        .filter(|word| !word.is_empty())
        .map(|word| if word.contains('@') || is_local(word) { "(address)" } else { word })
        .collect();
    words.join(" ").chars().take(REASON_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: Fault = Fault::Setting(MailSetting::Server);
    const TLS: Fault = Fault::Setting(MailSetting::Tls);
    const LOGIN: Fault = Fault::Setting(MailSetting::Login);
    const HELLO: Fault = Fault::Setting(MailSetting::HelloName);
    const FROM: Fault = Fault::Setting(MailSetting::From);

    fn check(phase: Phase, replies: &[(u16, &str, Fault)]) {
        for (code, text, fault) in replies {
            assert_eq!(fault_of_reply(phase, *code, text), *fault, "{phase}: {code} {text}");
        }
    }

    #[test]
    fn until_there_is_a_recipient_a_refusal_is_about_our_settings() {
        check(
            Phase::Greeting,
            &[
                (501, "Syntactically invalid EHLO argument(s)", HELLO),
                (504, "5.5.2 <vm>: Helo command rejected: need fully-qualified hostname", HELLO),
                (550, "Access denied - Invalid HELO name (See RFC2821 4.1.1.1)", HELLO),
                (554, "5.7.1 mail.example.org does not take connections from your network", SERVER),
                (421, "too many connections", Fault::Server),
                (450, "4.7.1 <vm>: Helo command rejected: Host not found", HELLO),
            ],
        );
        check(
            Phase::Tls,
            &[
                (501, "Syntax: EHLO hostname", HELLO),
                (454, "TLS not available", Fault::Server),
                (502, "5.5.1 command not implemented", TLS),
            ],
        );
        check(
            Phase::Login,
            &[
                (535, "5.7.8 Error: authentication failed", LOGIN),
                (504, "5.5.4 Unrecognized authentication type", LOGIN),
                (538, "5.7.11 Encryption required for requested authentication mechanism", TLS),
                (503, "AUTH command used when not advertised", LOGIN),
                (454, "4.7.0 Temporary authentication failure", Fault::Server),
            ],
        );
        check(
            Phase::Sender,
            &[
                (530, "5.7.0 Must issue a STARTTLS command first", TLS),
                (530, "5.7.0 Authentication required", LOGIN),
                (503, "Error: send HELO first", LOGIN),
                (550, "5.1.8 <noreply@example.com>: Sender address rejected: Domain not found", FROM),
                (553, "5.7.1 not owned by user robot", FROM),
                (452, "4.3.1 Insufficient system storage", Fault::Server),
            ],
        );
    }

    #[test]
    fn a_refused_recipient_is_the_addresss_fault_unless_the_server_means_us() {
        check(
            Phase::Recipient,
            &[
                (
                    550,
                    "5.1.1 <ada@example.org>: Recipient address rejected: User unknown in relay recipient table",
                    Fault::Address,
                ),
                (550, "No such user here", Fault::Address),
                (550, "Unrouteable address", Fault::Address),
                (550, "5.4.1 Recipient address rejected: Access denied", Fault::Address),
                (552, "5.2.2 mailbox full", Fault::Address),
                (553, "5.6.7 non-ASCII addresses are not permitted", Fault::Address),
                (553, "sorry, no mailbox here by that name (#5.1.1)", Fault::Address),
                (504, "5.5.2 <vm>: Helo command rejected: need fully-qualified hostname", HELLO),
                (550, "HELO/EHLO: a bare name", HELLO),
                (554, "5.7.1 <ada@example.org>: Relay access denied", LOGIN),
                (550, "relay not permitted", LOGIN),
                (553, "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", LOGIN),
                (530, "5.7.1 Authentication required", LOGIN),
                (503, "5.5.1 bad sequence of commands", LOGIN),
                (550, "5.1.8 <noreply@example.com>: Sender address rejected: Domain not found", FROM),
                (550, "Sender verify failed", FROM),
                (554, "5.7.1 Service unavailable; Client host blocked", SERVER),
                (451, "4.7.1 Greylisted, try again later", Fault::Server),
                (421, "4.3.2 shutting down", Fault::Server),
            ],
        );
    }

    #[test]
    fn refused_content_is_given_up_only_when_it_or_the_recipient_is_named() {
        check(
            Phase::Content,
            &[
                (550, "5.1.1 no such user", Fault::Address),
                (550, "mailbox unavailable", Fault::Address),
                (552, "message too big", Fault::Mail),
                (554, "5.6.0 malformed", Fault::Mail),
                (554, "Message rejected: Email address is not verified", FROM),
                (550, "5.7.60 SMTP; Client does not have permissions to send as this sender", FROM),
                (554, "5.7.1 rejected by policy", FROM),
                (451, "4.3.0 try again", Fault::Server),
            ],
        );
    }

    #[test]
    fn what_a_server_says_is_cut_and_has_no_addresses_and_no_control_characters() {
        let said = "5.1.1 <Ada.L@example.org>: unknown user\r\n 'ADA.L'\u{1b}[2J, ask postmaster@example.org";
        let kept = without_addresses(said, "ada.l@example.org");
        assert_eq!(kept, "5.1.1 (address) unknown user (address) [2J, ask (address)");
        assert_eq!(without_addresses(&"a ".repeat(10_000), "").chars().count(), REASON_CHARACTERS_MAX);
    }
}
