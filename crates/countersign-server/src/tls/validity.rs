//! Parses the validity of a certificate from its DER, and nothing else.
//!
//! Two dates do not justify an X.509 parser as a dependency. They are only used for warnings, so an unusual self-made
//! certificate does no harm.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

/// The validity period of a certificate (RFC 5280, section 4.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Parses the validity; `None` if it is not a certificate.
pub(super) fn validity(der: &[u8]) -> Option<Validity> {
    let (certificate, _) = take(SEQUENCE, der)?;
    let (mut fields, _) = take(SEQUENCE, certificate)?;
    if fields.first() == Some(&VERSION) {
        fields = element(fields)?.2;
    }
    // Serial number, algorithm and issuer precede it.
    for _ in 0..3 {
        fields = element(fields)?.2;
    }
    let (times, _) = take(SEQUENCE, fields)?;
    let (tag, first, rest) = element(times)?;
    let not_before = time(tag, first)?;
    let (tag, second, _) = element(rest)?;
    Some(Validity { not_before, not_after: time(tag, second)? })
}

/// Splits off an element that must have `tag`; returns its content and the rest.
fn take(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(der)?;
    (found == tag).then_some((content, rest))
}

/// Splits off an element; returns its tag, its content and the rest (X.690, section 8.1).
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// Parses `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`.
fn time(tag: u8, text: &[u8]) -> Option<Timestamp> {
    let digits = text.strip_suffix(b"Z")?;
    let pairs: Vec<i16> = digits.chunks(2).map(pair).collect::<Option<_>>()?;
    let (year, rest) = match (tag, pairs.as_slice()) {
        // Two-digit years stand for 1950 to 2049.
        (UTC_TIME, [year, rest @ ..]) => (if *year < 50 { 2000 + year } else { 1900 + year }, rest),
        (GENERALIZED_TIME, [century, year, rest @ ..]) => (century * 100 + year, rest),
        _ => return None,
    };
    let rest: Vec<i8> = rest.iter().map(|pair| i8::try_from(*pair).ok()).collect::<Option<_>>()?;
    let [month, day, hour, minute, second] = rest.try_into().ok()?;
    let date_time = DateTime::from_parts(Date::new(year, month, day).ok()?, Time::new(hour, minute, second, 0).ok()?);
    TimeZone::UTC.to_timestamp(date_time).ok()
}

fn pair(digits: &[u8]) -> Option<i16> {
    match digits {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Some(i16::from(tens - b'0') * 10 + i16::from(ones - b'0')),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn made(first_year: i32, last_year: i32) -> Vec<u8> {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(first_year, 2, 3);
        params.not_after = date_time_ymd(last_year, 11, 30);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn both_forms_of_a_date_are_read() {
        for (first, last) in [(1999, 2049), (2026, 2026), (2049, 2050), (1975, 4096)] {
            let read = validity(&made(first, last)).unwrap();
            assert_eq!(read.not_before.to_string(), format!("{first}-02-03T00:00:00Z"));
            assert_eq!(read.not_after.to_string(), format!("{last}-11-30T00:00:00Z"));
        }
    }

    #[test]
    fn a_damaged_certificate_has_no_dates_and_does_no_harm() {
        let whole = made(2026, 2027);
        for length in 0..whole.len() {
            assert_eq!(validity(&whole[..length]), None, "{length}");
        }
        for index in 0..whole.len() {
            for value in [0, 0x30, 0x80, 0x84, 0xff] {
                let mut damaged = whole.clone();
                damaged[index] = value;
                let _ = validity(&damaged);
            }
        }
    }
}
