//! What an operator may set about browsers: whose scripts use the API, and for how long they insist on encryption.

use std::str::FromStr;

use super::values::switch;
use crate::{CrossOrigins, Hsts, HstsScope};

/// What can be set about browsers.
#[derive(conf::Conf)]
pub struct BrowserSettings {
    /// The origins whose pages may use the API, such as a single-page application on a host of its own: as browsers write them,
    /// without a path, separated by commas (`https://app.example.org,http://localhost:5173`). They log in by access tokens
    /// alone, and a cookie counts for nothing there.
    #[conf(env, value_parser = CrossOrigins::parse)]
    pub cors_origins: Option<CrossOrigins>,

    /// For how long browsers insist on encryption once they have been here, in days (HSTS), where `FRONTEND_URL` is https. It
    /// cannot be taken back before, but by `0`, which has browsers that come again forget it; `off` says nothing about it.
    #[conf(env, default_value = "365")]
    pub hsts_days: HstsDays,

    /// Whether that goes for all hosts below the site's own too. Those that are reached by plain HTTP are lost to browsers then.
    #[conf(parameter, env, default_value = "false", value_parser = switch)]
    pub hsts_subdomains: bool,
}

/// A number of days; `None` for not saying anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HstsDays(Option<u32>);

impl FromStr for HstsDays {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const DAYS_MAX: u32 = 3650;
        if text.eq_ignore_ascii_case("off") {
            return Ok(Self(None));
        }
        let days = text.parse().ok().filter(|days| *days <= DAYS_MAX);
        days.map(|days| Self(Some(days))).ok_or("accepted is off, or a whole number from 0 to 3650")
    }
}

impl BrowserSettings {
    /// What browsers are told about encryption.
    pub(crate) fn hsts(&self) -> Option<Hsts> {
        let scope = if self.hsts_subdomains { HstsScope::Subdomains } else { HstsScope::Host };
        self.hsts_days.0.map(|days| Hsts { days, scope })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hsts_is_off_or_a_number_of_days() {
        for (text, days) in [("off", None), ("OFF", None), ("0", Some(0)), ("365", Some(365)), ("3650", Some(3650))] {
            assert_eq!(text.parse(), Ok(HstsDays(days)), "{text}");
        }
        for text in ["", "on", "-1", "1.5", "3651", "365d", "99999999999999999999"] {
            assert!(text.parse::<HstsDays>().is_err(), "{text}");
        }
    }
}
