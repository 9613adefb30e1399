//! Decides what a vector is without vector instructions: an array, whose loops the compiler may vectorise as it can.

#[cfg(test)]
use super::octs::{self, COLUMNS_1, COLUMNS_3, Oct};
use super::quads::{self, Quad};
use super::{Ahead, Block, Kernel};

/// The portable path.
pub(crate) struct Portable;

impl Kernel for Portable {
    fn place(word: usize) -> usize {
        word
    }

    unsafe fn mix<const XOR: bool, A: Ahead>(
        previous: *const Block,
        reference: *const Block,
        next: *mut Block,
        scratch: *mut Block,
        ahead: &mut A,
    ) {
        // SAFETY: the caller's promise; arrays need no special processor.
        unsafe { quads::mix::<Words<4>, XOR, A>(previous, reference, next, scratch, ahead) }
    }
}

/// The 512-bit code on arrays: shows on any machine that its arithmetic and its order of words are right.
#[cfg(test)]
pub(crate) struct PortableOcts;

#[cfg(test)]
impl Kernel for PortableOcts {
    fn place(word: usize) -> usize {
        octs::place(word)
    }

    unsafe fn mix<const XOR: bool, A: Ahead>(
        previous: *const Block,
        reference: *const Block,
        next: *mut Block,
        _: *mut Block,
        ahead: &mut A,
    ) {
        // SAFETY: the caller's promise; arrays need no special processor.
        unsafe { octs::mix::<Words<8>, XOR, A>(previous, reference, next, ahead) }
    }
}

/// A vector as an array.
#[derive(Clone, Copy)]
struct Words<const N: usize>([u64; N]);

impl<const N: usize> Words<N> {
    #[inline(always)]
    unsafe fn load_words(words: *const u64) -> Self {
        // SAFETY: the caller's promise: valid and aligned.
        Self(unsafe { words.cast::<[u64; N]>().read() })
    }

    #[inline(always)]
    unsafe fn store_words(self, words: *mut u64) {
        // SAFETY: the caller's promise: valid and aligned.
        unsafe { words.cast::<[u64; N]>().write(self.0) }
    }

    #[inline(always)]
    fn each(self, f: impl Fn(u64) -> u64) -> Self {
        Self(self.0.map(f))
    }

    #[inline(always)]
    fn both(self, other: Self, f: impl Fn(u64, u64) -> u64) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }

    #[inline(always)]
    fn take(self, from: impl Fn(usize) -> usize) -> Self {
        Self(std::array::from_fn(|i| self.0[from(i)]))
    }
}

const LOW: u64 = 0xffff_ffff;

impl Quad for Words<4> {
    #[inline(always)]
    unsafe fn load(words: *const u64) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self::load_words(words) }
    }
    #[inline(always)]
    unsafe fn store(self, words: *mut u64) {
        // SAFETY: the caller's promise.
        unsafe { self.store_words(words) }
    }
    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        self.both(other, |x, y| x ^ y)
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.both(other, u64::wrapping_add)
    }
    #[inline(always)]
    unsafe fn multiply_low(self, other: Self) -> Self {
        self.both(other, |x, y| (x & LOW) * (y & LOW))
    }
    #[inline(always)]
    unsafe fn rotate_right_32(self) -> Self {
        self.each(|x| x.rotate_right(32))
    }
    #[inline(always)]
    unsafe fn rotate_right_24(self) -> Self {
        self.each(|x| x.rotate_right(24))
    }
    #[inline(always)]
    unsafe fn rotate_right_16(self) -> Self {
        self.each(|x| x.rotate_right(16))
    }
    #[inline(always)]
    unsafe fn rotate_right_63(self) -> Self {
        self.each(|x| x.rotate_right(63))
    }
    #[inline(always)]
    unsafe fn turn_1(self) -> Self {
        self.take(|i| (i + 1) % 4)
    }
    #[inline(always)]
    unsafe fn turn_2(self) -> Self {
        self.take(|i| (i + 2) % 4)
    }
    #[inline(always)]
    unsafe fn turn_3(self) -> Self {
        self.take(|i| (i + 3) % 4)
    }
    #[inline(always)]
    unsafe fn slide(self, next: Self) -> Self {
        Self([self.0[1], next.0[0], self.0[3], next.0[2]])
    }
}

#[cfg(test)]
impl Oct for Words<8> {
    #[inline(always)]
    unsafe fn load(words: *const u64) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self::load_words(words) }
    }
    #[inline(always)]
    unsafe fn store(self, words: *mut u64) {
        // SAFETY: the caller's promise.
        unsafe { self.store_words(words) }
    }
    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        self.both(other, |x, y| x ^ y)
    }
    #[inline(always)]
    unsafe fn xor3(self, second: Self, third: Self) -> Self {
        self.both(second, |x, y| x ^ y).both(third, |x, y| x ^ y)
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.both(other, u64::wrapping_add)
    }
    #[inline(always)]
    unsafe fn multiply_low(self, other: Self) -> Self {
        self.both(other, |x, y| (x & LOW) * (y & LOW))
    }
    #[inline(always)]
    unsafe fn rotate_right<const BITS: i32>(self) -> Self {
        self.each(|x| x.rotate_right(BITS.unsigned_abs()))
    }
    #[inline(always)]
    unsafe fn turn_rows_1(self) -> Self {
        self.take(|i| i / 4 * 4 + (i + 1) % 4)
    }
    #[inline(always)]
    unsafe fn turn_rows_2(self) -> Self {
        self.take(|i| i / 4 * 4 + (i + 2) % 4)
    }
    #[inline(always)]
    unsafe fn turn_rows_3(self) -> Self {
        self.take(|i| i / 4 * 4 + (i + 3) % 4)
    }
    #[inline(always)]
    unsafe fn turn_columns_1(self) -> Self {
        self.take(|i| COLUMNS_1[i])
    }
    #[inline(always)]
    unsafe fn turn_columns_2(self) -> Self {
        self.take(|i| (i + 4) % 8)
    }
    #[inline(always)]
    unsafe fn turn_columns_3(self) -> Self {
        self.take(|i| COLUMNS_3[i])
    }
}
