//! The arithmetic of G in vectors of four words.
//!
//! Blocks keep the standard's word order. For rows, a vector holds four words of one row: each of P's four matrix rows
//! is one vector, and rotating its words reaches the diagonals. For columns, the same vector holds two words of each of
//! two neighbouring columns: two vectors form a matrix row of both columns, and sliding words between the vectors
//! reaches the diagonals.

use super::{Ahead, Block, FIRST_WORD_POINT};

/// Four words of 64 bits. The arithmetic wraps.
///
/// # Safety
/// For every method, the processor can run the implementation's instructions. For `load` and `store`, the address is
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
    /// Word `i` of the result is word `i + 1` of `self`, modulo 4.
    unsafe fn turn_1(self) -> Self;
    /// Word `i` of the result is word `i + 2` of `self`, modulo 4.
    unsafe fn turn_2(self) -> Self;
    /// Word `i` of the result is word `i + 3` of `self`, modulo 4.
    unsafe fn turn_3(self) -> Self;
    /// Each half of the result is the second word of `self`, then the first of `next`.
    unsafe fn slide(self, next: Self) -> Self;
}

/// `N` vectors that are computed together to overlap their latencies.
type Set<V, const N: usize> = [V; N];

/// Builds an array by evaluating the expression for each index. A macro, because a closure would be compiled for the
/// baseline processor: only `#[inline(always)]` functions are certain to be inlined into the function that has the
/// vectors.
macro_rules! each {
    ($i:ident: $vector:expr) => {{
        let $i = 0;
        let mut set = [$vector; N];
        for $i in 1..N {
            set[$i] = $vector;
        }
        set
    }};
}

/// x + y + 2 * low(x) * low(y).
#[inline(always)]
unsafe fn blend<V: Quad, const N: usize>(x: Set<V, N>, y: Set<V, N>) -> Set<V, N> {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let product = each!(i: x[i].multiply_low(y[i]));
        let sum = each!(i: x[i].add(y[i]));
        let double = each!(i: product[i].add(product[i]));
        each!(i: sum[i].add(double[i]))
    }
}

/// Computes half of P on the vectors of each matrix row: the columns, or the diagonals after the rows are rotated. Runs
/// the block's points from `point`, one for every two vectors.
#[inline(always)]
unsafe fn half_round<V: Quad, const N: usize, A: Ahead>(
    [a, b, c, d]: &mut [Set<V, N>; 4],
    ahead: &mut A,
    point: usize,
) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        ahead.points(point, N / 2, 0);
        *a = blend(*a, *b);
        *d = each!(i: d[i].xor(a[i]).rotate_right_32());
        ahead.points(point, N / 2, 1);
        *c = blend(*c, *d);
        *b = each!(i: b[i].xor(c[i]).rotate_right_24());
        ahead.points(point, N / 2, 2);
        *a = blend(*a, *b);
        *d = each!(i: d[i].xor(a[i]).rotate_right_16());
        ahead.points(point, N / 2, 3);
        *c = blend(*c, *d);
        *b = each!(i: b[i].xor(c[i]).rotate_right_63());
    }
}

/// Computes P on `N` rows. The second matrix row stays in place and the others rotate around it, because it is finished
/// last and used first.
#[inline(always)]
unsafe fn permute_rows<V: Quad, const N: usize, A: Ahead>(matrix: &mut [Set<V, N>; 4], ahead: &mut A, point: usize) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        half_round(matrix, ahead, point);
        let [a, _, c, d] = matrix;
        *a = each!(i: a[i].turn_3());
        *d = each!(i: d[i].turn_2());
        *c = each!(i: c[i].turn_1());
        half_round(matrix, ahead, point + N / 2);
        let [a, _, c, d] = matrix;
        *a = each!(i: a[i].turn_1());
        *d = each!(i: d[i].turn_2());
        *c = each!(i: c[i].turn_3());
    }
}

/// Within each pair of vectors, word `i` of the matrix row becomes the former word `i + 1`.
#[inline(always)]
unsafe fn slide_1<V: Quad, const N: usize>(x: &mut Set<V, N>) {
    for pair in x.as_chunks_mut::<2>().0 {
        // SAFETY: guaranteed by the caller.
        *pair = unsafe { [pair[0].slide(pair[1]), pair[1].slide(pair[0])] };
    }
}

/// Within each pair of vectors, word `i` of the matrix row becomes the former word `i + 2`.
#[inline(always)]
fn slide_2<V: Quad, const N: usize>(x: &mut Set<V, N>) {
    for pair in x.as_chunks_mut::<2>().0 {
        pair.swap(0, 1);
    }
}

/// Within each pair of vectors, word `i` of the matrix row becomes the former word `i + 3`.
#[inline(always)]
unsafe fn slide_3<V: Quad, const N: usize>(x: &mut Set<V, N>) {
    for pair in x.as_chunks_mut::<2>().0 {
        // SAFETY: guaranteed by the caller.
        *pair = unsafe { [pair[1].slide(pair[0]), pair[0].slide(pair[1])] };
    }
}

/// Computes P on `N` columns.
#[inline(always)]
unsafe fn permute_columns<V: Quad, const N: usize, A: Ahead>(matrix: &mut [Set<V, N>; 4], ahead: &mut A, point: usize) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        half_round(matrix, ahead, point);
        let [a, _, c, d] = matrix;
        slide_3(a);
        slide_2(d);
        slide_1(c);
        half_round(matrix, ahead, point + N / 2);
        let [a, _, c, d] = matrix;
        slide_1(a);
        slide_2(d);
        slide_3(c);
    }
}

/// See [`Kernel::mix`](super::Kernel::mix). Computes `N` rows or columns together: 2 or 4.
///
/// # Safety
/// As there, and the processor supports `V`.
#[inline(always)]
pub(crate) unsafe fn mix<V: Quad, const N: usize, const XOR: bool, A: Ahead>(
    previous: *const Block,
    reference: *const Block,
    next: *mut Block,
    scratch: *mut Block,
    ahead: &mut A,
) {
    let (previous, reference) = (previous.cast::<u64>(), reference.cast::<u64>());
    let (next, scratch) = (next.cast::<u64>(), scratch.cast::<u64>());
    // SAFETY: every offset is below 128 words and a multiple of 4; the caller guarantees the rest.
    unsafe {
        for group in 0..8 / N {
            let row = group * N * 16;
            let mut matrix = [
                each!(i: sum::<V>(previous, reference, row + i * 16)),
                each!(i: sum::<V>(previous, reference, row + i * 16 + 4)),
                each!(i: sum::<V>(previous, reference, row + i * 16 + 8)),
                each!(i: sum::<V>(previous, reference, row + i * 16 + 12)),
            ];
            permute_rows(&mut matrix, ahead, group * N);
            for i in 0..N {
                let row = scratch.add(row + i * 16);
                for (number, vectors) in matrix.iter().enumerate() {
                    vectors[i].store(row.add(number * 4));
                }
            }
        }
        for group in 0..8 / N {
            // Vector i of a matrix row: its two block rows in turn, for each pair of columns.
            let column = group * N * 2;
            let mut matrix = [
                each!(i: V::load(scratch.add(column + at(0, i)))),
                each!(i: V::load(scratch.add(column + at(1, i)))),
                each!(i: V::load(scratch.add(column + at(2, i)))),
                each!(i: V::load(scratch.add(column + at(3, i)))),
            ];
            permute_columns(&mut matrix, ahead, 8 + group * N);
            for i in 0..N {
                for (number, vectors) in matrix.iter().enumerate() {
                    finish::<V, XOR>(vectors[i], previous, reference, next, column + at(number, i));
                }
            }
            if 8 + (group + 1) * N == FIRST_WORD_POINT {
                ahead.first_word(*next);
            }
        }
    }
}

/// Returns the offset, from the first column, of vector `i` of a matrix row of `N` columns: first two block rows, then
/// the next pair of columns.
#[inline(always)]
const fn at(matrix_row: usize, i: usize) -> usize {
    (matrix_row * 2 + i % 2) * 16 + i / 2 * 4
}

#[inline(always)]
unsafe fn sum<V: Quad>(previous: *const u64, reference: *const u64, at: usize) -> V {
    // SAFETY: guaranteed by the caller.
    unsafe { V::load(previous.add(at)).xor(V::load(reference.add(at))) }
}

#[inline(always)]
unsafe fn finish<V: Quad, const XOR: bool>(
    v: V,
    previous: *const u64,
    reference: *const u64,
    next: *mut u64,
    at: usize,
) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let mut v = v.xor(sum::<V>(previous, reference, at));
        if XOR {
            v = v.xor(V::load(next.add(at)));
        }
        v.store(next.add(at));
    }
}
