//! Decides which cost parameters are legal: those of RFC 9106, section 3.1, and no others.

use std::fmt;

/// Which blocks a reference block is chosen by: data, position, or both in turn (RFC 9106, section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// Chosen by the data: strongest against hardware, open to side channels. Type 0.
    Argon2d,
    /// Chosen by the position alone: what memory is touched tells nothing of the password. Type 1.
    Argon2i,
    /// Like `Argon2i` for the first half of the first pass, like `Argon2d` after it. The recommended one. Type 2.
    Argon2id,
}

impl Variant {
    /// The number of the variant in the initial hash.
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

/// The version of the algorithm, by the number that stands in encoded hashes (`v=19`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// 16, the version before RFC 9106: later passes overwrite. For verifying old hashes only.
    V0x10,
    /// 19, the version of RFC 9106: later passes XOR into what is there.
    V0x13,
}

impl Version {
    /// The number of the version in the initial hash.
    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::V0x10 => 0x10,
            Self::V0x13 => 0x13,
        }
    }
}

/// The cost parameters of a hash. A value of this type is always legal.
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
    /// The largest number of lanes (RFC 9106: p from 1 to 2^24 - 1).
    pub const LANES_MAX: u32 = (1 << 24) - 1;
    /// The shortest tag in bytes.
    pub const TAG_LEN_MIN: u32 = 4;
    /// The shortest salt in bytes. RFC 9106 recommends 16.
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

    /// The variant.
    pub const fn variant(&self) -> Variant {
        self.variant
    }

    /// The version.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// m, in KiB, as given; the hash uses the multiple of 4p below it.
    pub const fn memory_kib(&self) -> u32 {
        self.memory_kib
    }

    /// t, the number of passes over the memory.
    pub const fn iterations(&self) -> u32 {
        self.iterations
    }

    /// p, the number of lanes.
    pub const fn lanes(&self) -> u32 {
        self.lanes
    }

    /// T, the length of the tag in bytes.
    pub const fn tag_len(&self) -> u32 {
        self.tag_len
    }

    /// How many bytes of arena one hash needs. [`Arena::hash_many`](crate::Arena::hash_many) with `n` jobs runs best in
    /// `n` times as many.
    pub const fn memory_bytes(&self) -> u64 {
        self.lane_len() as u64 * self.lanes as u64 * 1024
    }

    /// How many jobs of these costs [`Arena::hash_many`](crate::Arena::hash_many) advances together where the arena has
    /// room for them; more than that it computes one after another.
    pub fn jobs_together(&self) -> usize {
        crate::engine::jobs_together(self)
    }

    /// Blocks in a quarter of a lane.
    pub(crate) const fn segment_len(&self) -> u32 {
        self.memory_kib / (4 * self.lanes)
    }

    /// Blocks in a lane, m'/p.
    pub(crate) const fn lane_len(&self) -> u32 {
        4 * self.segment_len()
    }
}

/// Which parameter is outside RFC 9106, section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
