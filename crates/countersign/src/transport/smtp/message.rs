//! The bytes of a mail (RFC 5322).

use std::time::{Duration, SystemTime};

use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox as Address, MultiPart, MultiPartKind, SinglePart};

use crate::model::EmailAddress;
use crate::transport::{HeaderText, OutgoingMail};

impl OutgoingMail {
    /// Returns the whole mail (RFC 5322): `multipart/alternative` of text and HTML, with lines ending in CR LF.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.message().formatted()
    }

    /// Returns the headers as they are sent.
    pub fn headers(&self) -> String {
        let bytes = self.to_bytes();
        let text = String::from_utf8_lossy(&bytes);
        text.split("\r\n\r\n").next().unwrap_or_default().to_owned()
    }

    pub(super) fn message(&self) -> Message {
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        let seconds = u64::try_from(self.date.as_second()).unwrap_or(0);
        let from = address(self.from.name.as_ref(), &self.from.address);
        let parts = MultiPart::builder()
            .kind(MultiPartKind::Alternative)
            .boundary(format!("=_{}", self.id.simple()))
            .singlepart(SinglePart::plain(self.text.clone()))
            .singlepart(SinglePart::html(self.html.clone()));
        Message::builder()
            .date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
            .message_id(Some(self.message_id()))
            .from(from)
            .to(address(None, &self.to))
            .subject(self.subject.as_str())
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
            .multipart(parts)
            .expect("it has a sender and a recipient")
    }
}

fn address(name: Option<&HeaderText>, address: &EmailAddress) -> Address {
    Address::new(name.map(|name| name.as_str().to_owned()), wire_address(address))
}

/// Returns an address as mail servers know it, with the domain in ASCII (RFC 5891), so that only a local part that is
/// not ASCII requires SMTPUTF8.
pub(super) fn wire_address(address: &EmailAddress) -> lettre::Address {
    let (local, domain) = address.to_wire();
    lettre::Address::new_dangerous(local, domain)
}
