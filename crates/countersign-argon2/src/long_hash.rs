//! The hashes at both ends of Argon2: the initial hash H0 and the variable-length hash H' (RFC 9106, sections 3.2 and
//! 3.3), both based on `BLAKE2b`.

use blake2::Blake2bVarCore;
use blake2::digest::array::Array;
use blake2::digest::block_api::{UpdateCore, VariableOutputCore};
use blake2::digest::block_buffer::LazyBuffer;
use blake2::digest::typenum::U128;
use zeroize::{Zeroize, Zeroizing};

use crate::{Input, Params};

/// The length in bytes of `BLAKE2b`'s longest output, of H0, and of the steps of H'.
const FULL: usize = 64;

/// `BLAKE2b` with an output of 1 to 64 bytes. Core and buffer wipe themselves when dropped.
struct Blake2b {
    core: Blake2bVarCore,
    pending: LazyBuffer<U128>,
}

impl Blake2b {
    fn new(output_len: usize) -> Self {
        // Fails only for a length outside 1..=64, which no caller passes.
        let Ok(core) = Blake2bVarCore::new(output_len) else { unreachable!("BLAKE2b makes 1 to 64 bytes") };
        Self { core, pending: LazyBuffer::default() }
    }

    fn update(&mut self, data: &[u8]) {
        self.pending.digest_blocks(data, |blocks| self.core.update_blocks(blocks));
    }

    /// Appends a field of H0: its length, then its bytes.
    fn update_field(&mut self, field: &[u8]) {
        let Ok(len) = u32::try_from(field.len()) else { unreachable!("inputs were checked") };
        self.update(&len.to_le_bytes());
        self.update(field);
    }

    fn finish(mut self, output: &mut [u8]) {
        let mut full = Array::default();
        self.core.finalize_variable_core(&mut self.pending, &mut full);
        output.copy_from_slice(&full[..output.len()]);
        full.as_mut_slice().zeroize();
    }
}

/// H0, with room for the two numbers appended to it.
pub(crate) struct InitialHash(Zeroizing<[u8; FULL + 8]>);

impl InitialHash {
    /// Computes H0 of the parameters and the input. It includes the requested memory, not the memory used.
    pub(crate) fn new(params: &Params, input: &Input<'_>) -> Self {
        let mut hash = Blake2b::new(FULL);
        for number in [
            params.lanes(),
            params.tag_len(),
            params.memory_kib(),
            params.iterations(),
            params.version().number(),
            params.variant().number(),
        ] {
            hash.update(&number.to_le_bytes());
        }
        for field in [input.password, input.salt, input.secret, input.associated_data] {
            hash.update_field(field);
        }
        let mut bytes = Zeroizing::new([0; FULL + 8]);
        hash.finish(&mut bytes[..FULL]);
        Self(bytes)
    }

    /// Writes the first (`column` 0) or second (`column` 1) block of a lane, in the standard's word order.
    pub(crate) fn block(&mut self, column: u32, lane: u32, block: &mut [u8; 1024]) {
        self.0[FULL..FULL + 4].copy_from_slice(&column.to_le_bytes());
        self.0[FULL + 4..].copy_from_slice(&lane.to_le_bytes());
        long_hash(&self.0[..], block);
    }
}

/// Computes H', filling `output`.
pub(crate) fn long_hash(input: &[u8], output: &mut [u8]) {
    let Ok(len) = u32::try_from(output.len()) else { unreachable!("tags are shorter than 2^32 bytes") };
    let prefix = len.to_le_bytes();
    if output.len() <= FULL {
        let mut hash = Blake2b::new(output.len());
        hash.update(&prefix);
        hash.update(input);
        return hash.finish(output);
    }
    let mut link = Zeroizing::new([0; FULL]);
    let mut hash = Blake2b::new(FULL);
    hash.update(&prefix);
    hash.update(input);
    hash.finish(&mut link[..]);
    // Each link of the chain contributes its first half, except the last, which contributes all its 33 to 64 bytes.
    let mut rest = output;
    loop {
        let (half, left) = rest.split_at_mut(FULL / 2);
        half.copy_from_slice(&link[..FULL / 2]);
        rest = left;
        let last = rest.len() <= FULL;
        let mut hash = Blake2b::new(if last { rest.len() } else { FULL });
        hash.update(&link[..]);
        if last {
            return hash.finish(rest);
        }
        hash.finish(&mut link[..]);
    }
}
