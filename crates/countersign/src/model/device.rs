//! What a browser is in words of ours. What a client calls itself may be any text, so it never reaches a mail.

/// A browser and the system that it runs on, from a closed list of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// Such as `Firefox`.
    pub browser: &'static str,
    /// Such as `Linux`.
    pub system: &'static str,
}

/// Part of a user agent, and the name of the browser that has it. Each also has those of browsers that it wants to be taken for, so
/// the order counts.
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
    /// The device of a `User-Agent` header (RFC 9110, section 10.1.5); `None` for other programs and unknown ones.
    pub fn parse(user_agent: &str) -> Option<Self> {
        let find = |names: &[(&str, &'static str)]| {
            names.iter().find(|(sign, _)| user_agent.contains(sign)).map(|(_, name)| *name)
        };
        Some(Self { browser: find(&BROWSERS)?, system: find(&SYSTEMS)? })
    }
}
