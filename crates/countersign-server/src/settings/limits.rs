//! The settings of rate limits.

use std::num::NonZeroU32;

use countersign::config::{LimitPolicy, Rate};
use jiff::SignedDuration;

use super::values::{switch, whole_number};

/// The settings of rate limits.
#[derive(conf::Conf)]
pub struct LimitSettings {
    /// Whether attempts are rate limited: `on` or `off`. When off, only the cost of hashing slows password guessing.
    #[conf(parameter, env, default_value = "on", value_parser = switch)]
    pub rate_limits: bool,

    /// Failed logins allowed per network (an IPv4 address, or an IPv6 /64) and period: `100/10m` is 100 in ten minutes;
    /// the units are `s`, `m` and `h`. Successful logins do not count, nor do failures from devices on which the user
    /// has logged in before.
    #[conf(env, default(LimitPolicy::default().log_in), value_parser = rate)]
    pub rate_limit_login: Rate,

    /// Registrations allowed per network and period.
    #[conf(env, default(LimitPolicy::default().register), value_parser = rate)]
    pub rate_limit_register: Rate,

    /// Mails that one network may trigger per period, by requests for password resets, confirmations and address
    /// changes. One address receives at most 5 of them an hour, whatever the number of networks.
    #[conf(env, default(LimitPolicy::default().mail), value_parser = rate)]
    pub rate_limit_mail: Rate,

    /// Tokens from mails (links and codes) that one network may present per period.
    #[conf(env, default(LimitPolicy::default().secret), value_parser = rate)]
    pub rate_limit_secret: Rate,

    /// Refused refresh tokens allowed per network and period. Successful exchanges do not count.
    #[conf(env, default(LimitPolicy::default().refresh), value_parser = rate)]
    pub rate_limit_refresh: Rate,

    /// Pictures that one network may upload per period.
    #[conf(env, default(LimitPolicy::default().upload), value_parser = rate)]
    pub rate_limit_upload: Rate,

    /// Wrong passwords allowed per account before each further attempt has to wait: 30 seconds at first, doubling each
    /// time, up to 15 minutes. Each full hour without a failure forgives one. Devices on which the user has logged in
    /// before are counted separately. The count is shared by all instances.
    #[conf(env, default(LimitPolicy::default().account_tries), value_parser = whole_number(TRIES_MIN..=TRIES_MAX))]
    pub rate_limit_account_tries: NonZeroU32,
}

/// Fewer would lock out users who mistype.
const TRIES_MIN: NonZeroU32 = NonZeroU32::new(3).expect("not zero");
const TRIES_MAX: NonZeroU32 = NonZeroU32::new(1_000).expect("not zero");

fn rate(text: &str) -> Result<Rate, &'static str> {
    const ACCEPTED: &str =
        "expected a number of tries from 1 to 1000000, a slash, and a time from 1s to 24h, such as 100/10m";
    let (tries, period) = text.split_once('/').ok_or(ACCEPTED)?;
    let digits = |text: &str| -> Result<u32, &'static str> {
        // `parse` also accepts a plus sign.
        let number = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        number.ok_or(ACCEPTED)
    };
    let seconds_each = match period.as_bytes().last() {
        Some(b's') => 1,
        Some(b'm') => 60,
        Some(b'h') => 3_600,
        _ => return Err(ACCEPTED),
    };
    let seconds = i64::from(digits(&period[..period.len() - 1])?) * seconds_each;
    Rate::new(digits(tries)?, SignedDuration::from_secs(seconds)).map_err(|_| ACCEPTED)
}

impl LimitSettings {
    /// Returns the library's policy; `None` if rate limits are off.
    pub(super) fn policy(&self) -> Option<LimitPolicy> {
        if !self.rate_limits {
            return None;
        }
        let mut policy = LimitPolicy::default();
        policy.log_in = self.rate_limit_login;
        policy.register = self.rate_limit_register;
        policy.mail = self.rate_limit_mail;
        policy.secret = self.rate_limit_secret;
        policy.refresh = self.rate_limit_refresh;
        policy.upload = self.rate_limit_upload;
        policy.account_tries = self.rate_limit_account_tries;
        Some(policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_so_many_in_so_long() {
        for (text, tries, seconds) in [("100/10m", 100, 600), ("1/1s", 1, 1), ("1000000/24h", 1_000_000, 86_400)] {
            assert_eq!(rate(text).unwrap(), Rate::new(tries, SignedDuration::from_secs(seconds)).unwrap());
        }
        for text in [
            "",
            "100",
            "/10m",
            "100/",
            "100/m",
            "0/10m",
            "1000001/10m",
            "100/0s",
            "100/25h",
            "100/10",
            "100/10d",
            "+1/10m",
            "1/+1m",
            "-1/10m",
            "100/10m/1",
            "1.5/10m",
            "100 / 10m",
            "100/9999999999h",
            "100/10µ",
        ] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}
