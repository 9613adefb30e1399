//! The URL of the site, parsed once: links, cookies and the issuer of tokens derive from it.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

/// Maximum length of the text, in bytes: more than any DNS name in any script needs, with scheme and port.
const BYTES_MAX: usize = 1_024;

/// The origin of the site (RFC 6454): scheme and host, and the port unless it is the scheme's default. Its text is as browsers
/// write it: in lower case, the host in ASCII (RFC 5891), without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteUrl {
    text: String,
    scheme: Scheme,
    host: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

/// The text is not the URL of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected only scheme and host, such as https://accounts.example.org")]
pub struct InvalidSiteUrl;

impl SiteUrl {
    /// Returns the text, such as `https://accounts.example.org`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the host: a name in ASCII, or an IP address; IPv6 in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether the scheme is `https`.
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// Whether only the machine itself can reach the site.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

impl Scheme {
    fn split(text: &str) -> Option<(Self, &str)> {
        let (scheme, rest) = text.split_once("://")?;
        match scheme.to_ascii_lowercase().as_str() {
            "http" => Some((Self::Http, rest)),
            "https" => Some((Self::Https, rest)),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn own_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for SiteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for SiteUrl {
    type Err = InvalidSiteUrl;

    fn from_str(text: &str) -> Result<Self, InvalidSiteUrl> {
        if text.len() > BYTES_MAX {
            return Err(InvalidSiteUrl);
        }
        let (scheme, rest) = Scheme::split(text).ok_or(InvalidSiteUrl)?;
        let (host, port) = split_port(rest.trim_end_matches('/')).ok_or(InvalidSiteUrl)?;
        let host = parse_host(host).ok_or(InvalidSiteUrl)?;
        let text = match port {
            Some(port) if port != scheme.own_port() => format!("{}://{host}:{port}", scheme.as_str()),
            _ => format!("{}://{host}", scheme.as_str()),
        };
        Ok(Self { text, scheme, host })
    }
}

/// Splits off the port. The colons of an IPv6 address are inside its brackets.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            let port = Some(port).filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()))?;
            Some((host, Some(port.parse().ok().filter(|port| *port > 0)?)))
        }
        _ => Some((authority, None)),
    }
}

fn parse_host(text: &str) -> Option<String> {
    if let Some(address) = text.strip_prefix('[') {
        let address: Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
        return Some(format!("[{address}]"));
    }
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Some(address.to_string());
    }
    let name = Uts46::new().to_ascii(text.as_bytes(), AsciiDenyList::URL, Hyphens::Allow, DnsLength::Verify).ok()?;
    // Host names in private networks may have underscores.
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    // Browsers parse a name that ends in a number as an IPv4 address, and this is not a valid one.
    let is_number = name
        .rsplit('.')
        .next()
        .is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()) || label.starts_with("0x"));
    (is_plain && !is_number).then(|| name.into_owned())
}

/// Whether an authority, as in a `Host` header, names the client's own machine.
pub(crate) fn is_loopback_authority(text: &str) -> bool {
    split_port(text).is_some_and(|(host, _)| is_loopback(host))
}

/// Whether a host, as in URLs and the `Host` header, is the client's own machine (RFC 6761, section 6.3).
fn is_loopback(host: &str) -> bool {
    let name = host.to_ascii_lowercase();
    if let Some(address) = name.strip_prefix('[') {
        let address = address.strip_suffix(']').and_then(|address| address.parse::<Ipv6Addr>().ok());
        return address.is_some_and(|address| address.to_canonical().is_loopback());
    }
    match name.parse::<Ipv4Addr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => name == "localhost" || name.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_url_is_scheme_and_host_as_browsers_write_them() {
        for (text, kept) in [
            ("http://localhost:8000", "http://localhost:8000"),
            ("https://Accounts.Example.org/", "https://accounts.example.org"),
            ("HTTPS://accounts.example.org//", "https://accounts.example.org"),
            ("https://accounts.example.org:443", "https://accounts.example.org"),
            ("http://accounts.example.org:443", "http://accounts.example.org:443"),
            ("http://accounts.example.org:080/", "http://accounts.example.org"),
            ("https://BÜCHER.example:8443", "https://xn--bcher-kva.example:8443"),
            ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
            ("http://my_nas", "http://my_nas"),
            ("http://192.0.2.1", "http://192.0.2.1"),
            ("http://[::1]:8000", "http://[::1]:8000"),
            ("http://[2001:DB8:0::1]", "http://[2001:db8::1]"),
        ] {
            assert_eq!(text.parse::<SiteUrl>().as_ref().map(SiteUrl::as_str), Ok(kept), "{text}");
        }
    }

    #[test]
    fn what_is_not_the_address_of_a_site_is_refused() {
        let long = format!("https://{}.example", "a".repeat(64));
        let endless = format!("https://a{}", "/".repeat(BYTES_MAX));
        for text in [
            "",
            "localhost:8000",
            "accounts.example.org",
            "/a",
            "ftp://a",
            "https://a/b",
            "https://a?b",
            "https://a#b",
            "https://u@a",
            "https://u:p@a",
            "https://",
            "https:///",
            "https://:8000",
            "https://a:",
            "https://a:0",
            "https://a:+1",
            "https://a:65536",
            "https://a:b",
            "https://a b",
            " https://a",
            "https://a\n",
            "https://a..b",
            "https://a.",
            "https://a\"b",
            "https://a;b",
            "https://*.example.org",
            "https://256.1.1.1",
            "https://1.2.3",
            "https://0x7f000001",
            "https://[::1",
            "https://::1",
            "https://[fe80::1%eth0]",
            "https://[::1]a",
            "https://a\\b",
            "https://a%41",
            &long,
            &endless,
        ] {
            assert_eq!(text.parse::<SiteUrl>(), Err(InvalidSiteUrl), "{text:?}");
        }
    }

    #[test]
    fn loopback_is_the_machine_itself_and_nothing_that_looks_like_it() {
        for host in
            ["localhost", "LOCALHOST", "blog.localhost", "127.0.0.1", "127.8.8.8", "[::1]", "[::ffff:127.0.0.1]"]
        {
            assert!(is_loopback(host), "{host}");
        }
        for authority in ["localhost:8000", "127.0.0.1:1", "[::1]:8000", "[::1]", "localhost"] {
            assert!(is_loopback_authority(authority), "{authority}");
        }
        for authority in
            ["localhost:8000@evil.example", "evil.example:80", "localhost:80:80", "localhost:", "[::1", ":80"]
        {
            assert!(!is_loopback_authority(authority), "{authority}");
        }
        for host in [
            "",
            "localhost.example",
            "localhost.",
            "notlocalhost",
            "127.0.0.1.example",
            "0.0.0.0",
            "192.168.0.1",
            "[::]",
            "[fe80::1]",
            "::1",
            "nas",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
