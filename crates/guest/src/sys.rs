//! The few calls that need `unsafe`.
#![allow(unsafe_code, reason = "calls into the kernel that no safe wrapper offers")]

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::AtomicU64;

use rustix::io::{Errno, Result};
use rustix::process::Pid;

/// `_IOWR('X', 119, int)` and `_IOWR('X', 120, int)`; the same number on every machine that we build for.
const FIFREEZE: rustix::ioctl::Opcode = 0xC004_5877;
const FITHAW: rustix::ioctl::Opcode = 0xC004_5878;

/// Words in the page that freezer and watchdog share.
pub(crate) const PAGE_WORDS: usize = 512;

/// The shared page: 4096 bytes.
pub(crate) type Page = [AtomicU64; PAGE_WORDS];

/// Freezes the file system that this descriptor is on. Cannot be interrupted, not even killed.
pub(crate) fn freeze(on: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: the kernel ignores the argument of this call, and it touches no memory of ours.
    unsafe { rustix::ioctl::ioctl(on, rustix::ioctl::NoArg::<FIFREEZE>::new()) }
}

/// Thaws the file system that this descriptor is on. `EINVAL` when it is not frozen.
pub(crate) fn thaw(on: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: the kernel ignores the argument of this call, and it touches no memory of ours.
    unsafe { rustix::ioctl::ioctl(on, rustix::ioctl::NoArg::<FITHAW>::new()) }
}

/// Who returned from [`fork`].
pub(crate) enum Forked {
    /// The new process.
    Child,
    /// The old one, with the identity of the new one.
    Parent(Pid),
}

/// Makes a second process. Only for a process with one thread: what a lock of another thread guards would be lost.
pub(crate) fn fork() -> Result<Forked> {
    // SAFETY: the callers have one thread, so the child finds every lock free and may allocate.
    let pid = unsafe { libc::fork() };
    match pid {
        0 => Ok(Forked::Child),
        pid => Pid::from_raw(pid).filter(|_| pid > 0).map(Forked::Parent).ok_or_else(last_error),
    }
}

fn last_error() -> Errno {
    let raw = std::io::Error::last_os_error().raw_os_error();
    Errno::from_raw_os_error(raw.unwrap_or(libc::EIO))
}

/// Maps the first page of a file for as long as this process lives. The file must be as long as the page, be in memory
/// (a write to the page must never wait for a disk), and never shrink.
pub(crate) fn map_page(file: impl AsFd) -> Result<&'static Page> {
    use rustix::mm::{MapFlags, ProtFlags, mmap};
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a fresh mapping at an address that the kernel picks; it is never unmapped. Other processes change it at
    // any time, and that is why it is only ever seen as atomics. Page alignment is more than they need.
    unsafe {
        let at = mmap(std::ptr::null_mut(), size_of::<Page>(), access, MapFlags::SHARED, file, 0)?;
        Ok(&*at.cast::<Page>())
    }
}

/// Signals that mean a fault of the process itself. They must end it, so that others see its end and thaw.
const FAULTS: [libc::c_int; 6] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT, libc::SIGSYS];

/// Faults end this process at once; every other signal that can be held back is held back for ever.
pub(crate) fn hold_signals() {
    // SAFETY: plain old data that the calls fill in or only read; no handler of ours is installed.
    unsafe {
        for fault in FAULTS {
            libc::signal(fault, libc::SIG_DFL);
        }
        let mut held: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut held);
        for fault in FAULTS {
            libc::sigdelset(&raw mut held, fault);
        }
        libc::sigprocmask(libc::SIG_SETMASK, &raw const held, std::ptr::null_mut());
    }
}

/// This thread runs before every ordinary one. May be refused (a container, a control group without real time).
pub(crate) fn run_first(priority: i32) -> Result<()> {
    // SAFETY: the structure lives through the call. By number, since not every C library has a wrapper that works.
    let refused = unsafe {
        let mut wish: libc::sched_param = std::mem::zeroed();
        wish.sched_priority = priority;
        libc::syscall(libc::SYS_sched_setscheduler, 0, libc::SCHED_FIFO, &raw const wish)
    };
    if refused == 0 { Ok(()) } else { Err(last_error()) }
}
