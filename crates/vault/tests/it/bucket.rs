//! The stores at hand keep the contract; the probe knows those that do not.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use coffre_vault::bucket::{
    self, Bucket, BucketError, Call, Created, Fault, FaultyBucket, FolderBucket, MemoryBucket,
    Object,
};

use coffre_vault::{AlignedBuffer, NoProgress, VaultError, VerifyScope};

use crate::contract::contract;
use crate::support::{Image, backup, mixed_image, new_vault, open_through, restore};

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

/// What a folder reads into memory that is used again is not read into new memory because the folder is shared.
#[test]
fn a_shared_store_reads_as_it_does_alone() {
    let folder = tempfile::tempdir().unwrap();
    let bucket: Arc<dyn Bucket> = Arc::new(FolderBucket::open(folder.path()).unwrap());
    bucket.create("a", b"hello").unwrap();
    let mut room = AlignedBuffer::new(0);
    assert!(matches!(bucket.get_into("a", &mut room).unwrap(), Cow::Borrowed(b"hello")));
    assert!(matches!(bucket.get_stored("a", &mut room).unwrap(), Cow::Borrowed(b"hello")));
    let part = bucket.get_range_into("a", 1, 3, &mut room).unwrap();
    assert!(matches!(part, Cow::Borrowed(b"ell")));
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

#[test]
fn a_slow_store_keeps_the_contract() {
    let slow = FaultyBucket::new(MemoryBucket::new(), |call| {
        call.number.is_multiple_of(7).then_some(Fault::Delay(Duration::from_micros(200)))
    });
    contract(&slow);
    assert!(slow.calls() > 50);
}

#[test]
fn faults_are_what_they_say() {
    let plan = Arc::new(Mutex::new(None));
    let planned = Arc::clone(&plan);
    let store = FaultyBucket::new(MemoryBucket::new(), move |_| planned.lock().unwrap().take());
    let next = |fault| *plan.lock().unwrap() = Some(fault);
    next(Fault::Before);
    assert!(store.create("a", b"12345678").is_err());
    assert_eq!(store.inner().size("a").unwrap(), None);
    next(Fault::After);
    assert!(store.create("a", b"12345678").is_err());
    assert_eq!(store.inner().size("a").unwrap(), Some(8));
    next(Fault::Partial);
    assert_eq!(store.get("a").unwrap(), b"1234");
    assert_eq!(store.get("a").unwrap(), b"12345678");
    next(Fault::Partial);
    assert!(store.get_range("a", 0, 8).is_err(), "never shorter than asked");
    assert_eq!(store.list("").unwrap().len(), 1);
    store.create("b", b"").unwrap();
    next(Fault::Stale);
    assert_eq!(store.list("").unwrap().len(), 1);
    assert_eq!(store.list("").unwrap().len(), 2);
}

/// Backups through a store that fails often, repeated until they are done: nothing acknowledged is lost.
#[test]
fn a_store_that_fails_often_loses_nothing() {
    for seed in 0..12u64 {
        let (bucket, _) = new_vault();
        let dice = AtomicU64::new(seed * 1_000_003 + 17);
        let plan = move |_: Call<'_>| {
            let throw = dice.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            let throw = (throw ^ (throw >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40;
            match throw % 100 {
                0..2 => Some(Fault::Before),
                2..4 => Some(Fault::After),
                4..6 => Some(Fault::Partial),
                _ => None,
            }
        };
        let faulty = Arc::new(FaultyBucket::new(Arc::clone(&bucket), plan));
        let mut kept = Vec::new();
        for n in 1..=3u64 {
            let image = Image::new(mixed_image(seed * 10 + n, 12, 0));
            let id = uuid::Uuid::from_u128(n.into());
            // As the engine does: again under the same id, from an open vault or a new one.
            let done = (0..200).any(|_| {
                let opened = open_through(Arc::clone(&faulty) as Arc<dyn Bucket>);
                let outcome = opened.and_then(|vault| backup(&vault, id, &image, None));
                matches!(outcome, Ok(_) | Err(VaultError::AlreadyCommitted(_)))
            });
            assert!(done, "seed {seed}: never done in 200 attempts");
            kept.push((id, image.data));
        }
        let vault = open_through(bucket as Arc<dyn Bucket>).unwrap();
        for (id, data) in kept {
            assert!(restore(&vault, id).unwrap() == data, "seed {seed}");
        }
        let report = vault.verify(VerifyScope::All, &NoProgress).unwrap();
        assert_eq!(report.damage, [], "seed {seed}");
    }
}
