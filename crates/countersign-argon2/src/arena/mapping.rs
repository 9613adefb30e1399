//! Where an arena's memory comes from and what pages it has.

use std::ptr::NonNull;

use zeroize::Zeroize;

use super::OutOfMemory;
use crate::kernel::Block;

/// The size of a huge page, and the alignment that lets memory be made of them.
const HUGE_PAGE: usize = 2 * 1024 * 1024;

/// A piece of memory, zeroed at first, aligned to a huge page.
pub(super) struct Mapping {
    start: NonNull<Block>,
    blocks: usize,
}

// SAFETY: the memory belongs to the mapping alone, like a `Box`'s.
unsafe impl Send for Mapping {}
// SAFETY: a shared mapping can only be read.
unsafe impl Sync for Mapping {}

impl Mapping {
    pub(super) fn new(bytes: u64) -> Result<Self, OutOfMemory> {
        if bytes == 0 {
            return Ok(Self { start: NonNull::dangling(), blocks: 0 });
        }
        // No allocation may be larger than `isize::MAX`, whatever the system says.
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
        // SAFETY: the memory is ours, was zeroed by the system, and any bytes are valid words.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().cast(), self.blocks * Block::WORDS) }
    }

    pub(super) fn wipe(&mut self, blocks: usize) {
        // Not elided even just before the memory is given back.
        self.words()[..blocks * Block::WORDS].zeroize();
    }

    pub(super) fn fill(&mut self, byte: u8) {
        self.words().fill(u64::from_ne_bytes([byte; 8]));
    }

    pub(super) fn is_clear(&self) -> bool {
        // SAFETY: as in `words`, shared.
        let words =
            unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast::<u64>(), self.blocks * Block::WORDS) };
        words.iter().all(|word| *word == 0)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.blocks > 0 {
            // SAFETY: allocated by `new` with this size, and never used again.
            unsafe { system::free(self.start, self.blocks * size_of::<Block>()) };
        }
    }
}

#[cfg(all(unix, not(miri)))]
mod system {
    use std::ptr::{self, NonNull};

    use super::{Block, HUGE_PAGE};

    pub(super) fn allocate(size: usize) -> Option<NonNull<Block>> {
        // The system aligns to its small pages only: ask for one huge page more and give back both ends.
        let whole = size + HUGE_PAGE;
        // SAFETY: a new private mapping touches no memory that exists.
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
        // SAFETY: both ends are parts of the mapping just made, in whole small pages, and nobody refers to them.
        unsafe {
            if head > 0 {
                libc::munmap(mapped, head);
            }
            if tail > 0 {
                libc::munmap(start.wrapping_byte_add(size), tail);
            }
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        // SAFETY: advice about our own mapping. A refusal costs speed, or has a core dump hold what the last password left.
        unsafe {
            libc::madvise(start, size, libc::MADV_HUGEPAGE);
            libc::madvise(start, size, libc::MADV_DONTDUMP);
        }
        NonNull::new(start.cast())
    }

    pub(super) unsafe fn free(start: NonNull<Block>, size: usize) {
        // SAFETY: the caller's promise.
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
            // SAFETY: the caller's promise; allocated with the same layout.
            unsafe { dealloc(start.as_ptr().cast(), layout) };
        }
    }
}
