//! A store in a folder of a local file system.
//!
//! An object is written to a file without a name, made durable, and then linked under its key: it is there whole or
//! not at all, and a taken key refuses the link. The folder of the new name is made durable after. An error of
//! `fdatasync` counts the file as lost; it is never retried on the same file.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

use super::{Bucket, BucketError, Created, Object, check_key, check_prefix, held};
use crate::direct::{self, AlignedBuffer};

/// Prefix of files that are being written where the file system knows no nameless files. Never a valid key part.
const TEMPORARY_PREFIX: &str = ".new-";

/// Keeps each object as one file below a folder.
#[derive(Debug)]
pub struct FolderBucket {
    root: PathBuf,
    /// Folders whose own name is known to be durable: made or confirmed by this process.
    durable: Mutex<HashSet<PathBuf>>,
}

impl FolderBucket {
    /// Opens the folder, creating it (private to the user) if its parent exists.
    ///
    /// # Errors
    /// If it cannot be created or is not a folder.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, BucketError> {
        let root = root.into();
        let failed = |source| BucketError::Io {
            verb: "open folder of",
            key: root.display().to_string(),
            source,
        };
        if !root.is_dir() {
            make_folder(&root).map_err(failed)?;
        }
        let root = fs::canonicalize(&root).map_err(failed)?;
        Ok(Self { root, durable: Mutex::default() })
    }

    /// The folder, without symbolic links.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, key: &str) -> Result<PathBuf, BucketError> {
        check_key(key)?;
        Ok(self.root.join(key))
    }

    /// Opens an object that has these bytes. Looked at before there is a buffer: a length from a damaged index must not
    /// allocate.
    fn open_range(&self, key: &str, offset: u64, length: usize) -> Result<File, BucketError> {
        let failed = |error| failure("read", key, error);
        let file = File::open(self.path(key)?).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        let length = length as u64;
        if offset.checked_add(length).is_none_or(|end| end > size) {
            return Err(BucketError::OutOfRange { key: key.to_owned(), offset, length });
        }
        Ok(file)
    }

    fn create_in(&self, folder: &Path, path: &Path, data: &[u8]) -> io::Result<Created> {
        self.make_folders(folder)?;
        // A cheap look first, so that a taken key does not cost a write of the data.
        if path.symlink_metadata().is_ok() {
            return Ok(Created::Exists);
        }
        let created = match write_nameless(folder, data) {
            Ok(file) => link(&format!("/proc/self/fd/{}", file.as_raw_fd()), path)?,
            Err(error) if no_nameless_files(&error) => write_named(folder, path, data)?,
            Err(error) => return Err(error),
        };
        File::open(folder)?.sync_all()?;
        Ok(created)
    }

    /// Makes the folders from the root down to `folder`, each made durable in its parent. A folder found is confirmed
    /// once as well: a crash may have come between its making and its durability.
    fn make_folders(&self, folder: &Path) -> io::Result<()> {
        if folder == self.root
            || self.durable.lock().unwrap_or_else(PoisonError::into_inner).contains(folder)
        {
            return Ok(());
        }
        if let Some(parent) = folder.parent() {
            self.make_folders(parent)?;
        }
        make_folder(folder)?;
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned());
        Ok(())
    }

    fn list_into(&self, folder: &Path, prefix: &str, found: &mut Vec<Object>) -> io::Result<()> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| check_key(name).is_ok()) else { continue };
            let kind = entry.file_type()?;
            let key = format!("{prefix}{name}");
            if kind.is_dir() {
                self.list_into(&entry.path(), &format!("{key}/"), found)?;
            } else if kind.is_file() {
                let metadata = match entry.metadata() {
                    Ok(metadata) => metadata,
                    // Deleted between the two calls: as if it had gone before.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                };
                let modified =
                    metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
                let modified_unix_ms = modified.and_then(|age| i64::try_from(age.as_millis()).ok());
                found.push(Object { key, size: metadata.len(), modified_unix_ms });
            }
        }
        Ok(())
    }
}

impl Bucket for FolderBucket {
    fn lock(&self, key: &str, until_unix_ms: i64) -> Result<(), BucketError> {
        held::hold(&self.path(key)?, until_unix_ms).map_err(|error| failure("lock", key, error))
    }

    fn locked_until(&self, key: &str) -> Result<Option<i64>, BucketError> {
        held::until(&self.path(key)?).map_err(|error| failure("read the lock of", key, error))
    }

    fn create(&self, key: &str, data: &[u8]) -> Result<Created, BucketError> {
        let path = self.path(key)?;
        let folder = path.parent().unwrap_or(&self.root);
        self.create_in(folder, &path, data).map_err(|error| failure("create", key, error))
    }

    fn get(&self, key: &str) -> Result<Vec<u8>, BucketError> {
        fs::read(self.path(key)?).map_err(|error| failure("read", key, error))
    }

    fn get_into<'r>(
        &self,
        key: &str,
        room: &'r mut AlignedBuffer,
    ) -> Result<Cow<'r, [u8]>, BucketError> {
        let read = File::open(self.path(key)?).and_then(|file| direct::read_cached(&file, room));
        read.map(Cow::Borrowed).map_err(|error| failure("read", key, error))
    }

    fn get_stored<'r>(
        &self,
        key: &str,
        room: &'r mut AlignedBuffer,
    ) -> Result<Cow<'r, [u8]>, BucketError> {
        let read = File::open(self.path(key)?).and_then(|file| direct::read_stored(&file, room));
        read.map(Cow::Borrowed).map_err(|error| failure("read", key, error))
    }

    fn get_range(&self, key: &str, offset: u64, length: usize) -> Result<Vec<u8>, BucketError> {
        let file = self.open_range(key, offset, length)?;
        let mut buffer = vec![0; length];
        file.read_exact_at(&mut buffer, offset).map_err(|error| failure("read", key, error))?;
        Ok(buffer)
    }

    fn get_range_into<'r>(
        &self,
        key: &str,
        offset: u64,
        length: usize,
        room: &'r mut AlignedBuffer,
    ) -> Result<Cow<'r, [u8]>, BucketError> {
        let file = self.open_range(key, offset, length)?;
        let read = direct::read_range(&file, offset, length, room);
        read.map(Cow::Borrowed).map_err(|error| failure("read", key, error))
    }

    fn size(&self, key: &str) -> Result<Option<u64>, BucketError> {
        match fs::symlink_metadata(self.path(key)?) {
            Ok(metadata) if metadata.is_file() => Ok(Some(metadata.len())),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failure("read", key, error)),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<Object>, BucketError> {
        check_prefix(prefix)?;
        let mut found = Vec::new();
        self.list_into(&self.root.join(prefix), prefix, &mut found)
            .map_err(|error| failure("list", prefix, error))?;
        found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    fn delete(&self, key: &str) -> Result<(), BucketError> {
        let path = self.path(key)?;
        held::check(&path).map_err(|error| failure("delete", key, error))?;
        match fs::remove_file(&path) {
            Ok(()) => held::release(&path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failure("delete", key, error)),
        }
        let folder = path.parent().unwrap_or(&self.root);
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| failure("delete", key, error))
    }
}

fn failure(verb: &'static str, key: &str, source: io::Error) -> BucketError {
    let key = key.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound => BucketError::NotFound { key },
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            BucketError::Full { key, source }
        }
        _ => BucketError::Io { verb, key, source },
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    match folder.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn write_nameless(folder: &Path, data: &[u8]) -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(CWD, folder, flags, Mode::from_raw_mode(0o600))?);
    direct::write_all(&file, data)?;
    file.sync_data()?;
    Ok(file)
}

/// Whether the file system (or a missing /proc) cannot do nameless files.
fn no_nameless_files(error: &io::Error) -> bool {
    let code = Errno::from_io_error(error);
    matches!(code, Some(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOSYS))
}

fn link(from: &str, to: &Path) -> io::Result<Created> {
    match rustix::fs::linkat(CWD, from, CWD, to, AtFlags::SYMLINK_FOLLOW) {
        Ok(()) => Ok(Created::New),
        Err(Errno::EXIST) => Ok(Created::Exists),
        Err(error) => Err(error.into()),
    }
}

/// The same with a temporary name, for file systems without nameless files. The name is removed in every case; a crash
/// leaves a file that no listing shows.
fn write_named(folder: &Path, path: &Path, data: &[u8]) -> io::Result<Created> {
    let temporary = folder.join(format!("{TEMPORARY_PREFIX}{}", uuid::Uuid::new_v4().simple()));
    let written = (|| {
        let file = File::options().write(true).create_new(true).open(&temporary)?;
        direct::write_all(&file, data)?;
        file.sync_data()?;
        match fs::hard_link(&temporary, path) {
            Ok(()) => Ok(Created::New),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Created::Exists),
            Err(error) => Err(error),
        }
    })();
    match fs::remove_file(&temporary) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return written.and(Err(error)),
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_nameless_files_the_named_way_does_the_same_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("object");
        assert_eq!(write_named(folder.path(), &path, b"one").unwrap(), Created::New);
        assert_eq!(write_named(folder.path(), &path, b"two").unwrap(), Created::Exists);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_length_from_a_damaged_index_allocates_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let bucket = FolderBucket::open(folder.path()).unwrap();
        bucket.create("x", b"abc").unwrap();
        assert!(matches!(
            bucket.get_range("x", 1, usize::MAX / 2),
            Err(BucketError::OutOfRange { .. })
        ));
    }
}
