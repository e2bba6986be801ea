//! Choosing what to condemn. Only a guess about what is worth it: a wrong choice costs work, never data.

use std::collections::BTreeSet;

use super::census::Census;
use super::epoch::Epoch;
use super::lists::Packs;
use super::mark::Marks;
use super::view::View;
use super::{CollectOptions, CollectPlan, stop};
use crate::VaultError;
use crate::format::PackId;

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
    let needed = needed_bytes(view, marks);
    for (pack, needed) in view.packs.iter().zip(needed) {
        if !pack.stays() {
            continue;
        }
        let frames = view
            .frames_of(pack)
            .map(|frame| u64::from(view.frames[frame as usize].bytes))
            .sum::<u64>();
        choice.plan.stored_bytes += u64::from(pack.bytes);
        let sparse = needed * 100 < frames * u64::from(options.repack_below_percent.min(100));
        if needed == 0 && !young(&pack.id) {
            choice.plan.dead_packs += 1;
        } else if needed > 0 && sparse {
            choice.plan.sparse_packs += 1;
            choice.plan.rescue_bytes += needed;
        } else {
            continue;
        }
        choice.plan.condemned_bytes += u64::from(pack.bytes);
        choice.packs.insert(pack.id);
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

/// Bytes of the frames of each pack that must stay because of it: each needed block counts for its first copy in a
/// pack that stays.
fn needed_bytes(view: &View, marks: &Marks) -> Vec<u64> {
    let mut frames = vec![false; view.frames.len()];
    for (rank, copies) in view.ranks() {
        if marks.has(rank)
            && let Some(position) = copies.iter().find(|position| view.pack_at(**position).stays())
        {
            frames[view.frame_at(*position) as usize] = true;
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
