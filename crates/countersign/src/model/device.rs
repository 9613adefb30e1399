//! Browser names for mails, from a closed list: a client can put any text into its user agent, so none of it reaches
//! a mail.

/// A browser and its operating system, from closed lists of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Device {
    /// For example `Firefox`.
    pub browser: &'static str,
    /// For example `Linux`.
    pub system: &'static str,
}

/// Part of a user agent, and the browser that has it. Browsers also include the names of those they imitate, so the
/// order matters.
const BROWSERS: [(&str, &str); 8] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
];
const SYSTEMS: [(&str, &str); 7] = [
    ("Windows", "Windows"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

impl Device {
    /// Parses a `User-Agent` header (RFC 9110, section 10.1.5); `None` for other programs and unknown ones.
    pub fn parse(user_agent: &str) -> Option<Self> {
        let find = |names: &[(&str, &'static str)]| {
            names.iter().find(|(sign, _)| user_agent.contains(sign)).map(|(_, name)| *name)
        };
        Some(Self { browser: find(&BROWSERS)?, system: find(&SYSTEMS)? })
    }
}
