//! The C reference: one thread, with fresh memory or memory that is kept.
#![expect(unsafe_code, reason = "calls C")]

use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::ptr;

use super::arena::Kept;
use super::{Cost, Memory, PASSWORD, SALT, TAG};

/// `argon2_context` of `argon2.h`.
#[repr(C)]
struct Context {
    out: *mut u8,
    out_len: u32,
    password: *mut u8,
    password_len: u32,
    salt: *mut u8,
    salt_len: u32,
    secret: *mut u8,
    secret_len: u32,
    associated_data: *mut u8,
    associated_data_len: u32,
    iterations: u32,
    memory_kib: u32,
    lanes: u32,
    threads: u32,
    version: u32,
    allocate: Option<extern "C" fn(*mut *mut u8, usize) -> c_int>,
    free: Option<extern "C" fn(*mut u8, usize)>,
    flags: u32,
}

unsafe extern "C" {
    fn argon2_ctx(context: *mut Context, variant: c_int) -> c_int;
    /// Whether the library wipes its memory after a hash.
    static mut FLAG_clear_internal_memory: c_int;
}

thread_local! {
    static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) };
}

extern "C" fn allocate(memory: *mut *mut u8, bytes: usize) -> c_int {
    KEPT.with_borrow_mut(|kept| {
        let start = match kept.as_ref().and_then(|kept| kept.start(bytes)) {
            Some(start) => start,
            None => kept.insert(Kept::new(bytes)).start(bytes).expect("just made"),
        };
        // SAFETY: the library passes a valid pointer.
        unsafe { *memory = start };
    });
    0
}

extern "C" fn free(_: *mut u8, _: usize) {}

/// One Argon2id hash, without wiping, because ours and the others do not wipe either.
pub(crate) fn hash(cost: Cost, memory: Memory) -> [u8; TAG] {
    let keep = memory == Memory::Kept;
    let (mut tag, mut password, mut salt) = ([0; TAG], PASSWORD.to_vec(), SALT.to_vec());
    let mut context = Context {
        out: tag.as_mut_ptr(),
        out_len: TAG as u32,
        password: password.as_mut_ptr(),
        password_len: password.len() as u32,
        salt: salt.as_mut_ptr(),
        salt_len: salt.len() as u32,
        secret: ptr::null_mut(),
        secret_len: 0,
        associated_data: ptr::null_mut(),
        associated_data_len: 0,
        iterations: cost.iterations,
        memory_kib: cost.memory_kib,
        lanes: cost.lanes,
        threads: 1,
        version: 0x13,
        allocate: keep.then_some(allocate),
        free: keep.then_some(free),
        flags: 0,
    };
    // SAFETY: the context is as `argon2.h` describes it, and everything in it outlives the call. The flag is only ever set to
    // the same value.
    let code = unsafe {
        (&raw mut FLAG_clear_internal_memory).cast::<c_void>().cast::<c_int>().write(0);
        argon2_ctx(&raw mut context, 2)
    };
    assert_eq!(code, 0, "the C reference refused");
    tag
}
