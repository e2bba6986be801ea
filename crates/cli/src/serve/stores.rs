//! Where vaults keep their blocks, and the keys to them.
//!
//! Each vault of the service has a store of its own with a random passphrase. The passphrase lies
//! in `keys/vaults/<vault>.key`, readable for the service only; whoever has that file and the store
//! has the data. The recovery key is written to `recovery-keys/<vault>.txt` and never to a log:
//! logs are shipped and kept. A person prints it, takes it off the machine and removes the file.

use std::collections::HashMap;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use coffre_control::model::Vault as VaultRow;
use coffre_engine::{Class, Failure, Retry};
use coffre_vault::bucket::Bucket;
use coffre_vault::{Passphrase, Unlock, Vault, VaultError};
use std::sync::Arc;
use tracing::{info, warn};
use uuid::Uuid;

use super::data_dir::{DataDir, write_secret};
use super::secrets;

/// Opened vaults and the folders of their keys.
pub(crate) struct Stores {
    keys: PathBuf,
    recovery_keys: PathBuf,
    open: Mutex<HashMap<Uuid, Vault>>,
}

impl Stores {
    /// Keys are looked for in the data folder.
    pub(crate) fn new(data: &DataDir) -> Stores {
        Stores {
            keys: data.vault_keys(),
            recovery_keys: data.recovery_keys(),
            open: Mutex::default(),
        }
    }

    /// Opens the store of a vault; makes it the first time.
    pub(crate) fn open(&self, row: &VaultRow) -> Result<Vault, Failure> {
        // Held while a store is opened: two threads must not make the same one.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(vault) = open.get(&row.id.uuid()) {
            return Ok(vault.clone());
        }
        let vault = self.open_or_make(row)?;
        open.insert(row.id.uuid(), vault.clone());
        Ok(vault)
    }

    fn open_or_make(&self, row: &VaultRow) -> Result<Vault, Failure> {
        let doing = format!("open the store of vault {}", row.name);
        let failed = |error: VaultError| Failure::vault(&doing, &error);
        let bucket = open_bucket(&row.store_url).map_err(failed)?;
        let key_path = self.keys.join(format!("{}.key", row.id));
        let passphrase = match read_key(&key_path)? {
            Some(passphrase) => passphrase,
            // A store with blocks whose key is gone must never be taken for a new one.
            None if holds_something(&*bucket).map_err(failed)? => {
                let message = format!(
                    "{doing}: its key {} is missing; bring it back, or open the store with the \
                     recovery key",
                    key_path.display()
                );
                return Err(Failure::new(Class::StoreLocked, Retry::Never, message));
            }
            None => make_key(&key_path)?,
        };
        let unlock = Unlock::Passphrase(Passphrase::new(passphrase.clone()));
        match Vault::open(Arc::clone(&bucket), &unlock) {
            Err(VaultError::NotAVault) => self.make(row, bucket, &Passphrase::new(passphrase)),
            other => other.map_err(failed),
        }
    }

    fn make(
        &self,
        row: &VaultRow,
        bucket: Arc<dyn Bucket>,
        passphrase: &Passphrase,
    ) -> Result<Vault, Failure> {
        let (vault, key) = Vault::create(bucket, passphrase)
            .map_err(|error| Failure::vault("make the store of the vault", &error))?;
        let path = self.recovery_keys.join(format!("{}-{}.txt", row.name, row.id));
        let text = format!(
            "Recovery key of vault {} ({})\nStore: {}\n\n{key}\n\nIt opens the store when the \
             service and its keys are lost. Print it, keep it apart from this machine, and remove \
             this file.\n",
            row.name, row.id, row.store_url
        );
        match write_secret(&path, text.as_bytes()) {
            Ok(()) => info!(
                vault.name = %row.name, file = %path.display(),
                "made the store of a vault; print the recovery key in the file, keep it apart \
                 from this machine, and remove the file"
            ),
            // The store works without: its passphrase is safe. Only the paper is missing.
            Err(error) => warn!(
                vault.name = %row.name, file = %path.display(), %error,
                "made the store of a vault, but its recovery key could not be written"
            ),
        }
        Ok(vault)
    }
}

fn open_bucket(url: &str) -> Result<Arc<dyn Bucket>, VaultError> {
    if let Some(folder) = url.strip_prefix("file://") {
        let parent = Path::new(folder).parent().unwrap_or(Path::new("/"));
        // What cannot be made here is told by the store itself in a moment.
        let _ = DirBuilder::new().recursive(true).mode(0o700).create(parent);
    }
    Ok(coffre_buckets::open(url)?)
}

fn holds_something(bucket: &dyn Bucket) -> Result<bool, VaultError> {
    Ok(!bucket.list("")?.is_empty())
}

fn read_key(path: &Path) -> Result<Option<String>, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let message = format!("read the key {}: {error}", path.display());
            Err(Failure::new(Class::StoreLocked, Retry::Never, message))
        }
    }
}

/// The key is durable before anything is sealed with it.
fn make_key(path: &Path) -> Result<String, Failure> {
    let failed = |error: String| {
        let message = format!("write the key {}: {error}", path.display());
        Failure::new(Class::StoreLocked, Retry::Never, message)
    };
    let passphrase = secrets::make().map_err(|error| failed(error.to_string()))?;
    write_secret(path, format!("{passphrase}\n").as_bytes())
        .map_err(|error| failed(error.to_string()))?;
    Ok(passphrase)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use coffre_control::id::{SubscriptionId, VaultId};
    use coffre_control::model::{
        Immutability, MonitoringSettings, Redundancy, SoftDelete, SoftDeleteState,
    };
    use jiff::Timestamp;

    use super::*;

    fn row(store_url: String) -> VaultRow {
        VaultRow {
            id: VaultId(Uuid::from_u128(5)),
            subscription: SubscriptionId(Uuid::nil()),
            group: "rg".to_owned(),
            name: "safe".to_owned(),
            region: "local".to_owned(),
            tags: Default::default(),
            redundancy: Redundancy::Local,
            cross_region_restore: false,
            redundancy_locked: false,
            soft_delete: SoftDelete { state: SoftDeleteState::Disabled, days: 14 },
            immutability: Immutability::Disabled,
            monitoring: MonitoringSettings {
                job_failures: false,
                replication_issues: false,
                failover_issues: false,
                classic_critical: false,
                classic_site_recovery_mail: false,
            },
            public_network_access: true,
            cross_subscription_restore: false,
            identity: None,
            guard: None,
            store_url,
            created: Timestamp::UNIX_EPOCH,
            changed: Timestamp::UNIX_EPOCH,
            etag: 1,
        }
    }

    #[test]
    fn a_store_is_made_once_and_never_again_without_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(&folder.path().join("data")).unwrap();
        let row = row(format!("file://{}/vaults/5", folder.path().display()));
        let made = Stores::new(&data).open(&row).unwrap().id();
        let reopened = Stores::new(&data).open(&row).unwrap().id();
        assert_eq!(made, reopened);

        let key = data.vault_keys().join(format!("{}.key", row.id));
        assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let paper = data.recovery_keys().join(format!("safe-{}.txt", row.id));
        assert_eq!(paper.metadata().unwrap().permissions().mode() & 0o777, 0o600);

        std::fs::remove_file(&key).unwrap();
        let failure = Stores::new(&data).open(&row).unwrap_err();
        assert_eq!(failure.class, Class::StoreLocked);
        assert!(failure.message.contains("bring it back"), "{}", failure.message);
        assert!(!key.exists(), "no new key hides the loss of the old one");
    }

    #[test]
    fn a_crash_between_key_and_store_is_healed() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(&folder.path().join("data")).unwrap();
        let row = row(format!("file://{}/vaults/5", folder.path().display()));
        make_key(&data.vault_keys().join(format!("{}.key", row.id))).unwrap();
        Stores::new(&data).open(&row).unwrap();
    }
}
