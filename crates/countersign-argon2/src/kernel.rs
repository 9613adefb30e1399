//! Decides how two blocks become a third (the compression function G of RFC 9106, section 3.5), on each code path.
//!
//! A block is 8 x 8 registers of 16 bytes. G adds (xors) two blocks, sends every row and then every column through the
//! permutation P, and xors the sum in again. P is BLAKE2's round with a multiplication in it: its 16 words form a
//! 4 x 4 matrix, mixed by columns and then by diagonals.
//!
//! The arithmetic is written once for 256-bit and once for 512-bit vectors ([`quads`], [`octs`]), over a trait for the
//! vector. That trait has a portable implementation too. So the portable path runs the very code that the AVX2 path
//! runs, and the tests run the 512-bit code on machines that have no such vectors.

pub(crate) mod floor;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
#[cfg(any(target_arch = "x86_64", feature = "emulation"))]
pub(crate) mod octs;
pub(crate) mod portable;
pub(crate) mod quads;
#[cfg(target_arch = "x86_64")]
pub(crate) mod x86;

/// A block of the memory. The order of its words is the kernel's own ([`Kernel::place`]).
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Block(pub(crate) [u64; Block::WORDS]);

impl Block {
    pub(crate) const WORDS: usize = 128;
    /// [`Block::WORDS`] for arithmetic on columns.
    pub(crate) const WORDS_U32: u32 = 128;
    pub(crate) const LINES: usize = 16;
    pub(crate) const ZERO: Self = Self([0; Self::WORDS]);
}

/// Work to do while a block is mixed: fetching what the following blocks will need.
pub(crate) trait Ahead {
    /// Whether the first word is wanted as early as can be, even if the block as a whole takes longer.
    #[cfg_attr(
        not(any(target_arch = "x86_64", feature = "emulation")),
        expect(dead_code, reason = "only vectors of eight words have the choice")
    )]
    const HURRIES: bool;

    /// Called [`POINTS`] times for a block, at even distances: `point` counts from 0.
    fn point(&mut self, point: usize);
    /// Called once with the finished first word of the block, which in the data-dependent variants says where the next reference is. If
    /// it hurries, that is before the point [`FIRST_WORD_POINT`].
    fn first_word(&mut self, word: u64);

    /// Of `count` points from `first` on that are spread over four quarters, those of one.
    #[inline(always)]
    fn points(&mut self, first: usize, count: usize, quarter: usize) {
        for number in count * quarter / 4..count * (quarter + 1) / 4 {
            self.point(first + number);
        }
    }
}

/// How often a kernel calls [`Ahead::point`].
pub(crate) const POINTS: usize = 16;
/// How many of the points come before the first word, where it is hurried for.
pub(crate) const FIRST_WORD_POINT: usize = 12;

/// Nothing to fetch.
pub(crate) struct Idle;

impl Ahead for Idle {
    const HURRIES: bool = false;

    #[inline(always)]
    fn point(&mut self, _: usize) {}
    #[inline(always)]
    fn first_word(&mut self, _: u64) {}
}

/// A code path's compression function.
pub(crate) trait Kernel {
    /// Where the kernel keeps a word of a block. The first word stays the first.
    fn place(word: usize) -> usize;

    /// Writes G(`previous`, `reference`) to `next`, xored with what is there if `XOR`.
    ///
    /// # Safety
    /// The processor can run the kernel's code path. All four pointers are aligned and valid: the first two for reads of
    /// a block, `next` for writes (and reads, if `XOR`), `scratch` for both. Neither `next` nor `scratch` overlaps another.
    unsafe fn mix<const XOR: bool, A: Ahead>(
        previous: *const Block,
        reference: *const Block,
        next: *mut Block,
        scratch: *mut Block,
        ahead: &mut A,
    );
}

/// Asks for a cache line that will be needed soon. Never faults, whatever the address.
#[inline(always)]
pub(crate) fn prefetch(line: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch reads nothing as far as the program can tell, and SSE is part of x86-64.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(line.cast());
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    // SAFETY: a prefetch reads nothing as far as the program can tell.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{line}]", line = in(reg) line, options(readonly, nostack, preserves_flags));
    }
    #[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
    let _ = line;
}
