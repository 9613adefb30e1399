//! A kernel without arithmetic, which measures the cost of memory access alone. The engine's speed is compared with it.

use super::{Ahead, Block, Kernel, POINTS};

/// Reads, writes and prefetches like a real kernel, in the same order, with almost no computation. The tags are
/// meaningless.
pub(crate) struct Floor;

/// Words between two points.
const STEP: usize = Block::WORDS / POINTS;

impl Kernel for Floor {
    fn place(word: usize) -> usize {
        word
    }

    #[inline(always)]
    unsafe fn mix<const XOR: bool, A: Ahead>(
        previous: *const Block,
        reference: *const Block,
        next: *mut Block,
        _: *mut Block,
        ahead: &mut A,
    ) {
        // SAFETY: guaranteed by the caller: valid, aligned, and `next` overlaps neither.
        let (previous, reference, next) = unsafe { (&(*previous).0, &(*reference).0, &mut (*next).0) };
        for point in 0..POINTS {
            ahead.point(point);
            for word in point * STEP..(point + 1) * STEP {
                let sum = previous[word] ^ reference[word];
                next[word] = if XOR { next[word] ^ sum } else { sum };
            }
            if point == 0 {
                // References come from the data, so one word is scrambled to keep them as random as a real hash's.
                next[0] =
                    (next[0] ^ next[0] >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9).wrapping_add(0x9e37_79b9_7f4a_7c15);
                next[0] ^= next[0] >> 32;
            }
            if point + 1 == super::FIRST_WORD_POINT {
                ahead.first_word(next[0]);
            }
        }
    }
}
