//! What to read, in pieces of one leaf each, in order of place.

use std::collections::VecDeque;

use crate::format::{BLOCK, LEAF_BYTES};
use crate::{BlockReader, Extent, SourceExtent, VaultError};

/// How much of the source is asked about at once.
const WINDOW_BYTES: u64 = 1 << 30;

/// One leaf's worth of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeafTask {
    /// The place of the leaf.
    pub(crate) leaf: u64,
    /// What to read, in whole blocks (the last clipped to the disk), in order, within the leaf.
    pub(crate) reads: Vec<Extent>,
    /// Blocks of the plan in this leaf that are known zeros.
    pub(crate) zero_blocks: u64,
    /// Bytes of the plan that this task settles, and those that were skipped since the task before.
    pub(crate) done_bytes: u64,
}

/// Hands out tasks.
pub(crate) enum Planner<'a> {
    /// Everything that the source does not say is zeros.
    Everything(Everything<'a>),
    /// These ranges of blocks: aligned, sorted, apart.
    Changed { ranges: VecDeque<Extent>, size_bytes: u64 },
}

pub(crate) struct Everything<'a> {
    reader: Box<dyn BlockReader + 'a>,
    size_bytes: u64,
    /// All before is planned.
    cursor: u64,
    /// What is known from the cursor on.
    known: VecDeque<SourceExtent>,
    /// Zero blocks and bytes that were skipped and are not reported yet.
    skipped_blocks: u64,
    skipped_bytes: u64,
}

impl<'a> Planner<'a> {
    pub(crate) fn everything(reader: Box<dyn BlockReader + 'a>, size_bytes: u64) -> Self {
        let known = VecDeque::new();
        Self::Everything(Everything {
            reader,
            size_bytes,
            cursor: 0,
            known,
            skipped_blocks: 0,
            skipped_bytes: 0,
        })
    }

    pub(crate) fn changed(changed: &[Extent], size_bytes: u64) -> Self {
        Self::Changed { ranges: align(changed, size_bytes).into(), size_bytes }
    }

    /// The next task, `None` when the plan is at its end; then what was skipped last is in the second place.
    pub(crate) fn next(&mut self) -> Result<Option<LeafTask>, VaultError> {
        match self {
            Self::Everything(everything) => everything.next(),
            Self::Changed { ranges, size_bytes } => Ok(next_changed(ranges, *size_bytes)),
        }
    }

    /// Zero blocks and bytes that were skipped and belong to no task.
    pub(crate) fn take_skipped(&mut self) -> (u64, u64) {
        match self {
            Self::Everything(everything) => (
                std::mem::take(&mut everything.skipped_blocks),
                std::mem::take(&mut everything.skipped_bytes),
            ),
            Self::Changed { .. } => (0, 0),
        }
    }
}

/// Rounds to blocks, clips to the disk, sorts and merges.
pub(crate) fn align(changed: &[Extent], size_bytes: u64) -> Vec<Extent> {
    let mut ranges: Vec<(u64, u64)> = changed
        .iter()
        .filter(|extent| extent.length > 0 && extent.offset < size_bytes)
        .map(|extent| {
            let end = extent.end().min(size_bytes);
            (
                extent.offset / BLOCK * BLOCK,
                end.div_ceil(BLOCK).saturating_mul(BLOCK).min(size_bytes),
            )
        })
        .collect();
    ranges.sort_unstable();
    let mut merged: Vec<Extent> = Vec::new();
    for (start, end) in ranges {
        match merged.last_mut() {
            Some(last) if last.end() >= start => last.length = last.length.max(end - last.offset),
            _ => merged.push(Extent { offset: start, length: end - start }),
        }
    }
    merged
}

fn next_changed(ranges: &mut VecDeque<Extent>, size_bytes: u64) -> Option<LeafTask> {
    let leaf = ranges.front()?.offset / LEAF_BYTES;
    let leaf_end = (leaf + 1).saturating_mul(LEAF_BYTES).min(size_bytes);
    let mut task = LeafTask { leaf, reads: Vec::new(), zero_blocks: 0, done_bytes: 0 };
    while let Some(range) = ranges.front_mut().filter(|range| range.offset < leaf_end) {
        let end = range.end().min(leaf_end);
        let part = Extent { offset: range.offset, length: end - range.offset };
        task.done_bytes += part.length;
        task.reads.push(part);
        *range = Extent { offset: end, length: range.end() - end };
        if range.length == 0 {
            ranges.pop_front();
        }
    }
    Some(task)
}

impl Everything<'_> {
    fn next(&mut self) -> Result<Option<LeafTask>, VaultError> {
        loop {
            let Some(front) = self.front()? else { return Ok(None) };
            let leaf = self.cursor / LEAF_BYTES;
            let leaf_end = (leaf + 1).saturating_mul(LEAF_BYTES).min(self.size_bytes);
            if front.zero && front.offset + front.length >= leaf_end {
                // The rest of this leaf and perhaps many more: skipped without a look at each.
                let end = front.offset + front.length;
                let whole = if end >= self.size_bytes {
                    end
                } else {
                    (end / LEAF_BYTES * LEAF_BYTES).max(leaf_end)
                };
                self.skip(whole.min(self.size_bytes));
                continue;
            }
            return self.task(leaf, leaf_end).map(Some);
        }
    }

    /// Builds the task of a leaf of which at least something is to be read.
    fn task(&mut self, leaf: u64, leaf_end: u64) -> Result<LeafTask, VaultError> {
        let start = self.cursor;
        let mut reads = Vec::new();
        while self.cursor < leaf_end {
            let Some(front) = self.front()? else { break };
            let end = (front.offset + front.length).min(leaf_end);
            if !front.zero {
                reads.push(Extent { offset: self.cursor, length: end - self.cursor });
            }
            self.advance(end);
        }
        let reads = align(&reads, self.size_bytes);
        let read_blocks: u64 = reads.iter().map(|read| read.length.div_ceil(BLOCK)).sum();
        // A block that straddles the start of this leaf's unskipped part belongs to this leaf: leaves are whole blocks.
        let blocks = leaf_end.div_ceil(BLOCK) - start / BLOCK;
        let zero_blocks =
            blocks.saturating_sub(read_blocks) + std::mem::take(&mut self.skipped_blocks);
        let done_bytes = leaf_end - start + std::mem::take(&mut self.skipped_bytes);
        Ok(LeafTask { leaf, reads, zero_blocks, done_bytes })
    }

    /// What is known at the cursor; asks the source if nothing is.
    fn front(&mut self) -> Result<Option<SourceExtent>, VaultError> {
        if self.cursor >= self.size_bytes {
            return Ok(None);
        }
        if self.known.is_empty() {
            let length = WINDOW_BYTES.min(self.size_bytes - self.cursor);
            let window = Extent { offset: self.cursor, length };
            let failed = |source| VaultError::Source { offset: window.offset, source };
            let extents = self.reader.extents(window).map_err(failed)?;
            self.known.extend(clip(extents, window));
        }
        // A source that says nothing about where we are is read.
        let unknown = SourceExtent {
            offset: self.cursor,
            length: BLOCK.min(self.size_bytes - self.cursor),
            zero: false,
        };
        Ok(Some(
            self.known
                .front()
                .copied()
                .filter(|front| front.offset <= self.cursor)
                .unwrap_or(unknown),
        ))
    }

    fn skip(&mut self, end: u64) {
        self.skipped_blocks += end.div_ceil(BLOCK) - self.cursor.div_ceil(BLOCK);
        self.skipped_bytes += end - self.cursor;
        self.advance(end);
    }

    fn advance(&mut self, end: u64) {
        self.cursor = end;
        while let Some(front) = self.known.front_mut() {
            let front_end = front.offset + front.length;
            if front_end <= end {
                self.known.pop_front();
            } else {
                if front.offset < end {
                    *front =
                        SourceExtent { offset: end, length: front_end - end, zero: front.zero };
                }
                return;
            }
        }
    }
}

/// Keeps only what lies within the window, in order; a source is not trusted to be tidy.
pub(crate) fn clip(extents: Vec<SourceExtent>, window: Extent) -> Vec<SourceExtent> {
    let mut at = window.offset;
    let mut kept = Vec::new();
    for extent in extents {
        let end = extent.offset.saturating_add(extent.length).min(window.end());
        // A gap is not known to be zeros.
        if extent.offset > at && extent.offset < window.end() {
            kept.push(SourceExtent { offset: at, length: extent.offset - at, zero: false });
            at = extent.offset;
        }
        if end > at && extent.offset <= at {
            kept.push(SourceExtent { offset: at, length: end - at, zero: extent.zero });
            at = end;
        }
    }
    kept
}
