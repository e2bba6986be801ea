//! Raw images: a sparse file.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ImageWriter;
use super::part::Part;
use crate::{FabricError, Result};

#[derive(Debug)]
pub(super) struct RawTarget {
    file: Arc<File>,
    part: Part,
    size_bytes: u64,
}

impl RawTarget {
    pub(super) fn create(path: &Path, size_bytes: u64) -> Result<Self> {
        let part = Part::begin(path)?;
        // It will hold a guest's data: only its owner may read it.
        let file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&part.path)
            .map_err(FabricError::io("creating", &part.path))?;
        file.set_len(size_bytes).map_err(FabricError::io("sizing", &part.path))?;
        Ok(Self { file: Arc::new(file), part, size_bytes })
    }

    pub(super) fn writer(&self) -> RawWriter {
        let (file, path) = (self.file.clone(), self.part.path.clone());
        RawWriter { file, path, size_bytes: self.size_bytes }
    }

    pub(super) fn path(&self) -> &Path {
        &self.part.path
    }

    pub(super) fn finish(self) -> Result<()> {
        self.part.finish()
    }
}

pub(super) struct RawWriter {
    file: Arc<File>,
    path: PathBuf,
    size_bytes: u64,
}

impl ImageWriter for RawWriter {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let inside =
            offset.checked_add(bytes.len() as u64).is_some_and(|end| end <= self.size_bytes);
        if !inside {
            return Err(FabricError::io("writing after the end of", &self.path)(
                ErrorKind::InvalidInput.into(),
            ));
        }
        self.file.write_all_at(bytes, offset).map_err(FabricError::io("writing", &self.path))
    }

    fn flush(&mut self) -> Result<()> {
        self.file.sync_data().map_err(FabricError::io("syncing", &self.path))
    }
}
