//! Random cases, and the comparison of the code paths with the `argon2` crate.

use argon2::{Algorithm, Argon2, AssociatedData, ParamsBuilder};
use countersign_argon2::{Arena, Input, Job, Params, Path, Variant, Version};
use proptest::collection::vec;
use proptest::prelude::*;

/// Parameters and inputs, which are hashed both alone and together.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) params: Params,
    pub(crate) inputs: Vec<Bytes>,
}

/// One job's input.
#[derive(Clone, Debug)]
pub(crate) struct Bytes {
    pub(crate) password: Vec<u8>,
    pub(crate) salt: Vec<u8>,
    pub(crate) secret: Vec<u8>,
    pub(crate) associated_data: Vec<u8>,
}

impl Bytes {
    fn input(&self) -> Input<'_> {
        Input {
            password: &self.password,
            salt: &self.salt,
            secret: &self.secret,
            associated_data: &self.associated_data,
        }
    }
}

/// Generates mostly few and small blocks, where the edge cases are. Occasionally there are more lanes, or enough
/// columns for several address blocks per slice.
pub(crate) fn case() -> impl Strategy<Value = Case> {
    let variant = prop_oneof![Just(Variant::Argon2d), Just(Variant::Argon2i), Just(Variant::Argon2id)];
    let version = prop_oneof![1 => Just(Version::V0x10), 2 => Just(Version::V0x13)];
    let lanes = prop_oneof![24 => 1_u32..=5, 6 => 6_u32..=17, 1 => 18_u32..=70];
    let extra = prop_oneof![60 => 0_u32..40, 20 => 0_u32..400, 1 => 400_u32..8_000];
    let iterations = prop_oneof![8 => 1_u32..=3, 1 => 4_u32..=6];
    let tag_len = prop_oneof![3 => Just(32_u32), 1 => 4_u32..=200];
    let inputs = prop_oneof![2 => vec(input(), 1), 1 => vec(input(), 2..=5)];
    (variant, version, lanes, extra, iterations, tag_len, inputs).prop_map(
        |(variant, version, lanes, extra, iterations, tag_len, inputs)| Case {
            params: Params::new(variant, version, 8 * lanes + extra, iterations, lanes, tag_len)
                .expect("legal parameters"),
            inputs,
        },
    )
}

fn input() -> impl Strategy<Value = Bytes> {
    let password = prop_oneof![9 => vec(any::<u8>(), 0..40), 1 => vec(any::<u8>(), 40..400)];
    let salt = prop_oneof![9 => vec(any::<u8>(), 8..=64), 1 => vec(any::<u8>(), 65..300)];
    let secret = prop_oneof![1 => Just(Vec::new()), 1 => vec(any::<u8>(), 0..150)];
    // The `argon2` crate accepts at most 32 bytes.
    let associated_data = prop_oneof![1 => Just(Vec::new()), 1 => vec(any::<u8>(), 0..=32)];
    (password, salt, secret, associated_data).prop_map(|(password, salt, secret, associated_data)| Bytes {
        password,
        salt,
        secret,
        associated_data,
    })
}

/// Returns the tag that the `argon2` crate computes.
pub(crate) fn reference(params: &Params, bytes: &Bytes) -> Vec<u8> {
    let algorithm = match params.variant() {
        Variant::Argon2d => Algorithm::Argon2d,
        Variant::Argon2i => Algorithm::Argon2i,
        Variant::Argon2id => Algorithm::Argon2id,
    };
    let version = match params.version() {
        Version::V0x10 => argon2::Version::V0x10,
        Version::V0x13 => argon2::Version::V0x13,
    };
    let mut tag = vec![0; params.tag_len() as usize];
    let built = ParamsBuilder::new()
        .m_cost(params.memory_kib())
        .t_cost(params.iterations())
        .p_cost(params.lanes())
        .output_len(tag.len())
        .data(AssociatedData::new(&bytes.associated_data).expect("legal parameters"))
        .build()
        .expect("legal parameters");
    let engine = if bytes.secret.is_empty() {
        Argon2::new(algorithm, version, built)
    } else {
        Argon2::new_with_secret(&bytes.secret, algorithm, version, built).expect("legal parameters")
    };
    engine.hash_password_into(&bytes.password, &bytes.salt, &mut tag).expect("legal parameters");
    tag
}

/// A code to compare: a path of this processor, or the 512-bit arithmetic on arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Path(Path),
    Emulated512,
}

impl Code {
    pub(crate) fn available() -> Vec<Self> {
        Path::available().map(Self::Path).chain([Self::Emulated512]).collect()
    }

    pub(crate) fn name(self) -> String {
        match self {
            Self::Path(path) => path.to_string(),
            Self::Emulated512 => "emulated512".to_owned(),
        }
    }

    /// Creates an arena for this code, filled with garbage.
    pub(crate) fn arena(self, bytes: u64) -> Arena {
        let mut arena = Arena::new(bytes).expect("enough memory");
        match self {
            Self::Path(path) => arena.set_path(path).expect("an available path"),
            Self::Emulated512 => arena.emulate_512(),
        }
        arena.poison(0xa5);
        arena
    }
}

/// Compares every input's tag, computed alone and together with the others. Callers reuse `arena` across cases.
pub(crate) fn compare(case: &Case, expected: &[Vec<u8>], arena: &mut Arena) -> Result<(), String> {
    let params = &case.params;
    arena.grow(params.memory_bytes() * 4).expect("enough memory");
    let mut tags = vec![vec![0; params.tag_len() as usize]; case.inputs.len()];
    arena.hash(params, &case.inputs[0].input(), &mut tags[0]).expect("legal parameters");
    if tags[0] != expected[0] {
        return Err(format!("alone: {:02x?} instead of {:02x?}", tags[0], expected[0]));
    }
    tags[0].fill(0);
    let mut jobs: Vec<Job<'_>> =
        case.inputs.iter().zip(&mut tags).map(|(bytes, tag)| Job { input: bytes.input(), tag }).collect();
    arena.hash_many(params, &mut jobs).expect("legal parameters");
    for (number, (tag, expected)) in tags.iter().zip(expected).enumerate() {
        if tag != expected {
            return Err(format!("together, job {number}: {tag:02x?} instead of {expected:02x?}"));
        }
    }
    Ok(())
}
