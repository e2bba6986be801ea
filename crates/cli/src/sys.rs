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
/// costs a fault and a page of zeros for every 4 KiB, which is a third of all that a collection does. Called before any
/// thread is started.
pub(crate) fn keep_memory() {
    set_allocator(&[
        // The most that it takes.
        (libc::M_MMAP_THRESHOLD, 32 << 20),
        (libc::M_TRIM_THRESHOLD, libc::c_int::MAX),
        (libc::M_ARENA_MAX, 1),
    ]);
}

/// After [`keep_memory`], for who asks for large blocks of zeros and uses little of them: they come from the system again,
/// which writes no zeros before they are used.
pub(crate) fn map_large_blocks() {
    set_allocator(&[(libc::M_MMAP_THRESHOLD, 8 << 20)]);
}

/// Takes the pages of the next block of so many bytes from the system, in a thread of its own and from the end, while its
/// user fills it from the front: they meet in the middle. For blocks of at most 32 MiB, after [`keep_memory`].
pub(crate) fn take_ahead(bytes: usize) {
    let block = Vec::<u8>::with_capacity(bytes);
    let start = block.as_ptr() as usize;
    // Without a thread the pages come one by one.
    let _ = std::thread::Builder::new().spawn(move || take_pages(start, bytes));
    // Given back, and kept by the library: the next block of this size is in the same place.
    drop(block);
}

/// Takes the whole pages between two addresses, from the end. No byte of them changes.
fn take_pages(start: usize, bytes: usize) {
    /// What one call takes: the two sides are at the same pages for no longer than that.
    const PIECE_BYTES: usize = 1 << 20;
    let page = rustix::param::page_size();
    let (first, end) = (start.next_multiple_of(page), (start + bytes) / page * page);
    for piece in (first..end).step_by(PIECE_BYTES).rev() {
        let length = PIECE_BYTES.min(end - piece);
        // SAFETY: nothing is read or written, whoever has the memory by then: a page that is there stays as it is, one
        // that is not becomes the zeros that it would be read as.
        // JUSTIFICATION: there is no safe interface to it that lets another thread use the memory meanwhile.
        let taken = unsafe {
            rustix::mm::madvise(piece as *mut _, length, rustix::mm::Advice::LinuxPopulateWrite)
        };
        if taken.is_err() {
            // A system that cannot do it, before Linux 5.14: pages come one by one then.
            return;
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages that this thread had to wait for.
    fn faults() -> u64 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        fields.split(' ').nth(7).unwrap().parse().unwrap()
    }

    #[test]
    fn memory_taken_ahead_is_there_and_keeps_what_is_in_it() {
        const BYTES: usize = 20 << 20;
        let mut block = Vec::<u8>::with_capacity(BYTES);
        take_pages(block.as_ptr() as usize, BYTES);
        let before = faults();
        block.resize(BYTES, 7);
        assert!(faults() - before < 100, "{} pages were not there", faults() - before);
        std::thread::scope(|scope| {
            let start = block.as_ptr() as usize;
            scope.spawn(move || take_pages(start, BYTES));
            block.iter_mut().for_each(|byte| *byte += 1);
        });
        assert!(block.iter().all(|byte| *byte == 8));
    }
}
