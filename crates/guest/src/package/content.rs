//! What is in a package whose signature is good, in memory.

use std::io::{Cursor, Read};

use aws_lc_rs::digest;
use zip::ZipArchive;

use super::{CONTENT_MAX, Package, PackageError};

/// One file of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Path in the package.
    pub path: String,
    /// SHA-256 of the bytes, in hex.
    pub sha256: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl Package<'_> {
    /// SHA-256 of the package itself, in hex.
    #[must_use]
    pub fn digest(&self) -> String {
        sha256(self.bytes)
    }

    /// All files.
    ///
    /// # Errors
    /// When the zip is broken, or the content is more than a package can hold.
    pub fn contents(&self) -> Result<Vec<Content>, PackageError> {
        let mut zip = ZipArchive::new(Cursor::new(self.bytes))?;
        let (mut room, mut found) = (CONTENT_MAX, Vec::new());
        for index in 0..zip.len() {
            let mut entry = zip.by_index(index)?;
            let (path, mut bytes) = (entry.name().to_owned(), Vec::new());
            let read = entry.by_ref().take(room + 1).read_to_end(&mut bytes)?;
            room = u64::try_from(read)
                .ok()
                .and_then(|read| room.checked_sub(read))
                .ok_or_else(|| PackageError::Content("it holds too much".to_owned()))?;
            found.push(Content { path, sha256: sha256(&bytes), bytes });
        }
        Ok(found)
    }
}

fn sha256(bytes: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, bytes);
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
