//! Vaults whose points nobody can delete for a while, on a store in a folder.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use coffre_vault::bucket::{
    Bucket, BucketError, Call, Fault, FaultyBucket, FolderBucket, MemoryBucket, Verb, probe_locks,
};
use coffre_vault::{CollectOptions, Passphrase, Vault, VaultError};
use uuid::Uuid;

use crate::support::{Image, backup, mixed_image, restore};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

fn folder() -> (tempfile::TempDir, Arc<FolderBucket>) {
    let folder = tempfile::tempdir().unwrap();
    let bucket = Arc::new(FolderBucket::open(folder.path().join("store")).unwrap());
    (folder, bucket)
}

#[test]
fn a_folder_holds_what_is_locked_until_its_time() {
    let (_folder, bucket) = folder();
    let rules = probe_locks(&*bucket, Uuid::from_u128(1), now()).unwrap();
    assert_eq!(rules.len(), 5, "{rules:?}");
    bucket.create("a/b", b"x").unwrap();
    bucket.lock("a/b", now() - 1000).unwrap();
    bucket.delete("a/b").unwrap();
    assert!(matches!(bucket.lock("a/b", now()), Err(BucketError::NotFound { .. })));
    // The marks are seen by nobody.
    bucket.create_locked("a/c", b"x", now() + 60_000).unwrap();
    let keys: Vec<_> = bucket.list("a/").unwrap().into_iter().map(|object| object.key).collect();
    assert_eq!(keys, ["a/c"]);
    assert!(bucket.delete("a/c").is_err() && bucket.get("a/c").unwrap() == b"x");
}

#[test]
fn a_store_without_locks_gets_no_vault_that_promises_them() {
    let bucket = Arc::new(MemoryBucket::new());
    let made = Vault::create_locked(bucket.clone(), &Passphrase::new("x"), 30);
    let error = made.err().unwrap();
    let rule = "an object can be locked when it is created";
    assert!(matches!(error, VaultError::UnfitStore { rule: found } if found == rule), "{error:?}");
    assert!(bucket.size("vault").unwrap().is_none());
    let (_folder, bucket) = folder();
    for days in [0, 100_000] {
        let made = Vault::create_locked(bucket.clone(), &Passphrase::new("x"), days);
        assert!(matches!(made.err().unwrap(), VaultError::Limit { .. }));
    }
}

/// Every pack, decision and receipt, and what opens the vault.
fn all_locked(bucket: &FolderBucket, until: i64) {
    let kept = |key: &str| {
        ["packs/", "rp/", "rp-seen/", "keys/"].iter().any(|folder| key.starts_with(folder))
            || key == "vault"
    };
    let objects = bucket.list("").unwrap();
    assert!(objects.iter().any(|object| object.key.starts_with("packs/")));
    for object in objects.iter().filter(|object| kept(&object.key)) {
        let locked = bucket.locked_until(&object.key).unwrap();
        assert!(locked.is_some_and(|locked| locked >= until), "{}: {locked:?}", object.key);
    }
}

#[test]
fn what_a_point_needs_is_locked_before_it_is_there_and_collection_waits() {
    let (_folder, bucket) = folder();
    let (vault, _) = Vault::create_locked(bucket.clone(), &Passphrase::new("x"), 30).unwrap();
    assert_eq!(vault.lock_days(), Some(30));
    let image = Image::new(mixed_image(1, 40, 100));
    let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
    backup(&vault, first, &image, None).unwrap();
    backup(&vault, second, &image, Some((first, &[]))).unwrap();
    all_locked(&bucket, now() + 30 * DAY_MS - 60_000);
    for point in [first, second] {
        vault.delete_point(point).unwrap();
    }
    let options = CollectOptions { spare_younger_ms: 0, ..CollectOptions::at(now()) };
    let report = vault.collect(&options).unwrap();
    assert!(report.packs_deleted == 0 && report.packs_deferred > 0, "{report:?}");
    assert!(bucket.delete("vault").is_err());
}

#[test]
fn a_lock_that_runs_out_is_extended_by_the_next_point_that_needs_the_pack() {
    let (folder, bucket) = folder();
    let (vault, key) = Vault::create_locked(bucket.clone(), &Passphrase::new("x"), 8).unwrap();
    let image = Image::new(mixed_image(2, 40, 100));
    backup(&vault, Uuid::from_u128(1), &image, None).unwrap();
    // Years pass: the marks are taken away, and nobody remembers the last point's promise.
    let mut marks = 0;
    for entry in walk(folder.path()) {
        if entry.file_name().unwrap().to_str().unwrap().starts_with(".held-") {
            std::fs::remove_file(entry).unwrap();
            marks += 1;
        }
    }
    assert!(marks > 3);
    let unlock = coffre_vault::Unlock::RecoveryKey(key);
    let later = Vault::open(bucket.clone(), &unlock).unwrap();
    // Read anew, found block by block: each pack is locked again.
    backup(&later, Uuid::from_u128(2), &image, None).unwrap();
    let packs = bucket.list("packs/").unwrap();
    for pack in packs {
        assert!(bucket.locked_until(&pack.key).unwrap().is_some_and(|until| until > now()));
    }
    assert_eq!(restore(&later, Uuid::from_u128(2)).unwrap(), image.data);
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn a_point_that_cannot_be_locked_is_not_committed() {
    let (_folder, bucket) = folder();
    let (_, key) = Vault::create_locked(bucket.clone(), &Passphrase::new("x"), 30).unwrap();
    let unlock = coffre_vault::Unlock::RecoveryKey(key);
    let image = Image::new(mixed_image(3, 10, 0));
    // The decision is the last that is written and locked; everything before it fails in turn.
    for n in 0.. {
        let id = Uuid::from_u128(100 + n);
        let count = std::sync::atomic::AtomicU64::new(0);
        let fails = move |call: Call<'_>| {
            let packs = call.verb == Verb::Create && call.key.starts_with("packs/");
            let hit = packs && count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == n as u64;
            hit.then_some(Fault::Before)
        };
        let store = Arc::new(FaultyBucket::new(Arc::clone(&bucket), fails));
        let vault = Vault::open(store, &unlock).unwrap().with_threads(1).unwrap();
        if backup(&vault, id, &image, None).is_ok() {
            assert!(n > 1, "nothing was failed");
            break;
        }
        let plain = Vault::open(bucket.clone(), &unlock).unwrap();
        assert!(plain.point(id).unwrap().is_none(), "failure {n}");
    }
}
