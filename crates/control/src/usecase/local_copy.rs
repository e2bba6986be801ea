//! Copies of recovery points beside the disks of their machines: the operational tier. Which there are, which have had
//! their time, and what is written down when one is gone.
//!
//! A copy is written down in the transaction that makes its point count, and forgotten only when it was deleted from the
//! images: a point that is deleted, or whose item is, leaves no copy that nobody knows of.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::plan::later;
use crate::error::Refusal;
use crate::id::{ItemId, PointId, VmId};
use crate::model::{
    ItemState, LocalFacts, LocalTier, PointTier, ProtectedItem, Record, RecordKind, RecoveryPoint,
};
use crate::port::{StoreFault, Tx};

/// Above all copies.
const SCOPE: &str = "local-copies";

/// A copy that is in the images of a machine, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalCopy {
    /// The machine.
    pub vm: VmId,
    /// The item that the point belongs to, or belonged to.
    pub item: ItemId,
    /// The point.
    pub point: PointId,
    /// Until when it is kept.
    pub until: Timestamp,
}

/// All copies, by machine.
pub fn local_copies(tx: &mut dyn Tx) -> Result<Vec<LocalCopy>, Refusal> {
    read(tx.records_below(RecordKind::LocalCopy, SCOPE)?)
}

/// Copies in the images of one machine.
pub fn local_copies_of(tx: &mut dyn Tx, vm: VmId) -> Result<Vec<LocalCopy>, Refusal> {
    read(tx.records(RecordKind::LocalCopy, &scope(vm))?)
}

/// Copies that are to be deleted: those that had their time, and those of points that nobody can restore any more.
pub fn due_local_copies(tx: &mut dyn Tx, now: Timestamp) -> Result<Vec<LocalCopy>, Refusal> {
    let mut due = Vec::new();
    for copy in local_copies(tx)? {
        if copy.until <= now || !is_wanted(tx, &copy)? {
            due.push(copy);
        }
    }
    Ok(due)
}

fn is_wanted(tx: &mut dyn Tx, copy: &LocalCopy) -> Result<bool, Refusal> {
    if !tx.point(copy.point)?.is_some_and(|point| point.is_usable()) {
        return Ok(false);
    }
    let item = tx.item(copy.item)?;
    Ok(item.is_some_and(|item| !matches!(item.state, ItemState::SoftDeleted { .. })))
}

/// A copy is no longer in the images. Its point, if it is still there, says since when and why.
pub fn forget_local_copy(
    tx: &mut dyn Tx,
    copy: &LocalCopy,
    now: Timestamp,
    reason: &str,
) -> Result<(), Refusal> {
    tx.delete_record(RecordKind::LocalCopy, &scope(copy.vm), &copy.point.to_string())?;
    let Some(mut point) = tx.point(copy.point)? else { return Ok(()) };
    point.tiers.retain(|tier| *tier != PointTier::Instant);
    if let Some(local) = &mut point.local {
        local.gone = Some(now);
        local.reason = Some(reason.to_owned());
    }
    tx.put_point(&mut point)?;
    Ok(())
}

/// Writes down what a backup said about the copy of its new point.
pub(crate) fn note_local_copy(
    tx: &mut dyn Tx,
    item: &ProtectedItem,
    point: &mut RecoveryPoint,
    facts: Option<&LocalFacts>,
) -> Result<(), Refusal> {
    let Some(facts) = facts else { return Ok(()) };
    if !facts.kept {
        point.local = Some(LocalTier { until: None, gone: None, reason: facts.reason.clone() });
        return Ok(());
    }
    let policy = match &item.policy {
        Some(name) => tx.policy(item.vault, name)?,
        None => None,
    };
    let days = policy.map_or(0, |policy| policy.instant_days);
    let from = point.kept_from.unwrap_or(point.time);
    let until = later(from, SignedDuration::from_hours(24 * i64::from(days)));
    point.tiers.insert(0, PointTier::Instant);
    point.local = Some(LocalTier { until: Some(until), gone: None, reason: None });
    let copy = LocalCopy { vm: item.vm, item: item.id, point: point.id, until };
    let content = serde_json::to_value(&copy).expect("plain data becomes JSON");
    let (scope, name) = (scope(copy.vm), copy.point.to_string());
    tx.put_record(&mut Record { kind: RecordKind::LocalCopy, scope, name, content, etag: 0 })?;
    Ok(())
}

fn scope(vm: VmId) -> String {
    format!("{SCOPE}/{vm}")
}

fn read(records: Vec<Record>) -> Result<Vec<LocalCopy>, Refusal> {
    let one = |record: Record| {
        let key = format!("{}/{}", record.scope, record.name);
        let bad = |error| StoreFault::BadRow { table: "record", key, source: Box::new(error) };
        Ok(serde_json::from_value(record.content).map_err(bad)?)
    };
    records.into_iter().map(one).collect()
}
