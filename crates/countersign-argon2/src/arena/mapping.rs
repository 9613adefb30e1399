//! The memory mapping behind an arena: allocation, alignment and huge pages.

use std::ptr::NonNull;

use zeroize::Zeroize;

use super::OutOfMemory;
use crate::kernel::Block;

/// The size of a huge page, and the alignment that allows huge pages.
const HUGE_PAGE: usize = 2 * 1024 * 1024;

/// A block of memory, initially zeroed and aligned to a huge page.
pub(super) struct Mapping {
    start: NonNull<Block>,
    blocks: usize,
}

// SAFETY: the mapping owns its memory exclusively, like a `Box`.
unsafe impl Send for Mapping {}
// SAFETY: a shared mapping can only be read.
unsafe impl Sync for Mapping {}

impl Mapping {
    pub(super) fn new(bytes: u64) -> Result<Self, OutOfMemory> {
        if bytes == 0 {
            return Ok(Self { start: NonNull::dangling(), blocks: 0 });
        }
        // No allocation may be larger than `isize::MAX`, even if the system permits it.
        let size = usize::try_from(bytes).ok().and_then(|bytes| bytes.checked_next_multiple_of(HUGE_PAGE));
        let size = size.filter(|size| isize::try_from(size.saturating_add(HUGE_PAGE)).is_ok());
        let start = size.and_then(system::allocate).ok_or(OutOfMemory { bytes })?;
        Ok(Self { start, blocks: size.unwrap_or(0) / size_of::<Block>() })
    }

    pub(super) fn blocks(&self) -> usize {
        self.blocks
    }

    pub(super) fn start(&mut self) -> *mut Block {
        self.start.as_ptr()
    }

    fn words(&mut self) -> &mut [u64] {
        // SAFETY: the mapping owns the memory, the system zeroed it, and any bytes are valid words.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().cast(), self.blocks * Block::WORDS) }
    }

    pub(super) fn wipe(&mut self, blocks: usize) {
        // `zeroize` is not optimized away, even just before the memory is freed.
        self.words()[..blocks * Block::WORDS].zeroize();
    }

    pub(super) fn fill(&mut self, byte: u8) {
        self.words().fill(u64::from_ne_bytes([byte; 8]));
    }

    pub(super) fn is_clear(&self) -> bool {
        // SAFETY: as in `words`, but shared.
        let words =
            unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast::<u64>(), self.blocks * Block::WORDS) };
        words.iter().all(|word| *word == 0)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.blocks > 0 {
            // SAFETY: allocated by `new` with this size, and not used afterwards.
            unsafe { system::free(self.start, self.blocks * size_of::<Block>()) };
        }
    }
}

#[cfg(all(unix, not(miri)))]
mod system {
    use std::ptr::{self, NonNull};

    use super::{Block, HUGE_PAGE};

    pub(super) fn allocate(size: usize) -> Option<NonNull<Block>> {
        // The system aligns to small pages only, so request one huge page more and unmap both ends.
        let whole = size + HUGE_PAGE;
        // SAFETY: a new private mapping does not affect existing memory.
        let mapped = unsafe {
            libc::mmap(
                ptr::null_mut(),
                whole,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if mapped == libc::MAP_FAILED {
            return None;
        }
        let head = mapped.addr().next_multiple_of(HUGE_PAGE) - mapped.addr();
        let tail = HUGE_PAGE - head;
        let start = mapped.wrapping_byte_add(head);
        // SAFETY: both ends are whole small pages of the mapping just made, and nothing refers to them.
        unsafe {
            if head > 0 {
                libc::munmap(mapped, head);
            }
            if tail > 0 {
                libc::munmap(start.wrapping_byte_add(size), tail);
            }
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        // SAFETY: advice about our own mapping. If it is refused, hashing is slower or core dumps include leftovers of
        // the last hash.
        unsafe {
            libc::madvise(start, size, libc::MADV_HUGEPAGE);
            libc::madvise(start, size, libc::MADV_DONTDUMP);
        }
        NonNull::new(start.cast())
    }

    pub(super) unsafe fn free(start: NonNull<Block>, size: usize) {
        // SAFETY: guaranteed by the caller.
        unsafe {
            libc::munmap(start.as_ptr().cast(), size);
        }
    }
}

#[cfg(not(all(unix, not(miri))))]
mod system {
    use std::alloc::{Layout, alloc_zeroed, dealloc};
    use std::ptr::NonNull;

    use super::{Block, HUGE_PAGE};

    fn layout(size: usize) -> Option<Layout> {
        Layout::from_size_align(size, HUGE_PAGE).ok()
    }

    pub(super) fn allocate(size: usize) -> Option<NonNull<Block>> {
        // SAFETY: the size is not zero.
        NonNull::new(unsafe { alloc_zeroed(layout(size)?) }.cast())
    }

    pub(super) unsafe fn free(start: NonNull<Block>, size: usize) {
        if let Some(layout) = layout(size) {
            // SAFETY: guaranteed by the caller; allocated with the same layout.
            unsafe { dealloc(start.as_ptr().cast(), layout) };
        }
    }
}
