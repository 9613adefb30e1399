//! The cost parameters, restricted to the values that RFC 9106, section 3.1, allows.

use std::fmt;

/// How reference blocks are chosen: by data, by position, or by position first and data later (RFC 9106, section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// Chosen by data: strongest against dedicated hardware, but open to side channels. Type 0.
    Argon2d,
    /// Chosen by position: memory access reveals nothing about the password. Type 1.
    Argon2i,
    /// Like `Argon2i` for the first half of the first pass, like `Argon2d` afterwards. Recommended. Type 2.
    Argon2id,
}

impl Variant {
    /// Returns the variant's number in the initial hash.
    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::Argon2d => 0,
            Self::Argon2i => 1,
            Self::Argon2id => 2,
        }
    }

    /// The variant's identifier in encoded hashes, such as `argon2id`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Argon2d => "argon2d",
            Self::Argon2i => "argon2i",
            Self::Argon2id => "argon2id",
        }
    }
}

/// The version of the algorithm. Encoded hashes contain its number (`v=19`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// 16, the version before RFC 9106: later passes overwrite blocks. For verifying old hashes only.
    V0x10,
    /// 19, the version of RFC 9106: later passes xor into the old blocks.
    V0x13,
}

impl Version {
    /// Returns the version's number in the initial hash.
    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::V0x10 => 0x10,
            Self::V0x13 => 0x13,
        }
    }
}

/// The cost parameters of a hash. A value of this type is always valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Params {
    variant: Variant,
    version: Version,
    memory_kib: u32,
    iterations: u32,
    lanes: u32,
    tag_len: u32,
}

/// Argon2id with 19 MiB, two passes, one lane and a tag of 32 bytes: the minimum of OWASP's Password Storage Cheat Sheet.
impl Default for Params {
    fn default() -> Self {
        Self {
            variant: Variant::Argon2id,
            version: Version::V0x13,
            memory_kib: 19_456,
            iterations: 2,
            lanes: 1,
            tag_len: 32,
        }
    }
}

impl Params {
    /// The maximum number of lanes (RFC 9106: p from 1 to 2^24 - 1).
    pub const LANES_MAX: u32 = (1 << 24) - 1;
    /// The minimum tag length in bytes.
    pub const TAG_LEN_MIN: u32 = 4;
    /// The minimum salt length in bytes. RFC 9106 recommends 16.
    pub const SALT_LEN_MIN: usize = 8;

    /// Checks the parameters: `memory_kib` is m in KiB, `iterations` is t, `lanes` is p, `tag_len` is T in bytes.
    pub const fn new(
        variant: Variant,
        version: Version,
        memory_kib: u32,
        iterations: u32,
        lanes: u32,
        tag_len: u32,
    ) -> Result<Self, InvalidParams> {
        if lanes < 1 || lanes > Self::LANES_MAX {
            return Err(InvalidParams::Lanes);
        }
        if memory_kib < 8 * lanes {
            return Err(InvalidParams::Memory);
        }
        if iterations < 1 {
            return Err(InvalidParams::Iterations);
        }
        if tag_len < Self::TAG_LEN_MIN {
            return Err(InvalidParams::TagLen);
        }
        Ok(Self { variant, version, memory_kib, iterations, lanes, tag_len })
    }

    /// Returns the variant.
    pub const fn variant(&self) -> Variant {
        self.variant
    }

    /// Returns the version.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Returns m, in KiB, as given. The hash uses m rounded down to a multiple of 4p.
    pub const fn memory_kib(&self) -> u32 {
        self.memory_kib
    }

    /// Returns t, the number of passes over the memory.
    pub const fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Returns p, the number of lanes.
    pub const fn lanes(&self) -> u32 {
        self.lanes
    }

    /// Returns T, the length of the tag in bytes.
    pub const fn tag_len(&self) -> u32 {
        self.tag_len
    }

    /// Returns the number of arena bytes that one hash needs. [`Arena::hash_many`](crate::Arena::hash_many) with `n`
    /// jobs runs best in `n` times that size.
    pub const fn memory_bytes(&self) -> u64 {
        self.lane_len() as u64 * self.lanes as u64 * 1024
    }

    /// Returns how many jobs with these parameters [`Arena::hash_many`](crate::Arena::hash_many) advances together if
    /// the arena has room. It computes further jobs afterwards.
    pub fn jobs_together(&self) -> usize {
        crate::engine::jobs_together(self)
    }

    /// Returns the number of blocks in a quarter of a lane.
    pub(crate) const fn segment_len(&self) -> u32 {
        self.memory_kib / (4 * self.lanes)
    }

    /// Returns the number of blocks in a lane, m'/p.
    pub(crate) const fn lane_len(&self) -> u32 {
        4 * self.segment_len()
    }
}

/// The parameter that violates RFC 9106, section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidParams {
    /// The number of lanes must be from 1 to 2^24 - 1.
    Lanes,
    /// The memory must be at least 8 KiB for each lane.
    Memory,
    /// There must be at least one iteration.
    Iterations,
    /// The tag must be at least 4 bytes long.
    TagLen,
}

impl fmt::Display for InvalidParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lanes => "the number of lanes must be from 1 to 16777215",
            Self::Memory => "the memory must be at least 8 KiB for each lane",
            Self::Iterations => "there must be at least one iteration",
            Self::TagLen => "the tag must be at least 4 bytes long",
        })
    }
}

impl std::error::Error for InvalidParams {}
