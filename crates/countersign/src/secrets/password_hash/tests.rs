//! Reads the hashes of other libraries, refuses strings that none of them writes, and writes strings that they can read.

mod properties;
mod vectors;

use std::time::{Duration, Instant};

use self::vectors::{ARGON2_CFFI_FIXED_SALT, PASSWORD, PWDLIB_RECOMMENDED, UNICODE_PASSWORD, VECTORS, Vector};
use super::*;

fn parameters(memory_kib: u32, iterations: u32, lanes: u32) -> HashParameters {
    HashParameters::new(memory_kib, iterations, lanes).unwrap()
}

fn derive(derivation: Derivation) -> Tag {
    let mut arena = Arena::new(derivation.memory_bytes()).unwrap();
    Derivation::run(&[derivation], &mut arena).remove(0)
}

fn verify(hash: &PasswordHash, password: &str) -> bool {
    let password = Arc::new(Password::presented(password));
    hash.matches(&password, &derive(hash.derivation(&password)))
}

fn verifies(stored: &str, password: &str) -> bool {
    verify(&PasswordHash::parse(stored).unwrap_or_else(|reason| panic!("{stored}: {reason}")), password)
}

fn hash(password: &str, salt: &[u8; 16], parameters: &HashParameters) -> String {
    let new = NewHash { parameters: *parameters, salt: *salt };
    let tag = derive(new.derivation(&Arc::new(Password::presented(password))));
    new.encode(&tag)
}

fn refusal(stored: &str) -> Option<UnreadableHash> {
    PasswordHash::parse(stored).err()
}

#[test]
fn every_readable_form_verifies_with_its_password() {
    for Vector { producer, stored, password } in VECTORS {
        assert!(verifies(stored, password), "{producer}: {stored}");
    }
}

#[test]
fn every_readable_form_refuses_other_passwords() {
    for Vector { producer, stored, password } in VECTORS {
        // Prepended, because bcrypt ignores everything after the 72nd byte.
        for wrong in [format!("x{password}"), format!("{password}\0"), password.to_uppercase() + "x"] {
            assert!(!verifies(stored, &wrong), "{producer}: {stored}");
        }
        assert!(password.is_empty() || !verifies(stored, ""), "{producer}: {stored}");
    }
}

#[test]
fn every_readable_form_of_another_library_is_to_be_replaced() {
    for Vector { stored, .. } in VECTORS {
        let hash = PasswordHash::parse(stored).unwrap();
        assert!(hash.needs_upgrade(&parameters(65_536, 3, 4)), "{stored}");
    }
}

#[test]
fn pwdlibs_recommended_hash_verifies_and_stays() {
    let hash = PasswordHash::parse(PWDLIB_RECOMMENDED).unwrap();
    assert!(verify(&hash, PASSWORD));
    assert!(!verify(&hash, "correct horse battery stable"));
    assert!(!hash.needs_upgrade(&parameters(65_536, 3, 4)));
}

#[test]
fn a_hash_is_replaced_when_memory_or_iterations_rose_and_not_when_they_fell() {
    let hash = PasswordHash::parse(PWDLIB_RECOMMENDED).unwrap();
    assert!(hash.needs_upgrade(&parameters(65_537, 3, 4)));
    assert!(hash.needs_upgrade(&parameters(65_536, 4, 4)));
    assert!(hash.needs_upgrade(&parameters(19_456, 4, 4)));
    assert!(!hash.needs_upgrade(&parameters(19_456, 2, 1)));
    assert!(!hash.needs_upgrade(&parameters(65_536, 3, 8)));
}

#[test]
fn a_hash_is_replaced_when_its_variant_version_salt_or_tag_is_not_the_current_one() {
    let salt = "AAECAwQFBgcICQoLDA0ODw";
    let tag = "3lna1VFG/f/wo75QIhAuAd1qbdP6wPuUV2Zp7X1x+NY";
    let needs_upgrade = |stored: String| PasswordHash::parse(&stored).unwrap().needs_upgrade(&parameters(64, 2, 2));
    assert!(!needs_upgrade(format!("$argon2id$v=19$m=64,t=2,p=2${salt}${tag}")));
    assert!(needs_upgrade(format!("$argon2i$v=19$m=64,t=2,p=2${salt}${tag}")));
    assert!(needs_upgrade(format!("$argon2d$v=19$m=64,t=2,p=2${salt}${tag}")));
    assert!(needs_upgrade(format!("$argon2id$v=16$m=64,t=2,p=2${salt}${tag}")));
    assert!(needs_upgrade(format!("$argon2id$v=19$m=64,t=2,p=2$AAECAwQFBgcICQoLDA0O${tag}")));
    assert!(needs_upgrade(format!("$argon2id$v=19$m=64,t=2,p=2${salt}$3lna1VFG/f/wo75QIhAuAd1qbdP6wPuU")));
}

#[test]
fn our_string_is_the_one_argon2_cffi_writes_for_the_same_salt() {
    let salt = std::array::from_fn(|index| u8::try_from(index).unwrap());
    let written = hash(PASSWORD, &salt, &parameters(64, 2, 2));
    assert_eq!(written, ARGON2_CFFI_FIXED_SALT);
}

#[test]
fn nothing_is_written_that_could_not_be_read_again() {
    for (memory_kib, iterations, lanes) in [(262_144, 4, 16), (65_536, 16, 1), (8, 1, 1)] {
        let new = NewHash { parameters: parameters(memory_kib, iterations, lanes), salt: [7; 16] };
        assert!(PasswordHash::parse(&new.encode(&Zeroizing::new(vec![0; 32]))).is_ok());
    }
}

#[test]
fn the_longest_string_that_is_written_has_less_than_200_characters() {
    let longest = format!("$argon2id$v=19$m={0},t={0},p={0}${1:022}${1:043}", u32::MAX, 0);
    assert!(longest.len() <= 200, "{}", longest.len());
}

#[test]
fn a_decoy_costs_what_a_current_hash_costs_and_never_matches() {
    let current = parameters(64, 2, 2);
    let mut decoy = decoy(&current);
    assert!(!decoy.needs_upgrade(&current));
    assert!(!verify(&decoy, ""));

    // Not even the password that its tag belongs to.
    let stored = hash(PASSWORD, &[0; 16], &current);
    decoy.tag = PasswordHash::parse(&stored).unwrap().tag;
    assert!(!verify(&decoy, PASSWORD));
}

#[test]
fn bcrypt_reads_72_bytes_as_its_libraries_do() {
    let stored_of_72 = VECTORS.iter().find(|vector| vector.password.len() == 72).unwrap();
    let longer = format!("{}bcd", stored_of_72.password);
    assert!(verifies(stored_of_72.stored, &longer));
    assert!(!verifies(stored_of_72.stored, &longer[..71]));
}

#[test]
fn a_password_with_nul_matches_in_argon2_alone() {
    // To HMAC, and to bcrypt with C strings, these equal the vector's own password.
    for Vector { stored, password, .. } in VECTORS {
        for nuls in ["\0", "\0\0\0"] {
            assert!(!verifies(stored, &format!("{password}{nuls}")), "{stored}");
        }
    }
    let stored = hash("nul\0inside", &[7; 16], &parameters(64, 1, 1));
    assert!(verifies(&stored, "nul\0inside"));
    assert!(!verifies(&stored, "nul"));
}

#[test]
fn parameters_out_of_bounds_are_refused_before_anything_is_computed() {
    let (salt, tag) = ("c2FsdHNhbHRzYWx0c2FsdA", "A".repeat(43));
    let (padded, padded_64) = (format!("{tag}="), format!("{}==", "A".repeat(86)));
    let bcrypt = "1jYo04mQ63iK/Eh/Rjj8POExncqTFLj8oFZGYIGU/JECIAyHFyR1q";
    let mut hostile = Vec::new();
    for cost in [
        "m=262145,t=1,p=1",
        "m=4294967295,t=1,p=1",
        "m=262144,t=5,p=1",
        "m=64,t=4294967295,p=1",
        "m=64,t=0,p=1",
        "m=0,t=1,p=1",
        "m=7,t=1,p=1",
        "m=64,t=1,p=0",
        "m=63,t=1,p=8",
        "m=262144,t=1,p=17",
        "m=64,t=1,p=4294967295",
    ] {
        hostile.push(format!("$argon2id$v=19${cost}${salt}${tag}"));
        hostile.push(format!("argon2$argon2i$v=19${cost}${salt}${tag}"));
    }
    for cost in [
        "ln=0,r=8,p=1",
        "ln=19,r=8,p=1",
        "ln=18,r=8,p=5",
        "ln=63,r=8,p=1",
        "ln=4294967295,r=8,p=1",
        "ln=4,r=0,p=1",
        "ln=4,r=33,p=1",
        "ln=4,r=4294967295,p=1",
        "ln=4,r=8,p=0",
        "ln=4,r=8,p=17",
        "ln=4,r=65536,p=65536",
    ] {
        hostile.push(format!("$scrypt${cost}${salt}${tag}"));
    }
    for (n, r, p) in [(1_u32, 8, 1), (1 << 31, 8, 1), (16, 0, 1), (16, u32::MAX, 1), (16, 8, u32::MAX)] {
        hostile.push(format!("scrypt${n}$saltsalt${r}${p}${padded_64}"));
    }
    for iterations in [0, 5_000_001, u32::MAX] {
        hostile.push(format!("$pbkdf2-sha256${iterations}${salt}${tag}"));
        hostile.push(format!("$pbkdf2-sha256$i={iterations},l=32${salt}${tag}"));
        hostile.push(format!("pbkdf2_sha256${iterations}$saltsalt${padded}"));
    }
    // Two blocks, each within the limit.
    hostile.push(format!("$pbkdf2$i=2500001,l=32${salt}${tag}"));
    for cost in ["00", "03", "17", "31", "99"] {
        hostile.push(format!("$2b${cost}${bcrypt}"));
        hostile.push(format!("bcrypt$$2b${cost}${bcrypt}"));
        hostile.push(format!("bcrypt_sha256$$2b${cost}${bcrypt}"));
    }
    let begin = Instant::now();
    for stored in &hostile {
        assert_eq!(refusal(stored), Some(UnreadableHash::OutOfBounds), "{stored}");
    }
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[test]
fn salts_and_tags_out_of_bounds_are_refused() {
    let (salt, tag) = ("c2FsdHNhbHRzYWx0c2FsdA", "A".repeat(43));
    for (salt, tag) in [
        (salt, ""),
        (salt, "AAAA"),
        (salt, "AAAAAAAAAAAA"),
        (salt, &*"A".repeat(87)),
        ("", &*tag),
        ("c2FsdHM", &*tag),
        (&*"A".repeat(87), &*tag),
    ] {
        for form in ["$argon2id$v=19$m=64,t=1,p=1", "$scrypt$ln=4,r=8,p=1", "$pbkdf2-sha256$i=10"] {
            let stored = format!("{form}${salt}${tag}");
            assert_eq!(refusal(&stored), Some(UnreadableHash::OutOfBounds), "{stored}");
        }
    }
    let short_salt = format!("pbkdf2_sha256$10$short${tag}=");
    assert_eq!(refusal(&short_salt), Some(UnreadableHash::OutOfBounds));
}

#[test]
fn a_cut_tag_verifies_only_where_the_form_leaves_the_length_open() {
    for Vector { producer, stored, password } in VECTORS {
        // In scrypt and PBKDF2, a short tag is a prefix of a long one, and the PHC format allows 10 bytes or more.
        let open = stored.starts_with("$scrypt$") || (stored.contains("$i=") && !stored.contains(",l="));
        let tag_characters = stored.len() - stored.rfind('$').unwrap() - 1;
        for cut in 1..=tag_characters {
            if let Ok(hash) = PasswordHash::parse(&stored[..stored.len() - cut]) {
                assert!(hash.tag.len() >= TAG_BYTES_MIN, "{producer}: {stored}");
                assert_eq!(verify(&hash, password), open, "{producer}: {stored}");
            }
        }
    }
}

#[test]
fn malformed_fields_are_refused() {
    let (salt, tag) = ("c2FsdHNhbHRzYWx0c2FsdA", "A".repeat(43));
    let mut malformed = vec![
        // Missing or extra fields, or an unknown version.
        format!("$argon2id$v=19$m=64,t=1,p=1${salt}"),
        format!("$argon2id$v=19$m=64,t=1,p=1${salt}${tag}$"),
        format!("$argon2id$v=18$m=64,t=1,p=1${salt}${tag}"),
        format!("$argon2id$v=19$v=19$m=64,t=1,p=1${salt}${tag}"),
        "$argon2id".to_owned(),
        "argon2$argon2id$".to_owned(),
        // A declared length that is not the tag's, or a tag without the digest's length in a form that declares none.
        format!("$pbkdf2-sha256$i=10,l=31${salt}${tag}"),
        format!("$pbkdf2-sha512$10${salt}${tag}"),
        format!("pbkdf2_sha1$10$saltsalt${tag}="),
        format!("scrypt$16$saltsalt$8$1${tag}="),
        format!("scrypt$15$saltsalt$8$1${tag}="),
        // Wrong encoding: extra padding, missing padding, the wrong 63rd character, stray bits.
        format!("$argon2id$v=19$m=64,t=1,p=1${salt}${tag}="),
        format!("pbkdf2_sha256$10$saltsalt${tag}"),
        format!("$pbkdf2-sha256$10${salt}$+{}", &tag[1..]),
        format!("$pbkdf2-sha256$i=10,l=32${salt}$.{}", &tag[1..]),
        format!("$argon2id$v=19$m=64,t=1,p=1${salt}${}B", &tag[1..]),
        format!("$argon2id$v=19$m=64,t=1,p=1${salt}$ {}", &tag[1..]),
        format!("$argon2id$v=19$m=64,t=1,p=1${salt}${tag}\n"),
    ];
    for cost in [
        "",
        ",",
        "m=64",
        "m=64,t=1",
        "t=1,m=64,p=1",
        "m=64,t=1,p=1,",
        "m=64,t=1,p=1,data=AAAA",
        "m=64,t=1,p=1,keyid=AAAA",
        "m=064,t=1,p=1",
        "m=+64,t=1,p=1",
        "m=,t=1,p=1",
        "m=64 ,t=1,p=1",
        "m=4294967296,t=1,p=1",
        "M=64,t=1,p=1",
        "m=٦٤,t=1,p=1",
    ] {
        malformed.push(format!("$argon2id$v=19${cost}${salt}${tag}"));
    }
    let bcrypt = "1jYo04mQ63iK/Eh/Rjj8POExncqTFLj8oFZGYIGU/JECIAyHFyR1q";
    for (cost, salt_and_tag) in [
        ("4", bcrypt),
        ("004", bcrypt),
        ("+4", bcrypt),
        ("0x", bcrypt),
        ("é", bcrypt),
        ("", bcrypt),
        ("04", ""),
        ("04", &bcrypt[1..]),
        ("04", &bcrypt[..52]),
        ("04", &*format!("{bcrypt}a")),
        ("04", &*format!("+{}", &bcrypt[1..])),
        ("04", &*format!("{}é{}", &bcrypt[..21], &bcrypt[23..])),
    ] {
        malformed.push(format!("$2b${cost}${salt_and_tag}"));
    }
    for stored in &malformed {
        assert_eq!(refusal(stored), Some(UnreadableHash::Malformed), "{stored}");
    }
}

#[test]
fn what_is_in_no_readable_form_is_refused() {
    for stored in [
        "",
        "$",
        "$$$$$",
        "password",
        "!",
        "*LK*",
        "!hVK5FJcUdRMSA9rlkFcTYqkFeTiUYhOWuLyeXWDk",
        "md5$saltsalt$5f4dcc3b5aa765d61d8327deb882cf99",
        "$1$salt$qJH7.N4xYta3aEG/dfqo/0",
        "$6$rounds=5000$salt$hash",
        "$y$j9T$salt$hash",
        "$2$04$1jYo04mQ63iK/Eh/Rjj8POExncqTFLj8oFZGYIGU/JECIAyHFyR1q",
        "$2x$04$1jYo04mQ63iK/Eh/Rjj8POExncqTFLj8oFZGYIGU/JECIAyHFyR1q",
        "bcrypt$2b$04$1jYo04mQ63iK/Eh/Rjj8POExncqTFLj8oFZGYIGU/JECIAyHFyR1q",
        "$argon2$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$AAAA",
        "argon2id$v=19",
        "$ARGON2ID$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAA",
        " $argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAA",
    ] {
        assert_eq!(refusal(stored), Some(UnreadableHash::UnknownForm), "{stored}");
    }
}

#[test]
fn what_is_longer_than_any_form_is_refused_unread() {
    let stored = format!("{PWDLIB_RECOMMENDED}{}", "A".repeat(ENCODED_BYTES_MAX));
    assert_eq!(refusal(&stored), Some(UnreadableHash::TooLong));
}

#[test]
fn a_refusal_does_not_repeat_the_string() {
    let reason = refusal("hunter2-plaintext").unwrap();
    assert!(!format!("{reason} {reason:?}").contains("hunter2"));
}

#[test]
fn a_password_in_any_script_survives_the_round_trip() {
    let parameters = parameters(64, 1, 1);
    for password in [UNICODE_PASSWORD, "", "пароль 密码 🔐", "\u{0}inside\u{0}"] {
        let stored = hash(password, &[7; 16], &parameters);
        assert!(verifies(&stored, password));
        assert!(!verifies(&stored, &format!("{password} ")));
    }
}
