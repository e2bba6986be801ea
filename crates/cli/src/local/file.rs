//! An image file as the vault reads it: holes are known, nothing else is assumed.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use coffre_vault::{BlockReader, BlockSource, Extent, SourceExtent};
use rustix::fs::SeekFrom as RawSeek;
use rustix::io::Errno;

use super::ahead::Ahead;

/// A raw image in a file or on a block device.
pub(super) struct FileSource {
    path: PathBuf,
    size_bytes: u64,
}

impl FileSource {
    pub(super) fn open(path: &Path) -> io::Result<FileSource> {
        let mut file = File::open(path)?;
        // Seeking also tells the size of a block device.
        let size_bytes = file.seek(SeekFrom::End(0))?;
        Ok(FileSource { path: path.to_owned(), size_bytes })
    }

    /// A reader that outlives this, of a file that is written meanwhile.
    pub(super) fn into_reader(self) -> io::Result<FileReader> {
        let file = File::open(&self.path)?;
        Ok(FileReader { file, ahead: None, size_bytes: self.size_bytes })
    }
}

impl BlockSource for FileSource {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn reader(&self) -> io::Result<Box<dyn BlockReader + '_>> {
        let file = File::open(&self.path)?;
        let ahead = Some(Ahead::open(&self.path)?);
        Ok(Box::new(FileReader { file, ahead, size_bytes: self.size_bytes }))
    }
}

/// Reads an image and tells its holes.
pub(super) struct FileReader {
    file: File,
    /// Only for a file that stays as it is.
    ahead: Option<Ahead>,
    size_bytes: u64,
}

impl FileReader {
    /// Where data (or a hole) begins at or after `offset`; the end of the file when nowhere.
    fn seek(&self, to: RawSeek) -> io::Result<u64> {
        match rustix::fs::seek(&self.file, to) {
            Ok(offset) => Ok(offset.min(self.size_bytes)),
            // "No data after this place."
            Err(Errno::NXIO) => Ok(self.size_bytes),
            Err(error) => Err(error.into()),
        }
    }
}

impl BlockReader for FileReader {
    fn extents(&mut self, range: Extent) -> io::Result<Vec<SourceExtent>> {
        let whole = vec![SourceExtent { offset: range.offset, length: range.length, zero: false }];
        let mut extents = Vec::new();
        let mut at = range.offset;
        while at < range.end() {
            let data = match self.seek(RawSeek::Data(at)) {
                // A file system or a device that knows no holes.
                Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                    return Ok(whole);
                }
                other => other?.clamp(at, range.end()),
            };
            push(&mut extents, at, data, true);
            let hole = if data < range.end() {
                self.seek(RawSeek::Hole(data))?.clamp(data, range.end())
            } else {
                data
            };
            push(&mut extents, data, hole, false);
            if hole == at {
                return Ok(whole);
            }
            at = hole;
        }
        Ok(extents)
    }

    fn announce(&mut self, reads: &[Extent]) {
        if let Some(ahead) = &mut self.ahead {
            ahead.announce(reads);
        }
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if self.ahead.as_mut().is_some_and(|ahead| ahead.read(offset, buffer)) {
            return Ok(());
        }
        self.file.read_exact_at(buffer, offset)
    }
}

fn push(extents: &mut Vec<SourceExtent>, from: u64, to: u64, zero: bool) {
    if to > from {
        extents.push(SourceExtent { offset: from, length: to - from, zero });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_found_and_every_byte_is_covered_once() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mib = 1 << 20;
        file.as_file().set_len(8 * mib).unwrap();
        file.as_file().write_all_at(&[7; 4096], 3 * mib).unwrap();
        let source = FileSource::open(file.path()).unwrap();
        assert_eq!(source.size_bytes(), 8 * mib);
        let mut reader = source.reader().unwrap();
        for (offset, length) in [(0, 8 * mib), (mib, 3 * mib), (3 * mib + 5, 10), (7 * mib, mib)] {
            let extents = reader.extents(Extent { offset, length }).unwrap();
            let mut at = offset;
            for extent in &extents {
                assert_eq!(extent.offset, at);
                at += extent.length;
                if extent.zero {
                    let mut bytes = vec![1; usize::try_from(extent.length).unwrap()];
                    reader.read_at(extent.offset, &mut bytes).unwrap();
                    assert!(bytes.iter().all(|byte| *byte == 0));
                }
            }
            assert_eq!(at, offset + length);
        }
    }
}
