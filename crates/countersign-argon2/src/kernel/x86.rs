//! The kernels for x86-64: a vector has 256 bits with AVX2 or 512 bits with AVX-512.

use std::arch::asm;
use std::arch::x86_64::{
    __m256i, __m512i, _mm256_add_epi64, _mm256_alignr_epi8, _mm256_load_si256, _mm256_mul_epu32, _mm256_or_si256,
    _mm256_permute4x64_epi64, _mm256_setr_epi8, _mm256_shuffle_epi8, _mm256_shuffle_epi32, _mm256_srli_epi64,
    _mm256_store_si256, _mm256_xor_si256, _mm512_add_epi64, _mm512_load_si512, _mm512_mul_epu32,
    _mm512_permutexvar_epi64, _mm512_ror_epi64, _mm512_setr_epi64, _mm512_store_si512, _mm512_ternarylogic_epi64,
    _mm512_xor_si512,
};

use super::octs::{self, Oct, Places};
use super::quads::{self, Quad};
use super::{Ahead, Block, Kernel};

/// The AVX2 path.
pub(crate) struct Avx2;

impl Kernel for Avx2 {
    fn place(word: usize) -> usize {
        word
    }

    #[target_feature(enable = "avx2")]
    unsafe fn mix<const XOR: bool, A: Ahead>(
        previous: *const Block,
        reference: *const Block,
        next: *mut Block,
        scratch: *mut Block,
        ahead: &mut A,
    ) {
        // SAFETY: guaranteed by the caller, and this function is compiled for AVX2.
        unsafe { quads::mix::<Ymm, 4, XOR, A>(previous, reference, next, scratch, ahead) }
    }
}

/// The AVX-512 path.
pub(crate) struct Avx512;

impl Kernel for Avx512 {
    fn place(word: usize) -> usize {
        octs::place(word)
    }

    #[target_feature(enable = "avx512f")]
    unsafe fn mix<const XOR: bool, A: Ahead>(
        previous: *const Block,
        reference: *const Block,
        next: *mut Block,
        _: *mut Block,
        ahead: &mut A,
    ) {
        // SAFETY: guaranteed by the caller, and this function is compiled for AVX-512 F.
        unsafe { octs::mix::<Zmm, XOR, A>(previous, reference, next, ahead) }
    }
}

/// A 256-bit vector. Only [`Avx2`]'s `mix` calls its methods, and they are inlined into it.
#[derive(Clone, Copy)]
struct Ymm(__m256i);

/// Returns the control word of a four-word permutation: the source of each word.
const fn order(w0: i32, w1: i32, w2: i32, w3: i32) -> i32 {
    w0 | w1 << 2 | w2 << 4 | w3 << 6
}

const TURN_1: i32 = order(1, 2, 3, 0);
const TURN_2: i32 = order(2, 3, 0, 1);
const TURN_3: i32 = order(3, 0, 1, 2);

impl Quad for Ymm {
    #[inline(always)]
    unsafe fn load(words: *const u64) -> Self {
        // SAFETY: AVX2 is available (see the type), and the address is valid and aligned (guaranteed by the caller).
        Self(unsafe { _mm256_load_si256(words.cast()) })
    }
    #[inline(always)]
    unsafe fn store(self, words: *mut u64) {
        // SAFETY: AVX2 is available (see the type), and the address is valid and aligned (guaranteed by the caller).
        unsafe { _mm256_store_si256(words.cast(), self.0) }
    }
    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: AVX2 is available (see the type).
        Self(unsafe { _mm256_xor_si256(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: AVX2 is available (see the type).
        Self(unsafe { _mm256_add_epi64(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn multiply_low(self, other: Self) -> Self {
        // SAFETY: AVX2 is available (see the type).
        Self(unsafe { _mm256_mul_epu32(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn rotate_right_32(self) -> Self {
        // SAFETY: AVX2 is available (see the type).
        Self(unsafe { _mm256_shuffle_epi32::<{ order(1, 0, 3, 2) }>(self.0) })
    }
    #[inline(always)]
    unsafe fn rotate_right_24(self) -> Self {
        // SAFETY: AVX2 is available (see the type).
        Self(unsafe {
            let bytes = _mm256_setr_epi8(
                3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10, //
                3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10,
            );
            _mm256_shuffle_epi8(self.0, bytes)
        })
    }
    #[inline(always)]
    unsafe fn rotate_right_16(self) -> Self {
        // SAFETY: AVX2 is available (see the type).
        Self(unsafe { rotate_right_16(self.0) })
    }
    #[inline(always)]
    unsafe fn rotate_right_63(self) -> Self {
        // SAFETY: AVX2 is available (see the type).
        Self(unsafe { _mm256_or_si256(_mm256_srli_epi64::<63>(self.0), _mm256_add_epi64(self.0, self.0)) })
    }
    #[inline(always)]
    unsafe fn turn_1(self) -> Self {
        // SAFETY: AVX2 is available (see the type).
        Self(unsafe { _mm256_permute4x64_epi64::<TURN_1>(self.0) })
    }
    #[inline(always)]
    unsafe fn turn_2(self) -> Self {
        // SAFETY: AVX2 is available (see the type).
        Self(unsafe { _mm256_permute4x64_epi64::<TURN_2>(self.0) })
    }
    #[inline(always)]
    unsafe fn turn_3(self) -> Self {
        // SAFETY: AVX2 is available (see the type).
        Self(unsafe { _mm256_permute4x64_epi64::<TURN_3>(self.0) })
    }
    #[inline(always)]
    unsafe fn slide(self, next: Self) -> Self {
        // SAFETY: AVX2 is available (see the type).
        Self(unsafe { _mm256_alignr_epi8::<8>(next.0, self.0) })
    }
}

/// Rotates with one byte shuffle. Uses inline assembly, because the compiler turns the intrinsic with its constant into
/// two shuffles, one for each half of the words.
#[inline]
#[target_feature(enable = "avx2")]
fn rotate_right_16(words: __m256i) -> __m256i {
    let bytes = _mm256_setr_epi8(
        2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9, //
        2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9,
    );
    let turned;
    // SAFETY: an AVX2 instruction on registers, in a function compiled for AVX2.
    unsafe {
        asm!(
            "vpshufb {turned}, {words}, {bytes}",
            turned = lateout(ymm_reg) turned,
            words = in(ymm_reg) words,
            bytes = in(ymm_reg) bytes,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    turned
}

/// A 512-bit vector. Only [`Avx512`]'s `mix` calls its methods, and they are inlined into it.
#[derive(Clone, Copy)]
struct Zmm(__m512i);

impl Oct for Zmm {
    #[inline(always)]
    unsafe fn load(words: *const u64) -> Self {
        // SAFETY: AVX-512 F is available (see the type), and the address is valid and aligned (guaranteed by the caller).
        Self(unsafe { _mm512_load_si512(words.cast()) })
    }
    #[inline(always)]
    unsafe fn store(self, words: *mut u64) {
        // SAFETY: AVX-512 F is available (see the type), and the address is valid and aligned (guaranteed by the caller).
        unsafe { _mm512_store_si512(words.cast(), self.0) }
    }
    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: AVX-512 F is available (see the type).
        Self(unsafe { _mm512_xor_si512(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn xor3(self, second: Self, third: Self) -> Self {
        // SAFETY: AVX-512 F is available (see the type). 0x96 is the truth table of a ^ b ^ c.
        Self(unsafe { _mm512_ternarylogic_epi64::<0x96>(self.0, second.0, third.0) })
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: AVX-512 F is available (see the type).
        Self(unsafe { _mm512_add_epi64(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn multiply_low(self, other: Self) -> Self {
        // SAFETY: AVX-512 F is available (see the type).
        Self(unsafe { _mm512_mul_epu32(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn rotate_right<const BITS: i32>(self) -> Self {
        // SAFETY: AVX-512 F is available (see the type).
        Self(unsafe { _mm512_ror_epi64::<BITS>(self.0) })
    }
    #[inline(always)]
    unsafe fn take(self, from: Places) -> Self {
        let [a, b, c, d, e, f, g, h] = from.map(usize::cast_signed).map(|place| place as i64);
        // SAFETY: AVX-512 F is available (see the type).
        Self(unsafe { _mm512_permutexvar_epi64(_mm512_setr_epi64(a, b, c, d, e, f, g, h), self.0) })
    }
}
