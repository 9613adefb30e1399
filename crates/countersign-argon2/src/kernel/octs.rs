//! The arithmetic of G in vectors of eight words.
//!
//! Blocks have their own word order: a vector holds four words of a row, followed by the same four words of the next
//! row. These are 2 x 2 registers of the block, so one vector serves two rows and two columns, and nothing moves
//! between the two halves of G. A block is sixteen vectors, which stay in registers from the first load to the last
//! store.

use super::{Ahead, Block, FIRST_WORD_POINT};

/// Eight words of 64 bits. The arithmetic wraps.
///
/// # Safety
/// For every method, the processor can run the implementation's instructions. For `load` and `store`, the address is
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
    /// Word `i` of the result is word `from[i]` of `self`.
    unsafe fn take(self, from: Places) -> Self;
}

/// Returns the position of a word in a block: row pairs, then groups of four columns, then the row within the pair.
pub(crate) const fn place(word: usize) -> usize {
    let (row, within) = (word / 16, word % 16);
    (row / 2 * 4 + within / 4) * 8 + row % 2 * 4 + within % 4
}

type Set<V> = [V; 4];

/// The source of each word of a vector.
pub(crate) type Places = [usize; 8];

/// Rotates the words of each half, for rows: each half of the vector holds one matrix row of a P.
const fn rows(by: usize) -> Places {
    let mut from = [0; 8];
    let mut to = 0;
    while to < 8 {
        from[to] = to / 4 * 4 + (to + by) % 4;
        to += 1;
    }
    from
}

/// Rotates the words of each matrix row, for columns: the words 0 1 4 5 and the words 2 3 6 7 are each one matrix row
/// of a P.
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

/// Composes two moves.
const fn then(first: Places, second: Places) -> Places {
    let mut from = [0; 8];
    let mut to = 0;
    while to < 8 {
        from[to] = first[second[to]];
        to += 1;
    }
    from
}

/// The number of words that each matrix row rotates by, from columns to diagonals. The second row stays in place,
/// because it is finished last and used first.
const DIAGONALS: [usize; 4] = [3, 0, 1, 2];

/// The sources of the words, for each vector of a set.
type Sources = [Places; 4];

const ROW_TURN: Sources = [rows(DIAGONALS[0]), rows(DIAGONALS[1]), rows(DIAGONALS[2]), rows(DIAGONALS[3])];

/// The rows stay on their diagonals, because rotating them back would cost extra work. The columns are mixed in place,
/// and their last rotation also undoes that of the rows. Hence one table for each vector of the rows.
const COLUMN_TURNS: [Sources; 4] = [column_turn(0), column_turn(1), column_turn(2), column_turn(3)];

/// From the columns' diagonals to the word order of stored blocks.
const COLUMN_RETURNS: [Sources; 4] = [column_return(0), column_return(1), column_return(2), column_return(3)];

const fn column_turn(vector: usize) -> Sources {
    let left = DIAGONALS[vector];
    let mut turn = [rows(0); 4];
    let mut row = 0;
    while row < 4 {
        turn[row] = then(rows(4 - left), then(columns(DIAGONALS[row]), rows(left)));
        row += 1;
    }
    turn
}

const fn column_return(vector: usize) -> Sources {
    let mut turn = [rows(0); 4];
    let mut row = 0;
    while row < 4 {
        turn[row] = then(rows(4 - DIAGONALS[vector]), columns(4 - DIAGONALS[row]));
        row += 1;
    }
    turn
}

/// x + y + 2 * low(x) * low(y) on two vectors at a time, so that their latencies overlap.
#[inline(always)]
unsafe fn blend<V: Oct>(x: [V; 2], y: [V; 2]) -> [V; 2] {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let m = [x[0].multiply_low(y[0]), x[1].multiply_low(y[1])];
        let s = [x[0].add(y[0]), x[1].add(y[1])];
        let m = [m[0].add(m[0]), m[1].add(m[1])];
        [s[0].add(m[0]), s[1].add(m[1])]
    }
}

#[inline(always)]
unsafe fn xor_rotate<V: Oct, const BITS: i32>(x: [V; 2], y: [V; 2]) -> [V; 2] {
    // SAFETY: guaranteed by the caller.
    unsafe { [x[0].xor(y[0]).rotate_right::<BITS>(), x[1].xor(y[1]).rotate_right::<BITS>()] }
}

/// Two sets that are computed together to overlap their latencies. While both wait, the next pair starts.
type Pair<V> = [Set<V>; 2];

/// Sets matrix row `X` to x + y + 2 * low(x) * low(y), and then `Z` to z ^ x, rotated.
#[inline(always)]
unsafe fn quarter<V: Oct, const N: usize, const X: usize, const Y: usize, const Z: usize, const BITS: i32>(
    pairs: &mut [Pair<V>; N],
) {
    for [p, q] in pairs {
        // SAFETY: guaranteed by the caller.
        unsafe {
            [p[X], q[X]] = blend([p[X], q[X]], [p[Y], q[Y]]);
            [p[Z], q[Z]] = xor_rotate::<V, BITS>([p[Z], q[Z]], [p[X], q[X]]);
        }
    }
}

/// Computes half of P on sets of four rows' or columns' matrices each, with the block's points from `point`: two for
/// each pair.
#[inline(always)]
unsafe fn half_round<V: Oct, const N: usize, A: Ahead>(pairs: &mut [Pair<V>; N], ahead: &mut A, point: usize) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        ahead.points(point, 2 * N, 0);
        quarter::<V, N, 0, 1, 3, 32>(pairs);
        ahead.points(point, 2 * N, 1);
        quarter::<V, N, 2, 3, 1, 24>(pairs);
        ahead.points(point, 2 * N, 2);
        quarter::<V, N, 0, 1, 3, 16>(pairs);
        ahead.points(point, 2 * N, 3);
        quarter::<V, N, 2, 3, 1, 63>(pairs);
    }
}

#[inline(always)]
unsafe fn turn<V: Oct>(set: &mut Set<V>, from: &Sources) {
    for (vector, from) in set.iter_mut().zip(from) {
        // SAFETY: guaranteed by the caller.
        *vector = unsafe { vector.take(*from) };
    }
}

/// See [`Kernel::mix`](super::Kernel::mix).
///
/// # Safety
/// As there, and the processor supports `V`.
#[inline(always)]
pub(crate) unsafe fn mix<V: Oct, const XOR: bool, A: Ahead>(
    previous: *const Block,
    reference: *const Block,
    next: *mut Block,
    ahead: &mut A,
) {
    let blocks = Blocks { previous: previous.cast(), reference: reference.cast(), next: next.cast() };
    // SAFETY: guaranteed by the caller.
    unsafe {
        // Each set has the four vectors of two rows.
        let mut rows =
            [[load_rows::<V>(blocks, 0), load_rows(blocks, 1)], [load_rows(blocks, 2), load_rows(blocks, 3)]];
        half_round(&mut rows, ahead, 0);
        for set in rows.as_flattened_mut() {
            turn(set, &ROW_TURN);
        }
        half_round(&mut rows, ahead, 4);
        let [[[a0, a1, a2, a3], [b0, b1, b2, b3]], [[c0, c1, c2, c3], [d0, d1, d2, d3]]] = rows;
        let mut columns = [[[a0, b0, c0, d0], [a1, b1, c1, d1]], [[a2, b2, c2, d2], [a3, b3, c3, d3]]];
        if A::HURRIES {
            let [first, second] = columns;
            finish_pair::<V, 0, XOR, A>(first, blocks, ahead, 8);
            ahead.first_word(*blocks.next);
            finish_pair::<V, 2, XOR, A>(second, blocks, ahead, FIRST_WORD_POINT);
        } else {
            half_round(&mut columns, ahead, 8);
            turn_columns::<V, 0>(&mut columns[0]);
            turn_columns::<V, 2>(&mut columns[1]);
            half_round(&mut columns, ahead, 12);
            store_columns::<V, 0, XOR>(columns[0], blocks);
            store_columns::<V, 2, XOR>(columns[1], blocks);
            ahead.first_word(*blocks.next);
        }
    }
}

/// The input blocks and the output block.
#[derive(Clone, Copy)]
struct Blocks {
    previous: *const u64,
    reference: *const u64,
    next: *mut u64,
}

/// Computes P on the columns whose words are two vectors of the rows, starting at `FIRST`, and then the rest of G.
#[inline(always)]
unsafe fn finish_pair<V: Oct, const FIRST: usize, const XOR: bool, A: Ahead>(
    columns: Pair<V>,
    blocks: Blocks,
    ahead: &mut A,
    point: usize,
) {
    let mut columns = [columns];
    // SAFETY: guaranteed by the caller.
    unsafe {
        half_round(&mut columns, ahead, point);
        turn_columns::<V, FIRST>(&mut columns[0]);
        half_round(&mut columns, ahead, point + 2);
        store_columns::<V, FIRST, XOR>(columns[0], blocks);
    }
}

#[inline(always)]
unsafe fn turn_columns<V: Oct, const FIRST: usize>(columns: &mut Pair<V>) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        turn(&mut columns[0], &COLUMN_TURNS[FIRST]);
        turn(&mut columns[1], &COLUMN_TURNS[FIRST + 1]);
    }
}

#[inline(always)]
unsafe fn store_columns<V: Oct, const FIRST: usize, const XOR: bool>(mut columns: Pair<V>, blocks: Blocks) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        turn(&mut columns[0], &COLUMN_RETURNS[FIRST]);
        finish::<V, XOR>(&columns[0], blocks, FIRST);
        turn(&mut columns[1], &COLUMN_RETURNS[FIRST + 1]);
        finish::<V, XOR>(&columns[1], blocks, FIRST + 1);
    }
}

/// Loads the four vectors of the rows 2 * `pair` and 2 * `pair` + 1.
#[inline(always)]
unsafe fn load_rows<V: Oct>(blocks: Blocks, pair: usize) -> Set<V> {
    // SAFETY: the offsets are below 128 words and multiples of 8; the caller guarantees the rest.
    unsafe {
        let (p, r) = (blocks.previous.add(pair * 32), blocks.reference.add(pair * 32));
        [
            V::load(p).xor(V::load(r)),
            V::load(p.add(8)).xor(V::load(r.add(8))),
            V::load(p.add(16)).xor(V::load(r.add(16))),
            V::load(p.add(24)).xor(V::load(r.add(24))),
        ]
    }
}

/// Stores the four vectors of the columns 2 * `pair` and 2 * `pair` + 1, xored with the input of G and, if `XOR`, with
/// the old content. All xors but the last can run before the vector is known.
#[inline(always)]
unsafe fn finish<V: Oct, const XOR: bool>(set: &Set<V>, blocks: Blocks, pair: usize) {
    for (row, v) in set.iter().enumerate() {
        let at = row * 32 + pair * 8;
        // SAFETY: the offset is below 128 words and a multiple of 8; the caller guarantees the rest.
        unsafe {
            let mut rest = V::load(blocks.previous.add(at));
            if XOR {
                rest = rest.xor(V::load(blocks.next.add(at)));
            }
            v.xor3(rest, V::load(blocks.reference.add(at))).store(blocks.next.add(at));
        }
    }
}
