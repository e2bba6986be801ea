//! How long recovery points are kept.
//!
//! * [`judge`] – which tags each point of a history carries, and until when
//! * [`clock`] – the time that deletion goes by: never back, never ahead of what was witnessed
//! * [`simulate`] – what a policy would keep, and what a change would delete
//! * [`brake`] – how many points may go in a day
//!
//! A month counts as 31 days and a year as 366. A tag is earned by the day of the slot that the
//! point was made for, not by the moment at which the snapshot happened to be complete; time runs
//! from that moment. Of the scheduled points of a day the last one counts for the ranges; the
//! others live as long as points stay in the operational tier.

pub mod brake;
pub mod clock;
mod days;
mod judge;
pub mod simulate;

pub use judge::{Entry, Origin, Rules, Tag, Tagged, Verdict, judge};
