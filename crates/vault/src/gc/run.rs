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
use super::rescue::{Rescuer, needed};
use super::view::View;
use super::{CollectOptions, CollectPlan, CollectReport, stop};
use crate::VaultError;
use crate::bucket::BucketError;
use crate::crypto::{Capability, random};
use crate::format::{PackId, PackListing};
use crate::inner::Inner;

/// How often copying begins again because another collector was faster.
const ATTEMPTS: usize = 64;
/// A new segment is closed at about this size.
const SEGMENT_BYTES_TARGET: usize = 16 * 1024 * 1024;

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
        let mut rescuer = Rescuer::new(self.inner);
        for (pack, frames) in &wanted {
            rescuer.take(view, &view.packs[*pack as usize], frames)?;
        }
        rescuer.finish()?;
        self.report.bytes_rescued += rescuer.bytes;
        Ok((rescuer.listings, Packs::new()))
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
        if mistake(Mutant::DeleteBeforeRescueIsIndexed) {
            self.delete_packs(view, &condemned)?;
            self.replace_segments(view, copies)?;
        } else {
            self.replace_segments(view, copies)?;
            self.delete_packs(view, &condemned)?;
        }
        for (key, packs) in &epoch.condemned {
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
        let mut listings = copies;
        if !mistake(Mutant::SurvivorsForgotten) {
            listings.extend(self.survivors(&affected, &leaving)?);
        }
        if mistake(Mutant::IndexRemovedBeforeReplaced) {
            self.delete_segments(&affected)?;
        }
        let origin =
            self.report.run.map_or(Ok(random()?), |run| Ok::<_, VaultError>(run.into_bytes()))?;
        let mut part = Vec::new();
        let mut bytes = 0;
        for listing in listings {
            bytes +=
                96 + listing.frames.iter().map(|frame| 9 + 32 * frame.ids.len()).sum::<usize>();
            part.push(listing);
            if bytes >= SEGMENT_BYTES_TARGET {
                self.inner.publish_segment(origin, &std::mem::take(&mut part))?;
                bytes = 0;
            }
        }
        if !part.is_empty() {
            self.inner.publish_segment(origin, &part)?;
        }
        self.delete_segments(&affected)
    }

    /// What stays of segments that are replaced. A segment that is gone was replaced by somebody else.
    fn survivors(
        &self,
        affected: &BTreeSet<&String>,
        leaving: &Packs,
    ) -> Result<Vec<PackListing>, VaultError> {
        let mut listings = BTreeMap::new();
        for key in affected {
            let packs =
                self.inner.get_segment(key)?.map(|segment| segment.packs).unwrap_or_default();
            for listing in packs.into_iter().filter(|listing| !leaving.contains(&listing.pack)) {
                listings.entry(listing.pack).or_insert(listing);
            }
        }
        Ok(listings.into_values().collect())
    }

    fn delete_segments(&mut self, affected: &BTreeSet<&String>) -> Result<(), VaultError> {
        for key in affected {
            self.inner.bucket.delete(key)?;
        }
        self.report.segments_replaced = affected.len() as u64;
        Ok(())
    }

    /// Step 8.
    fn delete_packs(&mut self, view: &View, packs: &Packs) -> Result<(), VaultError> {
        for pack in packs {
            if let Some((bytes, _)) = view.objects.get(pack) {
                self.inner.bucket.delete(&pack.object())?;
                self.report.packs_deleted += 1;
                self.report.bytes_deleted += bytes;
            }
        }
        Ok(())
    }

    /// Removes packs that were deleted before and came back: a request that had hung in the network.
    fn remove_strays(&mut self, epoch: &Epoch) -> Result<(), VaultError> {
        let gone = epoch.gone_packs();
        if gone.is_empty() {
            return Ok(());
        }
        for listed in self.inner.bucket.list("packs/")? {
            if PackId::of_object(&listed.key).is_some_and(|pack| gone.contains(&pack)) {
                self.inner.bucket.delete(&listed.key)?;
                self.report.packs_deleted += 1;
                self.report.bytes_deleted += listed.size;
            }
        }
        Ok(())
    }

    /// Removes what writers of decided points left.
    fn remove_settled(&mut self, census: &Census) -> Result<(), VaultError> {
        for (key, found) in traces(self.inner)? {
            if census.decided.contains_key(&found.point) {
                self.inner.bucket.delete(&key)?;
                self.report.intents_removed += 1;
            }
        }
        Ok(())
    }
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
