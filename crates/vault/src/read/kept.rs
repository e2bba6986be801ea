//! What a target of a restore holds already: looked at, believed only after its identity was compared.

use std::io;

use super::frames::Wanted;
use crate::format::{BLOCK, BLOCK_BYTES, Id};
use crate::inner::Inner;
use crate::{BlockReader, Extent, SourceExtent, VaultError};

/// The target of a restore that was begun before, for one thread.
pub(super) struct Kept<'a> {
    inner: &'a Inner,
    reader: Box<dyn BlockReader + 'a>,
    size_bytes: u64,
}

impl<'a> Kept<'a> {
    pub(super) fn new(
        inner: &'a Inner,
        reader: Box<dyn BlockReader + 'a>,
        size_bytes: u64,
    ) -> Self {
        Self { inner, reader, size_bytes }
    }

    /// Takes out of `wanted` what the target holds. Slots count blocks from `start`; `buffer` is room for one block.
    pub(super) fn leave_what_is_right(
        &mut self,
        start: u64,
        wanted: &mut Vec<Wanted>,
        buffer: &mut [u8],
    ) -> Result<(), VaultError> {
        let Some((first, last)) = wanted.first().zip(wanted.last()) else { return Ok(()) };
        let from = start + first.slot as u64 * BLOCK;
        let to = (start + (last.slot as u64 + 1) * BLOCK).min(self.size_bytes);
        let data = self.data(Extent { offset: from, length: to - from })?;
        let mut missing = Vec::with_capacity(wanted.len());
        for want in wanted.drain(..) {
            let offset = start + want.slot as u64 * BLOCK;
            let touched =
                data.iter().any(|part| part.offset < offset + BLOCK && part.end() > offset);
            if !touched || self.identity(offset, buffer)? != want.id {
                missing.push(want);
            }
        }
        *wanted = missing;
        Ok(())
    }

    /// Calls `clear` with the place and length (as zeros) of what is not zero in a range that should be.
    pub(super) fn each_that_is_not_zero(
        &mut self,
        range: Extent,
        buffer: &mut [u8],
        mut clear: impl FnMut(u64, &[u8]) -> io::Result<()>,
    ) -> Result<(), VaultError> {
        let mut at = range.offset;
        while at < range.end() {
            let known = self.extents(Extent { offset: at, length: range.end() - at })?;
            for part in known.iter().filter(|part| !part.zero) {
                let mut offset = part.offset;
                let end = part.offset + part.length;
                while offset < end {
                    let length = (end - offset).min(buffer.len() as u64);
                    let bytes = &mut buffer[..usize::try_from(length).expect("within a buffer")];
                    self.read(offset, bytes)?;
                    if bytes.iter().any(|byte| *byte != 0) {
                        bytes.fill(0);
                        clear(offset, bytes)
                            .map_err(|source| VaultError::Sink { offset, source })?;
                    }
                    offset += length;
                }
            }
            at = known.last().map_or(range.end(), |part| part.offset + part.length);
        }
        Ok(())
    }

    /// The identity of the block at an offset.
    fn identity(&mut self, offset: u64, buffer: &mut [u8]) -> Result<Id, VaultError> {
        let block = &mut buffer[..BLOCK_BYTES];
        let length = BLOCK.min(self.size_bytes - offset);
        let length = usize::try_from(length).expect("at most a block");
        block[length..].fill(0);
        self.read(offset, &mut block[..length])?;
        Ok(Id::of(&self.inner.block_key, block))
    }

    fn data(&mut self, range: Extent) -> Result<Vec<Extent>, VaultError> {
        let mut data = Vec::new();
        let mut at = range.offset;
        while at < range.end() {
            let known = self.extents(Extent { offset: at, length: range.end() - at })?;
            let parts = known.iter().filter(|part| !part.zero);
            data.extend(parts.map(|part| Extent { offset: part.offset, length: part.length }));
            at = known.last().map_or(range.end(), |part| part.offset + part.length);
        }
        Ok(data)
    }

    fn extents(&mut self, range: Extent) -> Result<Vec<SourceExtent>, VaultError> {
        let offset = range.offset;
        self.reader.extents(range).map_err(|source| VaultError::Sink { offset, source })
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), VaultError> {
        let read = self.reader.read_at(offset, buffer);
        read.map_err(|source| VaultError::Sink { offset, source })
    }
}
