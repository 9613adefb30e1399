//! E-mail addresses in canonical form. They are separate from users, because addresses without a user get mail too.

use std::fmt;

use email_address::Options;
use icu_normalizer::ComposingNormalizer;
use icu_properties::props::{EnumeratedProperty as _, GeneralCategory};
use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

use super::trim_pasted;

/// An address in canonical form: lower case, the domain in Unicode.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress(String);

/// The text is not an address (RFC 5322 `addr-spec` with RFC 6531's characters, no quoting, no address literal, a domain
/// of at least two labels, at most 120 characters).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("value is not a valid email address of at most 120 characters")]
pub struct InvalidEmailAddress;

const EMAIL_CHARACTERS_MAX: usize = 120;

impl EmailAddress {
    /// Parses an address and converts it to canonical form, so that equal addresses are equal texts. Ignores whitespace
    /// and invisible characters around it, as left by copying.
    pub fn parse(text: &str) -> Result<Self, InvalidEmailAddress> {
        let refuse = |()| InvalidEmailAddress;
        let text = trim_pasted(text);
        if text.chars().count() > EMAIL_CHARACTERS_MAX || text.chars().any(is_hidden) {
            return Err(InvalidEmailAddress);
        }
        let text = ComposingNormalizer::new_nfc().normalize(text);
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidEmailAddress)?;
        if local.starts_with('"') {
            return Err(InvalidEmailAddress);
        }
        let names = Uts46::new();
        let ascii = names
            .to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::Verify)
            .map_err(|_| refuse(()))?;
        let options = Options::default().without_display_text().without_domain_literal().with_required_tld();
        email_address::EmailAddress::parse_with_options(&format!("{local}@{ascii}"), options)
            .map_err(|_| refuse(()))?;
        let (domain, verdict) = names.to_unicode(ascii.as_bytes(), AsciiDenyList::STD3, Hyphens::Check);
        verdict.map_err(|_| refuse(()))?;
        let address = format!("{}@{domain}", local.to_lowercase());
        if address.chars().count() > EMAIL_CHARACTERS_MAX {
            return Err(InvalidEmailAddress);
        }
        Ok(Self(address))
    }

    /// Returns the canonical form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the form that mail servers use: the local part, and the domain in ASCII (RFC 5891).
    pub(crate) fn to_wire(&self) -> (&str, String) {
        let (local, domain) = self.0.rsplit_once('@').expect("it was parsed");
        let ascii = Uts46::new().to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::Verify);
        (local, ascii.expect("it was parsed").into_owned())
    }
}

fn is_hidden(character: char) -> bool {
    matches!(GeneralCategory::for_char(character), GeneralCategory::Control | GeneralCategory::Format)
}

impl fmt::Debug for EmailAddress {
    /// Hides the address. Addresses are private, and logging a structure must not reveal one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_addresses_are_equal_texts() {
        for (text, stored) in [
            ("Ada@Example.COM", "ada@example.com"),
            ("ada+news@mail.example.org", "ada+news@mail.example.org"),
            ("ada@BÜCHER.example", "ada@bücher.example"),
            ("ada@xn--bcher-kva.example", "ada@bücher.example"),
            (" ada@example.com\r\n", "ada@example.com"),
            ("\u{feff}ada@example.com\u{a0}\u{200b}", "ada@example.com"),
        ] {
            assert_eq!(EmailAddress::parse(text).map(|address| address.0).as_deref(), Ok(stored));
        }
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        for text in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@example",
            "a b@example.com",
            "ada@exa mple.com",
            "ada@@example.com",
            "ada@example..com",
            ".ada@example.com",
            "ada@-example.com",
            "\"a b\"@example.com",
            "ada@[127.0.0.1]",
            "Ada <ada@example.com>",
            "ada@example.com\r\nBcc: x@example.com",
            "ada\u{0}@example.com",
            "ada@example.com\u{0}",
            "ada @example.com",
            "ad\u{200b}a@example.com",
        ] {
            assert!(EmailAddress::parse(text).is_err(), "{text:?}");
        }
        let long = |length: usize| format!("{}@{}.example", "a".repeat(50), "b".repeat(length));
        assert!(EmailAddress::parse(&long(61)).is_ok());
        assert!(EmailAddress::parse(&long(62)).is_err());
    }
}
