//! Which points of a history live, which tags they carry, and until when.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::id::PointId;
use crate::model::{Policy, Retention};
use crate::schedule::{Timetable, UnknownZone};

/// Days of a week.
const WEEK_DAYS: u32 = 7;
/// Days that a month counts as.
const MONTH_DAYS: u32 = 31;
/// Days that a year counts as.
const YEAR_DAYS: u32 = 366;

/// What a policy says about keeping points.
#[derive(Clone, Debug)]
pub struct Rules {
    /// When backups run; says on which day a slot lies.
    pub timetable: Timetable,
    /// The ranges.
    pub retention: Retention,
    /// Days that every scheduled point lives at least, and that the snapshot of any point stays.
    pub instant_days: u16,
}

impl Rules {
    /// The rules of a policy.
    pub fn of(policy: &Policy) -> Result<Self, UnknownZone> {
        Ok(Self {
            timetable: Timetable::of(policy)?,
            retention: policy.retention.clone(),
            instant_days: policy.instant_days,
        })
    }

    /// Until when the snapshot of a point stays beside the disks, where one was taken.
    pub fn snapshot_until(&self, point: &Entry) -> Timestamp {
        days_after(point.kept_from, u32::from(self.instant_days))
    }
}

/// A point, as far as its retention goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Identity.
    pub id: PointId,
    /// When its snapshot was complete.
    pub time: Timestamp,
    /// From when its time runs: `time`, or the time that deletion went by when that was later.
    pub kept_from: Timestamp,
    /// What it was made for.
    pub origin: Origin,
    /// It must not go before this.
    pub locked_until: Option<Timestamp>,
}

/// What a point was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A slot of the schedule.
    Slot(Timestamp),
    /// The schedule, while nobody knew which slot it was: it stands beside the points of its day
    /// and takes no tag from them.
    NoSlot,
    /// Somebody asked for it, to be kept until then.
    OnDemand(Timestamp),
}

/// Why a point is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Tag {
    /// Points stay in the operational tier for some days.
    Instant,
    /// The daily range.
    Daily,
    /// The weekly range.
    Weekly,
    /// The monthly range.
    Monthly,
    /// The yearly range.
    Yearly,
    /// Somebody asked for it.
    OnDemand,
    /// Protection was stopped and the data kept.
    Kept,
}

impl Tag {
    /// Its name at the surface.
    pub fn name(self) -> &'static str {
        match self {
            Self::Instant => "Instant",
            Self::Daily => "Daily",
            Self::Weekly => "Weekly",
            Self::Monthly => "Monthly",
            Self::Yearly => "Yearly",
            Self::OnDemand => "OnDemand",
            Self::Kept => "Kept",
        }
    }
}

/// A tag with its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tagged {
    /// The tag.
    pub tag: Tag,
    /// Until when it keeps the point; none = without end.
    pub until: Option<Timestamp>,
}

/// What becomes of a point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The point.
    pub id: PointId,
    /// Why it is kept, the longest last; never empty.
    pub tags: Vec<Tagged>,
    /// When the last of its tags ends; none = never.
    pub expires: Option<Timestamp>,
    /// It must not go before this.
    pub locked_until: Option<Timestamp>,
    /// The newest point of its item never goes by itself.
    pub newest: bool,
    /// A later point of its day carries the tags of the day.
    pub superseded: bool,
}

impl Verdict {
    /// Whether the point may go at a time.
    pub fn goes(&self, now: Timestamp) -> bool {
        let unlocked = self.locked_until.is_none_or(|until| until <= now);
        let over = self.expires.is_some_and(|expires| expires <= now);
        over && unlocked && !self.newest
    }

    /// The tag that keeps it longest.
    pub fn rule(&self) -> Tag {
        self.tags.last().map_or(Tag::Kept, |tagged| tagged.tag)
    }

    /// When it can go at the earliest, as things are; none = never.
    pub fn due(&self) -> Option<Timestamp> {
        let expires = self.expires.filter(|_| !self.newest)?;
        Some(self.locked_until.map_or(expires, |until| until.max(expires)))
    }
}

/// Judges the points of one item. `rules` of none: protection is stopped and the data kept. The
/// verdicts come in the order of the points.
pub fn judge(rules: Option<&Rules>, points: &[Entry]) -> Vec<Verdict> {
    let newest = points.iter().max_by_key(|point| (point.time, point.id)).map(|point| point.id);
    let last_of_day = rules.map(|rules| last_of_each_day(rules, points)).unwrap_or_default();
    points
        .iter()
        .map(|point| {
            let mut tags = match rules {
                None => vec![Tagged { tag: Tag::Kept, until: None }],
                Some(rules) => tags(rules, point, &last_of_day),
            };
            tags.sort_by_key(|tagged| (tagged.until.unwrap_or(Timestamp::MAX), tagged.tag));
            Verdict {
                id: point.id,
                expires: tags.last().and_then(|tagged| tagged.until),
                tags,
                locked_until: point.locked_until,
                newest: newest == Some(point.id),
                superseded: rules.is_some_and(|rules| !counts(rules, point, &last_of_day)),
            }
        })
        .collect()
}

/// The last point of each day that was made for a slot.
fn last_of_each_day(rules: &Rules, points: &[Entry]) -> BTreeMap<Date, (Timestamp, PointId)> {
    let mut last = BTreeMap::new();
    for point in points {
        let Origin::Slot(slot) = point.origin else { continue };
        let candidate = (slot, point.id);
        last.entry(rules.timetable.day_of(slot))
            .and_modify(|best: &mut (Timestamp, PointId)| *best = candidate.max(*best))
            .or_insert(candidate);
    }
    last
}

/// Whether a point carries the tags of its day.
fn counts(
    rules: &Rules,
    point: &Entry,
    last_of_day: &BTreeMap<Date, (Timestamp, PointId)>,
) -> bool {
    match point.origin {
        Origin::Slot(slot) => {
            let last = last_of_day.get(&rules.timetable.day_of(slot));
            last.is_some_and(|(_, id)| *id == point.id)
        }
        Origin::NoSlot | Origin::OnDemand(_) => true,
    }
}

fn tags(
    rules: &Rules,
    point: &Entry,
    last_of_day: &BTreeMap<Date, (Timestamp, PointId)>,
) -> Vec<Tagged> {
    let day = match point.origin {
        Origin::OnDemand(until) => {
            return vec![Tagged { tag: Tag::OnDemand, until: Some(until) }];
        }
        Origin::Slot(slot) => rules.timetable.day_of(slot),
        Origin::NoSlot => rules.timetable.day_of(point.time),
    };
    let mut tags = Vec::new();
    let mut keep = |tag, days: u32| {
        tags.push(Tagged { tag, until: Some(days_after(point.kept_from, days)) });
    };
    keep(Tag::Instant, u32::from(rules.instant_days));
    if !counts(rules, point, last_of_day) {
        return tags;
    }
    let Retention { daily, weekly, monthly, yearly } = &rules.retention;
    if let Some(daily) = daily {
        keep(Tag::Daily, daily.days);
    }
    if let Some(weekly) = weekly.as_ref().filter(|it| it.chooses(day)) {
        keep(Tag::Weekly, weekly.weeks.saturating_mul(WEEK_DAYS));
    }
    if let Some(monthly) = monthly.as_ref().filter(|it| it.chooses(day)) {
        keep(Tag::Monthly, monthly.months.saturating_mul(MONTH_DAYS));
    }
    if let Some(yearly) = yearly.as_ref().filter(|it| it.chooses(day)) {
        keep(Tag::Yearly, yearly.years.saturating_mul(YEAR_DAYS));
    }
    tags
}

fn days_after(time: Timestamp, days: u32) -> Timestamp {
    time.saturating_add(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(Timestamp::MAX)
}
