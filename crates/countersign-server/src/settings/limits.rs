//! How often things may be tried, by the settings of an operator.

use std::num::NonZeroU32;

use countersign::config::{LimitPolicy, Rate};
use jiff::SignedDuration;

use super::values::{switch, whole_number};

/// What can be set about limits.
#[derive(conf::Conf)]
pub struct LimitSettings {
    /// Whether the number of attempts is limited: `on` or `off`. Off, guessing passwords is slowed by their cost alone.
    #[conf(parameter, env, default_value = "on", value_parser = switch)]
    pub rate_limits: bool,

    /// How many logins of one network (an IPv4 address, or 64 bits of IPv6) may fail, and in how long: `100/10m` is 100 in ten
    /// minutes, with `s`, `m` or `h`. Logins that succeed do not count, nor those from devices that their users have logged in
    /// with before.
    #[conf(env, default(LimitPolicy::default().log_in), value_parser = rate)]
    pub rate_limit_login: Rate,

    /// How many registrations may come from one network, likewise.
    #[conf(env, default(LimitPolicy::default().register), value_parser = rate)]
    pub rate_limit_register: Rate,

    /// How many mails one network may cause by asking for new passwords, confirmations and other addresses, likewise. One
    /// address gets 5 such mails an hour, however many networks ask.
    #[conf(env, default(LimitPolicy::default().mail), value_parser = rate)]
    pub rate_limit_mail: Rate,

    /// How many secrets of mails (links and codes) one network may present, likewise.
    #[conf(env, default(LimitPolicy::default().secret), value_parser = rate)]
    pub rate_limit_secret: Rate,

    /// How many refresh tokens of one network may be refused, likewise. Those that are exchanged do not count.
    #[conf(env, default(LimitPolicy::default().refresh), value_parser = rate)]
    pub rate_limit_refresh: Rate,

    /// How many pictures one network may upload, likewise.
    #[conf(env, default(LimitPolicy::default().upload), value_parser = rate)]
    pub rate_limit_upload: Rate,

    /// How many wrong passwords an account takes before each further one has to wait: half a minute, then twice as long each
    /// time, a quarter of an hour at the most. One is forgiven for each full hour without another. Devices that the user has
    /// logged in with before are counted apart. All instances count together.
    #[conf(env, default(LimitPolicy::default().account_tries), value_parser = whole_number(TRIES_MIN..=TRIES_MAX))]
    pub rate_limit_account_tries: NonZeroU32,
}

/// Fewer would make whoever mistypes wait.
const TRIES_MIN: NonZeroU32 = NonZeroU32::new(3).expect("not zero");
const TRIES_MAX: NonZeroU32 = NonZeroU32::new(1_000).expect("not zero");

fn rate(text: &str) -> Result<Rate, &'static str> {
    const ACCEPTED: &str =
        "accepted is a number of tries from 1 to 1000000, a slash, and a time from 1s to 24h, such as 100/10m";
    let (tries, period) = text.split_once('/').ok_or(ACCEPTED)?;
    let digits = |text: &str| -> Result<u32, &'static str> {
        // `parse` takes a plus sign, too.
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
    /// The library's policy; `None` when nothing is limited.
    pub(super) fn policy(&self) -> Option<LimitPolicy> {
        self.rate_limits.then(|| LimitPolicy {
            log_in: self.rate_limit_login,
            register: self.rate_limit_register,
            mail: self.rate_limit_mail,
            secret: self.rate_limit_secret,
            refresh: self.rate_limit_refresh,
            upload: self.rate_limit_upload,
            account_tries: self.rate_limit_account_tries,
            ..LimitPolicy::default()
        })
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
