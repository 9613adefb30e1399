//! Keys of attempt counters: a keyed hash, so that the counter table reveals neither addresses nor the attacked
//! accounts.

use hmac::Mac as _;

use super::device_cookie::KnownDevice;
use super::keys::{Keys, Purpose};
use crate::model::{EmailAddress, EventKind, Network, SessionId, Username};

/// The subject of an attempt counter. Logins are counted by the typed identifier, not by the user. So an unknown user
/// makes no difference, and the counter does not reveal that a name and an address belong together.
pub(crate) enum Counted<'c> {
    /// Logins with this address from unknown devices.
    Address(&'c EmailAddress),
    /// Logins with this name from unknown devices.
    Username(&'c Username),
    /// Logins from unknown devices with text that is neither an address nor a name.
    Text(&'c str),
    /// Logins from a known device.
    Device(&'c KnownDevice),
    /// Re-authentication by password in this session.
    Session(SessionId),
    /// Mails to this address that anyone can request.
    MailTo(&'c EmailAddress),
    /// Mails to this address from actions of its account, while the address is unverified.
    MailOfAccountTo(&'c EmailAddress),
    /// Mailed codes requested from this network. Each token stores this key.
    CodesOf(Network),
    /// Notices of one kind to this address. Counted separately: mails requested by strangers must not use up the
    /// owner's notices, and notices must not reveal how many mails are left.
    NoticeTo(EventKind, &'c EmailAddress),
}

/// The first half of an HMAC: among 2^64 subjects, about one collision is expected.
pub(crate) type AttemptKey = [u8; 16];

impl Keys {
    /// Returns the key of an attempt counter. A new `SECRET_KEY` resets all counters.
    pub(crate) fn attempt_key(&self, counted: &Counted<'_>) -> AttemptKey {
        let hmac = self.present(Purpose::Attempts).clone();
        let hmac = match counted {
            Counted::Address(address) => hmac.chain_update("address ").chain_update(address.as_str()),
            Counted::Username(username) => hmac.chain_update("username ").chain_update(username.key()),
            Counted::Text(text) => hmac.chain_update("text ").chain_update(text),
            Counted::Device(device) => {
                hmac.chain_update("device ").chain_update(device.user.uuid().as_bytes()).chain_update(device.id)
            }
            Counted::Session(session) => hmac.chain_update("session ").chain_update(session.uuid().as_bytes()),
            Counted::MailTo(address) => hmac.chain_update("mail ").chain_update(address.as_str()),
            Counted::MailOfAccountTo(address) => hmac.chain_update("account mail ").chain_update(address.as_str()),
            Counted::CodesOf(network) => hmac.chain_update("codes ").chain_update(format!("{network:?}")),
            Counted::NoticeTo(kind, address) => hmac
                .chain_update("notice ")
                .chain_update(kind.as_str())
                .chain_update(" ")
                .chain_update(address.as_str()),
        };
        let hmac: [u8; 32] = hmac.finalize().into_bytes().into();
        *hmac.first_chunk().expect("an HMAC is longer")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::secrets::generate_secret_key;

    #[test]
    fn the_same_text_counts_apart_for_each_purpose_and_under_each_secret() {
        let address = EmailAddress::parse("ada@example.com").unwrap();
        let (one, other) = (Keys::new(&[generate_secret_key()]), Keys::new(&[generate_secret_key()]));
        let all: BTreeSet<AttemptKey> = [&one, &other]
            .into_iter()
            .flat_map(|keys| {
                [Counted::Address(&address), Counted::Text(address.as_str()), Counted::MailTo(&address)]
                    .map(|counted| keys.attempt_key(&counted))
            })
            .collect();
        assert_eq!(all.len(), 6);
        assert_eq!(one.attempt_key(&Counted::Address(&address)), one.attempt_key(&Counted::Address(&address)));
    }
}
