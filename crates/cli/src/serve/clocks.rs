//! What the machine says about time: the wall clock, and how long it has been up.

use coffre_control::retention::clock::Reading;
use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};
use uuid::Uuid;

/// Linux' random id of this start of the machine.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Reads all clocks at once.
pub(crate) fn read() -> Reading {
    let up = clock_gettime(ClockId::Boottime);
    let nanoseconds = i32::try_from(up.tv_nsec).unwrap_or(0);
    Reading {
        wall: Timestamp::now(),
        boot: boot(),
        up: SignedDuration::new(up.tv_sec, nanoseconds),
    }
}

/// A machine that does not say counts as started anew with every reading: then nothing but the wall
/// clock is believed, and only for a day.
fn boot() -> Uuid {
    std::fs::read_to_string(BOOT_ID)
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or_else(Uuid::new_v4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_readings_are_of_one_start_and_in_order() {
        let (first, second) = (read(), read());
        assert_eq!(first.boot, second.boot);
        assert!(second.up >= first.up && first.up > SignedDuration::ZERO);
    }
}
