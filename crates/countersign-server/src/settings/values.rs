//! Parsers for values of settings. Each error says what is accepted and never repeats the text.

use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::http::Uri;
use countersign::config::SecretKey;
use ipnet::IpNet;
use jiff::SignedDuration;
use secrecy::SecretString;
use tracing_subscriber::EnvFilter;

/// Returns a parser for whole numbers within `range`, for `#[conf(value_parser = whole_number(1..=100))]`.
pub fn whole_number<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String>
where
    T: FromStr + PartialOrd + Display,
{
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| format!("expected a whole number from {} to {}", range.start(), range.end()))
    }
}

/// Parses `true` and `false`, also written `on` and `off`, `yes` and `no`, `1` and `0`.
pub fn switch(text: &str) -> Result<bool, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "1" => Ok(true),
        "false" | "off" | "no" | "0" => Ok(false),
        _ => Err("expected true or false"),
    }
}

/// Returns the value of the choice named `text`, ignoring case.
pub fn chosen<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let found = choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        format!("expected {}", names.join(" or "))
    })
}

pub(super) fn secret_key(text: &str) -> Result<SecretKey, String> {
    SecretKey::parse(text.to_owned()).map_err(|weak| weak.to_string())
}

/// Converts a default of the library to whole minutes. A test fails if there is a remainder.
pub(super) fn minutes(duration: SignedDuration) -> u32 {
    in_units(duration, SignedDuration::from_mins(1))
}

/// Converts a default of the library to whole days.
pub(super) fn days(duration: SignedDuration) -> u32 {
    in_units(duration, SignedDuration::from_hours(24))
}

/// Converts a default of the library to whole seconds.
pub(super) fn seconds<D>(duration: D) -> u32
where
    SignedDuration: TryFrom<D>,
{
    in_units(SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX), SignedDuration::from_secs(1))
}

fn in_units(duration: SignedDuration, unit: SignedDuration) -> u32 {
    u32::try_from(duration.as_secs() / unit.as_secs()).unwrap_or(u32::MAX)
}

/// Parses a short line of text without control characters.
pub(super) fn text(text: &str) -> Result<String, &'static str> {
    const CHARS_MAX: usize = 200;
    if text.trim().is_empty() || text.chars().count() > CHARS_MAX || text.chars().any(char::is_control) {
        return Err("expected 1 to 200 printable characters");
    }
    Ok(text.to_owned())
}

/// A list of secret keys.
#[derive(Clone)]
pub struct SecretKeys(pub Vec<SecretKey>);

pub(super) fn secret_keys(text: &str) -> Result<SecretKeys, String> {
    let keys = text.split(',').map(str::trim).filter(|key| !key.is_empty()).map(secret_key);
    keys.collect::<Result<_, _>>().map(SecretKeys)
}

/// A secret of another service.
pub type SecretText = SecretString;

pub(super) fn secret_text(text: &str) -> Result<SecretText, &'static str> {
    const CHARS_MAX: usize = 1_000;
    if text.is_empty() || text.chars().count() > CHARS_MAX || text.chars().any(char::is_control) {
        return Err("expected 1 to 1000 printable characters");
    }
    Ok(SecretString::from(text))
}

/// How browsers get pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MediaDelivery {
    /// From this program.
    Served,
    /// From the bucket.
    Direct,
    /// From the bucket, with presigned URLs.
    Presigned,
}

pub(super) fn parse_media_delivery(text: &str) -> Result<MediaDelivery, String> {
    use MediaDelivery::{Direct, Presigned, Served};
    chosen(text, &[("served", Served), ("direct", Direct), ("presigned", Presigned)])
}

/// Parses a bucket name, which is used in URLs without escaping.
pub(super) fn bucket_name(text: &str) -> Result<String, &'static str> {
    let legal = |byte: u8| matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_');
    if !(3..=63).contains(&text.len()) || !text.bytes().all(legal) {
        return Err("expected 3 to 63 letters, digits, dots and hyphens");
    }
    Ok(text.to_owned())
}

/// Parses a URL that others are built from, and removes its trailing slash.
pub(super) fn base_url(text: &str) -> Result<String, &'static str> {
    const ACCEPTED: &str = "expected a URL such as https://cdn.example.org/media";
    let uri: Uri = text.parse().ok().filter(|_| !text.contains(['#', '?'])).ok_or(ACCEPTED)?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    match uri.authority() {
        Some(authority) if is_http && !authority.host().is_empty() && !authority.as_str().contains('@') => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err(ACCEPTED),
    }
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogFormat {
    /// For a person at a terminal.
    Human,
    /// One JSON object per line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        chosen(text, &[("human", Self::Human), ("json", Self::Json)])
    }
}

/// Log filter directives that are known to parse.
#[derive(Clone, Debug)]
pub struct LogFilter(String);

impl LogFilter {
    pub(crate) fn env_filter(&self) -> EnvFilter {
        EnvFilter::new(&self.0)
    }
}

impl FromStr for LogFilter {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A misspelt level would be parsed as a module name and silence the log.
        let levels = ["off", "error", "warn", "info", "debug", "trace"];
        let is_level = |word: &str| levels.contains(&word.to_ascii_lowercase().as_str());
        let first = text.split(',').map(str::trim).next().unwrap_or_default();
        if (first.contains('=') || is_level(first)) && EnvFilter::try_new(text).is_ok() {
            return Ok(Self(text.to_owned()));
        }
        Err("expected error, warn, info, debug or trace, or a list such as info,countersign=debug")
    }
}

/// The networks of trusted proxies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Networks(pub Vec<IpNet>);

/// Parses addresses and networks separated by commas.
pub(super) fn networks(text: &str) -> Result<Networks, &'static str> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(network).collect::<Result<_, _>>().map(Networks)
}

fn network(text: &str) -> Result<IpNet, &'static str> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.to_canonical().into());
    }
    match text.parse::<IpNet>() {
        Ok(network) if network.prefix_len() == 0 => {
            Err("a network of all addresses would let clients choose theirs; list the networks of your proxies")
        }
        Ok(network) if network.trunc() != network => {
            Err("a network starts with its first address: 10.0.0.0/8, not 10.0.0.1/8")
        }
        Ok(network) => Ok(network),
        Err(_) => Err("expected addresses and networks, separated by commas, such as 127.0.0.1,10.0.0.0/8"),
    }
}

/// Parses a page: a path on this site, or a full URL elsewhere.
pub(super) fn page(text: &str) -> Result<String, &'static str> {
    let is_path = text.starts_with('/') && !text.starts_with("//");
    let is_address = ["https://", "http://"].iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme));
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'#'));
    if (is_path || is_address) && is_plain {
        Ok(text.to_owned())
    } else {
        Err("expected a path such as /reset-password, or an address such as https://example.com/reset-password")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_level_is_no_filter() {
        for text in ["info", "INFO", "warn,countersign=debug", "countersign=trace"] {
            assert!(text.parse::<LogFilter>().is_ok(), "{text}");
        }
        for text in ["", "inof", "verbose", "countersign=loud"] {
            assert!(text.parse::<LogFilter>().is_err(), "{text}");
        }
    }
}
