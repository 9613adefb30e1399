//! The tags of RFC 9106, section 5.
use countersign_argon2::{Arena, Input, Params, Path, Variant, Version};

#[test]
fn the_vectors_of_the_standard() {
    let cases = [
        (Variant::Argon2d, "512b391b6f1162975371d30919734294f868e3be3984f3c1a13a4db9fabe4acb"),
        (Variant::Argon2i, "c814d9d1dc7f37aa13f0d77f2494bda1c8de6b016dd388d29952a4c4672b6ce8"),
        (Variant::Argon2id, "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"),
    ];
    let input = Input { password: &[1; 32], salt: &[2; 16], secret: &[3; 8], associated_data: &[4; 12] };
    for (variant, expected) in cases {
        let params = Params::new(variant, Version::V0x13, 32, 3, 4, 32).unwrap();
        let mut arena = Arena::new(params.memory_bytes()).unwrap();
        for path in Path::available() {
            arena.set_path(path).unwrap();
            let mut tag = [0; 32];
            arena.hash(&params, &input, &mut tag).unwrap();
            assert_eq!(hex(&tag), expected, "{variant:?} on {path}");
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
