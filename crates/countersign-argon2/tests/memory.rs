//! The guarantees that an arena gives about its memory.

use countersign_argon2::{Arena, Input, Job, Params, Path, Variant, Version};

const VARIANTS: [Variant; 3] = [Variant::Argon2d, Variant::Argon2i, Variant::Argon2id];

fn tag(arena: &mut Arena, params: &Params, password: &[u8]) -> [u8; 32] {
    let mut tag = [0; 32];
    arena.hash(params, &Input::new(password, b"some salt"), &mut tag).expect("a legal input");
    tag
}

#[test]
fn what_was_in_the_memory_reaches_no_tag() {
    for variant in VARIANTS {
        for version in [Version::V0x10, Version::V0x13] {
            for lanes in [1, 3, 4, 11] {
                let params = Params::new(variant, version, 40 * lanes + 7, 2, lanes, 32).unwrap();
                for path in Path::available() {
                    let mut clean = Arena::new(params.memory_bytes()).unwrap();
                    clean.set_path(path).unwrap();
                    let expected = tag(&mut clean, &params, b"password");
                    for byte in [0x00, 0x01, 0xa5, 0xff] {
                        let mut poisoned = Arena::new(params.memory_bytes()).unwrap();
                        poisoned.set_path(path).unwrap();
                        poisoned.poison(byte);
                        assert_eq!(tag(&mut poisoned, &params, b"password"), expected, "{params:?} {path} {byte:x}");
                    }
                }
            }
        }
    }
}

#[test]
fn hashes_of_all_costs_may_follow_each_other_in_one_arena() {
    let mut arena = Arena::new(1 << 20).unwrap();
    let all: Vec<_> = VARIANTS
        .into_iter()
        .flat_map(|variant| [(900, 1), (64, 8), (1024, 4)].map(|(m, p)| (variant, m, p)))
        .map(|(variant, m, p)| Params::new(variant, Version::V0x13, m, 2, p, 32).unwrap())
        .collect();
    let first: Vec<_> = all.iter().map(|params| tag(&mut arena, params, b"one")).collect();
    for (params, first) in all.iter().zip(&first).rev() {
        tag(&mut arena, params, b"two");
        assert_eq!(tag(&mut arena, params, b"one"), *first);
    }
}

#[test]
fn a_wiped_arena_holds_nothing_of_a_hash() {
    let params = Params::new(Variant::Argon2id, Version::V0x13, 1000, 1, 1, 32).unwrap();
    let mut arena = Arena::new(4 * params.memory_bytes()).unwrap();
    assert!(arena.is_clear());
    let mut tags = [[0; 32]; 4];
    let mut jobs = tags.each_mut().map(|tag| Job { input: Input::new(b"password", b"some salt"), tag });
    arena.hash_many(&params, &mut jobs).unwrap();
    assert!(!arena.is_clear());
    arena.wipe();
    assert!(arena.is_clear());
}

#[test]
fn an_arena_grows_only_when_it_is_told_to() {
    let params = Params::new(Variant::Argon2id, Version::V0x13, 4096, 1, 1, 32).unwrap();
    let mut arena = Arena::new(1).unwrap();
    let before = arena.bytes();
    assert!(before >= 1 && before < params.memory_bytes());
    arena.hash(&params, &Input::new(b"password", b"some salt"), &mut [0; 32]).unwrap_err();
    assert_eq!(arena.bytes(), before);
    arena.grow(params.memory_bytes()).unwrap();
    assert!(arena.bytes() >= params.memory_bytes());
    let grown = tag(&mut arena, &params, b"password");
    arena.grow(1).unwrap();
    assert!(arena.bytes() >= params.memory_bytes());
    assert_eq!(tag(&mut arena, &params, b"password"), grown);
}

#[test]
fn jobs_have_the_same_tags_whether_the_arena_has_room_for_them_together_or_not() {
    let params = Params::new(Variant::Argon2d, Version::V0x13, 3000, 2, 1, 32).unwrap();
    let passwords: Vec<String> = (0..9).map(|number| format!("password {number}")).collect();
    let tags = |arena_jobs: u64| {
        let mut arena = Arena::new(arena_jobs * params.memory_bytes()).unwrap();
        let mut tags = vec![[0_u8; 32]; passwords.len()];
        let mut jobs: Vec<_> = passwords
            .iter()
            .zip(&mut tags)
            .map(|(password, tag)| Job { input: Input::new(password.as_bytes(), b"some salt"), tag })
            .collect();
        arena.hash_many(&params, &mut jobs).unwrap();
        tags
    };
    let alone = tags(1);
    assert_eq!(tags(2), alone);
    assert_eq!(tags(3), alone);
    assert_eq!(tags(100), alone);
}

#[test]
fn an_arena_may_move_to_another_thread() {
    let params = Params::new(Variant::Argon2id, Version::V0x13, 64, 1, 1, 32).unwrap();
    let mut arena = Arena::new(params.memory_bytes()).unwrap();
    let here = tag(&mut arena, &params, b"password");
    let there = std::thread::spawn(move || tag(&mut arena, &params, b"password")).join().unwrap();
    assert_eq!(there, here);
}
