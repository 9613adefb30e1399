//! Indexing: the block that another block refers to (RFC 9106, section 3.4).

use std::hint::select_unpredictable;

use crate::{Params, Variant};

/// The engine's position in the memory: one slice of one pass.
#[derive(Clone, Copy)]
pub(crate) struct Position {
    pub(crate) pass: u32,
    pub(crate) slice: u32,
}

impl Position {
    /// Returns whether references come from the position instead of the data.
    pub(crate) const fn is_data_independent(self, variant: Variant) -> bool {
        match variant {
            Variant::Argon2d => false,
            Variant::Argon2i => true,
            Variant::Argon2id => self.pass == 0 && self.slice < 2,
        }
    }

    /// Returns the first computed column of the slice: the first two of a lane come from the initial hash.
    pub(crate) const fn first_index(self) -> u32 {
        if self.pass == 0 && self.slice == 0 { 2 } else { 0 }
    }
}

/// The blocks that the blocks of one slice may refer to.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    lanes: u32,
    lane_len: u32,
    /// Whether references stay in their own lane because other lanes have no finished slice yet.
    own_lane_only: bool,
    /// Finished columns, without those of the current slice.
    finished: u32,
    /// The oldest finished column.
    start: u32,
}

impl Window {
    pub(crate) const fn new(params: &Params, at: Position) -> Self {
        let segment_len = params.segment_len();
        let lane_len = params.lane_len();
        Self {
            lanes: params.lanes(),
            lane_len,
            own_lane_only: at.pass == 0 && at.slice == 0,
            finished: if at.pass == 0 { at.slice * segment_len } else { lane_len - segment_len },
            start: if at.pass == 0 || at.slice == 3 { 0 } else { (at.slice + 1) * segment_len },
        }
    }

    /// Returns the (lane, column) that the block at `index` within the slice of `lane` refers to. `word` is J2 || J1.
    ///
    /// Defined for computed indices only, that is from 2 in the first slice of the first pass. The window then holds at
    /// least one block, so nothing underflows. The result is always a finished block: a column of the window, or a
    /// block of this slice below `index - 1`.
    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "J2 is the high half, and a column is below the lane's length, a `u32`"
    )]
    pub(crate) fn reference(&self, lane: u32, index: u32, word: u64) -> (u32, u32) {
        let j1 = word & 0xffff_ffff;
        let j2 = (word >> 32) as u32;
        let reference_lane = if self.own_lane_only { lane } else { j2 % self.lanes };
        // A lane sees its own slice up to the block before the previous one. Of another lane, the first block of a
        // slice does not see the last finished column. The case is unpredictable, so the code avoids a branch.
        let own = select_unpredictable(reference_lane == lane, index, u32::from(index > 0));
        let area = u64::from(self.finished) + u64::from(own) - 1;
        let x = (j1 * j1) >> 32;
        let back = (area * x) >> 32;
        let column = u64::from(self.start) + (area - 1 - back);
        let lane_len = u64::from(self.lane_len);
        let column = if column >= lane_len { column - lane_len } else { column };
        (reference_lane, column as u32)
    }
}
