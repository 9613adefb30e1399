//! Whose memory a hash runs in: an arena that is allocated once and used again and again.

mod mapping;

use std::fmt;

use crate::engine::{self, Code};
use crate::kernel::Block;
use crate::{HashError, Input, Job, Params, Path, PathNotAvailable};
use mapping::Mapping;

/// Memory for hashes, to be kept by the thread that computes them.
///
/// It never grows by itself: a hash that does not fit is refused ([`HashError::ArenaTooSmall`]), so the memory of a
/// program is decided where its arenas are made. On Unix systems it is mapped at a multiple of 2 MiB, and the system is
/// asked for huge pages; where it has none to give, ordinary ones serve.
///
/// # Reuse
///
/// Nothing is cleared between hashes, because nothing has to be: Argon2 writes each block in the first pass before
/// anything reads it. The first two columns come from the initial hash; every other block is computed from the one before it
/// and from a finished one, and is stored without looking at what was there. Only later passes look, and they find
/// the blocks of their own hash. A test fills the arena with garbage and gets the same tags.
///
/// What a hash leaves behind is derived from its password. [`Arena::wipe`] clears it; dropping the arena does so too. On Linux a
/// core dump leaves the arena out.
pub struct Arena {
    mapping: Mapping,
    /// Blocks from the start of the mapping that a hash may have written.
    used: usize,
    path: Path,
    #[cfg(feature = "emulation")]
    emulating: bool,
}

impl Arena {
    /// An arena of at least `bytes` bytes, see [`Params::memory_bytes`], for the best path of this processor.
    pub fn new(bytes: u64) -> Result<Self, OutOfMemory> {
        Ok(Self {
            mapping: Mapping::new(bytes)?,
            used: 0,
            path: Path::best(),
            #[cfg(feature = "emulation")]
            emulating: false,
        })
    }

    /// Makes room for at least `bytes` bytes. A smaller number changes nothing. The old memory is wiped and given back
    /// before the new one is asked for; if that fails, the arena is empty.
    pub fn grow(&mut self, bytes: u64) -> Result<(), OutOfMemory> {
        if bytes > self.bytes() {
            self.wipe();
            self.mapping = Mapping::new(0)?;
            self.mapping = Mapping::new(bytes)?;
        }
        Ok(())
    }

    /// The size in bytes.
    pub fn bytes(&self) -> u64 {
        (self.mapping.blocks() * size_of::<Block>()) as u64
    }

    /// The code path that hashes in this arena take.
    pub fn path(&self) -> Path {
        self.path
    }

    /// Makes hashes take another code path than the best one: for tests and benchmarks.
    pub fn set_path(&mut self, path: Path) -> Result<(), PathNotAvailable> {
        if !path.is_available() {
            return Err(PathNotAvailable(path));
        }
        self.path = path;
        Ok(())
    }

    /// Computes one hash.
    pub fn hash(&mut self, params: &Params, input: &Input<'_>, tag: &mut [u8]) -> Result<(), HashError> {
        self.hash_many(params, &mut [Job { input: *input, tag }])
    }

    /// Computes the hashes of several inputs at equal cost, in the calling thread.
    ///
    /// Where that is faster than one after the other, and the arena has room for more than one, they advance
    /// together: up to four with one lane, two with two. The tags are the same either way. If one job is refused, none is computed.
    pub fn hash_many(&mut self, params: &Params, jobs: &mut [Job<'_>]) -> Result<(), HashError> {
        #[cfg(feature = "emulation")]
        if self.emulating {
            return self.run(Code::Emulated512, params, jobs);
        }
        self.run(Code::Path(self.path), params, jobs)
    }

    /// Makes hashes run the AVX-512 path's code on arrays instead of vectors: for tests on machines without AVX-512.
    #[cfg(feature = "emulation")]
    #[doc(hidden)]
    pub fn emulate_512(&mut self) {
        self.emulating = true;
    }

    /// Touches the memory as a hash would, without computing one: the same reads, writes and prefetches in a random order.
    /// For benchmarks, as the bound that memory sets. The tag is meaningless.
    #[doc(hidden)]
    pub fn memory_floor(&mut self, params: &Params, jobs: &mut [Job<'_>]) -> Result<(), HashError> {
        self.run(Code::Floor, params, jobs)
    }

    fn run(&mut self, code: Code, params: &Params, jobs: &mut [Job<'_>]) -> Result<(), HashError> {
        for job in &*jobs {
            job.input.check(params, job.tag)?;
        }
        let needed = params.memory_bytes();
        let arena = self.bytes();
        if needed > arena {
            return Err(HashError::ArenaTooSmall { needed, arena });
        }
        // Both fit into the arena, hence into a `usize`.
        let blocks = usize::try_from(needed).map_or(usize::MAX, |bytes| bytes / size_of::<Block>());
        let together = engine::jobs_together(params).min(self.mapping.blocks() / blocks);
        for jobs in jobs.chunks_mut(together) {
            self.used = self.used.max(jobs.len() * blocks);
            // SAFETY: `set_path` and `Path::best` give available paths only. The mapping has room for `together` times the blocks of a hash,
            // and `&mut self` makes us its only user. The inputs were checked above.
            unsafe { engine::hash(code, self.mapping.start(), params, jobs) };
        }
        Ok(())
    }

    /// Overwrites with zeros what earlier hashes left behind. Costs about as much as writing the memory once, 1 to 2 ms for
    /// 64 MiB; untouched memory costs nothing.
    pub fn wipe(&mut self) {
        self.mapping.wipe(self.used);
        self.used = 0;
    }

    /// Fills the whole arena: for the test that hashes do not depend on what was there.
    #[doc(hidden)]
    pub fn poison(&mut self, byte: u8) {
        self.used = self.mapping.blocks();
        self.mapping.fill(byte);
    }

    /// Whether every byte is zero: for the test of [`Arena::wipe`].
    #[doc(hidden)]
    pub fn is_clear(&self) -> bool {
        self.mapping.is_clear()
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena").field("bytes", &self.bytes()).field("path", &self.path).finish_non_exhaustive()
    }
}

/// The system has no such memory to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory {
    /// How many bytes were asked for.
    pub bytes: u64,
}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no memory for an arena of {} bytes", self.bytes)
    }
}

impl std::error::Error for OutOfMemory {}
