//! Invalid parameters and inputs are refused without side effects.

use countersign_argon2::{
    Arena, HashError, Input, InvalidParams, Job, OutOfMemory, Params, Path, PathNotAvailable, Variant, Version,
};

fn params(memory_kib: u32, iterations: u32, lanes: u32, tag_len: u32) -> Result<Params, InvalidParams> {
    Params::new(Variant::Argon2id, Version::V0x13, memory_kib, iterations, lanes, tag_len)
}

#[test]
fn parameters_outside_the_standard() {
    assert_eq!(params(8, 1, 0, 32), Err(InvalidParams::Lanes));
    assert_eq!(params(u32::MAX, 1, 1 << 24, 32), Err(InvalidParams::Lanes));
    assert_eq!(params(u32::MAX, 1, u32::MAX, 32), Err(InvalidParams::Lanes));
    assert_eq!(params(7, 1, 1, 32), Err(InvalidParams::Memory));
    assert_eq!(params(8 * 5 - 1, 1, 5, 32), Err(InvalidParams::Memory));
    assert_eq!(params(8, 0, 1, 32), Err(InvalidParams::Iterations));
    assert_eq!(params(8, 1, 1, 3), Err(InvalidParams::TagLen));
    assert_eq!(params(8, 1, 1, 0), Err(InvalidParams::TagLen));
}

#[test]
fn parameters_at_the_edges_of_the_standard_are_accepted() {
    assert_eq!(params(8, 1, 1, 4).unwrap().memory_bytes(), 8 * 1024);
    assert_eq!(params(15, 1, 1, 4).unwrap().memory_bytes(), 12 * 1024);
    assert_eq!(params(u32::MAX, u32::MAX, 1, u32::MAX).unwrap().memory_bytes(), (u64::from(u32::MAX) - 3) * 1024);
    let most = params(8 * Params::LANES_MAX, 1, Params::LANES_MAX, 4).unwrap();
    assert_eq!(most.memory_bytes(), 8 * u64::from(Params::LANES_MAX) * 1024);
}

#[test]
fn an_arena_that_is_too_small() {
    let params = params(64 * 1024, 1, 1, 32).unwrap();
    let mut arena = Arena::new(params.memory_bytes() - 8 * 1024 * 1024).unwrap();
    let mut tag = [7; 32];
    let refusal = arena.hash(&params, &Input::new(b"password", b"some salt"), &mut tag).unwrap_err();
    assert_eq!(refusal, HashError::ArenaTooSmall { needed: 64 * 1024 * 1024, arena: arena.bytes() });
    assert_eq!(tag, [7; 32]);
}

#[test]
fn an_arena_that_no_machine_has() {
    for bytes in [u64::MAX, 1 << 62, i64::MAX as u64 - 4096] {
        assert_eq!(Arena::new(bytes).unwrap_err(), OutOfMemory { bytes });
    }
    let mut arena = Arena::new(1).unwrap();
    arena.grow(u64::MAX).unwrap_err();
    assert_eq!(arena.bytes(), 0);
    arena.wipe();
    let mut tag = [0; 32];
    arena.hash(&params(8, 1, 1, 32).unwrap(), &Input::new(b"password", b"some salt"), &mut tag).unwrap_err();
    arena.grow(1).unwrap();
    arena.hash(&params(8, 1, 1, 32).unwrap(), &Input::new(b"password", b"some salt"), &mut tag).unwrap();
}

#[test]
fn inputs_outside_the_standard() {
    let params = params(8, 1, 1, 32).unwrap();
    let mut arena = Arena::new(params.memory_bytes()).unwrap();
    let mut hash = |salt: &[u8], tag: &mut [u8]| arena.hash(&params, &Input::new(b"password", salt), tag);
    assert_eq!(hash(b"7 bytes", &mut [0; 32]), Err(HashError::SaltTooShort));
    assert_eq!(hash(b"8 bytes!", &mut [0; 31]), Err(HashError::TagLen { expected: 32, given: 31 }));
    assert_eq!(hash(b"8 bytes!", &mut [0; 33]), Err(HashError::TagLen { expected: 32, given: 33 }));
    assert_eq!(hash(b"8 bytes!", &mut [0; 32]), Ok(()));
}

#[test]
fn all_jobs_if_one_is_refused() {
    let params = params(8, 1, 1, 32).unwrap();
    let mut arena = Arena::new(params.memory_bytes()).unwrap();
    let (mut first, mut second) = ([7; 32], [7; 32]);
    let mut jobs = [
        Job { input: Input::new(b"password", b"some salt"), tag: &mut first },
        Job { input: Input::new(b"password", b"short"), tag: &mut second },
    ];
    assert_eq!(arena.hash_many(&params, &mut jobs), Err(HashError::SaltTooShort));
    assert_eq!((first, second), ([7; 32], [7; 32]));
    assert_eq!(arena.hash_many(&params, &mut []), Ok(()));
}

#[test]
fn a_path_that_the_processor_does_not_have() {
    let mut arena = Arena::new(1).unwrap();
    assert_eq!(arena.path(), Path::best());
    for path in Path::ALL {
        let result = arena.set_path(path);
        assert_eq!(result, if path.is_available() { Ok(()) } else { Err(PathNotAvailable(path)) });
        assert!(arena.path().is_available());
    }
    assert!(Path::available().any(|path| path == Path::Portable));
}
