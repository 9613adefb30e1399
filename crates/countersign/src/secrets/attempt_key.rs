//! Under which key attempts are counted: a keyed hash, so that the table of them tells nobody's address, and not even
//! whose account is being guessed at.

use hmac::Mac as _;

use super::device_cookie::KnownDevice;
use super::keys::{Keys, Purpose};
use crate::model::{EmailAddress, EventKind, Network, SessionId, Username};

/// What attempts are counted for. Of a login it is what was typed and not the user, so that nothing about it differs where
/// there is none, nor tells that a name and an address belong together.
pub(crate) enum Counted<'c> {
    /// Logins of strangers by this address.
    Address(&'c EmailAddress),
    /// Logins of strangers by this name.
    Username(&'c Username),
    /// Logins of strangers by what is neither.
    Text(&'c str),
    /// Logins from a device that has logged in before.
    Device(&'c KnownDevice),
    /// The password, once more, in this session.
    Session(SessionId),
    /// Mails to this address that anybody can ask for.
    MailTo(&'c EmailAddress),
    /// Mails to this address that acts on its account cause while nobody has proven it.
    MailOfAccountTo(&'c EmailAddress),
    /// Codes from mails that this network has asked for. It is remembered with each.
    CodesOf(Network),
    /// Notices of one kind to this address. They count apart: mails that strangers ask for must not use up the owner's notices,
    /// nor a notice show in how many mails are left.
    NoticeTo(EventKind, &'c EmailAddress),
}

/// The beginning of an HMAC: two of them meet by chance once in 2^64 subjects.
pub(crate) type AttemptKey = [u8; 16];

impl Keys {
    /// Under which key attempts are counted. When `SECRET_KEY` is replaced, counting starts afresh.
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
