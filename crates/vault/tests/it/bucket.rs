//! The stores at hand keep the contract; the probe knows those that do not.

use std::sync::Arc;

use coffre_vault::bucket::{
    self, Bucket, BucketError, Created, FolderBucket, MemoryBucket, Object,
};

use crate::contract::contract;

#[test]
fn the_memory_store_keeps_the_contract() {
    contract(&MemoryBucket::new());
}

#[test]
fn the_folder_store_keeps_the_contract_and_leaves_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = FolderBucket::open(folder.path().join("store")).unwrap();
    contract(&bucket);
    let mut files = Vec::new();
    let mut folders = vec![bucket.root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    assert_eq!(files.len(), bucket.list("").unwrap().len());
}

#[test]
fn a_folder_shows_nothing_that_is_not_an_object() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("UPPER"), b"x").unwrap();
    std::fs::write(folder.path().join(".new-123"), b"x").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", folder.path().join("link")).unwrap();
    let bucket = FolderBucket::open(folder.path()).unwrap();
    assert_eq!(bucket.list("").unwrap(), []);
    assert_eq!(bucket.create("link", b"x").unwrap(), Created::Exists);
    assert_eq!(bucket.size("link").unwrap(), None);
}

/// A store that breaks one rule.
#[derive(Debug)]
struct Liar(MemoryBucket, &'static str);

impl Bucket for Liar {
    fn create(&self, key: &str, data: &[u8]) -> Result<Created, BucketError> {
        if self.1 == "overwrites" {
            self.0.delete(key)?;
        }
        let created = self.0.create(key, data)?;
        Ok(if self.1 == "says new" { Created::New } else { created })
    }
    fn get(&self, key: &str) -> Result<Vec<u8>, BucketError> {
        self.0.get(key)
    }
    fn get_range(&self, key: &str, offset: u64, length: usize) -> Result<Vec<u8>, BucketError> {
        match self.0.get_range(key, offset, length) {
            Err(BucketError::OutOfRange { .. }) if self.1 == "short reads" => Ok(Vec::new()),
            other => other,
        }
    }
    fn size(&self, key: &str) -> Result<Option<u64>, BucketError> {
        self.0.size(key)
    }
    fn list(&self, prefix: &str) -> Result<Vec<Object>, BucketError> {
        if self.1 == "lists late" { Ok(Vec::new()) } else { self.0.list(prefix) }
    }
    fn delete(&self, key: &str) -> Result<(), BucketError> {
        if self.1 == "keeps" { Ok(()) } else { self.0.delete(key) }
    }
}

#[test]
fn the_probe_passes_good_stores_and_refuses_liars() {
    let folder = tempfile::tempdir().unwrap();
    let run = uuid::Uuid::from_u128(7);
    let good = FolderBucket::open(folder.path()).unwrap();
    assert!(bucket::probe(&good, run).unwrap().len() > 10);
    assert_eq!(good.list("").unwrap(), []);
    for lie in ["overwrites", "says new", "short reads", "lists late", "keeps"] {
        let liar = Liar(MemoryBucket::new(), lie);
        assert!(
            matches!(bucket::probe(&liar, run), Err(bucket::ProbeError::Unfit { .. })),
            "{lie}"
        );
        let made = coffre_vault::Vault::create(Arc::new(liar), &crate::support::passphrase());
        assert!(matches!(made, Err(coffre_vault::VaultError::UnfitStore { .. })), "{lie}");
    }
}

#[test]
fn addresses_are_understood_or_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let bucket: Arc<dyn Bucket> =
        bucket::open(&format!("file://{}/new", folder.path().display())).unwrap();
    bucket.create("x", b"1").unwrap();
    assert!(folder.path().join("new/x").is_file());
    assert!(matches!(bucket::open("file://relative"), Err(BucketError::BadUrl { .. })));
    assert!(matches!(bucket::open("ftp://host"), Err(BucketError::BadUrl { .. })));
    assert!(bucket::open("file:///no/such/parent/anywhere").is_err());
}
