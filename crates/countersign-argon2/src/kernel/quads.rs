//! Decides the arithmetic of G in vectors of four words.
//!
//! Blocks keep the standard's order. A vector holds four words of a row, so a row is one vector for each of P's four matrix rows, and its
//! diagonals are reached by turning a vector. For the columns, the same four words are two words of each of two neighbouring columns:
//! two vectors make a matrix row of both, and their diagonals are reached by words sliding from one vector into the other.

use super::{Ahead, Block};

/// Four words of 64 bits. The arithmetic wraps.
///
/// # Safety
/// Of every method: the processor can run the implementation's instructions. Of `load` and `store`: the address is
/// aligned to 32 bytes and valid for four words.
pub(crate) trait Quad: Copy {
    unsafe fn load(words: *const u64) -> Self;
    unsafe fn store(self, words: *mut u64);
    unsafe fn xor(self, other: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    /// The product of the low halves of each word.
    unsafe fn multiply_low(self, other: Self) -> Self;
    unsafe fn rotate_right_32(self) -> Self;
    unsafe fn rotate_right_24(self) -> Self;
    unsafe fn rotate_right_16(self) -> Self;
    unsafe fn rotate_right_63(self) -> Self;
    /// Word `i` becomes the one that was `i + 1`.
    unsafe fn turn_1(self) -> Self;
    /// Word `i` becomes the one that was `i + 2`.
    unsafe fn turn_2(self) -> Self;
    /// Word `i` becomes the one that was `i + 3`.
    unsafe fn turn_3(self) -> Self;
    /// In each half: the second word of `self`, then the first of `next`.
    unsafe fn slide(self, next: Self) -> Self;
}

/// x + y + 2 * low(x) * low(y), for a pair of vectors at a time so that their latencies overlap.
#[inline(always)]
unsafe fn blend<V: Quad>(x: [V; 2], y: [V; 2]) -> [V; 2] {
    // SAFETY: as the caller's.
    unsafe {
        let m = [x[0].multiply_low(y[0]), x[1].multiply_low(y[1])];
        let s = [x[0].add(y[0]), x[1].add(y[1])];
        let m = [m[0].add(m[0]), m[1].add(m[1])];
        [s[0].add(m[0]), s[1].add(m[1])]
    }
}

#[inline(always)]
unsafe fn xor<V: Quad>(x: [V; 2], y: [V; 2]) -> [V; 2] {
    // SAFETY: as the caller's.
    unsafe { [x[0].xor(y[0]), x[1].xor(y[1])] }
}

/// Half of P on two vectors of each matrix row: the columns, or, with turned rows, the diagonals.
#[inline(always)]
unsafe fn half_round<V: Quad>(a: &mut [V; 2], b: &mut [V; 2], c: &mut [V; 2], d: &mut [V; 2]) {
    // SAFETY: as the caller's.
    unsafe {
        *a = blend(*a, *b);
        *d = xor(*d, *a);
        *d = [d[0].rotate_right_32(), d[1].rotate_right_32()];
        *c = blend(*c, *d);
        *b = xor(*b, *c);
        *b = [b[0].rotate_right_24(), b[1].rotate_right_24()];
        *a = blend(*a, *b);
        *d = xor(*d, *a);
        *d = [d[0].rotate_right_16(), d[1].rotate_right_16()];
        *c = blend(*c, *d);
        *b = xor(*b, *c);
        *b = [b[0].rotate_right_63(), b[1].rotate_right_63()];
    }
}

/// P on two rows. The second matrix row stays where it is and the others turn about it: it is the last to be
/// finished and the first to be used.
#[inline(always)]
unsafe fn permute_rows<V: Quad>(a: &mut [V; 2], b: &mut [V; 2], c: &mut [V; 2], d: &mut [V; 2]) {
    // SAFETY: as the caller's.
    unsafe {
        half_round(a, b, c, d);
        *a = [a[0].turn_3(), a[1].turn_3()];
        *d = [d[0].turn_2(), d[1].turn_2()];
        *c = [c[0].turn_1(), c[1].turn_1()];
        half_round(a, b, c, d);
        *a = [a[0].turn_1(), a[1].turn_1()];
        *d = [d[0].turn_2(), d[1].turn_2()];
        *c = [c[0].turn_3(), c[1].turn_3()];
    }
}

/// P on two columns.
#[inline(always)]
unsafe fn permute_columns<V: Quad>(a: &mut [V; 2], b: &mut [V; 2], c: &mut [V; 2], d: &mut [V; 2]) {
    // SAFETY: as the caller's.
    unsafe {
        half_round(a, b, c, d);
        *a = [a[1].slide(a[0]), a[0].slide(a[1])];
        *d = [d[1], d[0]];
        *c = [c[0].slide(c[1]), c[1].slide(c[0])];
        half_round(a, b, c, d);
        *a = [a[0].slide(a[1]), a[1].slide(a[0])];
        *d = [d[1], d[0]];
        *c = [c[1].slide(c[0]), c[0].slide(c[1])];
    }
}

/// See [`Kernel::mix`](super::Kernel::mix).
///
/// # Safety
/// As there, and the processor can run `V`.
#[inline(always)]
pub(crate) unsafe fn mix<V: Quad, const XOR: bool, A: Ahead>(
    previous: *const Block,
    reference: *const Block,
    next: *mut Block,
    scratch: *mut Block,
    ahead: &mut A,
) {
    let (previous, reference) = (previous.cast::<u64>(), reference.cast::<u64>());
    let (next, scratch) = (next.cast::<u64>(), scratch.cast::<u64>());
    // SAFETY: every offset is below 128 words and a multiple of 4; the rest is the caller's promise.
    unsafe {
        let sum = |at: usize| V::load(previous.add(at)).xor(V::load(reference.add(at)));
        for pair in 0..4 {
            ahead.point(pair);
            let row = pair * 32;
            let mut a = [sum(row), sum(row + 16)];
            let mut b = [sum(row + 4), sum(row + 20)];
            let mut c = [sum(row + 8), sum(row + 24)];
            let mut d = [sum(row + 12), sum(row + 28)];
            permute_rows(&mut a, &mut b, &mut c, &mut d);
            for (column, v) in [a, b, c, d].into_iter().enumerate() {
                v[0].store(scratch.add(row + 4 * column));
                v[1].store(scratch.add(row + 4 * column + 16));
            }
        }
        for pair in 0..4 {
            ahead.point(4 + pair);
            let column = pair * 4;
            let load = |row: usize| V::load(scratch.add(column + 16 * row));
            let mut a = [load(0), load(1)];
            let mut b = [load(2), load(3)];
            let mut c = [load(4), load(5)];
            let mut d = [load(6), load(7)];
            permute_columns(&mut a, &mut b, &mut c, &mut d);
            for (row, v) in [a[0], a[1], b[0], b[1], c[0], c[1], d[0], d[1]].into_iter().enumerate() {
                let at = column + 16 * row;
                let mut v = v.xor(sum(at));
                if XOR {
                    v = v.xor(V::load(next.add(at)));
                }
                v.store(next.add(at));
            }
            if pair == 0 {
                ahead.first_word(*next);
            }
        }
    }
}
