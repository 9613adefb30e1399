//! Decides what is known of who sends a request before they have said who they are.

use std::net::IpAddr;

/// Where a request comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientInfo {
    /// The address; `None` when the call did not come over a network.
    pub address: Option<IpAddr>,
    /// What it calls itself, at most 200 characters.
    pub user_agent: Option<String>,
}

/// What one customer of a network provider usually has: an IPv4 address, or an IPv6 network of 64 bits (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Network {
    V4(u32),
    V6(u64),
    Unknown,
}

impl ClientInfo {
    /// The network that the address belongs to. Whoever has a whole one can take any address in it.
    pub(crate) fn network(&self) -> Network {
        match self.address.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(address)) => Network::V4(address.to_bits()),
            Some(IpAddr::V6(address)) => Network::V6((address.to_bits() >> 64) as u64),
            None => Network::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> Network {
        ClientInfo { address: Some(address.parse().unwrap()), ..ClientInfo::default() }.network()
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_and_mapped_ones_are_ipv4() {
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
