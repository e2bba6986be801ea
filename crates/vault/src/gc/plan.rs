//! Choosing what to condemn. Only a guess about what is worth it: a wrong choice costs work, never data.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::census::Census;
use super::epoch::Epoch;
use super::lists::Packs;
use super::mark::Marks;
use super::view::{View, ViewPack};
use super::{CollectOptions, CollectPlan, stop};
use crate::VaultError;
use crate::format::{PackId, Seal};
use crate::trust::Trust;

/// All that is copied may be so many percent of all that it frees.
const COPIED_PERCENT_OF_FREED: u64 = 150;
/// It may be so many as long as less than this share of all that is unneeded is freed: how much has to be copied for the
/// last of it depends on how the workers of a backup took turns. More would be much work for little.
const COPIED_PERCENT_OF_FREED_MAX: u64 = 300;
const FREED_PERCENT_WANTED: u64 = 90;
/// Packs below this size are merged with others of about their size, when there are so many.
const SMALL_PACK_BYTES: u32 = if cfg!(coffre_sim) { 700 } else { 4 * 1024 * 1024 };
const SMALL_PACKS: usize = if cfg!(coffre_sim) { 5 } else { 16 };

/// What a collection would do, with what it needs to do it.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// To be condemned.
    pub(super) packs: Packs,
    pub(super) plan: CollectPlan,
}

/// Chooses, and refuses if the result cannot be right.
pub(super) fn choose(
    view: &View,
    marks: &Marks,
    census: &Census,
    epoch: &Epoch,
    options: &CollectOptions,
) -> Result<Choice, VaultError> {
    let mut choice = Choice::default();
    let young = |pack: &PackId| {
        let modified = view.objects.get(pack).and_then(|(_, modified)| *modified);
        let grace = i64::try_from(options.spare_younger_ms).unwrap_or(i64::MAX);
        modified.is_some_and(|at| at > options.now_unix_ms.saturating_sub(grace))
    };
    let mut sparse = Vec::new();
    for (pack, needed) in view.packs.iter().zip(needed_bytes(view, marks)) {
        if !pack.stays() {
            continue;
        }
        choice.plan.stored_bytes += u64::from(pack.bytes);
        let frames = view
            .frames_of(pack)
            .map(|frame| u64::from(view.frames[frame as usize].bytes))
            .sum::<u64>();
        if needed > 0 {
            sparse.push(Sparse { pack, needed, freed: frames - needed });
        } else if !young(&pack.id) && choice.packs.insert(pack.id) {
            choice.plan.dead_packs += 1;
            choice.plan.condemned_bytes += u64::from(pack.bytes);
        }
    }
    let small = small_packs(&sparse, &young);
    let sparse = worth_rewriting(sparse, choice.plan.condemned_bytes, options.repack_below_percent);
    let sparse = sparse.into_iter().map(|found| (found, true));
    for (found, is_sparse) in sparse.chain(small.into_iter().map(|found| (found, false))) {
        // A pack that is listed twice, with contradictions, is counted once.
        if choice.packs.insert(found.pack.id) {
            choice.plan.sparse_packs += u64::from(is_sparse);
            choice.plan.small_packs += u64::from(!is_sparse);
            choice.plan.rescue_bytes += found.needed;
            choice.plan.condemned_bytes += u64::from(found.pack.bytes);
        }
    }
    let (unfinished, gone) = (epoch.condemned_packs(), epoch.gone_packs());
    let named: BTreeSet<_> = view.packs.iter().map(|pack| pack.id).collect();
    for (pack, (bytes, _)) in &view.objects {
        if !named.contains(pack) && !unfinished.contains(pack) && !gone.contains(pack) {
            choice.plan.stored_bytes += bytes;
            if !young(pack) {
                choice.plan.dead_packs += 1;
                choice.plan.condemned_bytes += bytes;
                choice.packs.insert(*pack);
            }
        }
    }
    choice.plan.unfinished_packs = unfinished.len() as u64;
    choice.plan.live_points = census.live().count() as u64;
    choice.plan.deleted_points = census.deleted.len() as u64;
    is_sensible(&choice.plan, options)?;
    Ok(choice)
}

/// A pack of which something is needed.
#[derive(Clone, Copy)]
struct Sparse<'a> {
    pack: &'a ViewPack,
    /// Bytes of frames that would be copied.
    needed: u64,
    /// Bytes of frames that would be freed.
    freed: u64,
}

/// The packs that are worth rewriting: those of which most is freed come first, and all that is copied stays in
/// proportion to all that is freed. `dead` bytes are freed without them. At 100 percent: every pack that holds anything
/// unneeded, whatever it costs.
fn worth_rewriting(mut sparse: Vec<Sparse<'_>>, dead: u64, below_percent: u8) -> Vec<Sparse<'_>> {
    let unneeded = dead + sparse.iter().map(|one| one.freed).sum::<u64>();
    let below = u64::from(below_percent.min(100));
    sparse.retain(|one| one.needed * 100 < (one.needed + one.freed) * below);
    if below == 100 {
        return sparse;
    }
    sparse.sort_by(by_cost);
    let (mut copied, mut freed) = (0, 0);
    let worth = sparse.iter().take_while(|one| {
        let is_enough = (dead + freed) * 100 >= unneeded * FREED_PERCENT_WANTED;
        copied += one.needed;
        freed += one.freed;
        let percent = if is_enough { COPIED_PERCENT_OF_FREED } else { COPIED_PERCENT_OF_FREED_MAX };
        copied * 100 <= freed * percent
    });
    let worth = worth.count();
    sparse.truncate(worth);
    sparse
}

/// Copied for freed, exactly; names decide between equals.
fn by_cost(one: &Sparse<'_>, other: &Sparse<'_>) -> Ordering {
    let ratio = u128::from(one.needed) * u128::from(other.freed);
    let other_ratio = u128::from(other.needed) * u128::from(one.freed);
    ratio.cmp(&other_ratio).then_with(|| one.pack.id.cmp(&other.pack.id))
}

/// Small packs that are merged: when there are many of about one size, so that each byte moves a few times in its life
/// however many small backups there are.
fn small_packs<'a>(packs: &[Sparse<'a>], young: &impl Fn(&PackId) -> bool) -> Vec<Sparse<'a>> {
    let mut tiers: BTreeMap<(Seal, u32, bool, Trust, u32), Vec<Sparse<'a>>> = BTreeMap::new();
    let old = packs.iter().filter(|one| !young(&one.pack.id));
    for one in old.filter(|one| one.pack.bytes < SMALL_PACK_BYTES) {
        let tier = one.pack.bytes.max(1).ilog2() / 3;
        let alike = (one.pack.kind, one.pack.group, one.pack.verified, one.pack.trust, tier);
        tiers.entry(alike).or_default().push(*one);
    }
    tiers.into_values().filter(|tier| tier.len() >= SMALL_PACKS).flatten().collect()
}

/// Bytes of the frames of each pack that must stay because of it: each needed block counts for its first copy in a
/// pack that stays.
fn needed_bytes(view: &View, marks: &Marks) -> Vec<u64> {
    let mut frames = vec![false; view.frames.len()];
    for (rank, copies) in view.ranks() {
        if marks.has(rank) {
            view.sets(copies, |set| {
                if let Some(home) = set.iter().find(|position| view.pack_at(**position).stays()) {
                    frames[view.frame_at(*home) as usize] = true;
                }
            });
        }
    }
    let mut bytes = vec![0; view.packs.len()];
    for (frame, needed) in view.frames.iter().zip(frames) {
        if needed {
            bytes[frame.pack as usize] += u64::from(frame.bytes);
        }
    }
    bytes
}

/// The stop rules on what a plan would delete.
fn is_sensible(plan: &CollectPlan, options: &CollectOptions) -> Result<(), VaultError> {
    if plan.live_points < options.points_known {
        let (found, known) = (plan.live_points, options.points_known);
        return Err(stop(format!("{found} recovery points found, {known} known")));
    }
    let freed = plan.condemned_bytes.saturating_sub(plan.rescue_bytes);
    let limit = u64::from(options.delete_percent_max.min(100));
    if freed * 100 > plan.stored_bytes * limit {
        let stored = plan.stored_bytes;
        return Err(stop(format!(
            "{freed} of {stored} stored bytes would be deleted, the limit is {limit} %"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::trust::Trust;

    fn pack(number: u128) -> ViewPack {
        ViewPack {
            id: PackId(number.to_be_bytes()),
            kind: Seal::Data,
            group: 0,
            verified: true,
            trust: Trust::Everybody,
            bytes: 0,
            digest: [0; 32],
            frames: (0, 0),
            present: true,
            condemned: false,
            gone: false,
        }
    }

    proptest! {
        /// Nine tenths of what is unneeded are freed, or the next best pack costs too much; and what is chosen never
        /// does.
        #[test]
        fn a_collection_frees_enough_for_its_cost(
            sizes in proptest::collection::vec((1u64..13_000_000, 0u64..5_000_000), 0..40),
            dead in 0u64..40_000_000,
            below in 1u8..100,
        ) {
            let packs: Vec<_> = (0..sizes.len() as u128).map(pack).collect();
            let sparse: Vec<_> = packs.iter().zip(&sizes)
                .map(|(pack, (needed, freed))| Sparse { pack, needed: *needed, freed: *freed })
                .collect();
            let sum = |packs: &[Sparse<'_>]| packs.iter()
                .fold((0, 0), |(needed, freed), one| (needed + one.needed, freed + one.freed));
            let chosen = worth_rewriting(sparse.clone(), dead, below);
            let (copied, freed) = sum(&chosen);
            prop_assert!(copied <= 3 * freed);
            let mut left = sparse.clone();
            left.retain(|one| chosen.iter().all(|chosen| chosen.pack.id != one.pack.id));
            left.retain(|one| one.needed * 100 < (one.needed + one.freed) * u64::from(below));
            let (_, unneeded) = sum(&sparse);
            let next = left.iter().min_by(|one, other| by_cost(one, other));
            if let Some(next) = next && (dead + freed) * 10 < (dead + unneeded) * 9 {
                prop_assert!(copied + next.needed > 3 * (freed + next.freed));
            }
        }
    }
}
