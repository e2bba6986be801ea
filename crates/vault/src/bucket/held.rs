//! Locks of a store in a folder: beside each locked object a small file that says until when.
//!
//! This is a rule among programs that use the folder through this code, for the mistakes of people and for vaults that are
//! copied to a store with real locks later. Whoever may write to the folder can remove files all the same.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// In front of the name of the object. Never a valid key part, so no listing shows it.
const PREFIX: &str = ".held-";

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{PREFIX}{name}"))
}

/// Until when the object of this path is held, `None` if it is not.
pub(super) fn until(path: &Path) -> io::Result<Option<i64>> {
    match fs::read_to_string(beside(path)) {
        // One that cannot be understood holds: it was written for a reason.
        Ok(text) => Ok(Some(text.trim().parse().unwrap_or(i64::MAX))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Holds the object of this path at least so long.
pub(super) fn hold(path: &Path, until_unix_ms: i64) -> io::Result<()> {
    if !path.symlink_metadata()?.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    if until(path)?.is_some_and(|held| held >= until_unix_ms) {
        return Ok(());
    }
    let target = beside(path);
    let new = target.with_file_name(format!(".new-{}", uuid::Uuid::new_v4().simple()));
    let mut file = File::create_new(&new)?;
    file.write_all(until_unix_ms.to_string().as_bytes())?;
    file.sync_data()?;
    fs::rename(&new, &target)?;
    target.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Fails while the object is held.
pub(super) fn check(path: &Path) -> io::Result<()> {
    let Some(until) = until(path)? else { return Ok(()) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis());
    if i128::from(until) > i128::try_from(now).unwrap_or(i128::MAX) {
        let what = "the object is locked";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    }
    Ok(())
}

/// Forgets about an object that is gone.
pub(super) fn release(path: &Path) {
    // What is left of it says nothing about another object: names are not used again.
    let _ = fs::remove_file(beside(path));
}
