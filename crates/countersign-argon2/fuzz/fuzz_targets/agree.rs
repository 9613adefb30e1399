//! All code paths agree with the `argon2` crate for arbitrary parameters and inputs. Run with `cargo fuzz run agree`.

#![no_main]

use arbitrary::Arbitrary;
use argon2::{Algorithm, Argon2, AssociatedData, ParamsBuilder};
use countersign_argon2::{Arena, Input, Params, Path, Variant, Version};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Case<'a> {
    variant: u8,
    old: bool,
    memory_kib: u16,
    iterations: u8,
    lanes: u8,
    tag_len: u8,
    password: &'a [u8],
    salt: &'a [u8],
    secret: &'a [u8],
    associated_data: &'a [u8],
}

fuzz_target!(|case: Case<'_>| {
    let (variant, algorithm) = [
        (Variant::Argon2d, Algorithm::Argon2d),
        (Variant::Argon2i, Algorithm::Argon2i),
        (Variant::Argon2id, Algorithm::Argon2id),
    ][usize::from(case.variant % 3)];
    let (version, other) =
        if case.old { (Version::V0x10, argon2::Version::V0x10) } else { (Version::V0x13, argon2::Version::V0x13) };
    let (m, t, p) = (u32::from(case.memory_kib % 4096), u32::from(case.iterations % 4), u32::from(case.lanes % 40));
    let params = Params::new(variant, version, m, t, p, case.tag_len.into());
    let mut expected = vec![0; case.tag_len.into()];
    let mut builder = ParamsBuilder::new();
    builder.m_cost(m).t_cost(t).p_cost(p).output_len(expected.len());
    let Ok(data) = AssociatedData::new(case.associated_data) else { return };
    let built = builder.data(data).build();
    assert_eq!(params.is_ok(), built.is_ok(), "one accepts these parameters, the other does not");
    let (Ok(params), Ok(built)) = (params, built) else { return };
    let engine = Argon2::new_with_secret(case.secret, algorithm, other, built).expect("a short secret");
    let accepted = engine.hash_password_into(case.password, case.salt, &mut expected).is_ok();
    let input =
        Input { password: case.password, salt: case.salt, secret: case.secret, associated_data: case.associated_data };
    let mut arena = Arena::new(params.memory_bytes()).expect("a few MiB");
    for path in Path::available() {
        let mut tag = vec![0; expected.len()];
        arena.set_path(path).expect("an available path");
        assert_eq!(
            arena.hash(&params, &input, &mut tag).is_ok(),
            accepted,
            "one accepts this input, the other does not"
        );
        assert!(!accepted || tag == expected, "{path} differs");
    }
});
