//! Argon2 (RFC 9106) for programs that hash passwords all day.
//!
//! ```
//! use countersign_argon2::{Arena, Input, Params, Variant, Version};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // 19 MiB, two passes, one lane, a tag of 32 bytes.
//! let params = Params::new(Variant::Argon2id, Version::V0x13, 19_456, 2, 1, 32)?;
//! // One arena for each hashing thread, kept for the life of the thread.
//! let mut arena = Arena::new(params.memory_bytes())?;
//! let mut tag = [0; 32];
//! arena.hash(&params, &Input::new(b"correct horse battery staple", b"sixteen byte salt"), &mut tag)?;
//! # Ok(())
//! # }
//! ```
//!
//! # What makes it fast
//!
//! - The block function runs on AVX-512, AVX2, NEON or portable code, chosen at run time ([`Path`]).
//! - The lanes of a hash are independent of each other within a slice. One thread advances them in turn, block by
//!   block, so that the arithmetic of one lane hides the memory latency of the others. A hash with one lane has no
//!   other lanes to alternate with: [`Arena::hash_many`] advances several passwords together instead.
//! - An [`Arena`] is allocated once, on huge pages if the system provides them, and reused for every hash. A hash never
//!   calls the allocator.
//!
//! # What stays in memory
//!
//! Argon2 writes every block of its memory before reading it (see [`Arena`]). So an arena needs no clearing *before* a
//! hash, and no earlier hash can affect a later tag. After a hash, the arena holds blocks derived from the password,
//! the salt and the secret: an attacker who reads them can test password guesses at a fraction of a hash's cost.
//! [`Arena::wipe`] clears them on demand, and dropping the arena always does. Intermediate values outside the arena
//! (the initial hash, the block being mixed, the used part of the stack) are cleared at the end of each call.

mod arena;
mod engine;
mod indexing;
mod input;
mod kernel;
mod long_hash;
mod params;
#[cfg(feature = "password-hash")]
mod password_hash;
mod path;

pub use arena::{Arena, OutOfMemory};
pub use input::{HashError, Input, Job};
pub use params::{InvalidParams, Params, Variant, Version};
#[cfg(feature = "password-hash")]
pub use password_hash::Hasher;
pub use path::{Path, PathNotAvailable};
