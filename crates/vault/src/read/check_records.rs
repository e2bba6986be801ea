//! Checking the small objects: root, key slots, decisions, receipts, deletions, intents, lists of the collector.

use std::collections::HashMap;

use uuid::Uuid;

use super::findings::Findings;
use crate::VaultError;
use crate::bucket::{BucketError, Object};
use crate::crypto::{SlotFile, slot_key};
use crate::format::{
    ActiveRecord, CommittedRecord, GroupRecord, PackListRecord, PendingRecord, PreviousPoint,
    ROOT_KEY, RecordKind, RootFile,
};
use crate::inner::{Inner, parse_json};
use crate::points::{Decision, decision_key, point_of};
use crate::trust::{GROUPS, VERIFIED};

/// Checks them all; gives the live points.
pub(super) fn check_records(
    inner: &Inner,
    findings: &mut Findings,
) -> Result<Vec<CommittedRecord>, VaultError> {
    check_root(inner, findings)?;
    check_slots(inner, findings)?;
    // Listed before the decisions: a point that is committed meanwhile has a decision in the later list.
    let receipts = inner.bucket.list("rp-seen/")?;
    let mut live = Vec::new();
    let mut digests = HashMap::new();
    for object in inner.bucket.list("rp/")? {
        let Some(point) = point_of(&object.key, "rp/") else {
            findings.add(&object.key, 0, "an object of a name that does not belong here", None);
            continue;
        };
        match inner.decision(point) {
            Ok(Some(Decision::Committed(committed))) => {
                digests.insert(point, committed.1);
                if let Err(error) = inner.metadata(&committed.0) {
                    findings.take(error, Some(point))?;
                }
                live.push(committed.0.clone());
            }
            Ok(Some(Decision::Aborted) | None) => {}
            Err(error) => findings.take(error, Some(point))?,
        }
    }
    check_history(inner, &live, &digests, findings)?;
    check_receipts(inner, &receipts, &digests, findings)?;
    let mut deleted = Vec::new();
    for object in inner.bucket.list("rp-deleted/")? {
        let point = point_of(&object.key, "rp-deleted/");
        match point.map(|point| inner.is_deleted(point)) {
            Some(Ok(_)) => deleted.extend(point),
            Some(Err(error)) => findings.take(error, point)?,
            None => {
                findings.add(&object.key, 0, "an object of a name that does not belong here", None)
            }
        }
    }
    live.retain(|record| !deleted.contains(&record.point));
    check_work(inner, findings)?;
    Ok(live)
}

fn check_root(inner: &Inner, findings: &mut Findings) -> Result<(), VaultError> {
    match inner.bucket.get(ROOT_KEY) {
        Ok(bytes) if *blake3::hash(&bytes).as_bytes() == inner.root_digest => Ok(()),
        Ok(bytes) => {
            let parsed = serde_json::from_slice::<RootFile>(&bytes).is_ok();
            let what =
                if parsed { "another root than the one that was opened" } else { "not a root" };
            findings.add(ROOT_KEY, 0, what, None);
            Ok(())
        }
        Err(error) => findings.take(error.into(), None),
    }
}

fn check_slots(inner: &Inner, findings: &mut Findings) -> Result<(), VaultError> {
    for object in inner.bucket.list("keys/")? {
        let bytes = match inner.bucket.get(&object.key) {
            Ok(bytes) => bytes,
            // Removed after it was listed.
            Err(BucketError::NotFound { .. }) => continue,
            Err(error) => {
                findings.take(error.into(), None)?;
                continue;
            }
        };
        match parse_json::<SlotFile>(&object.key, &bytes) {
            // A slot of a vault that was never finished in this store: nobody needs it.
            Ok(slot) if slot.to_bytes() == bytes && is_foreign(inner, &slot) => {}
            Ok(slot) if slot_key(slot.slot) != object.key => {
                findings.add(&object.key, 0, "a key slot under another name", None);
            }
            Ok(slot) if slot.to_bytes() == bytes && slot.is_whole(&inner.keyring) => {}
            Ok(_) => findings.add(&object.key, 0, "a key slot that is not as it was written", None),
            Err(error) => findings.take(error, None)?,
        }
    }
    Ok(())
}

/// Whether a slot is of another vault, and not one of ours with a damaged name.
fn is_foreign(inner: &Inner, slot: &SlotFile) -> bool {
    let as_ours = SlotFile { vault: inner.root.vault, ..slot.clone() };
    slot.vault != inner.root.vault && !as_ours.is_whole(&inner.keyring)
}

/// Whether a decision is as somebody says it is. Listings may have been made page by page while points were committed,
/// so one that is not in them is looked for again.
fn is_decided(
    inner: &Inner,
    digests: &HashMap<Uuid, [u8; 32]>,
    point: Uuid,
    digest: &[u8; 32],
) -> Result<bool, VaultError> {
    if let Some(found) = digests.get(&point) {
        return Ok(found == digest);
    }
    match inner.decision(point) {
        Ok(Some(Decision::Committed(committed))) => Ok(committed.1 == *digest),
        Ok(Some(Decision::Aborted) | None) => Ok(false),
        // Reported where the decisions were read.
        Err(error) if error.is_damage() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Each point names the one before it: one that is gone or replaced is seen by its successor.
fn check_history(
    inner: &Inner,
    points: &[CommittedRecord],
    digests: &HashMap<Uuid, [u8; 32]>,
    findings: &mut Findings,
) -> Result<(), VaultError> {
    for record in points {
        if let Some(PreviousPoint { point, digest }) = &record.previous
            && !is_decided(inner, digests, *point, digest)?
        {
            findings.add(
                &decision_key(*point),
                0,
                "the decision is missing or replaced",
                Some(*point),
            );
        }
    }
    Ok(())
}

/// Each receipt needs its decision: the newest point has no successor that would miss it.
fn check_receipts(
    inner: &Inner,
    receipts: &[Object],
    digests: &HashMap<Uuid, [u8; 32]>,
    findings: &mut Findings,
) -> Result<(), VaultError> {
    for object in receipts {
        let Some(point) = point_of(&object.key, "rp-seen/") else {
            findings.add(&object.key, 0, "an object of a name that does not belong here", None);
            continue;
        };
        match inner.receipt(point) {
            Ok(Some(receipt)) if receipt.point == point => {
                if !is_decided(inner, digests, point, &receipt.digest)? {
                    findings.add(
                        &decision_key(point),
                        0,
                        "the decision is missing or replaced",
                        Some(point),
                    );
                }
            }
            Ok(_) => findings.add(&object.key, 0, "a receipt of another point", None),
            Err(error) => findings.take(error, None)?,
        }
    }
    Ok(())
}

/// Dedup groups and lists of verified packs: what is not sound counts for nothing, and somebody should know.
fn check_trust(inner: &Inner, findings: &mut Findings) -> Result<(), VaultError> {
    let unsigned = "the delete key did not sign this";
    for object in inner.bucket.list(GROUPS)? {
        match inner.get_json::<GroupRecord>(RecordKind::Group, &object.key) {
            Ok(Some(record)) if !inner.group_is_sound(&object.key, &record) => {
                findings.add(&object.key, 0, unsigned, None);
            }
            Ok(_) => {}
            Err(error) => findings.take(error, None)?,
        }
    }
    for object in inner.bucket.list(VERIFIED)? {
        match inner.get_json::<PackListRecord>(RecordKind::Verified, &object.key) {
            Ok(Some(record)) if !inner.verified_is_sound(&object.key, &record) => {
                findings.add(&object.key, 0, unsigned, None);
            }
            Ok(_) => {}
            Err(error) => findings.take(error, None)?,
        }
    }
    Ok(())
}

/// What writers and collectors leave while they work.
fn check_work(inner: &Inner, findings: &mut Findings) -> Result<(), VaultError> {
    for object in inner.bucket.list("pending/")? {
        if let Err(error) = inner.get_json::<PendingRecord>(RecordKind::Pending, &object.key) {
            findings.take(error, None)?;
        }
    }
    for object in inner.bucket.list("active/")? {
        if let Err(error) = inner.get_json::<ActiveRecord>(RecordKind::Active, &object.key) {
            findings.take(error, None)?;
        }
    }
    check_trust(inner, findings)?;
    for (prefix, kind) in [("gc/condemned/", RecordKind::Condemned), ("gc/done/", RecordKind::Done)]
    {
        for object in inner.bucket.list(prefix)? {
            if let Err(error) = inner.get_pack_list(kind, &object.key) {
                findings.take(error, None)?;
            }
        }
    }
    Ok(())
}
