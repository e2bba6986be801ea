//! What a policy would keep: its life is lived ahead, with a backup at every slot.
//!
//! Made of the same parts as the service, [`Timetable`] and [`judge`], so that the answer is what
//! will happen. It leaves out what cannot be known: backups that fail, and the grace and the brake
//! that let points go a little later.
//!
//! [`Timetable`]: crate::schedule::Timetable

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;

use super::judge::{Entry, Origin, Rules, Tag, Verdict, judge};
use crate::id::PointId;

/// A point of a simulated life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lived {
    /// The point as it was made.
    pub entry: Entry,
    /// What becomes of it.
    pub verdict: Verdict,
    /// When it goes; none = never.
    pub gone: Option<Timestamp>,
    /// Until when a snapshot beside the disks of its machine is kept, where one can be taken.
    pub snapshot_until: Timestamp,
}

impl Lived {
    /// Whether it is there at a moment.
    pub fn is_there(&self, now: Timestamp) -> bool {
        self.entry.time <= now && self.gone.is_none_or(|gone| now < gone)
    }

    /// Whether it is there at a moment and has a snapshot beside the disks besides: it is in both tiers then.
    pub fn has_snapshot(&self, now: Timestamp) -> bool {
        self.is_there(now) && now < self.snapshot_until
    }

    /// The strongest tag that keeps it at a moment; none when only its being the newest does.
    pub fn tag_at(&self, now: Timestamp) -> Option<Tag> {
        let alive = |until: Option<Timestamp>| until.is_none_or(|until| now < until);
        self.verdict.tags.iter().filter(|it| alive(it.until)).map(|it| it.tag).max()
    }
}

/// How many points are there at the end of a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// All of them.
    pub points: usize,
    /// Those that have a snapshot beside the disks besides, where one can be taken.
    pub snapshots: usize,
    /// By the strongest tag of each.
    pub by_tag: BTreeMap<Tag, usize>,
}

/// Lives from one moment to another (both included), beginning with the points that are there.
/// Points come in the order of their time.
pub fn live(rules: &Rules, there: &[Entry], from: Timestamp, to: Timestamp) -> Vec<Lived> {
    let mut entries = there.to_vec();
    let just_before = from.saturating_sub(jiff::SignedDuration::from_nanos(1)).unwrap_or(from);
    let slots = rules.timetable.after(just_before).take_while(|slot| *slot <= to);
    for (number, slot) in (1_u128..).zip(slots) {
        let taken = there.iter().any(|entry| entry.origin == Origin::Slot(slot));
        if !taken {
            entries.push(Entry {
                id: PointId(uuid::Uuid::from_u128(number)),
                time: slot,
                kept_from: slot,
                origin: Origin::Slot(slot),
                locked_until: None,
            });
        }
    }
    entries.sort_by_key(|entry| (entry.time, entry.id));
    let verdicts = judge(Some(rules), &entries);
    let next_times: Vec<Option<Timestamp>> =
        entries.iter().skip(1).map(|entry| Some(entry.time)).chain([None]).collect();
    entries
        .into_iter()
        .zip(verdicts)
        .zip(next_times)
        .map(|((entry, verdict), next)| {
            // While it is the newest it stays.
            let gone = match (verdict.due(), next) {
                (Some(due), Some(next)) => Some(due.max(next)),
                _ => None,
            };
            let snapshot_until = rules.snapshot_until(&entry);
            Lived { entry, verdict, gone, snapshot_until }
        })
        .collect()
}

/// Counts what is there at a moment.
pub fn count(life: &[Lived], now: Timestamp) -> Count {
    let mut count = Count::default();
    for point in life.iter().filter(|point| point.is_there(now)) {
        count.points += 1;
        count.snapshots += usize::from(point.has_snapshot(now));
        if let Some(tag) = point.tag_at(now) {
            *count.by_tag.entry(tag).or_default() += 1;
        }
    }
    count
}

/// A day that has a point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// The strongest tag of its points; none when only being the newest keeps one.
    pub tag: Option<Tag>,
    /// Whether one of its points has a snapshot beside the disks besides.
    pub snapshot: bool,
}

/// Each day that has a point at a moment, by the day of its slot.
pub fn calendar(rules: &Rules, life: &[Lived], now: Timestamp) -> BTreeMap<Date, Day> {
    let mut days: BTreeMap<Date, Day> = BTreeMap::new();
    for point in life.iter().filter(|point| point.is_there(now)) {
        let of = match point.entry.origin {
            Origin::Slot(slot) => slot,
            Origin::NoSlot | Origin::OnDemand(_) => point.entry.time,
        };
        let day = days.entry(rules.timetable.day_of(of)).or_default();
        day.tag = day.tag.max(point.tag_at(now));
        day.snapshot |= point.has_snapshot(now);
    }
    days
}

/// What another policy would do to a point that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The point.
    pub id: PointId,
    /// When its snapshot was complete.
    pub time: Timestamp,
    /// When it goes as things are; none = never.
    pub before: Option<Timestamp>,
    /// When it would go; none = never.
    pub after: Option<Timestamp>,
}

impl Change {
    /// Whether the point would be deleted at once.
    pub fn deletes(&self, now: Timestamp) -> bool {
        self.after.is_some_and(|after| after <= now) && self.before.is_none_or(|it| it > now)
    }

    /// Whether the point would go sooner.
    pub fn shortens(&self) -> bool {
        self.after.unwrap_or(Timestamp::MAX) < self.before.unwrap_or(Timestamp::MAX)
    }
}

/// Compares what becomes of an item's points under two policies; none = kept without end.
pub fn compare(before: Option<&Rules>, after: Option<&Rules>, points: &[Entry]) -> Vec<Change> {
    let (old, new) = (judge(before, points), judge(after, points));
    let both = points.iter().zip(old.iter().zip(&new));
    both.map(|(point, (old, new))| Change {
        id: point.id,
        time: point.time,
        before: old.due(),
        after: new.due(),
    })
    .collect()
}
