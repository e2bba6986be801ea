//! The data folder: its layout, its permissions and the lock that keeps a second service out.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::fs::{FlockOperation, flock};

/// The data folder, held by this process as long as the value lives.
#[derive(Debug)]
pub(crate) struct DataDir {
    root: PathBuf,
    /// Holds the lock; the kernel drops it with the process, however that ends.
    _lock: File,
}

impl DataDir {
    /// The folder used when nobody names one: `$XDG_DATA_HOME/coffre` or `~/.local/share/coffre`.
    pub(crate) fn default_path() -> anyhow::Result<PathBuf> {
        if let Some(base) = std::env::var_os("XDG_DATA_HOME").filter(|value| !value.is_empty()) {
            return Ok(PathBuf::from(base).join("coffre"));
        }
        match std::env::var_os("HOME").filter(|value| !value.is_empty()) {
            Some(home) => Ok(PathBuf::from(home).join(".local/share/coffre")),
            None => bail!("there is no HOME to put the data folder in; name one with --data"),
        }
    }

    /// Creates what is missing and takes the lock. Fails when another service holds it.
    pub(crate) fn open(root: &Path) -> anyhow::Result<DataDir> {
        private_dir(root)?;
        let root = root
            .canonicalize()
            .with_context(|| format!("resolve the data folder {}", root.display()))?;
        let path = root.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("open {}", path.display()))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => bail!(
                "another coffre serve already runs on the data folder {}; stop it first, or \
                 choose another folder with --data",
                root.display()
            ),
            Err(error) => {
                return Err(error).with_context(|| format!("lock {}", path.display()));
            }
        }
        let dir = DataDir { root, _lock: lock };
        for folder in [dir.keys(), dir.vault_keys(), dir.recovery_keys()] {
            private_dir(&folder)?;
        }
        Ok(dir)
    }

    /// The folder itself, absolute.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The database of the service.
    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("coffre.db")
    }

    /// Private keys; only the owner may look inside.
    pub(crate) fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// One passphrase file for each vault store.
    pub(crate) fn vault_keys(&self) -> PathBuf {
        self.keys().join("vaults")
    }

    /// Recovery keys that wait to be printed and taken off this machine.
    pub(crate) fn recovery_keys(&self) -> PathBuf {
        self.root.join("recovery-keys")
    }

    /// The certificate of the authority, for clients.
    pub(crate) fn ca_pem(&self) -> PathBuf {
        self.root.join("ca.pem")
    }
}

/// Creates `path` for the owner only, with its parents; leaves an existing folder as it is.
pub(crate) fn private_dir(path: &Path) -> anyhow::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("create folder {}", path.display()))
}

/// Writes a file that only the owner may read, durable when this returns, and refuses to replace
/// one: a key that is lost cannot be had again.
pub(crate) fn write_secret(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    let mut file = tempfile_in(folder)?;
    file.1.write_all(content)?;
    file.1.sync_all()?;
    let linked = fs::hard_link(&file.0, path);
    fs::remove_file(&file.0)?;
    linked?;
    File::open(folder)?.sync_all()
}

/// Writes a public file by replacing it as a whole.
pub(crate) fn write_public(path: &Path, content: &[u8]) -> io::Result<()> {
    replace(path, content, 0o644)
}

/// The same for a file that only the owner may read, and that is made anew now and then.
pub(crate) fn replace_secret(path: &Path, content: &[u8]) -> io::Result<()> {
    replace(path, content, 0o600)
}

fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let folder = folder_of(path);
    let mut file = tempfile_in(folder)?;
    file.1.write_all(content)?;
    file.1.set_permissions(fs::Permissions::from_mode(mode))?;
    file.1.sync_all()?;
    fs::rename(&file.0, path)?;
    File::open(folder)?.sync_all()
}

/// The folder that a file is in; a bare name is in the current one.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn tempfile_in(folder: &Path) -> io::Result<(PathBuf, File)> {
    let path = folder.join(format!(".{}.new", uuid::Uuid::new_v4().simple()));
    let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path)?;
    Ok((path, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_until_the_first_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataDir::open(folder.path()).unwrap();
        let error = DataDir::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("another coffre serve already runs"), "{error}");
        drop(first);
        DataDir::open(folder.path()).unwrap();
    }

    #[test]
    fn secrets_are_private_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write_secret(&path, b"one").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(write_secret(&path, b"two").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
        assert_eq!(folder_of(Path::new("key")), Path::new("."));
        assert_eq!(folder_of(Path::new("a/key")), Path::new("a"));
    }
}
