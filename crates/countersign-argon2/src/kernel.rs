//! The compression function G, which combines two blocks into a third (RFC 9106, section 3.5), for each code path.
//!
//! A block is 8 x 8 registers of 16 bytes. G xors two blocks, applies the permutation P to every row and then to every
//! column, and xors the sum in again. P is BLAKE2's round with a multiplication: its 16 words form a 4 x 4 matrix,
//! mixed by columns and then by diagonals.
//!
//! The arithmetic is written once for 256-bit and once for 512-bit vectors ([`quads`], [`octs`]), generic over a vector
//! trait. The trait also has a portable implementation. So the portable path runs the same code as the AVX2 path, and
//! the tests run the 512-bit code on machines without such vectors.

pub(crate) mod floor;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
#[cfg(any(target_arch = "x86_64", feature = "emulation"))]
pub(crate) mod octs;
pub(crate) mod portable;
pub(crate) mod quads;
#[cfg(target_arch = "x86_64")]
pub(crate) mod x86;

/// A block of the memory. Each kernel defines its own word order ([`Kernel::place`]).
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

/// Work to do while a block is mixed: prefetching blocks that are needed next.
pub(crate) trait Ahead {
    /// Whether the first word is needed as early as possible, even if the whole block then takes longer.
    #[cfg_attr(
        not(any(target_arch = "x86_64", feature = "emulation")),
        expect(dead_code, reason = "only the kernels with vectors of eight words read it")
    )]
    const HURRIES: bool;

    /// Called [`POINTS`] times per block, at even distances; `point` counts from 0.
    fn point(&mut self, point: usize);
    /// Called once with the finished first word of the block, which locates the next reference in the data-dependent
    /// variants. With [`Ahead::HURRIES`], the call comes before the point [`FIRST_WORD_POINT`].
    fn first_word(&mut self, word: u64);

    /// Runs one quarter of the `count` points from `first`, which are spread evenly over four quarters.
    #[inline(always)]
    fn points(&mut self, first: usize, count: usize, quarter: usize) {
        for number in count * quarter / 4..count * (quarter + 1) / 4 {
            self.point(first + number);
        }
    }
}

/// Number of calls of [`Ahead::point`] per block.
pub(crate) const POINTS: usize = 16;
/// Number of points before the first word, with [`Ahead::HURRIES`].
pub(crate) const FIRST_WORD_POINT: usize = 12;

/// An [`Ahead`] that prefetches nothing.
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
    /// Returns the kernel's position of a word within a block. The first word stays first.
    fn place(word: usize) -> usize;

    /// Writes G(`previous`, `reference`) to `next`, xored with the old content if `XOR`.
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

/// Prefetches a cache line that is needed soon. Never faults, whatever the address.
#[inline(always)]
pub(crate) fn prefetch(line: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch has no effect that the program can observe, and SSE is part of x86-64.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(line.cast());
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    // SAFETY: a prefetch has no effect that the program can observe.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{line}]", line = in(reg) line, options(readonly, nostack, preserves_flags));
    }
    #[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
    let _ = line;
}
