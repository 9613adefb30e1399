//! Trusted proxies, and the client address behind them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// Proxies whose forwarding header is trusted. By default none is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyPolicy {
    /// The networks of the proxies.
    pub trusted: Vec<IpNet>,
    /// The only header that is read. Others are ignored, because a client can send them.
    pub header: ForwardedHeader,
}

/// A header in which a proxy names the client it forwards for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`: addresses separated by commas, the newest last.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239), in the same order, each address as the parameter `for`.
    Forwarded,
}

/// More proxies than any deployment chains.
const HOPS_MAX: usize = 16;

impl ProxyPolicy {
    /// Whether this address is a trusted proxy.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted.iter().any(|network| network.contains(&peer))
    }

    /// Returns the client's address. Walks the header from the right while each address is trusted; entries further to
    /// the left were written by the client and are never reached. If an entry cannot be parsed, returns the last
    /// address that could be.
    ///
    /// `lines` are the values of the header in order.
    pub fn client_address<'l>(&self, peer: IpAddr, lines: impl DoubleEndedIterator<Item = &'l str>) -> IpAddr {
        let mut address = peer.to_canonical();
        // From the right, ignoring quotes: an unclosed quote further to the left must not swallow later entries.
        let mut entries = lines.rev().flat_map(|line| line.rsplit(','));
        for _ in 0..HOPS_MAX {
            if !self.trusts(address) {
                break;
            }
            match entries.next().and_then(|entry| self.header.read(entry)) {
                Some(previous) => address = previous.to_canonical(),
                None => break,
            }
        }
        address
    }
}

impl ForwardedHeader {
    /// Returns the name in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }

    /// Parses the address of one entry; `None` for a name, `unknown`, or anything else.
    fn read(self, entry: &str) -> Option<IpAddr> {
        match self {
            Self::XForwardedFor => parse_node(entry.trim()),
            Self::Forwarded => {
                let mut pairs = entry.split(';').filter_map(|pair| pair.trim().split_once('='));
                let (_, node) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
                let quoted = node.strip_prefix('"').and_then(|node| node.strip_suffix('"'));
                parse_node(quoted.unwrap_or(node))
            }
        }
    }
}

impl fmt::Display for ForwardedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Parses an address with an optional port. An IPv6 address with a port is in brackets.
fn parse_node(node: &str) -> Option<IpAddr> {
    if let Ok(address) = node.parse() {
        return Some(address);
    }
    if let Some(address) = node.strip_prefix('[').and_then(|node| node.strip_suffix(']')) {
        return address.parse().ok().map(IpAddr::V6);
    }
    node.parse().ok().map(|with_port: SocketAddr| with_port.ip())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn resolve(header: ForwardedHeader, peer: &str, lines: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "2001:db8:1::/48"].map(|network| network.parse().unwrap()).to_vec();
        let policy = ProxyPolicy { trusted, header };
        policy.client_address(peer.parse().unwrap(), lines.iter().copied()).to_string()
    }

    #[test]
    fn only_a_trusted_peer_is_believed_and_only_as_far_as_those_before_it_are_trusted() {
        for (peer, lines, client) in [
            ("203.0.113.7", &["198.51.100.1"][..], "203.0.113.7"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.7"], "203.0.113.7"),
            ("::ffff:10.0.0.1", &["203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", &["203.0.113.7:4711"], "203.0.113.7"),
            ("10.0.0.1", &["2001:db8::7"], "2001:db8::7"),
            ("10.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            ("10.0.0.1", &["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", &["198.51.100.1, 203.0.113.7, 10.0.0.2"], "203.0.113.7"),
            ("10.0.0.1", &["198.51.100.1", "203.0.113.7,2001:db8:1::5"], "203.0.113.7"),
            ("10.0.0.1", &["203.0.113.7, unknown, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["203.0.113.7", ""], "10.0.0.1"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ] {
            assert_eq!(resolve(ForwardedHeader::XForwardedFor, peer, lines), client, "{peer} {lines:?}");
        }
    }

    #[test]
    fn the_standard_header_is_read_with_all_its_forms() {
        for (lines, client) in [
            (&["for=203.0.113.7;proto=https;by=10.0.0.1"][..], "203.0.113.7"),
            (&["proto=https; FOR=\"203.0.113.7:80\""], "203.0.113.7"),
            (&["for=\"[2001:db8::7]:4711\""], "2001:db8::7"),
            (&["for=198.51.100.1, for=203.0.113.7"], "203.0.113.7"),
            (&["for=\"open, for=203.0.113.7"], "203.0.113.7"),
            (&["for=_hidden, for=10.0.0.2"], "10.0.0.2"),
            (&["by=203.0.113.7"], "10.0.0.1"),
            (&["203.0.113.7"], "10.0.0.1"),
        ] {
            assert_eq!(resolve(ForwardedHeader::Forwarded, "10.0.0.1", lines), client, "{lines:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_client_writes_it_does_not_become_another(written in ".{0,80}") {
            for (header, entry) in
                [(ForwardedHeader::XForwardedFor, "203.0.113.7"), (ForwardedHeader::Forwarded, "for=203.0.113.7")]
            {
                // The proxy appends to the line, or appends a line.
                prop_assert_eq!(resolve(header, "10.0.0.1", &[&format!("{written}, {entry}")]), "203.0.113.7");
                prop_assert_eq!(resolve(header, "10.0.0.1", &[&written, entry]), "203.0.113.7");
                prop_assert_eq!(resolve(header, "203.0.113.7", &[&written]), "203.0.113.7");
            }
        }
    }
}
