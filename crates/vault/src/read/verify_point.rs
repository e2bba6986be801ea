//! Reading and checking all that one point needs, and nothing else.

use std::sync::{Mutex, PoisonError};

use super::findings::Findings;
use super::frames::{BlockFetcher, Wanted};
use super::verify::VerifyReport;
use super::{BaseTree, LeafWalk};
use crate::format::{BLOCK, BLOCK_BYTES, CommittedRecord, DiskRecord, Id, LEAF_BYTES};
use crate::inner::{Inner, lock};
use crate::parallel::on_threads;
use crate::{Advance, Progress, VaultError};

/// Blocks that are fetched at once.
const PIECE_BLOCKS: usize = 64;

/// Verifies a point.
pub(super) fn verify_point(
    inner: &Inner,
    record: &CommittedRecord,
    progress: &dyn Progress,
    report: &mut VerifyReport,
    findings: &mut Findings,
) -> Result<(), VaultError> {
    for disk in &record.disks {
        let tree = BaseTree::new(disk.root, disk.size_bytes);
        let check = DiskCheck {
            inner,
            record,
            disk,
            progress,
            walk: Mutex::new(LeafWalk::new(&tree)),
            sums: Mutex::new((VerifyReport::default(), std::mem::take(findings))),
            failure: Mutex::default(),
        };
        on_threads(inner.threads, || {
            if let Err(error) = check.work() {
                lock(&check.failure).get_or_insert(error);
            }
        });
        if let Some(error) = lock(&check.failure).take() {
            return Err(error);
        }
        let (sums, found) = check.sums.into_inner().unwrap_or_else(PoisonError::into_inner);
        *findings = found;
        report.blocks += sums.blocks;
        report.bytes += sums.bytes;
    }
    Ok(())
}

/// One disk, shared by the threads that check it.
struct DiskCheck<'a> {
    inner: &'a Inner,
    record: &'a CommittedRecord,
    disk: &'a DiskRecord,
    progress: &'a dyn Progress,
    walk: Mutex<LeafWalk>,
    sums: Mutex<(VerifyReport, Findings)>,
    failure: Mutex<Option<VaultError>>,
}

impl DiskCheck<'_> {
    fn work(&self) -> Result<(), VaultError> {
        let mut fetcher = BlockFetcher::new()?;
        let mut buffer = vec![0; PIECE_BLOCKS * BLOCK_BYTES];
        while lock(&self.failure).is_none() {
            if self.progress.cancelled() {
                return Err(VaultError::Cancelled);
            }
            let next = lock(&self.walk).next(self.inner, |_, _| true);
            let leaf = match next {
                Ok(None) => break,
                Ok(Some((id, place))) => self.inner.node(&id, 0).map(|leaf| (leaf, place)),
                Err(error) => Err(error),
            };
            match leaf {
                Ok((leaf, place)) => {
                    let children: Vec<(usize, Id)> = leaf.children().collect();
                    for piece in children.chunks(PIECE_BLOCKS) {
                        self.check_piece(place, piece, &mut fetcher, &mut buffer)?;
                    }
                }
                // All below the node is lost; the rest of the map is looked at even so.
                Err(error) => lock(&self.sums).1.take(error, Some(self.record.point))?,
            }
        }
        Ok(())
    }

    fn check_piece(
        &self,
        place: u64,
        piece: &[(usize, Id)],
        fetcher: &mut BlockFetcher,
        buffer: &mut [u8],
    ) -> Result<(), VaultError> {
        let numbered = piece.iter().enumerate();
        let wanted: Vec<_> = numbered.map(|(slot, (_, id))| Wanted { id: *id, slot }).collect();
        let before = fetcher.read_bytes;
        let failures = fetch_piece(self.inner, fetcher, &wanted, buffer)?;
        let read_bytes = fetcher.read_bytes - before;
        let mut sums = lock(&self.sums);
        sums.0.blocks += (wanted.len() - failures.len()) as u64;
        sums.0.bytes += read_bytes;
        for (slot, error) in failures {
            let at = place * LEAF_BYTES + piece[slot].0 as u64 * BLOCK;
            sums.1.take(error(&self.disk.key, at), Some(self.record.point))?;
        }
        drop(sums);
        self.progress.advance(Advance { read_bytes, done_bytes: read_bytes, ..Advance::default() });
        Ok(())
    }
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
