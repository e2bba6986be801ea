//! What only the C library can be asked: how it keeps memory that was given back.
#![allow(unsafe_code)]

/// Blocks of this size and more are mapped by themselves and go back to the system when they are
/// freed. Fixed, because the library otherwise raises it to the largest block it ever saw: one
/// sign-in (19 MiB for a moment, in whichever thread) would then stay for ever.
const MMAP_THRESHOLD_BYTES: libc::c_int = 256 << 10;
/// Heaps of the library. By default it makes up to eight a core, and none shrinks in its middle.
const ARENAS_MAX: libc::c_int = 2;

/// Makes an idle service small. Called before any thread is started.
pub(crate) fn give_memory_back() {
    for (option, value) in
        [(libc::M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES), (libc::M_ARENA_MAX, ARENAS_MAX)]
    {
        // SAFETY: `mallopt` takes two numbers and reads no memory of ours. An option or a value
        // that it does not know is refused with 0, and nothing changes.
        // JUSTIFICATION: there is no safe interface to it.
        unsafe { libc::mallopt(option, value) };
    }
}
