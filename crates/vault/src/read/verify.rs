//! Reading all that is stored and saying what does not hold.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use uuid::Uuid;

use super::check_pack::{PackReport, check_pack};
use super::frames::{BlockFetcher, Wanted};
use super::{BaseTree, Decoder, LeafWalk};
use crate::bucket::BucketError;
use crate::crypto::Capability;
use crate::format::{BLOCK, BLOCK_BYTES, CommittedRecord, Id, LEAF_BYTES};
use crate::index::Location;
use crate::inner::{Inner, lock};
use crate::parallel::on_threads;
use crate::{Advance, Progress, VaultError};

/// Findings that a report holds; beyond that a vault is not damaged but gone.
const FINDINGS_MAX: usize = 10_000;
/// Blocks that are fetched at once when one point is verified.
const PIECE_BLOCKS: usize = 64;

/// What to verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifyScope {
    /// Every object of the vault.
    All,
    /// What one point needs.
    Point(Uuid),
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Recovery points checked.
    pub points: u64,
    /// Packs read whole (only with [`VerifyScope::All`]).
    pub packs: u64,
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

/// Findings by object, offset and text, each with the points that it touches.
#[derive(Default)]
pub(super) struct Findings(BTreeMap<(String, u64, String), BTreeSet<Uuid>>);

impl Findings {
    pub(super) fn add(&mut self, object: &str, offset: u64, what: &str, point: Option<Uuid>) {
        let key = (object.to_owned(), offset, what.to_owned());
        if self.0.len() < FINDINGS_MAX || self.0.contains_key(&key) {
            self.0.entry(key).or_default().extend(point);
        }
    }

    fn merge(&mut self, other: Self) {
        for ((object, offset, what), points) in other.0 {
            self.add(&object, offset, &what, None);
            if let Some(known) = self.0.get_mut(&(object, offset, what)) {
                known.extend(points);
            }
        }
    }

    /// Takes an error that is damage; gives back one that is not.
    pub(super) fn take(
        &mut self,
        error: VaultError,
        point: Option<Uuid>,
    ) -> Result<(), VaultError> {
        match error {
            VaultError::Damaged { object, offset, what } => self.add(&object, offset, &what, point),
            VaultError::MissingBlock { block, disk, offset } => {
                self.add(
                    "index/",
                    0,
                    &format!("block {block} of disk '{disk}' at byte {offset} is in no pack"),
                    point,
                );
            }
            VaultError::Bucket(BucketError::NotFound { key }) => {
                self.add(&key, 0, "the object is missing", point)
            }
            VaultError::Bucket(BucketError::OutOfRange { key, offset, .. }) => {
                self.add(&key, offset, "the object is too short", point);
            }
            other => return Err(other),
        }
        Ok(())
    }

    fn into_damage(self) -> Vec<Damage> {
        let findings = self.0.into_iter();
        findings
            .map(|((object, offset, what), points)| Damage {
                object,
                offset,
                points: points.into_iter().collect(),
                what,
            })
            .collect()
    }
}

/// Verifies.
pub(crate) fn verify(
    inner: &Inner,
    scope: VerifyScope,
    progress: &dyn Progress,
) -> Result<VerifyReport, VaultError> {
    inner.keyring.require(Capability::Read, "verify stored disks")?;
    // Nothing that was read before counts: a handle of its own, with nothing in its caches.
    let inner = &inner.fresh();
    let mut report = VerifyReport::default();
    let mut findings = Findings::default();
    match scope {
        VerifyScope::All => verify_all(inner, progress, &mut report, &mut findings)?,
        VerifyScope::Point(point) => {
            let record = inner.live_point(point)?.ok_or(VaultError::UnknownPoint(point))?;
            report.points = 1;
            verify_point(inner, &record, progress, &mut report, &mut findings)?;
            if !findings.0.is_empty() && inner.is_deleted(point)? {
                return Err(VaultError::UnknownPoint(point));
            }
        }
    }
    report.damage = findings.into_damage();
    Ok(report)
}

fn verify_all(
    inner: &Inner,
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
    let packs = check_all_packs(inner, progress, report)?;
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
        if found.0.is_empty() || !inner.is_deleted(record.point)? {
            findings.merge(found);
        }
        if progress.cancelled() {
            return Err(VaultError::Cancelled);
        }
    }
    Ok(())
}

/// Reads every pack that is not deleted, on all cores. Gives those that are damaged, by number.
fn check_all_packs(
    inner: &Inner,
    progress: &dyn Progress,
    report: &mut VerifyReport,
) -> Result<Vec<(u32, PackReport)>, VaultError> {
    let total = inner.index().packs().len();
    let next = AtomicUsize::new(0);
    let found: Mutex<(Vec<(u32, PackReport)>, VerifyReport)> = Mutex::default();
    let failure: Mutex<Option<VaultError>> = Mutex::default();
    let work = || -> Result<(), VaultError> {
        let mut decoder = Decoder::new()?;
        let mut raw = Vec::new();
        while lock(&failure).is_none() {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= total {
                break;
            }
            if progress.cancelled() {
                return Err(VaultError::Cancelled);
            }
            let number = u32::try_from(at).expect("packs are numbered by 32 bits");
            if inner.index().pack(number).dead {
                continue;
            }
            let pack = check_pack(inner, number, &mut decoder, &mut raw)?;
            progress.advance(Advance {
                read_bytes: pack.bytes,
                done_bytes: pack.bytes,
                ..Advance::default()
            });
            let mut found = lock(&found);
            found.1.packs += 1;
            found.1.blocks += pack.blocks;
            found.1.bytes += pack.bytes;
            if pack.whole.is_some() || !pack.frames.is_empty() {
                found.0.push((number, pack));
            }
        }
        Ok(())
    };
    on_threads(inner.threads, || {
        if let Err(error) = work() {
            lock(&failure).get_or_insert(error);
        }
    });
    if let Some(error) = lock(&failure).take() {
        return Err(error);
    }
    let (packs, sums) = std::mem::take(&mut *lock(&found));
    report.packs += sums.packs;
    report.blocks += sums.blocks;
    report.bytes += sums.bytes;
    Ok(packs)
}

/// Walks one point and says which of the bad places it needs.
struct ReachCheck<'a> {
    inner: &'a Inner,
    record: &'a CommittedRecord,
    bad: &'a HashMap<(u32, u32), (u64, String)>,
    bad_packs: &'a HashMap<u32, (u64, String)>,
    findings: &'a mut Findings,
    /// Nodes under which nothing is wrong.
    clean: &'a mut BTreeSet<Id>,
}

impl ReachCheck<'_> {
    fn run(&mut self) -> Result<(), VaultError> {
        for disk in &self.record.disks {
            let tree = BaseTree::new(disk.root, disk.size_bytes);
            if let Some(root) = tree.root {
                self.check_node(&root, tree.level, 0, &disk.key)?;
            }
        }
        Ok(())
    }

    /// True if nothing is wrong with the node and all below.
    fn check_node(
        &mut self,
        id: &Id,
        level: u8,
        place: u64,
        disk: &str,
    ) -> Result<bool, VaultError> {
        if self.clean.contains(id) {
            return Ok(true);
        }
        let mut good = self.check_place(id, disk, place * LEAF_BYTES)?;
        let node = match self.inner.node(id, level) {
            Ok(node) => node,
            Err(error) => {
                self.findings.take(error, Some(self.record.point))?;
                return Ok(false);
            }
        };
        for (slot, child) in node.children() {
            let below = place * crate::format::NODE_FANOUT as u64 + slot as u64;
            good &= if level == 0 {
                self.check_place(&child, disk, below * BLOCK)?
            } else {
                self.check_node(&child, level - 1, below, disk)?
            };
        }
        if good {
            self.clean.insert(*id);
        }
        Ok(good)
    }

    /// Whether a block or node has a good place.
    fn check_place(&mut self, id: &Id, disk: &str, offset: u64) -> Result<bool, VaultError> {
        if self.inner.find(id)?.is_none() {
            let block = crate::format::hex::encode(&id.0);
            let missing = VaultError::MissingBlock { block, disk: disk.to_owned(), offset };
            self.findings.take(missing, Some(self.record.point))?;
            return Ok(false);
        }
        let index = self.inner.index();
        let places = index.places_of(id)?;
        let wrong = |place: &Location| {
            let frame = self.bad.get(&(place.pack, place.offset));
            frame.or_else(|| self.bad_packs.get(&place.pack))
        };
        if places.iter().any(|place| wrong(place).is_none() && index.pack(place.pack).indexed) {
            return Ok(true);
        }
        for place in &places {
            let object = index.pack(place.pack).id.object();
            let (at, what) = wrong(place)
                .map_or((0, "no index segment names this pack"), |(at, what)| (*at, what));
            self.findings.add(&object, at, what, Some(self.record.point));
        }
        Ok(false)
    }
}

/// Reads and checks all that one point needs.
fn verify_point(
    inner: &Inner,
    record: &CommittedRecord,
    progress: &dyn Progress,
    report: &mut VerifyReport,
    findings: &mut Findings,
) -> Result<(), VaultError> {
    for disk in &record.disks {
        let tree = BaseTree::new(disk.root, disk.size_bytes);
        let walk = Mutex::new(LeafWalk::new(&tree));
        let shared = Mutex::new((VerifyReport::default(), std::mem::take(findings)));
        let failure: Mutex<Option<VaultError>> = Mutex::default();
        let work = || -> Result<(), VaultError> {
            let mut fetcher = BlockFetcher::new()?;
            let mut buffer = vec![0; PIECE_BLOCKS * BLOCK_BYTES];
            while lock(&failure).is_none() {
                if progress.cancelled() {
                    return Err(VaultError::Cancelled);
                }
                let next = lock(&walk).next(inner, |_, _| true);
                let (id, place) = match next {
                    Ok(Some(next)) => next,
                    Ok(None) => break,
                    Err(error) => {
                        lock(&shared).1.take(error, Some(record.point))?;
                        continue;
                    }
                };
                let leaf = match inner.node(&id, 0) {
                    Ok(leaf) => leaf,
                    Err(error) => {
                        lock(&shared).1.take(error, Some(record.point))?;
                        continue;
                    }
                };
                let children: Vec<(usize, Id)> = leaf.children().collect();
                for piece in children.chunks(PIECE_BLOCKS) {
                    let wanted: Vec<_> = piece
                        .iter()
                        .enumerate()
                        .map(|(slot, (_, id))| Wanted { id: *id, slot })
                        .collect();
                    let before = fetcher.read_bytes;
                    let failures = fetch_piece(inner, &mut fetcher, &wanted, &mut buffer)?;
                    let read_bytes = fetcher.read_bytes - before;
                    let mut shared = lock(&shared);
                    shared.0.blocks += (wanted.len() - failures.len()) as u64;
                    shared.0.bytes += read_bytes;
                    for (slot, error) in failures {
                        let at = place * LEAF_BYTES + piece[slot].0 as u64 * BLOCK;
                        let error = error(&disk.key, at);
                        shared.1.take(error, Some(record.point))?;
                    }
                    progress.advance(Advance {
                        read_bytes,
                        done_bytes: read_bytes,
                        ..Advance::default()
                    });
                }
            }
            Ok(())
        };
        on_threads(inner.threads, || {
            if let Err(error) = work() {
                lock(&failure).get_or_insert(error);
            }
        });
        if let Some(error) = lock(&failure).take() {
            return Err(error);
        }
        let (sums, found) = shared.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        *findings = found;
        report.blocks += sums.blocks;
        report.bytes += sums.bytes;
    }
    Ok(())
}

/// An error about a block, once its disk and offset are known.
type LateError = Box<dyn FnOnce(&str, u64) -> VaultError>;

/// Fetches a piece; if anything in it fails, block by block, to name all that fails.
fn fetch_piece(
    inner: &Inner,
    fetcher: &mut BlockFetcher,
    wanted: &[Wanted],
    buffer: &mut [u8],
) -> Result<Vec<(usize, LateError)>, VaultError> {
    if fetcher.fetch(inner, wanted, buffer)?.is_ok() {
        return Ok(Vec::new());
    }
    let mut failures: Vec<(usize, LateError)> = Vec::new();
    for want in wanted {
        let alone = [Wanted { id: want.id, slot: 0 }];
        if let Err(failure) = fetcher.fetch(inner, &alone, buffer)? {
            failures.push((want.slot, Box::new(move |disk, at| failure.on_disk(disk, at))));
        }
    }
    Ok(failures)
}
