//! Vault time: the time that deletion goes by.
//!
//! It never goes back, and it never gets ahead of what was witnessed. While the machine is up, the
//! time since it started says how much passed, whatever is done to the wall clock. Over a restart
//! of the machine nobody witnessed anything: then the wall clock is believed, but only for a day.
//! When it claims more, vault time stays where it was, nothing is deleted, and a person has to say
//! that the wall clock is right.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A jump of the wall clock that is believed without a witness.
pub const BELIEVED: SignedDuration = SignedDuration::from_hours(24);
/// How far wall clock and witness may differ before people should know.
pub const TOLERATED: SignedDuration = SignedDuration::from_mins(5);
/// How long after its end a point goes at the earliest. What a wrong wall clock could gain
/// unwitnessed is less.
pub const GRACE: SignedDuration = SignedDuration::from_hours(12);

/// What the machine says about time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The wall clock.
    pub wall: Timestamp,
    /// Which start of the machine this is.
    pub boot: Uuid,
    /// How long it has been up, sleep included.
    pub up: SignedDuration,
}

/// Vault time, as it is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultClock {
    /// The time that deletion goes by.
    pub time: Timestamp,
    /// The reading that it was last advanced with.
    pub last: Reading,
    /// Nothing is deleted: the wall clock is further ahead than anybody can vouch for.
    pub halted: bool,
}

impl VaultClock {
    /// The clock of a new installation.
    pub fn start(reading: Reading) -> Self {
        Self { time: reading.wall, last: reading, halted: false }
    }

    /// Takes a new reading.
    #[must_use]
    pub fn advance(self, now: Reading) -> Self {
        let same_boot = now.boot == self.last.boot && now.up >= self.last.up;
        let most = if same_boot {
            self.time.saturating_add(now.up - self.last.up).unwrap_or(self.time)
        } else {
            match now.wall.duration_since(self.time) <= BELIEVED {
                true => now.wall,
                false => self.time,
            }
        };
        let time = self.time.max(now.wall.min(most));
        let halted = now.wall.duration_since(time) > BELIEVED;
        Self { time, last: now, halted }
    }

    /// A person says that the wall clock is right.
    #[must_use]
    pub fn confirm(self, now: Reading) -> Self {
        Self { time: self.time.max(now.wall), last: now, halted: false }
    }

    /// How far the wall clock is ahead of vault time; negative when it is behind.
    pub fn lag(&self) -> SignedDuration {
        self.last.wall.duration_since(self.time)
    }

    /// Whether the wall clock is so far behind that its slots were used before.
    pub fn is_behind(&self) -> bool {
        self.lag() < -BELIEVED
    }
}
