//! What is known about the client of a request before it authenticates.

use std::net::IpAddr;

use secrecy::SecretString;

/// The address that a request comes from. A host that learns it in another way than by axum's `ConnectInfo`, for
/// example behind a Unix socket, puts one into the extensions of each request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAddress {
    /// The host's own code. Network limits do not apply to it.
    #[default]
    Host,
    /// A network client whose address is not known. All such clients share the limits of one network.
    Unknown,
    /// A network client with this address.
    Known(IpAddr),
}

impl ClientAddress {
    /// Returns the address, if it is known. An IPv4 address mapped to IPv6 is returned as IPv4.
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Host | Self::Unknown => None,
            Self::Known(address) => Some(address.to_canonical()),
        }
    }
}

/// The origin of a request.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ClientInfo {
    /// The network address.
    pub address: ClientAddress,
    /// The `User-Agent` header, at most 200 characters.
    pub user_agent: Option<String>,
    /// The `Accept-Language` header, at most 200 characters.
    pub languages: Option<String>,
    /// The device cookies as presented, one for each user who has logged in on the device. They are not verified yet.
    pub device_cookies: Vec<SecretString>,
}

/// The network of one customer of a provider: an IPv4 address, or an IPv6 network of 64 bits (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Network {
    V4(u32),
    V6(u64),
    /// All clients whose address is not known.
    Unknown,
    /// No network: the host's own code.
    Host,
}

/// The queue in which a request waits for a password to be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeviceTrust {
    /// Any client.
    Stranger,
    /// A client that has authenticated before, by a login on this device or by reading its mail.
    Known,
}

/// A request that waits for a password to be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Requester {
    pub(crate) network: Network,
    pub(crate) standing: DeviceTrust,
}

impl ClientInfo {
    /// Returns what stays the same from one login to the next: the words of the user agent without version numbers.
    pub(crate) fn device(&self) -> String {
        let name = self.user_agent.as_deref().unwrap_or_default();
        let mut device = String::with_capacity(name.len());
        for word in name.split_whitespace() {
            let word = word.split('/').next().unwrap_or_default();
            if word.chars().any(char::is_alphabetic) {
                if !device.is_empty() {
                    device.push(' ');
                }
                device.extend(word.chars().filter(|character| !character.is_ascii_digit()));
            }
        }
        device
    }

    /// Returns the network of the address. A client that has a whole network can take any address in it.
    pub(crate) fn network(&self) -> Network {
        match (self.address.ip(), self.address) {
            (Some(IpAddr::V4(address)), _) => Network::V4(address.to_bits()),
            (Some(IpAddr::V6(address)), _) => Network::V6((address.to_bits() >> 64) as u64),
            (None, ClientAddress::Host) => Network::Host,
            (None, _) => Network::Unknown,
        }
    }

    /// Returns this client as a request in the hashing queue.
    pub(crate) fn requester(&self, standing: DeviceTrust) -> Requester {
        Requester { network: self.network(), standing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> Network {
        ClientInfo { address: ClientAddress::Known(address.parse().unwrap()), ..ClientInfo::default() }.network()
    }

    #[test]
    fn a_newer_version_is_the_same_device_and_another_program_is_not() {
        let device = |name: &str| ClientInfo { user_agent: Some(name.to_owned()), ..ClientInfo::default() }.device();
        let firefox = |version| {
            device(&format!("Mozilla/5.0 (X11; Linux x86_64; rv:{version}.0) Gecko/20100101 Firefox/{version}.0"))
        };
        assert_eq!(firefox(128), firefox(140));
        assert_ne!(firefox(128), device("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Mobile/15E148"));
        assert_eq!(device("curl/7.88.1"), device("curl/8.0"));
        assert_eq!(device("x".repeat(200).as_str()).len(), 200);
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_and_mapped_ones_are_ipv4() {
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
