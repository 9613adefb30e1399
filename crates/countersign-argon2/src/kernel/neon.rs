//! The kernel for 64-bit ARM: a vector is two NEON registers of 128 bits.

use std::arch::aarch64::{
    uint64x2_t, vaddq_u64, veorq_u64, vextq_u64, vld1q_u8, vld1q_u64, vmovn_u64, vmull_u32, vqtbl1q_u8,
    vreinterpretq_u8_u64, vreinterpretq_u32_u64, vreinterpretq_u64_u8, vreinterpretq_u64_u32, vrev64q_u32, vsriq_n_u64,
    vst1q_u64,
};

use super::quads::{self, Quad};
use super::{Ahead, Block, Kernel};

/// The NEON path.
pub(crate) struct Neon;

impl Kernel for Neon {
    fn place(word: usize) -> usize {
        word
    }

    #[target_feature(enable = "neon")]
    unsafe fn mix<const XOR: bool, A: Ahead>(
        previous: *const Block,
        reference: *const Block,
        next: *mut Block,
        scratch: *mut Block,
        ahead: &mut A,
    ) {
        // SAFETY: guaranteed by the caller, and this function is compiled for NEON.
        unsafe { quads::mix::<Pair, 2, XOR, A>(previous, reference, next, scratch, ahead) }
    }
}

/// Four words as two 128-bit vectors. Only [`Neon`]'s `mix` calls its methods, and they are inlined into it.
#[derive(Clone, Copy)]
struct Pair(uint64x2_t, uint64x2_t);

/// The source of each byte when words rotate right by 24 bits.
const BYTES_24: [u8; 16] = [3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10];
/// The source of each byte when words rotate right by 16 bits.
const BYTES_16: [u8; 16] = [2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9];

#[inline(always)]
unsafe fn take_bytes(words: uint64x2_t, bytes: &[u8; 16]) -> uint64x2_t {
    // SAFETY: NEON is available (see `Pair`), and the table has the 16 bytes that are read.
    unsafe { vreinterpretq_u64_u8(vqtbl1q_u8(vreinterpretq_u8_u64(words), vld1q_u8(bytes.as_ptr()))) }
}

#[inline(always)]
unsafe fn multiply_low(x: uint64x2_t, y: uint64x2_t) -> uint64x2_t {
    // SAFETY: NEON is available (see `Pair`).
    unsafe { vmull_u32(vmovn_u64(x), vmovn_u64(y)) }
}

#[inline(always)]
unsafe fn swap_halves(words: uint64x2_t) -> uint64x2_t {
    // SAFETY: NEON is available (see `Pair`).
    unsafe { vreinterpretq_u64_u32(vrev64q_u32(vreinterpretq_u32_u64(words))) }
}

#[inline(always)]
unsafe fn rotate_right_63(words: uint64x2_t) -> uint64x2_t {
    // SAFETY: NEON is available (see `Pair`).
    unsafe { vsriq_n_u64::<63>(vaddq_u64(words, words), words) }
}

impl Quad for Pair {
    #[inline(always)]
    unsafe fn load(words: *const u64) -> Self {
        // SAFETY: NEON is available (see the type), and the address is valid (guaranteed by the caller).
        unsafe { Self(vld1q_u64(words), vld1q_u64(words.add(2))) }
    }
    #[inline(always)]
    unsafe fn store(self, words: *mut u64) {
        // SAFETY: NEON is available (see the type), and the address is valid (guaranteed by the caller).
        unsafe {
            vst1q_u64(words, self.0);
            vst1q_u64(words.add(2), self.1);
        }
    }
    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: NEON is available (see the type).
        unsafe { Self(veorq_u64(self.0, other.0), veorq_u64(self.1, other.1)) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: NEON is available (see the type).
        unsafe { Self(vaddq_u64(self.0, other.0), vaddq_u64(self.1, other.1)) }
    }
    #[inline(always)]
    unsafe fn multiply_low(self, other: Self) -> Self {
        // SAFETY: NEON is available (see the type).
        unsafe { Self(multiply_low(self.0, other.0), multiply_low(self.1, other.1)) }
    }
    #[inline(always)]
    unsafe fn rotate_right_32(self) -> Self {
        // SAFETY: NEON is available (see the type).
        unsafe { Self(swap_halves(self.0), swap_halves(self.1)) }
    }
    #[inline(always)]
    unsafe fn rotate_right_24(self) -> Self {
        // SAFETY: NEON is available (see the type).
        unsafe { Self(take_bytes(self.0, &BYTES_24), take_bytes(self.1, &BYTES_24)) }
    }
    #[inline(always)]
    unsafe fn rotate_right_16(self) -> Self {
        // SAFETY: NEON is available (see the type).
        unsafe { Self(take_bytes(self.0, &BYTES_16), take_bytes(self.1, &BYTES_16)) }
    }
    #[inline(always)]
    unsafe fn rotate_right_63(self) -> Self {
        // SAFETY: NEON is available (see the type).
        unsafe { Self(rotate_right_63(self.0), rotate_right_63(self.1)) }
    }
    #[inline(always)]
    unsafe fn turn_1(self) -> Self {
        // SAFETY: NEON is available (see the type).
        unsafe { Self(vextq_u64::<1>(self.0, self.1), vextq_u64::<1>(self.1, self.0)) }
    }
    #[inline(always)]
    unsafe fn turn_2(self) -> Self {
        Self(self.1, self.0)
    }
    #[inline(always)]
    unsafe fn turn_3(self) -> Self {
        // SAFETY: NEON is available (see the type).
        unsafe { Self(vextq_u64::<1>(self.1, self.0), vextq_u64::<1>(self.0, self.1)) }
    }
    #[inline(always)]
    unsafe fn slide(self, next: Self) -> Self {
        // SAFETY: NEON is available (see the type).
        unsafe { Self(vextq_u64::<1>(self.0, next.0), vextq_u64::<1>(self.1, next.1)) }
    }
}
