//! When backups are due: time zones, and the slots of a schedule.
//!
//! A *slot* is a moment at which a schedule wants a backup. The wall clock of the zone decides: a
//! backup at 22:00 stays at 22:00 when clocks change. A time that a day does not have (clocks go
//! forward over it) is moved forward by the gap; a time that a day has twice counts once, the
//! first time. With [`DaylightSaving::FixedOffset`] the zone's standard offset holds all year, as
//! Azure does it.
//!
//! [`DaylightSaving::FixedOffset`]: crate::model::DaylightSaving::FixedOffset

mod timetable;
mod windows;
mod zone;

pub use timetable::{Slots, Timetable};
pub use zone::{UnknownZone, ZONE_EXAMPLES, find_zone};
