//! What is known of who sends a request before they have said who they are.

use std::net::IpAddr;

use secrecy::SecretString;

/// From which address a call comes. A host that learns it in another way than by axum's `ConnectInfo`, such as behind a Unix
/// socket, puts one into the extensions of each request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAddress {
    /// From none: the host's own code calls. It is not limited as a network.
    #[default]
    Host,
    /// Over a network, from an address that is not known. All who come so share the limits of one network.
    Unknown,
    /// From this one.
    Known(IpAddr),
}

impl ClientAddress {
    /// The address, if it is known: IPv4 as such.
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Host | Self::Unknown => None,
            Self::Known(address) => Some(address.to_canonical()),
        }
    }
}

/// Where a request comes from.
#[derive(Clone, Debug, Default)]
pub struct ClientInfo {
    /// The address.
    pub address: ClientAddress,
    /// What it calls itself, at most 200 characters.
    pub user_agent: Option<String>,
    /// The languages it prefers, as its `Accept-Language` header says; at most 200 characters.
    pub languages: Option<String>,
    /// The cookies of the device, as they were presented: one of each user who has logged in with it, if they are genuine,
    /// which is still to be seen.
    pub device_cookies: Vec<SecretString>,
}

/// What one customer of a network provider usually has: an IPv4 address, or an IPv6 network of 64 bits (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Network {
    V4(u32),
    V6(u64),
    /// All whose address is not known.
    Unknown,
    /// None: the host's own code.
    Host,
}

/// In which line somebody waits for a password to be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Anybody.
    Stranger,
    /// Whoever has shown who they are before: by a login on this device, or by reading their mail.
    Known,
}

/// Somebody who waits for a password to be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asker {
    pub(crate) network: Network,
    pub(crate) standing: Standing,
}

impl ClientInfo {
    /// What it is, as far as that stays the same from one login to the next: the name of the program without its version.
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

    /// The network that the address belongs to. Whoever has a whole one can take any address in it.
    pub(crate) fn network(&self) -> Network {
        match (self.address.ip(), self.address) {
            (Some(IpAddr::V4(address)), _) => Network::V4(address.to_bits()),
            (Some(IpAddr::V6(address)), _) => Network::V6((address.to_bits() >> 64) as u64),
            (None, ClientAddress::Host) => Network::Host,
            (None, _) => Network::Unknown,
        }
    }

    /// Somebody who waits, as they stand.
    pub(crate) fn asker(&self, standing: Standing) -> Asker {
        Asker { network: self.network(), standing }
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
