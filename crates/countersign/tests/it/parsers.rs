//! Every parser returns a value or an error for any bytes, without a panic and within a time limit.

use std::time::{Duration, Instant};

use countersign::testing::parsers::PARSERS;
use countersign::testing::{pictures, profiles};
use countersign_db::DatabaseKind;
use countersign_db::testing::database_under_test;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{RngSeed, TestRunner};

/// Time limit of one case, on a busy machine and without optimisation.
const TIME_MAX: Duration = Duration::from_secs(20);

/// A valid input for each parser, as a seed for mutations.
const GOOD: [&str; 20] = [
    r#"{"username":"ada","email":"ada@example.com","password":"correct horse","a":[1,2.5e3,{"b":null}],"c":"\u00e9\n"}"#,
    "username=ada+lovelace&email=ada%40example.com&password=%c3%a9&a=&a=b&c",
    "boundary=\"b-1\"\n--b-1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a;\\\"b\"\r\n\r\nx\r\n--b-1--\r\n",
    "\n--frontier\r\nContent-Disposition: form-data; name=note\r\n\r\na\r\n--frontier \t\r\n\r\n\r\n\r\n--frontier--",
    "de-CH-1996, de;q=0.9, en-GB;q=0.8, *;q=0.1",
    "zh-Hant-TW",
    "203.0.113.7:4711, [2001:db8::7]:80, unknown, 10.0.0.2",
    "for=\"[2001:db8::7]:4711\";proto=https;by=10.0.0.1, for=203.0.113.7",
    "ada+news@mail.bücher.example",
    "a.b!#$%&'*+-/=?^_`{|}~@xn--bcher-kva.example",
    "Ada Lovelace",
    "Straße ΟΔΟΣ ﬁn Ａda ❤\u{fe0f} e\u{301} 李小龍",
    "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiIsImtpZCI6ImhzLXgifQ.eyJpc3MiOiJodHRwczovL2EuZXhhbXBsZSIsInN1YiI6IngifQ.AAAA",
    "eyJhbGciOiJub25lIn0.e30.",
    "csr_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "a=b; session=AAAA; __Host-session=BBBB; theme=dark",
    "%",
    "%f",
    "",
];

/// A mutation of a valid input.
#[derive(Clone, Debug)]
enum Change {
    Replace(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize, usize),
    Cut(Index),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            bytes.push(0);
        }
        match self {
            Self::Replace(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Self::Insert(at, more) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, more.iter().copied());
            }
            Self::Remove(at, count) => {
                let at = at.index(bytes.len());
                bytes.drain(at..(at + count).min(bytes.len()));
            }
            Self::Repeat(at, count, times) => {
                let at = at.index(bytes.len());
                let piece = bytes[at..(at + count).min(bytes.len())].repeat(*times);
                bytes.splice(at..at, piece);
            }
            Self::Cut(at) => {
                let at = at.index(bytes.len());
                bytes.truncate(at);
            }
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    // Bytes with a meaning in some grammar are tried more often.
    let signs: Vec<u8> = b"\0\t\r\n \"%&'()*+,-./:;<=>?@[\\]^_`{|}~\x7f\x80\xc2\xc3\xed\xf0\xff".to_vec();
    let byte = prop_oneof![any::<u8>(), select(signs)];
    prop_oneof![
        (any::<Index>(), byte.clone()).prop_map(|(at, byte)| Change::Replace(at, byte)),
        (any::<Index>(), vec(byte, 1..8)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (any::<Index>(), 1_usize..20).prop_map(|(at, count)| Change::Remove(at, count)),
        (any::<Index>(), 1_usize..20, 1_usize..200).prop_map(|(at, count, times)| Change::Repeat(at, count, times)),
        any::<Index>().prop_map(Change::Cut),
    ]
}

fn changed(good: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (select(good), vec(change(), 0..8)).prop_map(|(mut bytes, changes)| {
        for change in changes {
            change.apply(&mut bytes);
        }
        bytes
    })
}

/// Passes the strategy's values to every parser that `wanted` accepts. Parsers use no database, so only the run on
/// SQLite tries all cases.
fn try_all(cases: u32, strategy: &impl Strategy<Value = Vec<u8>>, wanted: fn(&str) -> bool) {
    let cases = if database_under_test() == DatabaseKind::Sqlite { cases } else { cases.div_ceil(16) };
    for (name, parse) in PARSERS.into_iter().filter(|(name, _)| wanted(name)) {
        let default = ProptestConfig::default();
        // The same seed in every run, unless `PROPTEST_RNG_SEED` is set; the fuzz targets search further.
        let rng_seed = match default.rng_seed {
            RngSeed::Random => RngSeed::Fixed(1),
            chosen @ RngSeed::Fixed(_) => chosen,
        };
        let config = ProptestConfig { cases, rng_seed, failure_persistence: None, ..default };
        let outcome = TestRunner::new(config).run(strategy, |bytes| {
            let begun = Instant::now();
            parse(&bytes);
            prop_assert!(begun.elapsed() < TIME_MAX, "it took {:?}", begun.elapsed());
            Ok(())
        });
        outcome.unwrap_or_else(|failure| panic!("{name}: {failure}"));
    }
}

fn is_of_pictures(name: &str) -> bool {
    name.starts_with("picture")
}

#[test]
fn any_bytes_are_an_error_or_a_value_to_every_parser() {
    try_all(256, &vec(any::<u8>(), 0..2_000), |name| name != "picture_profile");
    // Fewer cases: each one is a whole picture, and random bytes are almost never a profile.
    try_all(32, &vec(any::<u8>(), 0..2_000), |name| name == "picture_profile");
}

#[test]
fn what_is_nearly_in_order_is_an_error_or_a_value_to_every_parser() {
    let good = GOOD.map(|text| text.as_bytes().to_vec()).to_vec();
    try_all(1_024, &changed(good), |name| !is_of_pictures(name));
}

#[test]
fn what_is_nearly_a_picture_is_refused_or_becomes_one() {
    let mut good: Vec<Vec<u8>> = pictures::SAMPLES.iter().map(|(_, bytes)| bytes.to_vec()).collect();
    good.extend(["RIFF\0\0\0\0WEBPVP8L", "GIF89a", "\u{0}PNG\r\n\u{1a}\n"].map(|text| text.as_bytes().to_vec()));
    try_all(192, &changed(good), |name| is_of_pictures(name) && name != "picture_profile");
}

#[test]
fn what_is_nearly_a_colour_profile_keeps_no_picture_from_being_taken() {
    try_all(96, &changed(profiles::good()), |name| name == "picture_profile");
}

#[test]
fn what_repeats_without_end_is_an_error_or_a_value_to_every_parser() {
    for piece in
        ["[", "{\"a\":", "\"", "\\u00", "%", "a=&", "\r", "\r\n--", "=\"", "-", ",", "a-", ".", "@", "e\u{301}", "ﷺ"]
    {
        let bytes = piece.repeat(60_000 / piece.len()).into_bytes();
        for (name, parse) in PARSERS {
            let begun = Instant::now();
            parse(&bytes);
            assert!(begun.elapsed() < TIME_MAX, "{name} took {:?} for {piece:?}", begun.elapsed());
        }
    }
}
