//! The arena that hashes run in: memory that is allocated once and reused for every hash.

mod mapping;

use std::fmt;

use crate::engine::{self, Code};
use crate::kernel::Block;
use crate::{HashError, Input, Job, Params, Path, PathNotAvailable};
use mapping::Mapping;

/// Memory for hashes, kept by the thread that computes them.
///
/// An arena grows only through [`Arena::grow`]: a hash that does not fit is refused ([`HashError::ArenaTooSmall`]), so
/// the code that creates arenas controls the program's memory. On Unix, the arena is aligned to 2 MiB and requests
/// huge pages, falling back to ordinary ones.
///
/// # Reuse
///
/// Hashes need no clearing between them, because Argon2 writes each block in the first pass before anything reads it.
/// The first two columns come from the initial hash. Every other block is computed from its predecessor and another
/// finished block, and overwrites the old content without reading it. Only later passes read the old content, and that
/// belongs to the same hash. A test fills the arena with garbage and gets the same tags.
///
/// A finished hash leaves blocks derived from its password. [`Arena::wipe`] clears them, and so does dropping the
/// arena. On Linux, core dumps exclude the arena.
pub struct Arena {
    mapping: Mapping,
    /// Blocks from the start of the mapping that a hash may have written.
    used: usize,
    path: Path,
    #[cfg(feature = "emulation")]
    emulating: bool,
}

impl Arena {
    /// Creates an arena of at least `bytes` bytes (see [`Params::memory_bytes`]) that uses the fastest path of this
    /// processor.
    pub fn new(bytes: u64) -> Result<Self, OutOfMemory> {
        Ok(Self {
            mapping: Mapping::new(bytes)?,
            used: 0,
            path: Path::best(),
            #[cfg(feature = "emulation")]
            emulating: false,
        })
    }

    /// Grows the arena to at least `bytes` bytes; a smaller number changes nothing. Wipes and frees the old memory
    /// before allocating the new one. If the allocation fails, the arena is empty.
    pub fn grow(&mut self, bytes: u64) -> Result<(), OutOfMemory> {
        if bytes > self.bytes() {
            self.wipe();
            self.mapping = Mapping::new(0)?;
            self.mapping = Mapping::new(bytes)?;
        }
        Ok(())
    }

    /// Returns the size in bytes.
    pub fn bytes(&self) -> u64 {
        (self.mapping.blocks() * size_of::<Block>()) as u64
    }

    /// Returns the code path of hashes in this arena.
    pub fn path(&self) -> Path {
        self.path
    }

    /// Selects a code path other than the fastest one, for tests and benchmarks.
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

    /// Computes the hashes of several inputs with the same parameters, in the calling thread.
    ///
    /// Jobs advance together where that is faster and the arena has room for several: up to four with one lane, two
    /// with two. The tags are the same either way. If one job is refused, none is computed.
    pub fn hash_many(&mut self, params: &Params, jobs: &mut [Job<'_>]) -> Result<(), HashError> {
        #[cfg(feature = "emulation")]
        if self.emulating {
            return self.run(Code::Emulated512, params, jobs);
        }
        self.run(Code::Path(self.path), params, jobs)
    }

    /// Runs the AVX-512 path's code on arrays instead of vectors, for tests on machines without AVX-512.
    #[cfg(feature = "emulation")]
    #[doc(hidden)]
    pub fn emulate_512(&mut self) {
        self.emulating = true;
    }

    /// Touches the memory as a hash would, without computing one: the same reads, writes and prefetches in a random
    /// order. Benchmarks use it as the lower bound that memory sets. The tag is meaningless.
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
        // Both fit into the arena and therefore into a `usize`.
        let blocks = usize::try_from(needed).map_or(usize::MAX, |bytes| bytes / size_of::<Block>());
        let together = engine::jobs_together(params).min(self.mapping.blocks() / blocks);
        for jobs in jobs.chunks_mut(together) {
            self.used = self.used.max(jobs.len() * blocks);
            // SAFETY: `set_path` and `Path::best` yield available paths only. The mapping has room for `together` times
            // the blocks of a hash, and `&mut self` gives us exclusive access. The inputs were checked above.
            unsafe { engine::hash(code, self.mapping.start(), params, jobs) };
        }
        Ok(())
    }

    /// Overwrites the data of earlier hashes with zeros. Costs about as much as writing the used memory once, 1 to 2 ms
    /// for 64 MiB; unused memory costs nothing.
    pub fn wipe(&mut self) {
        self.mapping.wipe(self.used);
        self.used = 0;
    }

    /// Fills the whole arena, for the test that hashes do not depend on old content.
    #[doc(hidden)]
    pub fn poison(&mut self, byte: u8) {
        self.used = self.mapping.blocks();
        self.mapping.fill(byte);
    }

    /// Returns whether every byte is zero, for the test of [`Arena::wipe`].
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

/// The system could not provide the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory {
    /// The number of bytes requested.
    pub bytes: u64,
}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no memory for an arena of {} bytes", self.bytes)
    }
}

impl std::error::Error for OutOfMemory {}
