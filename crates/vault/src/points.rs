//! Which recovery points there are: decisions, deletions, receipts.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use uuid::Uuid;

use crate::bucket::BucketError;
use crate::crypto::{Capability, deletion_is_signed, hpke_open};
use crate::format::{
    CommittedRecord, DecisionRecord, DeletionRecord, ReceiptRecord, RecordKind, SealedMetadata,
    deletion_text,
};
use crate::gc::{Mutant, mistake};
use crate::inner::{Inner, lock, parse_json};
use crate::write::metadata_info;
use crate::{DiskInfo, DiskStats, PointInfo, VaultError};

/// A committed point and the plain BLAKE3 of its decision object.
pub(crate) type Committed = Arc<(CommittedRecord, [u8; 32])>;

/// What was decided about a point.
#[derive(Debug, Clone)]
pub(crate) enum Decision {
    /// It exists.
    Committed(Committed),
    /// It never will.
    Aborted,
}

/// Decisions and deletions never change, so what was read once is kept.
#[derive(Debug, Default)]
pub(crate) struct PointCache {
    decisions: Mutex<HashMap<Uuid, Decision>>,
    deletions: Mutex<HashSet<Uuid>>,
}

/// The key of a point's decision.
pub(crate) fn decision_key(point: Uuid) -> String {
    format!("rp/{}", point.simple())
}

/// The key of a point's receipt.
pub(crate) fn receipt_key(point: Uuid) -> String {
    format!("rp-seen/{}", point.simple())
}

/// The key of a point's deletion.
pub(crate) fn deletion_key(point: Uuid) -> String {
    format!("rp-deleted/{}", point.simple())
}

/// The point of an object key below `prefix`, `None` if it is none.
pub(crate) fn point_of(key: &str, prefix: &str) -> Option<Uuid> {
    let name = key.strip_prefix(prefix)?;
    let point = Uuid::try_parse(name).ok()?;
    (point.simple().to_string() == name).then_some(point)
}

/// `None` for damage.
fn unless_damaged<T>(result: Result<T, VaultError>) -> Result<Option<T>, VaultError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_damage() => Ok(None),
        Err(error) => Err(error),
    }
}

impl Inner {
    /// What was decided about a point, `None` if nothing yet.
    pub(crate) fn decision(&self, point: Uuid) -> Result<Option<Decision>, VaultError> {
        if let Some(decision) = lock(&self.points.decisions).get(&point) {
            return Ok(Some(decision.clone()));
        }
        let key = decision_key(point);
        let sealed = match self.bucket.get(&key) {
            Ok(sealed) => sealed,
            Err(BucketError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let plain = self.open(RecordKind::Decision, &key, &sealed)?;
        let decision = match parse_json::<DecisionRecord>(&key, &plain)? {
            DecisionRecord::Committed(record) if record.point == point => {
                Decision::Committed(Arc::new((*record, *blake3::hash(&sealed).as_bytes())))
            }
            DecisionRecord::Aborted { point: aborted } if aborted == point => Decision::Aborted,
            DecisionRecord::Committed(_) | DecisionRecord::Aborted { .. } => {
                let what = "a decision about another point".to_owned();
                return Err(VaultError::Damaged { object: key, offset: 0, what });
            }
        };
        lock(&self.points.decisions).insert(point, decision.clone());
        Ok(Some(decision))
    }

    /// Keeps a decision that was just written.
    pub(crate) fn remember_decision(
        &self,
        point: Uuid,
        record: &CommittedRecord,
        digest: [u8; 32],
    ) {
        let decision = Decision::Committed(Arc::new((record.clone(), digest)));
        lock(&self.points.decisions).insert(point, decision);
    }

    /// Whether a point is deleted. A deletion that the delete key did not sign counts for nothing but an error.
    pub(crate) fn is_deleted(&self, point: Uuid) -> Result<bool, VaultError> {
        if lock(&self.points.deletions).contains(&point) {
            return Ok(true);
        }
        let key = deletion_key(point);
        let Some(record) = self.get_json::<DeletionRecord>(RecordKind::Deletion, &key)? else {
            return Ok(false);
        };
        let text = deletion_text(&self.vault, point);
        if record.point != point
            || !deletion_is_signed(&self.root.delete_public, &text, &record.signature)
        {
            let what = "a deletion that the delete key did not sign".to_owned();
            return Err(VaultError::Damaged { object: key, offset: 0, what });
        }
        lock(&self.points.deletions).insert(point);
        Ok(true)
    }

    /// Whether a point is deleted by a mark that can be read; a damaged one deletes nothing.
    pub(crate) fn is_surely_deleted(&self, point: Uuid) -> Result<bool, VaultError> {
        Ok(unless_damaged(self.is_deleted(point))?.unwrap_or(false))
    }

    /// A committed point that is not deleted.
    pub(crate) fn live_point(&self, point: Uuid) -> Result<Option<CommittedRecord>, VaultError> {
        match self.decision(point)? {
            Some(Decision::Committed(committed)) if !self.is_surely_deleted(point)? => {
                Ok(Some(committed.0.clone()))
            }
            Some(Decision::Committed(_) | Decision::Aborted) | None => Ok(None),
        }
    }

    /// All committed points that are not deleted, oldest first, with the digests of their decisions. Points whose
    /// decision is damaged are left out; a damaged deletion deletes nothing.
    pub(crate) fn live_points(&self) -> Result<Vec<Committed>, VaultError> {
        let decided = self.bucket.list("rp/")?;
        let deleted: HashSet<Uuid> = {
            let listed = self.bucket.list("rp-deleted/")?;
            listed.iter().filter_map(|object| point_of(&object.key, "rp-deleted/")).collect()
        };
        let mut points = Vec::new();
        for object in decided {
            let Some(point) = point_of(&object.key, "rp/") else { continue };
            // One damaged record must not hide the other points, nor stop the next backup; verify names it.
            if deleted.contains(&point) && self.is_surely_deleted(point)? {
                continue;
            }
            let decision = unless_damaged(self.decision(point))?.flatten();
            if let Some(Decision::Committed(committed)) = decision {
                points.push(committed);
            }
        }
        points.sort_by_key(|committed| (committed.0.time_unix_ms, committed.0.point));
        Ok(points)
    }

    /// The newest live point of a name and the digest of its decision.
    pub(crate) fn newest_of(&self, name: &str) -> Result<Option<(Uuid, [u8; 32])>, VaultError> {
        let points = self.live_points()?;
        let newest = points.iter().rfind(|committed| committed.0.name == name);
        Ok(newest.map(|committed| (committed.0.point, committed.1)))
    }

    /// A point as callers see it.
    pub(crate) fn info(&self, record: &CommittedRecord, metadata: serde_json::Value) -> PointInfo {
        let mut stats = DiskStats::default();
        for disk in &record.disks {
            stats.add(&disk.stats);
        }
        let disks = record.disks.iter().map(|disk| DiskInfo {
            key: disk.key.clone(),
            size_bytes: disk.size_bytes,
            stats: disk.stats,
        });
        PointInfo {
            id: record.point,
            name: record.name.clone(),
            time_unix_ms: record.time_unix_ms,
            disks: disks.collect(),
            metadata,
            stats,
        }
    }

    /// The metadata of a point; `Null` without the read key.
    pub(crate) fn metadata(
        &self,
        record: &CommittedRecord,
    ) -> Result<serde_json::Value, VaultError> {
        if !self.keyring.may(Capability::Read) {
            return Ok(serde_json::Value::Null);
        }
        let SealedMetadata { generation, enc, sealed } = &record.metadata;
        let secret = self.keyring.data_secret(*generation)?;
        let key = decision_key(record.point);
        let plain =
            hpke_open(secret, enc, &metadata_info(&self.vault, record.point, *generation), sealed);
        let plain = plain.ok_or_else(|| VaultError::Damaged {
            object: key.clone(),
            offset: 0,
            what: "the seal of the metadata does not hold".to_owned(),
        })?;
        parse_json(&key, &plain)
    }

    /// Marks a point deleted.
    pub(crate) fn delete_point(&self, point: Uuid) -> Result<(), VaultError> {
        self.keyring.require(Capability::Delete, "delete recovery points")?;
        match self.decision(point)? {
            Some(Decision::Committed(_)) => {}
            Some(Decision::Aborted) | None => return Err(VaultError::UnknownPoint(point)),
        }
        if mistake(Mutant::DeletionUnlinks) {
            return Ok(self.bucket.delete(&decision_key(point))?);
        }
        let signature = self.keyring.sign_deletion(&deletion_text(&self.vault, point))?;
        // One that exists already is as good as ours.
        self.create_json(
            RecordKind::Deletion,
            &deletion_key(point),
            &DeletionRecord { point, signature },
        )?;
        Ok(())
    }

    /// Makes sure that a committed point has its receipt. Before that its intent must stay: a collector that reads a listing
    /// of the decisions that is behind the truth notices by the intent, or by the receipt (gc/census.rs).
    pub(crate) fn leave_receipt(&self, point: Uuid) -> Result<(), VaultError> {
        let Some(Decision::Committed(decision)) = self.decision(point)? else { return Ok(()) };
        let key = receipt_key(point);
        if self.bucket.size(&key)?.is_none() && !mistake(Mutant::NoReceipt) {
            let receipt = ReceiptRecord { point, digest: decision.1 };
            let sealed = self.seal_json(RecordKind::Receipt, &key, &receipt)?;
            self.create_kept(&key, &sealed)?;
        }
        Ok(())
    }

    /// Reads a receipt, `None` if there is none.
    pub(crate) fn receipt(&self, point: Uuid) -> Result<Option<ReceiptRecord>, VaultError> {
        self.get_json(RecordKind::Receipt, &receipt_key(point))
    }
}
