//! Which points there are, and which are about to be.
//!
//! Lists in the one order that is safe: deletions, then intents, then decisions. A point that moves on while we look is
//! then seen at least once: an intent that is gone already has left a decision, and a point whose base is deleted while
//! it is written was protected by its base or by its intent.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::mutant::{Mutant, mistake};
use super::stop;
use crate::VaultError;
use crate::crypto::deletion_is_signed;
use crate::format::{
    CommittedRecord, DecisionRecord, DeletionRecord, DiskRecord, Id, PendingRecord, RecordKind,
    deletion_text, root_level,
};
use crate::inner::Inner;

/// Decisions about points.
pub(super) const DECISIONS: &str = "rp/";
/// What writers are about to commit.
pub(super) const INTENTS: &str = "pending/";
/// Writers that began.
pub(super) const ACTIVE: &str = "active/";
/// Deletions of points.
pub(super) const DELETIONS: &str = "rp-deleted/";
/// Receipts of commits.
const RECEIPTS: &str = "rp-seen/";

/// How often an implausible listing is looked at again.
const ATTEMPTS: usize = 4;

/// A root of a block map and its level.
pub(super) type Root = (Id, u8);

/// The points of a vault at one look.
#[derive(Debug, Default)]
pub(super) struct Census {
    /// Points with a deletion that is signed.
    pub(super) deleted: BTreeSet<Uuid>,
    /// Intents by object: the point and the roots.
    pub(super) intents: BTreeMap<String, (Uuid, Vec<Root>)>,
    /// Decided points; `None` for an aborted one.
    pub(super) decided: BTreeMap<Uuid, Option<CommittedRecord>>,
}

impl Census {
    /// Looks. `known` is what was read before: decisions and deletions never change. The order of the lists matters.
    ///
    /// A store lists page by page, so a point that is committed meanwhile may be missed although one that follows it is
    /// seen. What cannot be right is looked at again before it is believed to be the store's fault.
    pub(super) fn take(inner: &Inner, known: Option<&Self>) -> Result<Self, VaultError> {
        let mut doubt = None;
        for _ in 0..ATTEMPTS {
            let (census, receipts) = Self::look(inner, known)?;
            match census.implausible(&receipts, known) {
                None => return Ok(census),
                Some(reason) => doubt = Some(reason),
            }
        }
        Err(stop(doubt.unwrap_or_default()))
    }

    fn look(inner: &Inner, known: Option<&Self>) -> Result<(Self, Vec<Uuid>), VaultError> {
        let mut census = Self::default();
        let mut receipts = Vec::new();
        if mistake(Mutant::CommitsBeforeIntents) {
            receipts = list_receipts(inner)?;
            census.list_decisions(inner, known)?;
        }
        if !mistake(Mutant::DeletionsListedLast) {
            census.list_deletions(inner, known)?;
        }
        census.list_intents(inner)?;
        if !mistake(Mutant::CommitsBeforeIntents) {
            // A writer leaves a receipt before it removes its intent. So a point whose intent is gone must be in both
            // of these lists, and one list alone that is not up to date is noticed.
            receipts = list_receipts(inner)?;
            census.list_decisions(inner, known)?;
        }
        if mistake(Mutant::DeletionsListedLast) {
            census.list_deletions(inner, known)?;
        }
        Ok((census, receipts))
    }

    fn list_deletions(&mut self, inner: &Inner, known: Option<&Self>) -> Result<(), VaultError> {
        for listed in inner.bucket.list(DELETIONS)? {
            let Some(point) = point_of(DELETIONS, &listed.key) else { continue };
            if known.is_some_and(|known| known.deleted.contains(&point)) {
                self.deleted.insert(point);
                continue;
            }
            let Some(record) =
                inner.get_json::<DeletionRecord>(RecordKind::Deletion, &listed.key)?
            else {
                continue;
            };
            let text = deletion_text(&inner.vault, point);
            // One that the holder of the delete key did not sign is as if it were not there.
            if record.point == point
                && deletion_is_signed(&inner.root.delete_public, &text, &record.signature)
            {
                self.deleted.insert(point);
            }
        }
        Ok(())
    }

    fn list_intents(&mut self, inner: &Inner) -> Result<(), VaultError> {
        for listed in inner.bucket.list(INTENTS)? {
            let Some(record) = inner.get_json::<PendingRecord>(RecordKind::Pending, &listed.key)?
            else {
                continue;
            };
            self.intents.insert(listed.key, (record.point, roots(&record.disks)));
        }
        Ok(())
    }

    fn list_decisions(&mut self, inner: &Inner, known: Option<&Self>) -> Result<(), VaultError> {
        for listed in inner.bucket.list(DECISIONS)? {
            let Some(point) = point_of(DECISIONS, &listed.key) else { continue };
            if let Some(before) = known.and_then(|known| known.decided.get(&point)) {
                self.decided.insert(point, before.clone());
                continue;
            }
            let record = inner.get_json::<DecisionRecord>(RecordKind::Decision, &listed.key)?;
            let decided = match record {
                Some(DecisionRecord::Committed(committed)) => Some(*committed),
                Some(DecisionRecord::Aborted { .. }) => None,
                // It was listed a moment ago, and decisions are never removed.
                None => {
                    return Err(stop(format!(
                        "the store lists {} and does not have it",
                        listed.key
                    )));
                }
            };
            self.decided.insert(point, decided);
        }
        Ok(())
    }

    /// Decisions, deletions and receipts are never removed, so a listing that lacks one is not to be believed. Gives
    /// what is wrong with it.
    fn implausible(&self, receipts: &[Uuid], known: Option<&Self>) -> Option<String> {
        let undecided = |point: &&Uuid| !self.decided.contains_key(*point);
        if let Some(known) = known {
            let undeleted = |point: &&Uuid| !self.deleted.contains(*point);
            let lost = known
                .decided
                .keys()
                .find(undecided)
                .or_else(|| known.deleted.iter().find(undeleted));
            if let Some(point) = lost {
                return Some(format!(
                    "the store listed a record of point {point} before and does not now"
                ));
            }
        }
        if let Some(point) = receipts.iter().find(undecided) {
            return Some(format!("point {point} was committed and the store does not list it"));
        }
        if let Some(point) = self.deleted.iter().find(undecided) {
            return Some(format!(
                "point {point} was deleted and the store does not list that it was committed"
            ));
        }
        let before =
            self.decided.values().flatten().filter_map(|committed| committed.previous.as_ref());
        let lost = before.map(|previous| &previous.point).find(undecided);
        lost.map(|point| format!("point {point} has a successor and the store does not list it"))
    }

    /// The committed points that are not deleted.
    pub(super) fn live(&self) -> impl Iterator<Item = &CommittedRecord> {
        self.decided.values().flatten().filter(|committed| !self.deleted.contains(&committed.point))
    }

    /// The roots that committed points need.
    pub(super) fn committed_roots(&self) -> Vec<Root> {
        self.live().flat_map(|committed| roots(&committed.disks)).collect()
    }

    /// The roots that points need that may still be committed.
    pub(super) fn intended_roots(&self) -> Vec<Root> {
        if mistake(Mutant::IntentsIgnored) {
            return Vec::new();
        }
        let undecided =
            self.intents.values().filter(|(point, _)| !self.decided.contains_key(point));
        undecided.flat_map(|(_, roots)| roots.clone()).collect()
    }
}

fn list_receipts(inner: &Inner) -> Result<Vec<Uuid>, VaultError> {
    let listed = inner.bucket.list(RECEIPTS)?;
    Ok(listed.iter().filter_map(|listed| point_of(RECEIPTS, &listed.key)).collect())
}

fn roots(disks: &[DiskRecord]) -> Vec<Root> {
    disks.iter().filter_map(|disk| Some((Id(disk.root?), root_level(disk.size_bytes)))).collect()
}

/// The point that an object of a folder is about, `None` if the name is not one of ours.
pub(super) fn point_of(folder: &str, key: &str) -> Option<Uuid> {
    let name = key.strip_prefix(folder)?;
    Uuid::try_parse(name.split('.').next()?).ok()
}
