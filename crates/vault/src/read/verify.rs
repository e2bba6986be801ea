//! Reading all that is stored and saying what does not hold.

use std::collections::{BTreeSet, HashMap};
use std::error::Error as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use uuid::Uuid;

use super::check_pack::{PackChecker, PackReport};
use super::findings::Findings;
use super::reach::ReachCheck;
use super::verify_point::verify_point;
use crate::crypto::{Capability, random};
use crate::format::PackId;
use crate::inner::{Inner, lock};
use crate::parallel::{on_threads, with_waiting};
use crate::trust::Trust;
use crate::{Advance, Progress, VaultError};

/// What to verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifyScope {
    /// Every object of the vault.
    All,
    /// What one point needs.
    Point(Uuid),
    /// Every record and map, that every pack is there in its length, and the whole content of some packs, chosen anew
    /// each time: about so many of a million, at least one. With zero none: whether all that is needed is in its place.
    Sample {
        /// Packs of a million.
        parts_per_million: u32,
    },
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Recovery points checked.
    pub points: u64,
    /// Packs read whole (none with [`VerifyScope::Point`]).
    pub packs: u64,
    /// Packs that everybody may count on from now on, as they were read whole and the delete key was at hand; none in a
    /// vault without dedup groups.
    pub packs_vouched: u64,
    /// Why the store did not take our word for them, if it did not: a store that can only be read is verified like any
    /// other, and its packs stay of the group that stored them.
    pub vouch_refused: Option<String>,
    /// Packs that are there (zero with [`VerifyScope::Point`]).
    pub packs_known: u64,
    /// Blocks decoded and compared with their identity.
    pub blocks: u64,
    /// Bytes read from the store.
    pub bytes: u64,
    /// What does not hold; empty is good.
    pub damage: Vec<Damage>,
}

/// One finding of a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The key of the object.
    pub object: String,
    /// The first damaged byte; zero when the whole object is meant.
    pub offset: u64,
    /// The points that cannot be restored in full because of it.
    pub points: Vec<Uuid>,
    /// What does not hold.
    pub what: String,
}

/// Verifies.
pub(crate) fn verify(
    inner: &Inner,
    scope: VerifyScope,
    progress: &dyn Progress,
) -> Result<VerifyReport, VaultError> {
    inner.keyring.require(Capability::Read, "verify stored disks")?;
    // Nothing that was read before counts: a handle of its own, with nothing in its caches.
    let known = inner;
    let inner = &inner.fresh();
    let mut report = VerifyReport::default();
    let mut findings = Findings::default();
    match scope {
        VerifyScope::All => verify_all(inner, None, progress, &mut report, &mut findings)?,
        VerifyScope::Sample { parts_per_million } => {
            let share = Some(parts_per_million);
            verify_all(inner, share, progress, &mut report, &mut findings)?;
        }
        VerifyScope::Point(point) => {
            match inner.live_point(point) {
                Ok(Some(record)) => {
                    verify_point(inner, &record, progress, &mut report, &mut findings)?;
                }
                Ok(None) => return Err(VaultError::UnknownPoint(point)),
                Err(error) => findings.take(error, Some(point))?,
            }
            report.points = 1;
            if !findings.is_empty() && inner.is_surely_deleted(point)? {
                return Err(VaultError::UnknownPoint(point));
            }
        }
    }
    report.damage = findings.into_damage();
    // Writers of this process store again what was lost, as soon as they read it.
    for pack in report.damage.iter().filter_map(|damage| PackId::of_object(&damage.object)) {
        known.index_mut().set_lost(&pack);
    }
    Ok(report)
}

fn verify_all(
    inner: &Inner,
    share: Option<u32>,
    progress: &dyn Progress,
    report: &mut VerifyReport,
    findings: &mut Findings,
) -> Result<(), VaultError> {
    inner.refresh_to_read()?;
    let points = super::check_records::check_records(inner, findings)?;
    report.points = points.len() as u64;
    for (key, what) in &inner.index().damaged {
        findings.add(key, 0, what, None);
    }
    let numbers = living_packs(inner);
    report.packs_known = numbers.len() as u64;
    let packs = match share {
        None => check_packs(inner, &numbers, progress, report)?,
        Some(share) => {
            let chosen = sample(inner, &numbers, share)?;
            let mut packs = check_packs(inner, &chosen, progress, report)?;
            packs.extend(look_for_packs(inner, &numbers)?);
            packs
        }
    };
    // Which places are bad, and the damage there.
    let mut bad: HashMap<(u32, u32), (u64, String)> = HashMap::new();
    let mut bad_packs: HashMap<u32, (u64, String)> = HashMap::new();
    for (number, pack) in packs {
        let object = inner.index().pack(number).id.object();
        for (frame, what) in pack.frames {
            findings.add(&object, u64::from(frame), &what, None);
            bad.insert((number, frame), (u64::from(frame), what));
        }
        if let Some((offset, what)) = pack.whole {
            if !pack.collected {
                findings.add(&object, offset, &what, None);
            }
            if pack.unreadable {
                bad_packs.insert(number, (offset, what));
            }
        }
    }
    let mut clean = BTreeSet::new();
    for record in &points {
        let mut found = Findings::default();
        let mut check = ReachCheck {
            inner,
            record,
            bad: &bad,
            bad_packs: &bad_packs,
            findings: &mut found,
            clean: &mut clean,
        };
        check.run()?;
        // A point that was deleted while we looked may have been collected as well.
        if found.is_empty() || !inner.is_surely_deleted(record.point)? {
            findings.merge(found);
        }
        if progress.cancelled() {
            return Err(VaultError::Cancelled);
        }
    }
    Ok(())
}

/// The packs that are not deleted, by number.
fn living_packs(inner: &Inner) -> Vec<u32> {
    let index = inner.index();
    let numbers = (0u32..).zip(index.packs());
    numbers.filter(|(_, pack)| !pack.dead).map(|(number, _)| number).collect()
}

/// A share of the packs, others each time; one at least, unless none is asked for.
fn sample(inner: &Inner, packs: &[u32], parts_per_million: u32) -> Result<Vec<u32>, VaultError> {
    if parts_per_million == 0 {
        return Ok(Vec::new());
    }
    let dice: [u8; 32] = random()?;
    let mut drawn: Vec<([u8; 32], u32)> = packs
        .iter()
        .map(|number| {
            let id = inner.index().pack(*number).id;
            (*blake3::keyed_hash(&dice, &id.0).as_bytes(), *number)
        })
        .collect();
    drawn.sort_unstable();
    let count = (packs.len() as u64 * u64::from(parts_per_million)).div_ceil(1_000_000);
    drawn.truncate(usize::try_from(count).unwrap_or(usize::MAX));
    Ok(drawn.into_iter().map(|(_, number)| number).collect())
}

/// Packs that the store does not have, or not in their length.
fn look_for_packs(inner: &Inner, packs: &[u32]) -> Result<Vec<(u32, PackReport)>, VaultError> {
    let sizes: HashMap<PackId, u64> = inner
        .bucket
        .list("packs/")?
        .into_iter()
        .filter_map(|object| Some((PackId::of_object(&object.key)?, object.size)))
        .collect();
    // What a collector took away meanwhile is told now.
    inner.refresh_to_read()?;
    let index = inner.index();
    let mut wrong = Vec::new();
    for number in packs {
        let facts = index.pack(*number);
        let what = match sizes.get(&facts.id) {
            Some(size) if *size == u64::from(facts.bytes) => continue,
            Some(_) => "a pack of another size than the index says",
            None => "the pack is missing",
        };
        let report = PackReport {
            whole: Some((0, what.to_owned())),
            unreadable: !sizes.contains_key(&facts.id),
            collected: facts.dead || facts.condemned,
            ..PackReport::default()
        };
        wrong.push((*number, report));
    }
    Ok(wrong)
}

/// What the threads of [`check_packs`] found.
#[derive(Default)]
struct Found {
    damaged: Vec<(u32, PackReport)>,
    sums: VerifyReport,
    /// Packs that may be vouched for: name and digest.
    sound: Vec<(PackId, [u8; 32])>,
}

/// Reads these packs, on all cores. Gives those that are damaged, by number.
fn check_packs(
    inner: &Inner,
    packs: &[u32],
    progress: &dyn Progress,
    report: &mut VerifyReport,
) -> Result<Vec<(u32, PackReport)>, VaultError> {
    let next = AtomicUsize::new(0);
    let found: Mutex<Found> = Mutex::default();
    let failure: Mutex<Option<VaultError>> = Mutex::default();
    let work = || -> Result<(), VaultError> {
        let mut checker = PackChecker::new()?;
        while lock(&failure).is_none() {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(number) = packs.get(at).copied() else { break };
            if progress.cancelled() {
                return Err(VaultError::Cancelled);
            }
            let pack = checker.check(inner, number)?;
            progress.advance(Advance {
                read_bytes: pack.bytes,
                done_bytes: pack.bytes,
                ..Advance::default()
            });
            let mut found = lock(&found);
            found.sums.packs += 1;
            found.sums.blocks += pack.blocks;
            found.sums.bytes += pack.bytes;
            if let Some(sound) = pack.sound
                && inner.index().pack(number).trust < Trust::Everybody
            {
                found.sound.push(sound);
            }
            if pack.whole.is_some() || !pack.frames.is_empty() {
                found.damaged.push((number, pack));
            }
        }
        Ok(())
    };
    on_threads(with_waiting(inner.threads).min(packs.len()), || {
        if let Err(error) = work() {
            lock(&failure).get_or_insert(error);
        }
    });
    if let Some(error) = lock(&failure).take() {
        return Err(error);
    }
    let Found { damaged, sums, sound } = std::mem::take(&mut *lock(&found));
    if inner.trusts().on() {
        match inner.vouch_for(&sound) {
            Ok(true) => report.packs_vouched += sound.len() as u64,
            Ok(false) => {}
            Err(VaultError::Bucket(refused)) => {
                let cause = refused.source().map(|cause| format!(": {cause}"));
                report.vouch_refused = Some(format!("{refused}{}", cause.unwrap_or_default()));
            }
            Err(error) => return Err(error),
        }
    }
    report.packs += sums.packs;
    report.blocks += sums.blocks;
    report.bytes += sums.bytes;
    Ok(damaged)
}
