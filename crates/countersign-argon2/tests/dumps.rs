//! Core dumps exclude arenas. A separate program, so that no other test has arenas at the same time.

#![cfg(target_os = "linux")]

use countersign_argon2::{Arena, Input, Params, Variant, Version};

/// Returns how many bytes of this process's memory core dumps exclude.
fn left_out() -> u64 {
    let maps = std::fs::read_to_string("/proc/self/smaps").expect("the maps of this process");
    let (mut size, mut sum) = (0, 0);
    for line in maps.lines() {
        if let Some(kib) = line.strip_prefix("Size:") {
            size = kib.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024;
        } else if line.strip_prefix("VmFlags:").is_some_and(|flags| flags.split(' ').any(|flag| flag == "dd")) {
            sum += size;
        }
    }
    sum
}

#[test]
fn a_core_dump_leaves_arenas_out() {
    let before = left_out();
    let params = Params::new(Variant::Argon2id, Version::V0x13, 40 * 1024, 1, 1, 32).expect("legal costs");
    let mut arena = Arena::new(params.memory_bytes()).expect("memory");
    arena.hash(&params, &Input::new(b"password", b"some salt"), &mut [0; 32]).expect("a legal input");
    assert_eq!(left_out() - before, arena.bytes());
    drop(arena);
    assert_eq!(left_out(), before);
}
