//! The name in the greeting of a mail server: a full domain name or an address literal (RFC 5321, section 4.1.1.1).
//! Strict servers refuse anything else, especially a bare host name.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use lettre::transport::smtp::extension::ClientId;
use tokio::net::UdpSocket;

use crate::transport::host_of;

/// A name to greet mail servers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelloName(ClientId);

/// The text is not a valid name for the greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a full domain name such as accounts.example.org, or an address such as [192.0.2.1]")]
pub struct InvalidHelloName;

impl HelloName {
    /// Parses a domain name of at least two labels, or an IP address with or without the brackets of a literal.
    pub fn parse(text: &str) -> Result<Self, InvalidHelloName> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        let bare = bare.strip_prefix("IPv6:").unwrap_or(bare);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(Self::of_address(address));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let ascii = Uts46::new()
            .to_ascii(name.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::Verify)
            .map_err(|_| InvalidHelloName)?;
        // The last label of a name is never a number: that would be a mistyped address.
        let is_full = ascii.rsplit_once('.').is_some_and(|(_, last)| !last.bytes().all(|byte| byte.is_ascii_digit()));
        if is_full { Ok(Self(ClientId::Domain(ascii.into_owned()))) } else { Err(InvalidHelloName) }
    }

    /// Returns the host of the site at this URL, unless it is a bare name or a loopback address.
    pub(super) fn of_site(url: &str) -> Option<Self> {
        let name = Self::parse(host_of(url)).ok()?;
        let is_loopback = match &name.0 {
            ClientId::Ipv4(ip) => ip.is_loopback(),
            ClientId::Ipv6(ip) => ip.is_loopback(),
            _ => false,
        };
        (!is_loopback).then_some(name)
    }

    /// Returns the local address of a connection to the server, if it can be determined.
    pub(super) async fn of_route_to(server: SocketAddr) -> Self {
        let unspecified: SocketAddr = match server {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        // Connecting a UDP socket sends nothing, but sets its local address, which a TCP connection would have too.
        let own = async {
            let socket = UdpSocket::bind(unspecified).await?;
            socket.connect(server).await?;
            socket.local_addr()
        };
        Self::of_address(own.await.map_or(Ipv4Addr::LOCALHOST.into(), |address| address.ip()))
    }

    fn of_address(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(ip) => Self(ClientId::Ipv4(ip)),
            IpAddr::V6(ip) => Self(ClientId::Ipv6(ip)),
        }
    }

    pub(super) fn client_id(&self) -> &ClientId {
        &self.0
    }
}

impl fmt::Display for HelloName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_full_domain_name_or_an_address_literal() {
        for (text, shown) in [
            ("Accounts.Example.org", "accounts.example.org"),
            ("accounts.example.org.", "accounts.example.org"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("192.0.2.1", "[192.0.2.1]"),
            ("[192.0.2.1]", "[192.0.2.1]"),
            ("2001:db8::1", "[IPv6:2001:db8::1]"),
            ("[2001:db8::1]", "[IPv6:2001:db8::1]"),
            ("[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"),
            ("::ffff:192.0.2.1", "[192.0.2.1]"),
        ] {
            assert_eq!(HelloName::parse(text).map(|name| name.to_string()).as_deref(), Ok(shown), "{text}");
        }
        for text in [
            "",
            ".",
            "vm",
            "localhost",
            "vm.",
            "a..example",
            "-a.example",
            "my_host.example",
            "a b.example",
            "a.example\r\nMAIL",
            "192.0.2.256",
            "[accounts.example.org]",
            &format!("{}.example", "a".repeat(64)),
            &format!("{}example", "a.".repeat(124)),
        ] {
            assert!(HelloName::parse(text).is_err(), "{text:?}");
        }
    }

    #[tokio::test]
    async fn a_site_without_a_full_name_is_known_by_the_address_that_it_speaks_from() {
        for (url, shown) in [
            ("https://accounts.example.org", Some("accounts.example.org")),
            ("https://accounts.example.org:8443", Some("accounts.example.org")),
            ("http://192.0.2.1:8000", Some("[192.0.2.1]")),
            ("http://[2001:db8::1]", Some("[IPv6:2001:db8::1]")),
            ("http://localhost:8000", None),
            ("http://lan-name", None),
            ("http://127.0.0.1:8000", None),
            ("http://[::1]:8000", None),
        ] {
            assert_eq!(HelloName::of_site(url).map(|name| name.to_string()).as_deref(), shown, "{url}");
        }
        let server = SocketAddr::from(([127, 0, 0, 1], 25));
        assert_eq!(HelloName::of_route_to(server).await.to_string(), "[127.0.0.1]");
    }
}
