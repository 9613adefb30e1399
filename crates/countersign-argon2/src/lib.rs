#![doc = include_str!("../README.md")]
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
