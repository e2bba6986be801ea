//! The end of recovery points: what has had its time is marked, removed from the store, and only
//! then forgotten.
//!
//! Marking and forgetting are transactions of their own; between them the service deletes from the
//! store. Whatever dies in between is found by the next look at the item and done again. All of it
//! goes by vault time, which is never ahead of the true time by more than the grace that every
//! point has.

use jiff::{SignedDuration, Timestamp};

use super::collection::collect_soon;
use super::find;
use super::plan::{later, plan_expiry};
use crate::error::Refusal;
use crate::id::{ItemId, PointId};
use crate::model::{
    Deletion, ExpiryBook, Immutability, ItemState, ProtectedItem, RecoveryPoint, SoftDeleteState,
    Task, Vault,
};
use crate::port::{DueFilter, Tx};
use crate::retention::{Origin, Rules, Verdict, brake, judge};

/// An item on which a job runs is looked at again after this; and one whose points were marked, in
/// case that nobody comes back to say that they are gone.
const AGAIN: SignedDuration = SignedDuration::from_mins(10);

/// The span that the brake counts over.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Points that are to be removed from the store of a vault.
#[derive(Clone, Debug, PartialEq)]
pub struct ToRemove {
    /// The item.
    pub item: ItemId,
    /// What people call it.
    pub name: String,
    /// Its vault.
    pub vault: Vault,
    /// The points; they are marked.
    pub points: Vec<PointId>,
}

/// Time, as deletion sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpiryTime {
    /// Vault time.
    pub now: Timestamp,
    /// How long after its end a point goes at the earliest.
    pub grace: SignedDuration,
}

impl ExpiryTime {
    /// What ended before this may go.
    pub(crate) fn horizon(self) -> Timestamp {
        self.now.saturating_sub(self.grace).unwrap_or(Timestamp::MIN)
    }
}

/// Items whose points are to be looked at.
pub fn due_items(tx: &mut dyn Tx, time: ExpiryTime, limit: u32) -> Result<Vec<ItemId>, Refusal> {
    let filter = DueFilter {
        task: Task::Expiry,
        now: time.now,
        not_hosts: Vec::new(),
        not_vaults: Vec::new(),
        limit,
    };
    Ok(tx.due(&filter)?.into_iter().map(|entry| entry.item()).collect())
}

/// Looks at the points of one item: what its policy says now is written down, and what has had its
/// time is marked for removal.
pub fn mark_expired(
    tx: &mut dyn Tx,
    id: ItemId,
    time: ExpiryTime,
) -> Result<Option<ToRemove>, Refusal> {
    let Some(mut item) = tx.item(id)? else {
        tx.delete_agenda(id.uuid())?;
        return Ok(None);
    };
    let vault = find::vault(tx, item.vault)?;
    if tx.running_job(item.id)?.is_some() || matches!(item.state, ItemState::SoftDeleted { .. }) {
        plan_expiry(tx, &item, Some(later(time.now, AGAIN)))?;
        return Ok(None);
    }
    let mut history = settle_points(tx, &vault, &item)?;
    let chosen = choose(&mut item, &vault, &mut history, time);
    for (point, _) in history.iter_mut().filter(|(point, _)| chosen.touched.contains(&point.id)) {
        tx.put_point(point)?;
    }
    let removing: Vec<PointId> = history
        .iter()
        .filter(|(point, _)| point.removing.is_some())
        .map(|(point, _)| point.id)
        .collect();
    if chosen.book_changed {
        tx.put_item(&mut item)?;
    }
    let next = if removing.is_empty() {
        next_look(&history, &item, time)
    } else {
        Some(later(time.now, AGAIN))
    };
    plan_expiry(tx, &item, next)?;
    let name = item.vm_name;
    Ok((!removing.is_empty()).then_some(ToRemove { item: id, name, vault, points: removing }))
}

/// The store no longer has these points: forgets them.
pub fn forget_points(
    tx: &mut dyn Tx,
    id: ItemId,
    points: &[PointId],
    time: ExpiryTime,
    now: Timestamp,
) -> Result<(), Refusal> {
    for &point in points {
        // A row that lost its mark in between is in use again.
        if tx.point(point)?.is_some_and(|row| row.removing.is_some()) {
            tx.delete_point(point)?;
        }
    }
    let Some(item) = tx.item(id)? else { return Ok(()) };
    let vault = find::vault(tx, item.vault)?;
    collect_soon(tx, vault.id, now)?;
    let history = settle_points(tx, &vault, &item)?;
    plan_expiry(tx, &item, next_look(&history, &item, time))
}

/// Judges an item's points by the policy as it is now, and writes what changed. Deleted points
/// are not judged: their end is the end of their deletion.
pub(crate) fn settle_points(
    tx: &mut dyn Tx,
    vault: &Vault,
    item: &ProtectedItem,
) -> Result<Vec<(RecoveryPoint, Option<Verdict>)>, Refusal> {
    let rules = rules_of(tx, item)?;
    let points = tx.points(item.id)?;
    let entries: Vec<_> =
        points.iter().filter(|point| point.is_usable()).map(RecoveryPoint::entry).collect();
    let mut verdicts = judge(rules.as_ref(), &entries).into_iter();
    let newest_day =
        entries.iter().filter_map(|entry| slot_day(rules.as_ref(), entry.origin)).max();
    let mut history = Vec::with_capacity(points.len());
    for mut point in points {
        if !point.is_usable() {
            history.push((point, None));
            continue;
        }
        let verdict = verdicts.next().expect("there is a verdict for each usable point");
        let day = slot_day(rules.as_ref(), point.entry().origin);
        let settled = day.is_none() || day != newest_day;
        if write_down(&mut point, &verdict, vault, settled) {
            tx.put_point(&mut point)?;
        }
        let newest = verdict.newest || item.last_point.is_some_and(|last| last.id == point.id);
        let locked_until = point.locked_until;
        history.push((point, Some(Verdict { newest, locked_until, ..verdict })));
    }
    Ok(history)
}

/// What an item's policy says; none when its data is kept without end.
pub(crate) fn rules_of(tx: &mut dyn Tx, item: &ProtectedItem) -> Result<Option<Rules>, Refusal> {
    let Some(name) = &item.policy else { return Ok(None) };
    let Some(policy) = tx.policy(item.vault, name)? else { return Ok(None) };
    Ok(Rules::of(&policy).ok())
}

fn slot_day(rules: Option<&Rules>, origin: Origin) -> Option<jiff::civil::Date> {
    match (rules, origin) {
        (Some(rules), Origin::Slot(slot)) => Some(rules.timetable.day_of(slot)),
        _ => None,
    }
}

/// Whether the row changed. In an immutable vault what a point was promised becomes a lock, once
/// no later point of its day can take a tag from it.
fn write_down(point: &mut RecoveryPoint, verdict: &Verdict, vault: &Vault, settled: bool) -> bool {
    let before = point.clone();
    if point.retain_until.is_none()
        && let Origin::OnDemand(until) = before.entry().origin
    {
        point.retain_until = Some(until);
    }
    let (old, new) = (before.expires.unwrap_or(Timestamp::MAX), verdict.expires);
    let new = new.unwrap_or(Timestamp::MAX);
    if !before.tags.is_empty() && old != new {
        // A point that lost its day to a later one was never promised more.
        point.shortened = new < old && !verdict.superseded;
    }
    point.expires = verdict.expires;
    point.rule = verdict.rule().name().to_owned();
    point.tags = verdict.tags.clone();
    match vault.immutability {
        Immutability::Disabled => point.locked_until = None,
        Immutability::Unlocked | Immutability::Locked if settled => {
            point.locked_until = point.locked_until.max(verdict.expires);
        }
        Immutability::Unlocked | Immutability::Locked => {}
    }
    *point != before
}

/// What was decided about an item's points.
struct Chosen {
    touched: Vec<PointId>,
    book_changed: bool,
}

fn choose(
    item: &mut ProtectedItem,
    vault: &Vault,
    history: &mut [(RecoveryPoint, Option<Verdict>)],
    time: ExpiryTime,
) -> Chosen {
    let horizon = time.horizon();
    let before = item.expiry;
    let mut book = current_book(before, time.now);
    let per_day = history.iter().filter_map(|(_, verdict)| verdict.as_ref()).count();
    let slots = slots_per_day(history);
    let allowed = brake::allowed(per_day, slots);
    let mut touched = Vec::new();
    let mut held = 0;
    // Oldest first: rows come newest first.
    for (point, verdict) in history.iter_mut().rev() {
        match (verdict, point.deletion) {
            _ if point.removing.is_some() => {}
            (None, Some(deletion)) if deletion.until <= horizon => {
                point.removing = Some(time.now);
                touched.push(point.id);
            }
            (Some(verdict), _) if verdict.goes(horizon) => {
                if point.shortened && vault.soft_delete.state != SoftDeleteState::Disabled {
                    let days = SignedDuration::from_hours(24 * i64::from(vault.soft_delete.days));
                    let until = later(time.now, days);
                    point.deletion = Some(Deletion { since: time.now, until, asked: false });
                    touched.push(point.id);
                } else if usize::try_from(book.gone).unwrap_or(usize::MAX) < allowed {
                    book.gone += 1;
                    point.removing = Some(time.now);
                    touched.push(point.id);
                } else {
                    held += 1;
                }
            }
            _ => {}
        }
    }
    book.held = held;
    item.expiry = book;
    Chosen { touched, book_changed: book != before }
}

fn current_book(book: ExpiryBook, now: Timestamp) -> ExpiryBook {
    match book.day {
        Some(day) if now.duration_since(day) < DAY => book,
        _ => ExpiryBook { day: Some(now), gone: 0, held: 0 },
    }
}

/// The most points that a day of the history has: what the schedule makes, seen from what is there.
fn slots_per_day(history: &[(RecoveryPoint, Option<Verdict>)]) -> u32 {
    let mut busiest = 1_u32;
    let mut run: Vec<Timestamp> = Vec::new();
    for (point, _) in history {
        run.retain(|time| time.duration_since(point.time) < DAY);
        run.push(point.time);
        busiest = busiest.max(u32::try_from(run.len()).unwrap_or(u32::MAX));
    }
    busiest
}

/// When the item is to be looked at next: when the first of its points may go.
fn next_look(
    history: &[(RecoveryPoint, Option<Verdict>)],
    item: &ProtectedItem,
    time: ExpiryTime,
) -> Option<Timestamp> {
    let ends = history.iter().filter_map(|(point, verdict)| match (verdict, point.deletion) {
        (Some(verdict), _) => verdict.due(),
        (None, Some(deletion)) => Some(deletion.until),
        (None, None) => None,
    });
    let first = ends.min().map(|end| later(end, time.grace))?;
    if item.expiry.held == 0 {
        return Some(first);
    }
    // The brake holds some back until its day is over.
    let day = item.expiry.day.unwrap_or(time.now);
    Some(first.max(later(day, DAY)))
}
