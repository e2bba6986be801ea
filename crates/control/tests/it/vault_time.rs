//! Vault time against clocks that jump: nothing ends before its true time.
//!
//! The true time is known to the test only. The wall clock is set wrong and right again, by hours,
//! a month, ten years ahead, a year back; the service and the machine are restarted at any moment.

use coffre_control::retention::clock::{BELIEVED, GRACE, Reading, VaultClock};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::dice::{Dice, cases};

const HOUR: i64 = 3600;

/// The world: true time, a wall clock that is off, a machine that counts its uptime.
struct World {
    truth: Timestamp,
    off: SignedDuration,
    boot: u128,
    up: SignedDuration,
}

impl World {
    fn pass(&mut self, seconds: i64) {
        let by = SignedDuration::from_secs(seconds);
        self.truth += by;
        self.up += by;
    }

    fn reading(&self) -> Reading {
        let wall = self.truth.saturating_add(self.off).unwrap();
        Reading { wall, boot: Uuid::from_u128(self.boot), up: self.up }
    }
}

/// Jumps of the wall clock, in seconds.
const JUMPS: &[i64] = &[
    HOUR,
    -HOUR,
    600,
    -600,
    1,
    -1,
    30 * 24 * HOUR,
    -30 * 24 * HOUR,
    10 * 366 * 24 * HOUR,
    -366 * 24 * HOUR,
];

#[test]
fn nothing_ends_early_whatever_the_wall_clock_does() {
    let (mut halts, mut ended) = (0_u64, 0_u64);
    for seed in 0..cases("COFFRE_CLOCK_SEEDS", 20_000) {
        let mut dice = Dice::new(seed);
        let truth: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut world =
            World { truth, off: SignedDuration::ZERO, boot: 1, up: SignedDuration::ZERO };
        let mut clock = VaultClock::start(world.reading());
        // What must not end before its true time: points, soft deletion, locks.
        let ends: Vec<Timestamp> = (0..8)
            .map(|_| truth + SignedDuration::from_secs(dice.within(0, 120 * 24 * HOUR)))
            .collect();
        let mut jumps = 0;
        for _ in 0..120 {
            match dice.below(10) {
                0 if jumps < 10 => {
                    jumps += 1;
                    let jump = SignedDuration::from_secs(*dice.pick(JUMPS));
                    world.off = world.off.checked_add(jump).unwrap();
                }
                1 => world.off = SignedDuration::ZERO,
                2 => {
                    // The machine is off for a while.
                    world.pass(dice.within(60, 20 * HOUR));
                    world.boot += 1;
                    world.up = SignedDuration::from_secs(dice.within(5, 60));
                }
                // The service alone is away: its machine goes on counting.
                3 => world.pass(dice.within(60, 72 * HOUR)),
                _ => world.pass(dice.within(1, 12 * HOUR)),
            }
            let before = clock.time;
            clock = clock.advance(world.reading());
            assert!(clock.time >= before, "seed {seed}: vault time went back");
            let ahead = clock.time.duration_since(world.truth);
            assert!(ahead <= BELIEVED, "seed {seed}: {ahead:?} ahead of the truth");
            if clock.halted {
                halts += 1;
                continue;
            }
            for end in &ends {
                if clock.time >= *end + GRACE {
                    ended += 1;
                    assert!(world.truth >= *end, "seed {seed}: {end} ended at {}", world.truth);
                }
            }
        }
    }
    assert!(halts > 100 && ended > 1000, "{halts} halts, {ended} ends were seen");
}

#[test]
fn a_jump_is_noticed_at_once_and_a_person_ends_the_halt() {
    let truth: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut world = World { truth, off: SignedDuration::ZERO, boot: 1, up: SignedDuration::ZERO };
    let mut clock = VaultClock::start(world.reading());
    world.pass(60);
    world.off = SignedDuration::from_hours(24 * 30);
    clock = clock.advance(world.reading());
    assert!(clock.halted);
    assert_eq!(clock.time, truth + SignedDuration::from_secs(60));
    // It was right all the same: the machine had been put right by hand.
    clock = clock.confirm(world.reading());
    assert!(!clock.halted);
    assert_eq!(clock.lag(), SignedDuration::ZERO);
}

#[test]
fn a_clock_that_is_put_right_again_ends_the_halt_by_itself() {
    let truth: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut world = World { truth, off: SignedDuration::ZERO, boot: 1, up: SignedDuration::ZERO };
    let mut clock = VaultClock::start(world.reading());
    world.off = SignedDuration::from_hours(24 * 30);
    world.pass(60);
    clock = clock.advance(world.reading());
    assert!(clock.halted);
    world.off = SignedDuration::ZERO;
    world.pass(60);
    clock = clock.advance(world.reading());
    assert!(!clock.halted);
    assert_eq!(clock.time, world.truth, "what passed meanwhile was witnessed");
}

#[test]
fn a_clock_far_behind_is_noticed_and_stops_nothing_but_time() {
    let truth: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut world = World { truth, off: SignedDuration::ZERO, boot: 1, up: SignedDuration::ZERO };
    let clock = VaultClock::start(world.reading());
    world.off = SignedDuration::from_hours(-24 * 366);
    world.pass(3600);
    let clock = clock.advance(world.reading());
    assert_eq!(clock.time, truth);
    assert!(clock.is_behind() && !clock.halted);
}
