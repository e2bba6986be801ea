//! What has no safe interface: how the C library keeps memory that was given back, and what the page cache holds.
#![allow(unsafe_code)]

use std::fs::File;
use std::os::fd::AsRawFd;

/// `cachestat(2)`, since Linux 6.5: this number on every architecture but Alpha. The C library has no name for it yet.
const CACHESTAT: libc::c_long = 451;

/// Blocks of this size and more are mapped by themselves and go back to the system when they are
/// freed. Fixed, because the library otherwise raises it to the largest block it ever saw: one
/// sign-in (19 MiB for a moment, in whichever thread) would then stay for ever.
const MMAP_THRESHOLD_BYTES: libc::c_int = 256 << 10;
/// Heaps of the library. By default it makes up to eight a core, and none shrinks in its middle.
const ARENAS_MAX: libc::c_int = 2;

/// Makes an idle service small. Called before any thread is started.
pub(crate) fn give_memory_back() {
    set_allocator(&[
        (libc::M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES),
        (libc::M_ARENA_MAX, ARENAS_MAX),
    ]);
}

/// Makes a short command quick: what one step gave back, the next takes, also in another thread. Memory that is new
/// costs a fault and a page of zeros for every 4 KiB, which is a third of all that a collection does.
pub(crate) fn keep_memory() {
    set_allocator(&[
        // The most that it takes.
        (libc::M_MMAP_THRESHOLD, 32 << 20),
        (libc::M_TRIM_THRESHOLD, libc::c_int::MAX),
        (libc::M_ARENA_MAX, 1),
    ]);
}

fn set_allocator(options: &[(libc::c_int, libc::c_int)]) {
    for (option, value) in options {
        // SAFETY: `mallopt` takes two numbers and reads no memory of ours. An option or a value
        // that it does not know is refused with 0, and nothing changes.
        // JUSTIFICATION: there is no safe interface to it.
        unsafe { libc::mallopt(*option, *value) };
    }
}

/// How many bytes of a range of a file the page cache holds, rounded up to pages. `None` where the system cannot tell.
pub(crate) fn cached_bytes(file: &File, offset: u64, length: u64) -> Option<u64> {
    /// `struct cachestat_range`.
    #[repr(C)]
    struct Range {
        offset: u64,
        length: u64,
    }
    /// `struct cachestat`: numbers of pages.
    #[repr(C)]
    #[derive(Default)]
    struct Pages {
        cached: u64,
        dirty: u64,
        in_writeback: u64,
        evicted: u64,
        evicted_lately: u64,
    }
    let range = Range { offset, length };
    let mut pages = Pages::default();
    // SAFETY: the kernel reads the one structure and writes the other, both are laid out as it
    // defines them and live until the call returns. The descriptor is that of an open file.
    // JUSTIFICATION: there is no safe interface to it.
    let failed =
        unsafe { libc::syscall(CACHESTAT, file.as_raw_fd(), &raw const range, &raw mut pages, 0) };
    (failed == 0).then(|| pages.cached * rustix::param::page_size() as u64)
}
