//! The hash engine: the order in which blocks are computed.
//!
//! Within a slice, no lane reads what another lane is writing. So all lanes of a hash, and all lanes of several hashes
//! of equal cost, can advance in any order; here they take turns block by block. Each such independent sequence of
//! blocks is called a stream.
//!
//! The memory layout follows from this: the blocks of all streams in one column are adjacent. Writes then move through
//! memory as one sequence, regardless of the number of streams. Streams also do not compete for the same cache sets, as
//! lanes at a distance of a power of two would.

use zeroize::{Zeroize, zeroize_stack};

use crate::indexing::{Position, Window};
use crate::kernel::floor::Floor;
use crate::kernel::portable::Portable;
use crate::kernel::{Ahead, Block, FIRST_WORD_POINT, Idle, Kernel, POINTS, prefetch};
use crate::long_hash::{InitialHash, long_hash};
use crate::params::{Params, Version};
use crate::{Job, Path};

/// The maximum number of streams that advance together. More than four gain little; the blocks of eight still fit in
/// the L1 cache.
const STREAMS_MAX: usize = 8;

/// The number of streams that hides memory latency: jobs are batched up to this number.
const STREAMS_WANTED: usize = 4;

/// Returns how many jobs with these parameters run best together.
pub(crate) fn jobs_together(params: &Params) -> usize {
    (STREAMS_WANTED / params.lanes() as usize).max(1)
}

/// The code that runs: a path, or the memory benchmark without arithmetic.
#[derive(Clone, Copy)]
pub(crate) enum Code {
    Path(Path),
    Floor,
    #[cfg(feature = "emulation")]
    Emulated512,
}

/// Computes the tags of all jobs together.
///
/// # Safety
/// The processor can run the code. `memory` is valid for reads and writes of `jobs.len()` times the parameters' memory,
/// and nothing else accesses it. The jobs' inputs have been checked.
pub(crate) unsafe fn hash(code: Code, memory: *mut Block, params: &Params, jobs: &mut [Job<'_>]) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        match code {
            Code::Path(Path::Portable) => hash_on::<Portable>(memory, params, jobs),
            #[cfg(target_arch = "x86_64")]
            Code::Path(Path::Avx2) => hash_on::<crate::kernel::x86::Avx2>(memory, params, jobs),
            #[cfg(target_arch = "x86_64")]
            Code::Path(Path::Avx512) => hash_on::<crate::kernel::x86::Avx512>(memory, params, jobs),
            #[cfg(target_arch = "aarch64")]
            Code::Path(Path::Neon) => hash_on::<crate::kernel::neon::Neon>(memory, params, jobs),
            #[cfg(not(target_arch = "aarch64"))]
            Code::Path(Path::Neon) => unreachable!("no such path on this processor"),
            #[cfg(not(target_arch = "x86_64"))]
            Code::Path(Path::Avx2 | Path::Avx512) => unreachable!("no such path on this processor"),
            #[cfg(feature = "emulation")]
            Code::Emulated512 => hash_on::<crate::kernel::portable::PortableOcts>(memory, params, jobs),
            Code::Floor => hash_on::<Floor>(memory, params, jobs),
        }
    }
    // The stack frames just left may hold spilled registers and copies of intermediate blocks.
    zeroize_stack::<STACK_BYTES>();
}

/// Upper bound on the stack that [`hash_on`] uses, which is mostly its [`Buffers`].
const STACK_BYTES: usize = size_of::<Buffers>() + 8 * 1024;

/// Working memory outside the arena, on the stack.
struct Buffers {
    scratch: Block,
    bytes: [u8; 1024],
    /// Per stream, the references of 128 columns, if they do not depend on data.
    addresses: [Block; STREAMS_MAX],
}

/// # Safety
/// As [`hash`].
#[inline(never)]
pub(crate) unsafe fn hash_on<K: Kernel>(memory: *mut Block, params: &Params, jobs: &mut [Job<'_>]) {
    let lanes = params.lanes() as usize;
    let stride = jobs.len() * lanes;
    let mut buffers = Buffers { scratch: Block::ZERO, bytes: [0; 1024], addresses: [Block::ZERO; STREAMS_MAX] };
    for (number, job) in jobs.iter().enumerate() {
        let mut initial = InitialHash::new(params, &job.input);
        for lane in 0..params.lanes() {
            for column in 0..2 {
                initial.block(column, lane, &mut buffers.bytes);
                let at = column as usize * stride + number * lanes + lane as usize;
                // SAFETY: the memory has at least two columns of `stride` blocks.
                let block = unsafe { &mut (*memory.add(at)).0 };
                for (word, bytes) in buffers.bytes.as_chunks().0.iter().enumerate() {
                    block[K::place(word)] = u64::from_le_bytes(*bytes);
                }
            }
        }
    }
    for pass in 0..params.iterations() {
        for slice in 0..4 {
            let at = Position { pass, slice };
            let batches = stride.div_ceil(STREAMS_MAX);
            let batch = stride.div_ceil(batches);
            for first in (0..stride).step_by(batch) {
                let segment = Segment {
                    memory,
                    stride,
                    first,
                    count: batch.min(stride - first),
                    at,
                    window: Window::new(params, at),
                    params,
                };
                // SAFETY: guaranteed by the caller, and the batch lies within the stride.
                unsafe {
                    if pass > 0 && matches!(params.version(), Version::V0x13) {
                        segment.fill::<K, true>(&mut buffers);
                    } else {
                        segment.fill::<K, false>(&mut buffers);
                    }
                }
            }
        }
    }
    let last_column = (params.lane_len() as usize - 1) * stride;
    for (number, job) in jobs.iter_mut().enumerate() {
        let sum = &mut buffers.scratch.0;
        sum.fill(0);
        for lane in 0..lanes {
            // SAFETY: the last column is within the memory.
            let block = unsafe { &(*memory.add(last_column + number * lanes + lane)).0 };
            for (s, word) in sum.iter_mut().zip(block) {
                *s ^= word;
            }
        }
        for (word, bytes) in buffers.bytes.as_chunks_mut().0.iter_mut().enumerate() {
            *bytes = sum[K::place(word)].to_le_bytes();
        }
        long_hash(&buffers.bytes, job.tag);
    }
    buffers.scratch.0.zeroize();
    buffers.bytes.zeroize();
}

/// One slice of several streams.
struct Segment<'a> {
    memory: *mut Block,
    /// Distance in blocks from one column to the next: the number of all streams.
    stride: usize,
    /// The first of the streams that advance together.
    first: usize,
    /// The number of streams that advance together.
    count: usize,
    at: Position,
    window: Window,
    params: &'a Params,
}

impl Segment<'_> {
    /// Returns the lane of a stream.
    #[expect(clippy::cast_possible_truncation, reason = "a remainder is below its divisor, a `u32`")]
    fn lane(&self, stream: usize) -> u32 {
        ((self.first + stream) % self.params.lanes() as usize) as u32
    }

    /// Returns the block that a stream's block at `index` within the slice refers to.
    #[inline(always)]
    fn reference(&self, stream: usize, lane: u32, index: u32, word: u64) -> *const Block {
        let (reference_lane, column) = self.window.reference(lane, index, word);
        let first_lane = self.first + stream - lane as usize;
        // Wrapping arithmetic, because callers also compute the unused reference of the column after the slice; all
        // others are within the memory.
        self.memory.wrapping_add(column as usize * self.stride + first_lane + reference_lane as usize)
    }

    /// Computes the blocks of the slice.
    ///
    /// # Safety
    /// As [`hash`]; the streams exist, and all earlier slices are finished.
    unsafe fn fill<K: Kernel, const XOR: bool>(&self, buffers: &mut Buffers) {
        if self.at.is_data_independent(self.params.variant()) {
            // SAFETY: guaranteed by the caller.
            unsafe { self.fill_by_position::<K, XOR>(buffers) }
        } else if self.count == 1 {
            // SAFETY: guaranteed by the caller.
            unsafe { self.fill_alone::<K, XOR>(buffers) }
        } else {
            // SAFETY: guaranteed by the caller.
            unsafe { self.fill_by_data::<K, XOR>(buffers) }
        }
    }

    /// Returns the column before the slice's first one and that first column, for the first stream of the batch.
    fn start(&self) -> (*const Block, *mut Block) {
        let column = (self.at.slice * self.params.segment_len() + self.at.first_index()) as usize;
        let before = if column == 0 { self.params.lane_len() as usize - 1 } else { column - 1 };
        let block = |column: usize| self.memory.wrapping_add(column * self.stride + self.first);
        (block(before), block(column))
    }

    /// Fills the slice with data-dependent references, several streams in turn.
    ///
    /// # Safety
    /// As [`Segment::fill`].
    unsafe fn fill_by_data<K: Kernel, const XOR: bool>(&self, buffers: &mut Buffers) {
        let (mut previous, mut next) = self.start();
        let lanes: [u32; STREAMS_MAX] = std::array::from_fn(|stream| self.lane(stream));
        let mut references = [previous; STREAMS_MAX];
        for stream in 0..self.count {
            // SAFETY: the previous column is finished.
            let word = unsafe { (*previous.add(stream)).0[0] };
            references[stream] = self.reference(stream, lanes[stream], self.at.first_index(), word);
        }
        let mut ahead = Spread { reference: previous.cast(), next: next.cast() };
        for index in self.at.first_index()..self.params.segment_len() {
            let column_after = next.wrapping_add(self.stride);
            for stream in 0..self.count {
                // SAFETY: `previous` and `references` are finished blocks, `next` is a different block, and all are
                // within the memory.
                let word = unsafe {
                    let next = next.add(stream);
                    K::mix::<XOR, _>(
                        previous.add(stream),
                        references[stream],
                        next,
                        &raw mut buffers.scratch,
                        &mut ahead,
                    );
                    (*next).0[0]
                };
                let reference = self.reference(stream, lanes[stream], index + 1, word);
                references[stream] = reference;
                ahead = Spread { reference: reference.cast(), next: column_after.wrapping_add(stream).cast() };
            }
            previous = next;
            next = column_after;
        }
    }

    /// Fills the slice with data-dependent references and a single stream: the next reference is prefetched as soon as
    /// it is known, while the last columns of the block are still being mixed.
    ///
    /// # Safety
    /// As [`Segment::fill`].
    unsafe fn fill_alone<K: Kernel, const XOR: bool>(&self, buffers: &mut Buffers) {
        let (mut previous, mut next) = self.start();
        let lane = self.lane(0);
        // SAFETY: the previous column is finished.
        let word = unsafe { (*previous).0[0] };
        let mut reference = self.reference(0, lane, self.at.first_index(), word);
        for index in self.at.first_index()..self.params.segment_len() {
            let column_after = next.wrapping_add(self.stride);
            let mut ahead = Chase {
                next: column_after.cast(),
                find: |word| self.reference(0, lane, index + 1, word).cast(),
                reference: previous.cast(),
            };
            // SAFETY: `previous` and `reference` are finished blocks, `next` is a different block, and all are within
            // the memory.
            unsafe { K::mix::<XOR, _>(previous, reference, next, &raw mut buffers.scratch, &mut ahead) };
            reference = ahead.reference.cast();
            previous = next;
            next = column_after;
        }
    }

    /// Fills the slice with references that depend on the position, and so are known in advance.
    ///
    /// # Safety
    /// As [`Segment::fill`].
    unsafe fn fill_by_position<K: Kernel, const XOR: bool>(&self, buffers: &mut Buffers) {
        let (mut previous, mut next) = self.start();
        let first_index = self.at.first_index();
        let lanes: [u32; STREAMS_MAX] = std::array::from_fn(|stream| self.lane(stream));
        let mut references = [previous; STREAMS_MAX];
        for stream in 0..self.count {
            // SAFETY: the caller guarantees a processor that runs the path.
            unsafe { self.addresses::<K>(lanes[stream], 0, &mut buffers.addresses[stream]) };
            let word = buffers.addresses[stream].0[K::place(first_index as usize)];
            references[stream] = self.reference(stream, lanes[stream], first_index, word);
        }
        for index in first_index..self.params.segment_len() {
            let column_after = next.wrapping_add(self.stride);
            let place = K::place((index + 1) as usize % Block::WORDS);
            for stream in 0..self.count {
                if place == 0 && index + 1 < self.params.segment_len() {
                    // SAFETY: the caller guarantees a processor that runs the path.
                    unsafe { self.addresses::<K>(lanes[stream], index + 1, &mut buffers.addresses[stream]) };
                }
                let word = buffers.addresses[stream].0[place];
                let after = self.reference(stream, lanes[stream], index + 1, word);
                let mut ahead = Spread { reference: after.cast(), next: column_after.wrapping_add(stream).cast() };
                // SAFETY: `previous` and `references` are finished blocks, `next` is a different block, and all are
                // within the memory.
                unsafe {
                    let (previous, next) = (previous.add(stream), next.add(stream));
                    K::mix::<XOR, _>(previous, references[stream], next, &raw mut buffers.scratch, &mut ahead);
                }
                references[stream] = after;
            }
            previous = next;
            next = column_after;
        }
    }

    /// Computes the words J2 || J1 of the 128 columns from `index` (RFC 9106, section 3.4.1.2). They contain no
    /// secrets.
    ///
    /// # Safety
    /// The processor can run the kernel's path.
    #[cold]
    unsafe fn addresses<K: Kernel>(&self, lane: u32, index: u32, addresses: &mut Block) {
        let numbers = [
            self.at.pass,
            lane,
            self.at.slice,
            self.params.lane_len() * self.params.lanes(),
            self.params.iterations(),
            self.params.variant().number(),
            index / Block::WORDS_U32 + 1,
        ];
        let mut input = Block::ZERO;
        for (word, number) in numbers.into_iter().enumerate() {
            input.0[K::place(word)] = u64::from(number);
        }
        let (zero, mut once, mut scratch) = (Block::ZERO, Block::ZERO, Block::ZERO);
        // SAFETY: the caller guarantees a processor that runs the path; all blocks are distinct.
        unsafe {
            K::mix::<false, _>(&raw const zero, &raw const input, &raw mut once, &raw mut scratch, &mut Idle);
            K::mix::<false, _>(&raw const zero, &raw const once, addresses, &raw mut scratch, &mut Idle);
        }
    }
}

/// Bytes per cache line, for prefetching.
const LINE: usize = 64;

/// Prefetches the two blocks that another stream needs next, one line of each at a time, because a burst would stall.
struct Spread {
    reference: *const u8,
    next: *const u8,
}

impl Ahead for Spread {
    const HURRIES: bool = false;

    #[inline(always)]
    fn point(&mut self, point: usize) {
        const { assert!(POINTS == Block::LINES) };
        prefetch(self.next.wrapping_add(point * LINE));
        prefetch(self.reference.wrapping_add(point * LINE));
    }

    #[inline(always)]
    fn first_word(&mut self, _: u64) {}
}

/// Prefetches the block to be written next, then determines the block to be read next and prefetches it.
struct Chase<F> {
    next: *const u8,
    find: F,
    reference: *const u8,
}

impl<F: Fn(u64) -> *const u8> Ahead for Chase<F> {
    const HURRIES: bool = true;

    #[inline(always)]
    fn point(&mut self, point: usize) {
        let (block, points, number) = if point < FIRST_WORD_POINT {
            (self.next, FIRST_WORD_POINT, point)
        } else {
            (self.reference, POINTS - FIRST_WORD_POINT, point - FIRST_WORD_POINT)
        };
        for line in number * Block::LINES / points..(number + 1) * Block::LINES / points {
            prefetch(block.wrapping_add(line * LINE));
        }
    }

    #[inline(always)]
    fn first_word(&mut self, word: u64) {
        self.reference = (self.find)(word);
    }
}
