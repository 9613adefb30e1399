//! Decides what is public: Argon2 (RFC 9106) for programs that hash passwords all day.
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
//! - The block function runs on AVX-512, AVX2, NEON or portable code, chosen when the program runs ([`Path`]).
//! - The lanes of a hash are independent of each other within a slice. One thread advances them block by block in turn,
//!   so that fetching one lane's next reference block from memory hides behind the arithmetic of the others. A hash with one lane
//!   has no such partner: [`Arena::hash_many`] advances several passwords together instead.
//! - An [`Arena`] is allocated once, on huge pages where the system gives them, and used for every hash after that.
//!   Nothing else is allocated: a hash makes no call to the allocator at all.
//!
//! # What stays in memory
//!
//! Argon2 writes every block of its memory before it reads it (see [`Arena`]), so an arena needs no clearing *before* a
//! hash, and nothing of an earlier hash can reach a later tag. What a hash leaves behind are blocks derived from the
//! password, the salt and the secret: somebody who can read them can test guesses of the password at a fraction of the cost of a hash.
//! [`Arena::wipe`] clears them on demand, dropping the arena always does. The intermediate values outside the arena (the
//! initial hash, the block being mixed, the used part of the stack) are cleared at the end of each call.

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
