//! The traits of the `password-hash` crate, against the `argon2` crate, which has them too.

use countersign_argon2::{Hasher, Params, Variant, Version};
use password_hash::phc::PasswordHash;
use password_hash::{CustomizedPasswordHasher, Error, PasswordHasher, PasswordVerifier};

const PASSWORD: &[u8] = b"correct horse battery staple";
const SALT: &[u8] = b"sixteen byte salt";

fn small(variant: Variant, version: Version) -> Params {
    Params::new(variant, version, 64, 2, 2, 24).expect("legal costs")
}

#[test]
fn strings_are_those_of_the_argon2_crate_and_each_verifies_the_other_s() {
    let theirs = argon2::Argon2::default();
    for (variant, their_variant) in [
        (Variant::Argon2id, argon2::Algorithm::Argon2id),
        (Variant::Argon2i, argon2::Algorithm::Argon2i),
        (Variant::Argon2d, argon2::Algorithm::Argon2d),
    ] {
        for (version, their_version) in
            [(Version::V0x13, argon2::Version::V0x13), (Version::V0x10, argon2::Version::V0x10)]
        {
            let ours = Hasher::new(small(variant, version));
            let our_hash: PasswordHash = ours.hash_password_with_salt(PASSWORD, SALT).unwrap();
            let params = argon2::Params::new(64, 2, 2, Some(24)).unwrap();
            let their_hash: PasswordHash = argon2::Argon2::new(their_variant, their_version, params)
                .hash_password_with_salt(PASSWORD, SALT)
                .unwrap();
            assert_eq!(our_hash.to_string(), their_hash.to_string());
            let read = PasswordHash::new(&our_hash.to_string()).unwrap();
            theirs.verify_password(PASSWORD, &read).unwrap();
            Hasher::default().verify_password(PASSWORD, &read).unwrap();
            assert_eq!(Hasher::default().verify_password(b"another", &read), Err(Error::PasswordInvalid));
        }
    }
}

#[test]
fn a_hasher_serves_several_threads_and_costs() {
    let hasher = Hasher::default();
    let hash = |memory_kib: u32| -> String {
        let params = Params::new(Variant::Argon2id, Version::V0x13, memory_kib, 1, 1, 32).unwrap();
        hasher.hash_password_with_params(PASSWORD, SALT, params).unwrap().to_string()
    };
    let alone = [64, 32, 256].map(hash);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!([64, 32, 256].map(hash), alone));
        }
    });
}

#[test]
fn what_is_not_argon2_or_costs_too_much_is_refused() {
    let refused = |hash: &str| {
        let hash = PasswordHash::new(hash).unwrap();
        Hasher::default().verify_password(PASSWORD, &hash).unwrap_err()
    };
    let tail = "c2l4dGVlbiBieXRlIHNhbHQ$BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
    assert_eq!(refused(&format!("$scrypt$m=64,t=1,p=1${tail}")), Error::Algorithm);
    assert_eq!(refused(&format!("$argon2id$v=18$m=64,t=1,p=1${tail}")), Error::Version);
    for costs in ["m=4194304,t=1,p=1", "m=64,t=65,p=1", "m=64,t=1", "m=4,t=1,p=1", "m=64,t=1,p=1,keyid=abc"] {
        assert_eq!(refused(&format!("$argon2id$v=19${costs}${tail}")), Error::ParamsInvalid, "{costs}");
    }
    let short: Result<PasswordHash, _> = Hasher::default().hash_password_with_salt(PASSWORD, b"salt");
    assert_eq!(short.unwrap_err(), Error::SaltInvalid);
}
