//! A switch of the kernel that makes a freeze several times faster.
//!
//! To stop the writers of a file system the kernel waits three times until every processor has passed a quiet point,
//! and does so at leisure: fifteen milliseconds and more each time, while the writers stand. With this switch it asks
//! the processors to hurry. It is on for the few milliseconds of the freeze only.

use std::fs::{File, OpenOptions};

use rustix::io::{pread, pwrite};

const SWITCH: &str = "/sys/kernel/rcu_expedited";

/// The switch, found off.
#[derive(Debug)]
pub(super) struct Hurry(File);

impl Hurry {
    /// `None` when the kernel has no such switch, we may not touch it, or it is on anyway.
    pub(super) fn find() -> Option<Hurry> {
        let switch = OpenOptions::new().read(true).write(true).open(SWITCH).ok()?;
        let mut value = [0];
        let is_off = pread(&switch, &mut value, 0) == Ok(1) && value[0] == b'0';
        is_off.then_some(Hurry(switch))
    }

    /// Without it a freeze takes longer, and that is all; so nobody asks whether it worked.
    pub(super) fn on(&self) {
        let _ = pwrite(&self.0, b"1", 0);
    }

    /// As it was.
    pub(super) fn off(&self) {
        let _ = pwrite(&self.0, b"0", 0);
    }

    /// For whoever comes after a freezer that had found it off and did not end in order.
    pub(super) fn turn_off() {
        let _ = std::fs::write(SWITCH, "0");
    }
}
