//! Decides the arithmetic of G in vectors of eight words.
//!
//! Blocks are kept in an order of their own: a vector holds four words of a row and, behind them, the same four words of the next row.
//! That is 2 x 2 registers of the block, so the same vector serves two rows and two columns, and nothing
//! moves between the two halves of G. Sixteen vectors are the whole block; it stays in registers from the first load to the last store.

use super::{Ahead, Block};

/// Eight words of 64 bits. The arithmetic wraps.
///
/// # Safety
/// Of every method: the processor can run the implementation's instructions. Of `load` and `store`: the address is
/// aligned to 64 bytes and valid for eight words.
pub(crate) trait Oct: Copy {
    unsafe fn load(words: *const u64) -> Self;
    unsafe fn store(self, words: *mut u64);
    unsafe fn xor(self, other: Self) -> Self;
    unsafe fn xor3(self, second: Self, third: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    /// The product of the low halves of each word.
    unsafe fn multiply_low(self, other: Self) -> Self;
    unsafe fn rotate_right<const BITS: i32>(self) -> Self;
    /// Word `i` becomes the one that was at `from[i]`.
    unsafe fn take(self, from: Places) -> Self;
}

/// Where a word of a block is kept: row pairs, then columns of four words, then the row of the pair.
pub(crate) const fn place(word: usize) -> usize {
    let (row, within) = (word / 16, word % 16);
    (row / 2 * 4 + within / 4) * 8 + row % 2 * 4 + within % 4
}

type Set<V> = [V; 4];

/// Where each of a vector's words comes from.
pub(crate) type Places = [usize; 8];

/// A row's four words are a matrix row of its P, in each half of the vector: each turns by some words.
const fn rows(by: usize) -> Places {
    let mut from = [0; 8];
    let mut to = 0;
    while to < 8 {
        from[to] = to / 4 * 4 + (to + by) % 4;
        to += 1;
    }
    from
}

/// The words 0 1 4 5 and the words 2 3 6 7 are each a matrix row of a column's P: each turns by some words.
const fn columns(by: usize) -> Places {
    const RINGS: [[usize; 4]; 2] = [[0, 1, 4, 5], [2, 3, 6, 7]];
    let mut from = [0; 8];
    let mut at = 0;
    while at < 8 {
        let ring = RINGS[at / 4];
        from[ring[at % 4]] = ring[(at + by) % 4];
        at += 1;
    }
    from
}

/// One move, and then another.
const fn then(first: Places, second: Places) -> Places {
    let mut from = [0; 8];
    let mut to = 0;
    while to < 8 {
        from[to] = first[second[to]];
        to += 1;
    }
    from
}

/// By how many words [`permute_rows`] leaves the vectors of a row turned. Turning them back would be work of its own; the columns are
/// mixed where their words are, and what turns a column last turns this back as well.
const LEFT: [usize; 4] = [3, 0, 1, 2];

/// [`columns`] for what came from the vector `left` of the rows.
const fn columns_left(left: usize, by: usize) -> Places {
    then(back(left), then(columns(by), rows(LEFT[left])))
}

/// The same, and back to the order that blocks are kept in.
const fn columns_back(left: usize, by: usize) -> Places {
    then(back(left), columns(by))
}

const fn back(left: usize) -> Places {
    rows(4 - LEFT[left])
}

/// x + y + 2 * low(x) * low(y) on two vectors at a time, so that their latencies overlap.
#[inline(always)]
unsafe fn blend<V: Oct>(x: [V; 2], y: [V; 2]) -> [V; 2] {
    // SAFETY: as the caller's.
    unsafe {
        let m = [x[0].multiply_low(y[0]), x[1].multiply_low(y[1])];
        let s = [x[0].add(y[0]), x[1].add(y[1])];
        let m = [m[0].add(m[0]), m[1].add(m[1])];
        [s[0].add(m[0]), s[1].add(m[1])]
    }
}

#[inline(always)]
unsafe fn xor_rotate<V: Oct, const BITS: i32>(x: [V; 2], y: [V; 2]) -> [V; 2] {
    // SAFETY: as the caller's.
    unsafe { [x[0].xor(y[0]).rotate_right::<BITS>(), x[1].xor(y[1]).rotate_right::<BITS>()] }
}

/// Half of P on two sets, each of four rows' or columns' matrices.
#[inline(always)]
unsafe fn half_round<V: Oct>(p: &mut Set<V>, q: &mut Set<V>) {
    // SAFETY: as the caller's.
    unsafe {
        let (mut a, mut b, mut c, mut d) = ([p[0], q[0]], [p[1], q[1]], [p[2], q[2]], [p[3], q[3]]);
        a = blend(a, b);
        d = xor_rotate::<V, 32>(d, a);
        c = blend(c, d);
        b = xor_rotate::<V, 24>(b, c);
        a = blend(a, b);
        d = xor_rotate::<V, 16>(d, a);
        c = blend(c, d);
        b = xor_rotate::<V, 63>(b, c);
        *p = [a[0], b[0], c[0], d[0]];
        *q = [a[1], b[1], c[1], d[1]];
    }
}

/// P on four rows, without its last turn: see [`LEFT`].
#[inline(always)]
unsafe fn permute_rows<V: Oct>(p: &mut Set<V>, q: &mut Set<V>) {
    // SAFETY: as the caller's.
    unsafe {
        half_round(p, q);
        for set in [&mut *p, &mut *q] {
            *set = [
                set[0].take(const { rows(3) }),
                set[1],
                set[2].take(const { rows(1) }),
                set[3].take(const { rows(2) }),
            ];
        }
        half_round(p, q);
    }
}

/// P on four columns, whose words came from the vectors `P` and `Q` of the rows.
#[inline(always)]
unsafe fn permute_columns<V: Oct, const P: usize, const Q: usize>(p: &mut Set<V>, q: &mut Set<V>) {
    // SAFETY: as the caller's.
    unsafe {
        half_round(p, q);
        turn_columns::<V, P>(p);
        turn_columns::<V, Q>(q);
        half_round(p, q);
        turn_columns_back::<V, P>(p);
        turn_columns_back::<V, Q>(q);
    }
}

#[inline(always)]
unsafe fn turn_columns<V: Oct, const LEFT: usize>(set: &mut Set<V>) {
    let from = const { [columns_left(LEFT, 3), columns_left(LEFT, 1), columns_left(LEFT, 2)] };
    // SAFETY: as the caller's.
    *set = unsafe { [set[0].take(from[0]), set[1], set[2].take(from[1]), set[3].take(from[2])] };
}

#[inline(always)]
unsafe fn turn_columns_back<V: Oct, const LEFT: usize>(set: &mut Set<V>) {
    let from = const { [columns_back(LEFT, 1), columns_back(LEFT, 0), columns_back(LEFT, 3), columns_back(LEFT, 2)] };
    // SAFETY: as the caller's.
    *set = unsafe { [set[0].take(from[0]), set[1].take(from[1]), set[2].take(from[2]), set[3].take(from[3])] };
}

/// See [`Kernel::mix`](super::Kernel::mix).
///
/// # Safety
/// As there, and the processor can run `V`.
#[inline(always)]
pub(crate) unsafe fn mix<V: Oct, const XOR: bool, A: Ahead>(
    previous: *const Block,
    reference: *const Block,
    next: *mut Block,
    ahead: &mut A,
) {
    let (previous, reference, next) = (previous.cast::<u64>(), reference.cast::<u64>(), next.cast::<u64>());
    // SAFETY: every offset is below 128 words and a multiple of 8; the rest is the caller's promise.
    unsafe {
        // rows[r] are the four vectors of the rows 2r and 2r + 1.
        ahead.point(0);
        let (mut r0, mut r1) = (load_rows(previous, reference, 0), load_rows(previous, reference, 1));
        permute_rows(&mut r0, &mut r1);
        ahead.point(1);
        ahead.point(2);
        let (mut r2, mut r3) = (load_rows(previous, reference, 2), load_rows(previous, reference, 3));
        permute_rows(&mut r2, &mut r3);
        ahead.point(3);
        let (mut c0, mut c1) = ([r0[0], r1[0], r2[0], r3[0]], [r0[1], r1[1], r2[1], r3[1]]);
        ahead.point(4);
        permute_columns::<V, 0, 1>(&mut c0, &mut c1);
        finish::<V, XOR>(&c0, previous, reference, next, 0);
        ahead.first_word(*next);
        ahead.point(5);
        finish::<V, XOR>(&c1, previous, reference, next, 1);
        ahead.point(6);
        let (mut c2, mut c3) = ([r0[2], r1[2], r2[2], r3[2]], [r0[3], r1[3], r2[3], r3[3]]);
        permute_columns::<V, 2, 3>(&mut c2, &mut c3);
        ahead.point(7);
        finish::<V, XOR>(&c2, previous, reference, next, 2);
        finish::<V, XOR>(&c3, previous, reference, next, 3);
    }
}

/// The four vectors of the rows 2 * `pair` and 2 * `pair` + 1.
#[inline(always)]
unsafe fn load_rows<V: Oct>(previous: *const u64, reference: *const u64, pair: usize) -> Set<V> {
    // SAFETY: as the caller's.
    unsafe {
        let (p, r) = (previous.add(pair * 32), reference.add(pair * 32));
        [
            V::load(p).xor(V::load(r)),
            V::load(p.add(8)).xor(V::load(r.add(8))),
            V::load(p.add(16)).xor(V::load(r.add(16))),
            V::load(p.add(24)).xor(V::load(r.add(24))),
        ]
    }
}

/// Stores the four vectors of the columns 2 * `pair` and 2 * `pair` + 1.
#[inline(always)]
unsafe fn finish<V: Oct, const XOR: bool>(
    set: &Set<V>,
    previous: *const u64,
    reference: *const u64,
    next: *mut u64,
    pair: usize,
) {
    // SAFETY: as the caller's.
    unsafe {
        for (row, v) in set.iter().enumerate() {
            let at = row * 32 + pair * 8;
            let mut v = v.xor3(V::load(previous.add(at)), V::load(reference.add(at)));
            if XOR {
                v = v.xor(V::load(next.add(at)));
            }
            v.store(next.add(at));
        }
    }
}
