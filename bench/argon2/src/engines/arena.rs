//! Memory that a peer keeps between hashes, in the same huge pages as ours.
#![expect(unsafe_code, reason = "maps memory, and shows it as the blocks of another crate")]

const HUGE_PAGE: usize = 2 << 20;

/// Memory that stays until the end of the program.
pub(crate) struct Kept {
    start: *mut u8,
    bytes: usize,
}

impl Kept {
    pub(crate) fn new(bytes: usize) -> Self {
        let whole = bytes + HUGE_PAGE;
        // SAFETY: a new private mapping, then advice about it.
        let start = unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let mapped = libc::mmap(std::ptr::null_mut(), whole, protection, flags, -1, 0);
            assert_ne!(mapped, libc::MAP_FAILED, "enough memory");
            let start = mapped.byte_add(mapped.addr().next_multiple_of(HUGE_PAGE) - mapped.addr());
            libc::madvise(start, bytes, libc::MADV_HUGEPAGE);
            start.cast()
        };
        Self { start, bytes }
    }

    pub(crate) fn start(&self, bytes: usize) -> Option<*mut u8> {
        (bytes <= self.bytes).then_some(self.start)
    }

    /// # Safety
    /// Any bytes must be a `T`.
    pub(crate) unsafe fn as_slice_of<T>(&mut self) -> &mut [T] {
        // SAFETY: the mapping is ours, zeroed by the system, and aligned to a huge page.
        unsafe { std::slice::from_raw_parts_mut(self.start.cast(), self.bytes / size_of::<T>()) }
    }
}
