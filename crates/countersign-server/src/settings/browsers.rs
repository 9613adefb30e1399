//! The settings about browsers: CORS and HSTS.

use std::str::FromStr;

use super::values::switch;
use crate::{CrossOrigins, Hsts, HstsScope};

/// The settings about browsers.
#[derive(conf::Conf)]
pub struct BrowserSettings {
    /// The origins whose pages may use the API, such as a single-page application on another host: as browsers write
    /// them, without a path, separated by commas (`https://app.example.org,http://localhost:5173`). These pages
    /// authenticate with access tokens only, never with cookies.
    #[conf(env, value_parser = CrossOrigins::parse)]
    pub cors_origins: Option<CrossOrigins>,

    /// For how many days browsers insist on HTTPS after a visit (HSTS), if `FRONTEND_URL` is https. It cannot be
    /// revoked early, except with `0`, which makes browsers forget it on their next visit; `off` sends no header.
    #[conf(env, default_value = "365")]
    pub hsts_days: HstsDays,

    /// Whether HSTS includes all subdomains of the site's host. Browsers then no longer reach subdomains that only
    /// speak plain HTTP.
    #[conf(parameter, env, default_value = "false", value_parser = switch)]
    pub hsts_subdomains: bool,
}

/// A number of days; `None` sends no HSTS header.
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
        days.map(|days| Self(Some(days))).ok_or("expected off, or a whole number from 0 to 3650")
    }
}

impl BrowserSettings {
    /// Returns the HSTS policy, or `None` if the header is off.
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
