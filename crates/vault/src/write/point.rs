//! One recovery point from begin to commit.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use super::disk::DiskRun;
use super::fresh::{Fresh, Reliance};
use super::plan::{Planner, align};
use crate::bucket::Created;
use crate::crypto::{Capability, hpke_seal, random};
use crate::format::{
    ActiveRecord, BLOCK, CommittedRecord, DISK_BYTES_MAX, DISKS_MAX, DecisionRecord, DiskRecord,
    METADATA_BYTES_MAX, NAME_BYTES_MAX, PackId, PendingRecord, PointVoucher, PreviousPoint,
    ReceiptRecord, RecordKind, SealedMetadata, point_text,
};
use crate::gc::{Mutant, mistake};
use crate::inner::Inner;
use crate::points::{Decision, decision_key, deletion_key, receipt_key};
use crate::read::BaseTree;
use crate::{
    BlockSource, DiskSpec, DiskStats, Extent, PointInfo, PointSpec, Progress, ReadPlan, VaultError,
};

/// Writes one recovery point: disks first, then the commit. Dropped without commit, nothing is visible, and what was
/// stored is reused by the next attempt or collected.
#[derive(Debug)]
pub struct PointWriter {
    inner: Arc<Inner>,
    spec: PointSpec,
    fresh: Fresh,
    reliance: Reliance,
    disks: Vec<DiskRecord>,
    /// Points whose maps are shared without a look at each block.
    bases: BTreeSet<Uuid>,
}

impl PointWriter {
    pub(crate) fn begin(inner: Arc<Inner>, spec: PointSpec) -> Result<Self, VaultError> {
        inner.keyring.require(Capability::Put, "write recovery points")?;
        if let Some(what) = inner.root.unknown_to_writers() {
            return Err(VaultError::Unsupported { what });
        }
        check_name("the length of the point's name", &spec.name)?;
        match inner.decision(spec.id)? {
            Some(Decision::Committed(_)) => return Err(VaultError::AlreadyCommitted(spec.id)),
            Some(Decision::Aborted) => return Err(VaultError::Aborted(spec.id)),
            None => {}
        }
        inner.refresh()?;
        inner.compare_packs()?;
        let active = ActiveRecord { point: spec.id, name: spec.name.clone() };
        inner.create_json(RecordKind::Active, &active_key(spec.id), &active)?;
        let (fresh, reliance) = (Fresh::new(), Reliance::default());
        Ok(Self { inner, spec, fresh, reliance, disks: Vec::new(), bases: BTreeSet::new() })
    }

    /// Stores one disk. Uses all cores; returns when everything of it is durable (but not yet visible).
    ///
    /// # Errors
    /// [`VaultError::Source`], [`VaultError::Bucket`], [`VaultError::BaseUnusable`], [`VaultError::Cancelled`],
    /// [`VaultError::Limit`] and [`VaultError::Invalid`] for a wrong specification. The writer can be used further:
    /// the disk counts as not added.
    pub fn add_disk(
        &mut self,
        spec: DiskSpec,
        source: &dyn BlockSource,
        plan: ReadPlan<'_>,
        progress: &dyn Progress,
    ) -> Result<DiskStats, VaultError> {
        self.check_disk(&spec, source)?;
        let base = spec
            .base
            .as_ref()
            .map(|(point, key)| self.base(*point, key, spec.size_bytes))
            .transpose()?;
        let (planner, plan_bytes, base) = match (plan, base) {
            (ReadPlan::Everything, _) => {
                let reader =
                    source.reader().map_err(|source| VaultError::Source { offset: 0, source })?;
                (Planner::everything(reader, spec.size_bytes), spec.size_bytes, None)
            }
            (ReadPlan::Changed(_), None) => {
                return Err(VaultError::Invalid(
                    "changed ranges need a base to have changed from".to_owned(),
                ));
            }
            (ReadPlan::Changed(changed), Some(base)) => {
                let mut changed = changed.to_vec();
                if spec.size_bytes > base.size_bytes {
                    let length = spec.size_bytes - base.size_bytes;
                    changed.push(Extent { offset: base.size_bytes, length });
                }
                let changed = align(&changed, spec.size_bytes);
                let plan_bytes = changed.iter().map(|extent| extent.length).sum();
                (Planner::changed(&changed, spec.size_bytes), plan_bytes, Some(base))
            }
        };
        let inner = Arc::clone(&self.inner);
        let run = DiskRun {
            inner: &inner,
            point: *self.spec.id.as_bytes(),
            source,
            size_bytes: spec.size_bytes,
            base,
            fresh: &self.fresh,
            progress,
        };
        let ran = run.run(planner, plan_bytes, &mut self.reliance);
        if ran.is_err() {
            // What the failed run claimed as its own was perhaps never stored.
            self.fresh = Fresh::new();
        }
        // A base whose map cannot be read is no base; the caller reads everything, which also heals it.
        let (root, stats) = ran.map_err(|error| match error {
            VaultError::Damaged { object, offset, what } if base.is_some() => {
                VaultError::BaseUnusable {
                    reason: format!("damage in {object} at byte {offset}: {what}"),
                }
            }
            other => other,
        })?;
        if let (Some(_), Some((point, _))) = (base, &spec.base) {
            self.bases.insert(*point);
        }
        let root = root.map(|id| id.0);
        self.disks.push(DiskRecord { key: spec.key, size_bytes: spec.size_bytes, root, stats });
        Ok(stats)
    }

    fn check_disk(&self, spec: &DiskSpec, source: &dyn BlockSource) -> Result<(), VaultError> {
        check_name("the length of the disk's key", &spec.key)?;
        if self.disks.len() >= DISKS_MAX {
            let (found, limit) = (self.disks.len() as u64 + 1, DISKS_MAX as u64);
            return Err(VaultError::Limit { what: "the number of disks", found, limit });
        }
        if self.disks.iter().any(|disk| disk.key == spec.key) {
            return Err(VaultError::Invalid(format!("disk '{}' was added already", spec.key)));
        }
        if spec.size_bytes > DISK_BYTES_MAX {
            let (found, limit) = (spec.size_bytes, DISK_BYTES_MAX);
            return Err(VaultError::Limit { what: "the size of the disk in bytes", found, limit });
        }
        if source.size_bytes() != spec.size_bytes {
            let (said, is) = (spec.size_bytes, source.size_bytes());
            return Err(VaultError::Invalid(format!(
                "disk '{}' has {is} bytes, not {said}",
                spec.key
            )));
        }
        Ok(())
    }

    fn base(&self, point: Uuid, key: &str, size_bytes: u64) -> Result<BaseTree, VaultError> {
        let unusable = |reason: String| VaultError::BaseUnusable { reason };
        // A mark that cannot be read counts here as well: what the base shares may be collected.
        if self.inner.bucket.size(&deletion_key(point))?.is_some() {
            return Err(unusable(format!("point {point} is deleted")));
        }
        let record = self.inner.live_point(point)?;
        let record = record
            .ok_or_else(|| unusable(format!("point {point} does not exist or is deleted")))?;
        if !self.inner.may_build_on(&record) {
            return Err(unusable(format!("point {point} was written by another dedup group")));
        }
        let disk = record.disks.iter().find(|disk| disk.key == key);
        let disk = disk.ok_or_else(|| unusable(format!("point {point} has no disk '{key}'")))?;
        if disk.size_bytes > size_bytes {
            return Err(unusable(format!(
                "the disk shrank from {} to {size_bytes} bytes",
                disk.size_bytes
            )));
        }
        Ok(BaseTree::new(disk.root, disk.size_bytes))
    }

    /// Locks what this point needs, in a vault with locks. Gives until when.
    fn lock(&self) -> Result<Option<i64>, VaultError> {
        let Some(until) = self.inner.lock_until() else { return Ok(None) };
        let counted = self.reliance.own.iter().chain(&self.reliance.found).copied().collect();
        self.inner.lock_point(until, &self.disks, &self.bases, &counted)?;
        Ok(Some(until.target))
    }

    /// Our word for this point, where trust matters.
    fn voucher(&self) -> Result<Option<PointVoucher>, VaultError> {
        let (inner, spec) = (&*self.inner, &self.spec);
        if !inner.trusts().on() {
            return Ok(None);
        }
        let text = |group| point_text(&inner.vault, group, spec.id, &spec.name, &self.disks);
        let vouched = inner.keyring.vouch(text)?;
        Ok(vouched.map(|(group, signature)| PointVoucher { group, signature }))
    }

    /// Makes the point visible, with metadata that only holders of the read key can see (at most 4 MiB as JSON).
    ///
    /// # Errors
    /// [`VaultError::AlreadyCommitted`], [`VaultError::Aborted`]; [`VaultError::Overtaken`]: transfer again. After a
    /// failure of the store it is not known whether the point exists; begin again with the same id to learn it.
    pub fn commit(self, metadata: serde_json::Value) -> Result<PointInfo, VaultError> {
        let inner = &*self.inner;
        let point = self.spec.id;
        let metadata_sealed = seal_metadata(inner, point, &metadata)?;
        let previous = inner.newest_of(&self.spec.name)?;
        let pending = PendingRecord { point, disks: self.disks.clone() };
        // The name is this attempt's own: an intent of another attempt at the same point stays what it was.
        let pending_key =
            format!("pending/{}-{}", point.simple(), Uuid::from_bytes(random()?).simple());
        if mistake(Mutant::CheckBeforeIntent) {
            self.still_there()?;
        }
        if !mistake(Mutant::NoIntent) {
            inner.create_json(RecordKind::Pending, &pending_key, &pending)?;
        }
        if !mistake(Mutant::CheckBeforeIntent)
            && let Err(error) = self.still_there()
        {
            // The intent protects nothing any more; if it cannot be removed, a cleaner will.
            let _ = inner.bucket.delete(&pending_key);
            return Err(error);
        }
        let record = CommittedRecord {
            point,
            name: self.spec.name.clone(),
            time_unix_ms: self.spec.time_unix_ms,
            disks: self.disks.clone(),
            metadata: metadata_sealed,
            previous: previous.map(|(point, digest)| PreviousPoint { point, digest }),
            voucher: self.voucher()?,
            locked_until_unix_ms: self.lock()?,
        };
        let decision = inner.seal_json(
            RecordKind::Decision,
            &decision_key(point),
            &DecisionRecord::Committed(Box::new(record.clone())),
        )?;
        if mistake(Mutant::IntentRemovedBeforeDecision) {
            inner.bucket.delete(&pending_key)?;
        }
        decide(inner, point, &decision)?;
        let digest = *blake3::hash(&decision).as_bytes();
        inner.remember_decision(point, &record, digest);
        // The point is committed. What follows is tidying; the next run or a cleaner does it otherwise.
        // The intent may only go when the receipt is there: one of the two tells a collector whose listing of the decisions is
        // behind the truth that it is.
        let receipt = receipt_key(point);
        let sealed =
            inner.seal_json(RecordKind::Receipt, &receipt, &ReceiptRecord { point, digest });
        if mistake(Mutant::NoReceipt)
            || sealed.is_ok_and(|sealed| inner.create_kept(&receipt, &sealed).is_ok())
        {
            let _ = inner.bucket.delete(&pending_key);
        }
        let _ = inner.bucket.delete(&active_key(point));
        Ok(inner.info(&record, metadata))
    }

    /// Steps 7 and 8 of the writer (docs/format.md, section 8): nothing that this point counts on is condemned or gone.
    /// The intent is durable; a collector that did not see it condemned before, and we see what it condemned.
    fn still_there(&self) -> Result<(), VaultError> {
        self.inner.refresh_collections()?;
        {
            let index = self.inner.index();
            let lost = |pack: &PackId| {
                index.number_of(pack).is_none_or(|number| {
                    let facts = index.pack(number);
                    facts.condemned && !mistake(Mutant::NoCondemnedCheck)
                        || facts.dead && !mistake(Mutant::NoDoneCheck)
                })
            };
            let own = self.reliance.own.iter().filter(|_| !mistake(Mutant::OwnPacksUnchecked));
            if own.chain(&self.reliance.found).any(lost) {
                return Err(VaultError::Overtaken);
            }
        }
        self.look_at_packs()?;
        // Shared parts of a base are kept by the base; it must not have been deleted before the intent was durable.
        for base in &self.bases {
            if self.inner.bucket.size(&deletion_key(*base))?.is_some()
                && !mistake(Mutant::BaseUnchecked)
            {
                return Err(VaultError::Overtaken);
            }
        }
        Ok(())
    }

    /// A done marker that cannot be read named packs that are gone; one bad bit in it must not end all backups. Each
    /// pack that this point counts on is looked for. A marker comes after its deletions, so what is there stays.
    fn look_at_packs(&self) -> Result<(), VaultError> {
        if !self.inner.index().unsure {
            return Ok(());
        }
        let counted: BTreeSet<PackId> =
            self.reliance.own.iter().chain(&self.reliance.found).copied().collect();
        for pack in counted {
            if self.inner.bucket.size(&pack.object())?.is_none() {
                self.inner.index_mut().add_dead(&[pack]);
                return Err(VaultError::Overtaken);
            }
        }
        Ok(())
    }
}

/// Writes the decision. A failure is looked into at once: it may have been applied.
fn decide(inner: &Inner, point: Uuid, decision: &[u8]) -> Result<(), VaultError> {
    let key = decision_key(point);
    let created = inner.create_kept(&key, decision);
    if let Ok(Created::New) = created {
        return Ok(());
    }
    // Its salt is random: bytes equal to ours are ours.
    match (inner.bucket.get(&key), created) {
        (Ok(found), _) if found == decision || mistake(Mutant::ForeignDecisionAccepted) => Ok(()),
        (Ok(_), _) => match inner.decision(point)? {
            Some(Decision::Aborted) => Err(VaultError::Aborted(point)),
            Some(Decision::Committed(_)) | None => Err(VaultError::AlreadyCommitted(point)),
        },
        (Err(_), Err(error)) | (Err(error), Ok(_)) => Err(error.into()),
    }
}

fn seal_metadata(
    inner: &Inner,
    point: Uuid,
    metadata: &serde_json::Value,
) -> Result<SealedMetadata, VaultError> {
    let plain =
        serde_json::to_vec(metadata).map_err(|error| VaultError::Invalid(error.to_string()))?;
    if plain.len() > METADATA_BYTES_MAX {
        let (found, limit) = (plain.len() as u64, METADATA_BYTES_MAX as u64);
        return Err(VaultError::Limit { what: "the size of the metadata in bytes", found, limit });
    }
    let generation = inner.keyring.newest_generation()?;
    let info = metadata_info(&inner.vault, point, generation.number);
    let (enc, sealed) = hpke_seal(&generation.public, &info, &plain)?;
    Ok(SealedMetadata { generation: generation.number, enc, sealed })
}

/// What HPKE binds the metadata of a point to.
pub(crate) fn metadata_info(vault: &[u8; 16], point: Uuid, generation: u32) -> Vec<u8> {
    [b"coffre v1 metadata".as_slice(), vault, point.as_bytes(), &generation.to_le_bytes()].concat()
}

/// The key of the hint that a writer is at work.
pub(crate) fn active_key(point: Uuid) -> String {
    format!("active/{}", point.simple())
}

fn check_name(what: &'static str, name: &str) -> Result<(), VaultError> {
    if name.is_empty() {
        return Err(VaultError::Invalid(format!("{what} is zero")));
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(VaultError::Limit {
            what,
            found: name.len() as u64,
            limit: NAME_BYTES_MAX as u64,
        });
    }
    Ok(())
}

/// A leaf covers whole blocks; the planner counts on it.
const _: () = assert!(crate::format::LEAF_BYTES.is_multiple_of(BLOCK));
