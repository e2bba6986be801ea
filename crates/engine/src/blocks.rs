//! Lets the vault read snapshots and write images: only translation, no decisions.

use std::io;

use coffre_fabric::image::{ImageTarget, ImageWriter};
use coffre_fabric::{Snapshot, SnapshotReader};
use coffre_vault::{
    BlockReader, BlockSink, BlockSource, BlockWriter, DirectFile, Extent, SourceExtent,
};

/// One disk of a snapshot. Each worker gets a connection of its own.
pub(crate) struct SnapshotSource<'a> {
    pub(crate) snapshot: &'a dyn Snapshot,
    pub(crate) key: &'a str,
    pub(crate) size_bytes: u64,
}

impl BlockSource for SnapshotSource<'_> {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn reader(&self) -> io::Result<Box<dyn BlockReader + '_>> {
        let reader = self.snapshot.open(self.key).map_err(io::Error::other)?;
        if reader.size_bytes() < self.size_bytes {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!(
                    "the export of disk {} has {} bytes, the snapshot {}",
                    self.key,
                    reader.size_bytes(),
                    self.size_bytes
                ),
            ));
        }
        Ok(Box::new(DiskBlocks(reader)))
    }
}

struct DiskBlocks(Box<dyn SnapshotReader>);

impl BlockReader for DiskBlocks {
    fn extents(&mut self, range: Extent) -> io::Result<Vec<SourceExtent>> {
        let extents = self.0.extents(range.offset, range.length).map_err(io::Error::other)?;
        Ok(extents
            .into_iter()
            .map(|extent| SourceExtent {
                offset: extent.offset,
                length: extent.length,
                zero: extent.zero,
            })
            .collect())
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, buffer).map_err(io::Error::other)
    }
}

/// An image that is being written.
pub(crate) struct ImageSink<'a>(pub(crate) &'a ImageTarget);

impl BlockSink for ImageSink<'_> {
    fn writer(&self) -> io::Result<Box<dyn BlockWriter + '_>> {
        // A restored disk is larger than what should be in memory, and must be durable in the end anyway.
        if let Some(file) = self.0.plain_file() {
            return Ok(Box::new(DirectFile::open(file)?));
        }
        Ok(Box::new(ImageBlocks(self.0.writer().map_err(unwrap)?)))
    }
}

struct ImageBlocks(Box<dyn ImageWriter>);

impl BlockWriter for ImageBlocks {
    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, data).map_err(unwrap)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(unwrap)
    }
}

/// The kind of the error must stay: "no space" has a class of its own.
fn unwrap(error: coffre_fabric::FabricError) -> io::Error {
    match error {
        coffre_fabric::FabricError::Io { doing, path, source } => {
            io::Error::new(source.kind(), format!("{doing} {}: {source}", path.display()))
        }
        other => io::Error::other(other.to_string()),
    }
}
