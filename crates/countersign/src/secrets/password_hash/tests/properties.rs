//! Properties of reading and writing hashes that hold for any text.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn reading_never_panics(stored in any::<String>()) {
        let _ = PasswordHash::parse(&stored);
    }

    #[test]
    fn reading_never_panics_on_what_looks_like_a_hash(
        fields in proptest::collection::vec(
            "|argon2(id|i|d)?|2[abxy]|bcrypt(_sha256)?|scrypt|pbkdf2([-_]sha(1|256|512))?|v=1[69]|[mtilnrp]{1,2}=[0-9]{1,10}(,[mtplnr]{1,2}=[0-9]{1,10}){0,3}|[0-9]{1,10}|[A-Za-z0-9+/.]{0,90}={0,2}",
            1..8,
        ),
    ) {
        let _ = PasswordHash::parse(&fields.join("$"));
    }

    #[test]
    fn reading_never_panics_on_a_damaged_hash(
        vector in proptest::sample::select(VECTORS),
        place in any::<proptest::sample::Index>(),
        insertion in any::<char>(),
        removed in 0_usize..4,
    ) {
        // All vectors are ASCII, so any index is a boundary.
        let start = place.index(vector.stored.len());
        let end = vector.stored.len().min(start + removed);
        let mut damaged = vector.stored.to_owned();
        damaged.replace_range(start..end, &insertion.to_string());
        let _ = PasswordHash::parse(&damaged);
    }

    #[test]
    fn what_is_written_can_be_read_and_verified(
        password in any::<String>(),
        salt in any::<[u8; 16]>(),
        memory_kib in 32_u32..128,
        iterations in 1_u32..4,
        lanes in 1_u32..=4,
    ) {
        let parameters = parameters(memory_kib, iterations, lanes);
        let stored = hash(&password, &salt, &parameters);
        prop_assert!(stored.len() <= 200);
        let hash = PasswordHash::parse(&stored).unwrap();
        prop_assert!(verify(&hash, &password));
        let longer = format!("{password}x");
        prop_assert!(!verify(&hash, &longer));
        prop_assert!(!hash.needs_upgrade(&parameters));
    }
}
