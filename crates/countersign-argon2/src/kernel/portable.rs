//! The portable kernel: a vector is an array, and the compiler vectorizes its loops where it can.

#[cfg(feature = "emulation")]
use super::octs::{self, Oct, Places};
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
        // SAFETY: guaranteed by the caller; arrays need no special processor.
        unsafe { quads::mix::<Words<4>, 2, XOR, A>(previous, reference, next, scratch, ahead) }
    }
}

/// The 512-bit code on arrays, which tests its arithmetic and word order on any machine.
#[cfg(feature = "emulation")]
pub(crate) struct PortableOcts;

#[cfg(feature = "emulation")]
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
        // SAFETY: guaranteed by the caller; arrays need no special processor.
        unsafe { octs::mix::<Words<8>, XOR, A>(previous, reference, next, ahead) }
    }
}

/// A vector as an array.
#[derive(Clone, Copy)]
struct Words<const N: usize>([u64; N]);

impl<const N: usize> Words<N> {
    #[inline(always)]
    unsafe fn load_words(words: *const u64) -> Self {
        // SAFETY: guaranteed by the caller: valid and aligned.
        Self(unsafe { words.cast::<[u64; N]>().read() })
    }

    #[inline(always)]
    unsafe fn store_words(self, words: *mut u64) {
        // SAFETY: guaranteed by the caller: valid and aligned.
        unsafe { words.cast::<[u64; N]>().write(self.0) }
    }
}

/// Builds an array by evaluating the expression for each index.
macro_rules! each {
    ($i:ident: $word:expr) => {{
        let mut words = [0; _];
        let mut $i = 0;
        while $i < words.len() {
            words[$i] = $word;
            $i += 1;
        }
        Self(words)
    }};
}

const LOW: u64 = 0xffff_ffff;

impl Quad for Words<4> {
    #[inline(always)]
    unsafe fn load(words: *const u64) -> Self {
        // SAFETY: guaranteed by the caller.
        unsafe { Self::load_words(words) }
    }
    #[inline(always)]
    unsafe fn store(self, words: *mut u64) {
        // SAFETY: guaranteed by the caller.
        unsafe { self.store_words(words) }
    }
    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        each!(i: self.0[i] ^ other.0[i])
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        each!(i: self.0[i].wrapping_add(other.0[i]))
    }
    #[inline(always)]
    unsafe fn multiply_low(self, other: Self) -> Self {
        each!(i: (self.0[i] & LOW) * (other.0[i] & LOW))
    }
    #[inline(always)]
    unsafe fn rotate_right_32(self) -> Self {
        each!(i: self.0[i].rotate_right(32))
    }
    #[inline(always)]
    unsafe fn rotate_right_24(self) -> Self {
        each!(i: self.0[i].rotate_right(24))
    }
    #[inline(always)]
    unsafe fn rotate_right_16(self) -> Self {
        each!(i: self.0[i].rotate_right(16))
    }
    #[inline(always)]
    unsafe fn rotate_right_63(self) -> Self {
        each!(i: self.0[i].rotate_right(63))
    }
    #[inline(always)]
    unsafe fn turn_1(self) -> Self {
        each!(i: self.0[(i + 1) % 4])
    }
    #[inline(always)]
    unsafe fn turn_2(self) -> Self {
        each!(i: self.0[(i + 2) % 4])
    }
    #[inline(always)]
    unsafe fn turn_3(self) -> Self {
        each!(i: self.0[(i + 3) % 4])
    }
    #[inline(always)]
    unsafe fn slide(self, next: Self) -> Self {
        Self([self.0[1], next.0[0], self.0[3], next.0[2]])
    }
}

#[cfg(feature = "emulation")]
impl Oct for Words<8> {
    #[inline(always)]
    unsafe fn load(words: *const u64) -> Self {
        // SAFETY: guaranteed by the caller.
        unsafe { Self::load_words(words) }
    }
    #[inline(always)]
    unsafe fn store(self, words: *mut u64) {
        // SAFETY: guaranteed by the caller.
        unsafe { self.store_words(words) }
    }
    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        each!(i: self.0[i] ^ other.0[i])
    }
    #[inline(always)]
    unsafe fn xor3(self, second: Self, third: Self) -> Self {
        each!(i: self.0[i] ^ second.0[i] ^ third.0[i])
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        each!(i: self.0[i].wrapping_add(other.0[i]))
    }
    #[inline(always)]
    unsafe fn multiply_low(self, other: Self) -> Self {
        each!(i: (self.0[i] & LOW) * (other.0[i] & LOW))
    }
    #[inline(always)]
    unsafe fn rotate_right<const BITS: i32>(self) -> Self {
        each!(i: self.0[i].rotate_right(BITS.unsigned_abs()))
    }
    #[inline(always)]
    unsafe fn take(self, from: Places) -> Self {
        each!(i: self.0[from[i]])
    }
}
