//! A policy lived ahead, and what items cost.

use coffre_control::model::{PointTier, Vault};
use coffre_control::retention::simulate::{Change, Count};
use coffre_control::usecase::{InstanceCost, Simulation, SizeBasis};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::time;
use crate::names::item_id;

/// What a policy would keep.
pub(crate) fn simulation(found: &Simulation, now: Timestamp) -> Value {
    let runs = found
        .runs
        .iter()
        .map(|run| json!({ "utc": time(run.time), "local": run.local, "offset": run.offset }));
    let counts = found.counts.iter().map(|(at, it)| count(*at, it));
    let days = found.calendar.iter().map(|(date, day)| {
        json!({
            "date": date.to_string(),
            "tag": day.tag.map_or("Newest", |tag| tag.name()),
            "tiers": tiers(day.snapshot),
        })
    });
    let snapshots = found.snapshots.iter().map(|(made, until)| {
        json!({
            "recoveryPointTime": time(*made),
            "snapshotUntil": time(*until),
            "tiers": tiers(true),
        })
    });
    let changes = found.changes.iter().map(|(name, changes)| {
        let of = |wanted: fn(&Change, Timestamp) -> bool| -> Vec<Value> {
            changes.iter().filter(|it| wanted(it, now)).map(change).collect()
        };
        json!({
            "virtualMachine": name,
            "deletes": of(|it, now| it.deletes(now)),
            "shortens": of(|it, now| it.shortens() && !it.deletes(now)),
            "keepsLonger": of(|it, _| !it.shortens()),
        })
    });
    json!({
        "nextRuns": runs.collect::<Vec<_>>(),
        "end": time(found.end),
        "counts": counts.collect::<Vec<_>>(),
        "calendar": days.collect::<Vec<_>>(),
        "snapshots": snapshots.collect::<Vec<_>>(),
        "changes": changes.collect::<Vec<_>>(),
    })
}

/// Where a point is kept, in the words of its tier details.
fn tiers(snapshot: bool) -> Vec<&'static str> {
    let instant = snapshot.then(|| PointTier::Instant.azure());
    instant.into_iter().chain([PointTier::Vault.azure()]).collect()
}

fn count(at: Timestamp, count: &Count) -> Value {
    let mut body = json!({
        "date": time(at),
        "points": count.points,
        "snapshotAndVault": count.snapshots,
        "vaultOnly": count.points - count.snapshots,
    });
    for (tag, points) in &count.by_tag {
        body[tag.name()] = json!(points);
    }
    body
}

fn change(change: &Change) -> Value {
    json!({
        "recoveryPointTime": time(change.time),
        "expiresNow": change.before.map(time),
        "wouldExpire": change.after.map(time),
    })
}

/// What an item costs.
pub(crate) fn cost(vault: &Vault, cost: &InstanceCost) -> Value {
    let basis = match cost.basis {
        SizeBasis::Allocated => "Allocated",
        SizeBasis::Provisioned => "Provisioned",
    };
    json!({
        "id": item_id(vault, &cost.item),
        "name": cost.item.vm_name,
        "properties": {
            "protectionState": cost.item.state.azure(),
            "protectedInstanceBytes": cost.bytes,
            "sizeBasis": basis,
            "sizeBand": cost.band.name(),
            "recoveryPointCount": cost.points,
            "storedBytes": cost.stored_bytes,
        },
    })
}
