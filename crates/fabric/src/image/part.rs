//! The file that becomes an image: written beside its place, moved there when it is whole.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::part_path;
use crate::{FabricError, Result};

/// The unfinished file; removed when dropped before it was moved to its place.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) path: PathBuf,
    target: PathBuf,
    done: bool,
}

impl Part {
    /// For an image that will be at `target`. Removes what an earlier try left.
    pub(super) fn begin(target: &Path) -> Result<Self> {
        if target.exists() {
            return Err(FabricError::io("creating the image", target)(
                std::io::ErrorKind::AlreadyExists.into(),
            ));
        }
        let path = part_path(target);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(FabricError::io("removing", path)(error)),
        }
        Ok(Self { path, target: target.to_owned(), done: false })
    }

    /// Makes the file durable and moves it to its place.
    pub(super) fn finish(mut self) -> Result<()> {
        let sync = |path: &Path| File::open(path).and_then(|file| file.sync_all());
        sync(&self.path).map_err(FabricError::io("syncing", &self.path))?;
        fs::rename(&self.path, &self.target)
            .map_err(FabricError::io("moving into place", &self.target))?;
        self.done = true;
        let folder = self.target.parent().unwrap_or(Path::new("/"));
        sync(folder).map_err(FabricError::io("syncing", folder))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.done {
            // Nothing can be done about an error here; the next try removes the file.
            let _ = fs::remove_file(&self.path);
        }
    }
}
