//! One run of the collector, step by step (the table in the module above).

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::census::Census;
use super::epoch::Epoch;
use super::janitor::{abandon_old, traces};
use super::lists::{self, CONDEMNED, DONE, Packs};
use super::mark::{Marks, look};
use super::mutant::{Mutant, mistake};
use super::plan::choose;
use super::rescue::{judged, needed, rescue};
use super::view::{SEGMENTS, View};
use super::{CollectOptions, CollectPlan, CollectReport, stop};
use crate::VaultError;
use crate::bucket::BucketError;
use crate::crypto::{Capability, random};
use crate::format::{PackId, PackListing, RecordKind, seal_record};
use crate::inner::{Inner, create_new};
use crate::parallel::in_parallel;

/// How often copying begins again because another collector was faster.
const ATTEMPTS: usize = 64;
/// Deletions that are under way at a time.
const DELETERS: usize = 8;
/// A new segment is closed at about this size.
const SEGMENT_BYTES_TARGET: usize = 8 * 1024 * 1024;

/// What a collection would do now. Changes nothing.
pub(crate) fn collect_plan(
    inner: &Inner,
    options: &CollectOptions,
) -> Result<CollectPlan, VaultError> {
    inner.keyring.require(Capability::Delete, "collect")?;
    let (census, mut view, marks) = look(inner, None)?;
    let epoch = Epoch::read(inner)?;
    view.judge(&epoch);
    Ok(choose(&view, &marks, &census, &epoch, options)?.plan)
}

/// Collects.
pub(crate) fn collect(
    inner: &Inner,
    options: &CollectOptions,
) -> Result<CollectReport, VaultError> {
    inner.keyring.require(Capability::Delete, "collect")?;
    let points_abandoned = abandon_old(inner, options)?;
    let (census, mut view, marks) = look(inner, None)?;
    let mut epoch = Epoch::read(inner)?;
    view.judge(&epoch);
    let choice = choose(&view, &marks, &census, &epoch, options)?;
    inner.drop_lists(|pack| view.objects.contains_key(pack))?;
    let report = CollectReport { plan: choice.plan, points_abandoned, ..CollectReport::default() };
    let mut run = Run { inner, report };
    if !choice.packs.is_empty() {
        run.condemn(&mut epoch, &choice.packs)?;
    } else if !epoch.condemned.is_empty() {
        epoch.read_again(inner)?;
    }
    let census = if epoch.condemned.is_empty() {
        // Nothing will be deleted, so what was seen while planning is good enough to tidy the index.
        view.judge(&epoch);
        run.replace_segments(&view, Vec::new())?;
        census
    } else {
        run.empty_and_delete(&epoch, census, (view, marks))?
    };
    run.remove_strays(&epoch)?;
    run.remove_settled(&census)?;
    Ok(run.report)
}

struct Run<'a> {
    inner: &'a Inner,
    report: CollectReport,
}

impl Run<'_> {
    /// Steps 2 and 3: says what will be deleted, then reads what everybody has said.
    fn condemn(&mut self, epoch: &mut Epoch, packs: &Packs) -> Result<(), VaultError> {
        let run = Uuid::from_bytes(random()?);
        self.report.run = Some(run);
        lists::write(self.inner, CONDEMNED, run, packs)?;
        epoch.read_again(self.inner)?;
        let (ours, done) = (lists::object(CONDEMNED, run), lists::object(DONE, run));
        if !epoch.condemned.contains_key(&ours) && !epoch.done.contains_key(&done) {
            return Err(stop(
                "the store does not list an object that it has acknowledged".to_owned(),
            ));
        }
        if mistake(Mutant::BlindToOtherCollectors) {
            epoch.condemned.retain(|key, _| *key == ours);
        }
        Ok(())
    }

    /// Steps 4 to 10. `planned` is what was seen before anything was condemned.
    fn empty_and_delete(
        &mut self,
        epoch: &Epoch,
        planned: Census,
        planned_view: (View, Marks),
    ) -> Result<Census, VaultError> {
        let mut first = mistake(Mutant::MarkFromPlan).then_some(planned_view);
        let mut known = planned;
        for _ in 0..ATTEMPTS {
            let (census, mut view, marks) = match first.take() {
                Some((view, marks)) => (known, view, marks),
                None => look(self.inner, Some(&known))?,
            };
            view.judge(epoch);
            match self.rescue(&view, &marks) {
                Ok((copies, spared)) => {
                    self.finish(epoch, &view, copies, &spared)?;
                    return Ok(census);
                }
                // Another collector emptied and deleted the pack meanwhile: its copies are in the index now.
                Err(VaultError::Bucket(BucketError::NotFound { .. })) => known = census,
                Err(error) => return Err(error),
            }
        }
        Err(stop("packs vanish faster than they can be copied".to_owned()))
    }

    /// Step 6: copies what is needed. Gives the copies, which no segment names yet.
    fn rescue(
        &mut self,
        view: &View,
        marks: &Marks,
    ) -> Result<(Vec<PackListing>, Packs), VaultError> {
        let wanted = needed(view, marks);
        if mistake(Mutant::SpareInsteadOfRescue) {
            return Ok((
                Vec::new(),
                wanted.keys().map(|pack| view.packs[*pack as usize].id).collect(),
            ));
        }
        let rescued = rescue(self.inner, view, wanted)?;
        self.report.bytes_rescued += rescued.bytes;
        Ok((rescued.listings, Packs::new()))
    }

    /// Steps 6 (publish) to 10.
    fn finish(
        &mut self,
        epoch: &Epoch,
        view: &View,
        copies: Vec<PackListing>,
        spared: &Packs,
    ) -> Result<(), VaultError> {
        let condemned: Packs = epoch.condemned_packs().difference(spared).copied().collect();
        let refused = if mistake(Mutant::DeleteBeforeRescueIsIndexed) {
            let refused = self.delete_packs(view, &condemned)?;
            self.replace_segments(view, copies)?;
            refused
        } else {
            self.replace_segments(view, copies)?;
            self.delete_packs(view, &condemned)?
        };
        for (key, packs) in &epoch.condemned {
            // What a lock protects stays condemned: nobody counts on it, and a later collection deletes it.
            if !packs.is_disjoint(&refused) {
                continue;
            }
            let Some(run) = lists::run_of(CONDEMNED, key) else { continue };
            let packs: Packs = packs.difference(spared).copied().collect();
            let packs = if mistake(Mutant::DoneWithoutPacks) { Packs::new() } else { packs };
            if mistake(Mutant::CondemnedRemovedBeforeDone) {
                self.inner.bucket.delete(key)?;
            }
            lists::write(self.inner, DONE, run, &packs)?;
            self.inner.bucket.delete(key)?;
        }
        Ok(())
    }

    /// Step 7: publishes the copies, and replaces the segments that name packs which are on their way out or gone, or
    /// which another segment names as well.
    fn replace_segments(
        &mut self,
        view: &View,
        copies: Vec<PackListing>,
    ) -> Result<(), VaultError> {
        let leaving: BTreeSet<PackId> = view
            .packs
            .iter()
            .filter(|pack| pack.condemned || pack.gone)
            .map(|pack| pack.id)
            .collect();
        let affected = affected(view, &leaving);
        // Survivors are published as they are read: an index is larger than what a collector may hold of it.
        let (mut waiting, mut seen) = (copies, BTreeSet::new());
        for key in affected.iter().filter(|_| !mistake(Mutant::SurvivorsForgotten)) {
            let packs = self.packs_of(key)?;
            waiting.extend(packs.into_iter().filter(|one| {
                !leaving.contains(&one.pack) && seen.insert((one.pack, self.says(one)))
            }));
            if !mistake(Mutant::IndexRemovedBeforeReplaced) {
                waiting = self.publish_full(waiting)?;
            }
        }
        if mistake(Mutant::IndexRemovedBeforeReplaced) {
            self.delete_segments(&affected)?;
        }
        let rest = self.publish_full(waiting)?;
        if !rest.is_empty() {
            self.publish(&rest)?;
        }
        self.delete_segments(&affected)
    }

    /// What tells two listings of a pack apart, where somebody might contradict another.
    fn says(&self, listing: &PackListing) -> [u8; 32] {
        if self.inner.trusts().on() { listing.says() } else { [0; 32] }
    }

    /// What a segment names, each with what is known of its origin; nothing if it is gone.
    fn packs_of(&self, key: &str) -> Result<Vec<PackListing>, VaultError> {
        let Some(segment) = self.inner.get_segment(key)? else { return Ok(Vec::new()) };
        let voucher = self.inner.voucher_of(key, &segment);
        let judge = |listing| {
            let trust = self.inner.trusts().of(&listing, voucher);
            judged(self.inner, listing, trust)
        };
        Ok(segment.packs.into_iter().map(judge).collect())
    }

    /// Publishes segments as long as there is enough for a full one; gives what is left.
    fn publish_full(&self, listings: Vec<PackListing>) -> Result<Vec<PackListing>, VaultError> {
        let mut part = Vec::new();
        let mut bytes = 0;
        for listing in listings {
            bytes +=
                96 + listing.frames.iter().map(|frame| 9 + 32 * frame.ids.len()).sum::<usize>();
            part.push(listing);
            if bytes >= SEGMENT_BYTES_TARGET {
                self.publish(&std::mem::take(&mut part))?;
                bytes = 0;
            }
        }
        Ok(part)
    }

    /// Stores a segment. It is not taken into the index of this handle, which reads what it needs of it when it looks
    /// for something: a collector would fill its memory with all that it tidies.
    fn publish(&self, listings: &[PackListing]) -> Result<(), VaultError> {
        let origin =
            self.report.run.map_or(Ok(random()?), |run| Ok::<_, VaultError>(run.into_bytes()))?;
        let inner = self.inner;
        let key = format!("{SEGMENTS}{}", Uuid::from_bytes(random()?).simple());
        let plain = inner.write_segment(&key, origin, listings)?;
        let sealed = seal_record(&inner.keyring, &inner.vault, RecordKind::Segment, &key, &plain)?;
        create_new(&*inner.bucket, &key, &sealed)
    }

    fn delete_segments(&mut self, affected: &BTreeSet<&String>) -> Result<(), VaultError> {
        self.delete_all(affected.iter().map(|key| (*key).clone()).collect())?;
        self.report.segments_replaced = affected.len() as u64;
        Ok(())
    }

    /// Step 8. Gives the packs that the store keeps for now.
    fn delete_packs(&mut self, view: &View, packs: &Packs) -> Result<Packs, VaultError> {
        let there: Vec<(PackId, u64)> =
            packs.iter().filter_map(|id| Some((*id, view.objects.get(id)?.0))).collect();
        let deleted = self.delete_all(there.iter().map(|(id, _)| id.object()).collect())?;
        let mut refused = Packs::new();
        for ((id, bytes), deleted) in there.into_iter().zip(deleted) {
            if deleted {
                self.report.packs_deleted += 1;
                self.report.bytes_deleted += bytes;
            } else {
                self.report.packs_deferred += 1;
                self.report.bytes_deferred += bytes;
                refused.insert(id);
            }
        }
        Ok(refused)
    }

    /// Deletes objects, several at a time: each waits for the store and not for us. Says of each whether it is gone; a
    /// store with object lock refuses until the time of the lock is over.
    fn delete_all(&self, keys: Vec<String>) -> Result<Vec<bool>, VaultError> {
        let threads = if self.inner.threads == 1 { 1 } else { DELETERS };
        in_parallel(threads, &keys, |key| match self.inner.bucket.delete(key) {
            Ok(()) => Ok(true),
            Err(error) if is_refusal(&error) => Ok(false),
            Err(error) => Err(error.into()),
        })
    }

    /// Removes packs that were deleted before and came back: a request that had hung in the network.
    fn remove_strays(&mut self, epoch: &Epoch) -> Result<(), VaultError> {
        let gone = epoch.gone_packs();
        if gone.is_empty() {
            return Ok(());
        }
        let listed = self.inner.bucket.list("packs/")?.into_iter();
        let strays: Vec<(String, u64)> = listed
            .filter(|listed| {
                PackId::of_object(&listed.key).is_some_and(|pack| gone.contains(&pack))
            })
            .map(|listed| (listed.key, listed.size))
            .collect();
        let deleted = self.delete_all(strays.iter().map(|(key, _)| key.clone()).collect())?;
        for ((_, bytes), _) in strays.iter().zip(deleted).filter(|(_, deleted)| *deleted) {
            self.report.packs_deleted += 1;
            self.report.bytes_deleted += bytes;
        }
        Ok(())
    }

    /// Removes what writers of decided points left.
    fn remove_settled(&mut self, census: &Census) -> Result<(), VaultError> {
        for (key, found) in traces(self.inner)? {
            if census.decided.contains_key(&found.point) {
                self.inner.leave_receipt(found.point)?;
                self.inner.bucket.delete(&key)?;
                self.report.intents_removed += 1;
            }
        }
        Ok(())
    }
}

/// Whether the store refuses to delete, as it does while an object is locked.
fn is_refusal(error: &BucketError) -> bool {
    matches!(error, BucketError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied)
}

/// Segments that name packs which leave or which another segment names as well.
fn affected<'a>(view: &'a View, leaving: &Packs) -> BTreeSet<&'a String> {
    let mut first: BTreeMap<PackId, &String> = BTreeMap::new();
    let mut affected = BTreeSet::new();
    for (key, packs) in &view.segments {
        for pack in packs {
            if leaving.contains(pack) {
                affected.insert(key);
            }
            match first.get(pack) {
                Some(other) if *other != key => affected.extend([*other, key]),
                Some(_) => {}
                None => {
                    first.insert(*pack, key);
                }
            }
        }
        if packs.is_empty() {
            affected.insert(key);
        }
    }
    affected
}
