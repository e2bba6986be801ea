//! The agenda of items: when each is backed up next, and when its points are looked at next.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::find;
use crate::error::Refusal;
use crate::id::{ItemId, VaultId};
use crate::model::{Agenda, Policy, ProtectedItem, Task};
use crate::port::Tx;
use crate::schedule::Timetable;

/// A backup starts at most so long after its slot, unless there is no room for it.
const START_WINDOW: SignedDuration = SignedDuration::from_hours(2);

/// Backups of one policy start so far apart, as long as the window allows.
const APART: SignedDuration = SignedDuration::from_secs(30);

/// Timetables of policies that were looked up before in the same transaction.
#[derive(Debug, Default)]
pub(crate) struct Timetables {
    known: BTreeMap<(VaultId, String), Option<(Timetable, u64)>>,
}

impl Timetables {
    /// The timetable of a policy and how many items are under it; none when there is no such
    /// policy.
    pub(crate) fn get(
        &mut self,
        tx: &mut dyn Tx,
        vault: VaultId,
        name: &str,
    ) -> Result<Option<&(Timetable, u64)>, Refusal> {
        let key = (vault, name.to_ascii_lowercase());
        if !self.known.contains_key(&key) {
            let found = match tx.policy(vault, name)? {
                Some(policy) => match timetable(&policy) {
                    Some(table) => Some((table, tx.count_items_of_policy(vault, name)?)),
                    None => None,
                },
                None => None,
            };
            self.known.insert(key.clone(), found);
        }
        Ok(self.known.get(&key).and_then(Option::as_ref))
    }
}

/// The timetable of a stored policy. Earlier versions took any name for a zone: backups of such a
/// policy go by UTC, since a backup at another hour is better than none.
fn timetable(policy: &Policy) -> Option<Timetable> {
    Timetable::of(policy)
        .or_else(|_| Timetable::new(policy.schedule.clone(), "UTC", policy.daylight_saving))
        .ok()
}

/// Writes when an item is backed up next: at the first slot after `now`, or never.
pub(crate) fn plan_backup(
    tx: &mut dyn Tx,
    item: &ProtectedItem,
    tables: &mut Timetables,
    now: Timestamp,
) -> Result<(), Refusal> {
    let mut slot = None;
    let mut due = None;
    if let (true, Some(policy)) = (item.state.is_active(), &item.policy) {
        let found = tables.get(tx, item.vault, policy)?;
        if let Some((table, items)) = found {
            slot = table.after(now).next();
            due = slot.map(|slot| start_of(item.id, slot, table, *items));
        }
    }
    let host = tx.vm(item.vm)?.map(|vm| vm.hypervisor).unwrap_or_default();
    tx.put_agenda(&Agenda {
        task: Task::Backup,
        subject: item.id.uuid(),
        due,
        slot,
        vault: item.vault,
        host,
    })?;
    Ok(())
}

/// When the backup of an item starts for a slot. Items of one policy are spread, the same item
/// always at the same place.
fn start_of(item: ItemId, slot: Timestamp, table: &Timetable, items: u64) -> Timestamp {
    let between = SignedDuration::from_hours(i64::from(table.hours_between()));
    let window = START_WINDOW.min(between / 2);
    let others = i32::try_from(items.saturating_sub(1)).unwrap_or(i32::MAX);
    let spread = APART.saturating_mul(others).min(window).as_secs();
    let place = i64::from(mix(item.uuid().as_u128()) % 4096);
    slot.saturating_add(SignedDuration::from_secs(spread * place / 4096)).unwrap_or(slot)
}

/// Spreads ids evenly (the finish of a well-known hash).
fn mix(id: u128) -> u32 {
    let folded = (id ^ (id >> 64)) as u64;
    let mixed = (folded ^ (folded >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    (mixed >> 32) as u32
}

/// Writes when the points of an item are looked at next.
pub(crate) fn plan_expiry(
    tx: &mut dyn Tx,
    item: &ProtectedItem,
    due: Option<Timestamp>,
) -> Result<(), Refusal> {
    tx.put_agenda(&Agenda {
        task: Task::Expiry,
        subject: item.id.uuid(),
        due,
        slot: None,
        vault: item.vault,
        host: String::new(),
    })?;
    Ok(())
}

pub(crate) fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// Plans all items of a policy anew, and has their points looked at soon.
pub(crate) fn plan_policy(tx: &mut dyn Tx, policy: &Policy, now: Timestamp) -> Result<(), Refusal> {
    let mut tables = Timetables::default();
    for id in tx.items_of_policy(policy.vault, &policy.name)? {
        let item = find::item(tx, id)?;
        plan_backup(tx, &item, &mut tables, now)?;
        plan_expiry(tx, &item, Some(Timestamp::MIN))?;
    }
    Ok(())
}

/// Plans items that have no plan yet (of an earlier version, or after the agenda was lost), at
/// most so many. Says how many there were.
pub fn plan_forgotten(tx: &mut dyn Tx, now: Timestamp, limit: u32) -> Result<usize, Refusal> {
    let mut tables = Timetables::default();
    let mut planned = 0;
    for id in tx.items_without(Task::Backup, limit)? {
        let item = find::item(tx, id)?;
        plan_backup(tx, &item, &mut tables, now)?;
        planned += 1;
    }
    for id in tx.items_without(Task::Expiry, limit)? {
        let item = find::item(tx, id)?;
        plan_expiry(tx, &item, Some(Timestamp::MIN))?;
        planned += 1;
    }
    for vault in tx.vaults_without(Task::Collection, limit)? {
        super::collection::plan_collection(tx, vault, now)?;
        planned += 1;
    }
    Ok(planned)
}

/// Plans every item of a policy anew: for after the wall clock went back, when slots that were far
/// away are near again.
pub fn plan_again(tx: &mut dyn Tx, now: Timestamp) -> Result<(), Refusal> {
    let mut tables = Timetables::default();
    for subscription in tx.subscriptions()? {
        for vault in tx.vaults(subscription.id)? {
            for item in tx.items(vault.id)? {
                if item.state.is_active() {
                    plan_backup(tx, &item, &mut tables, now)?;
                }
            }
            super::collection::plan_collection(tx, vault.id, now)?;
        }
    }
    Ok(())
}
