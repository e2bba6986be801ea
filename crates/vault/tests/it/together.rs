//! Writers, collectors, deletions and readers at once, each with a vault handle of its own, on a real folder.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use coffre_vault::bucket::{Bucket, FolderBucket};
use coffre_vault::{
    CollectOptions, DiskSpec, Extent, NoProgress, PointSpec, ReadPlan, RecoveryKey, Unlock, Vault,
    VaultError, VerifyScope,
};
use uuid::Uuid;

use crate::support::{BLOCK, Image, Noise, passphrase, restore};

const WRITERS: u64 = 2;
const ROUNDS: u64 = 12;
/// Each writer keeps so many points and deletes the others.
const KEPT: usize = 3;

fn open(path: &str, key: &RecoveryKey) -> Vault {
    let bucket = Arc::new(FolderBucket::open(path).unwrap()) as Arc<dyn Bucket>;
    Vault::open(bucket, &Unlock::RecoveryKey(key.clone())).unwrap()
}

/// One attempt; with a base if there is one that can be used.
fn attempt(
    vault: &Vault,
    id: Uuid,
    name: &str,
    image: &Image,
    base: Option<(Uuid, &[Extent])>,
    time_unix_ms: i64,
) -> Result<(), VaultError> {
    let mut writer = vault.begin_point(PointSpec { id, name: name.to_owned(), time_unix_ms })?;
    let size_bytes = image.data.len() as u64;
    let spec = DiskSpec {
        key: "disk".into(),
        size_bytes,
        base: base.map(|(point, _)| (point, "disk".into())),
    };
    let plan = base.map_or(ReadPlan::Everything, |(_, changed)| ReadPlan::Changed(changed));
    writer.add_disk(spec, image, plan, &NoProgress)?;
    writer.commit(serde_json::Value::Null).map(|_| ())
}

/// Backs up, changes, deletes the oldest, again and again. Gives what it kept.
fn writer(path: &str, key: &RecoveryKey, number: u64) -> Vec<(Uuid, Vec<u8>)> {
    let vault = open(path, key);
    let name = format!("vm-{number}");
    let mut noise = Noise::new(number + 1);
    let mut data = vec![0; 80 * BLOCK];
    Noise::new(7).fill(&mut data[..40 * BLOCK]);
    let mut kept: Vec<(Uuid, Vec<u8>)> = Vec::new();
    for round in 0..ROUNDS {
        let mut changed = Vec::new();
        for _ in 0..4 {
            let at = (noise.next() % 80) as usize * BLOCK;
            noise.fill(&mut data[at..at + 3000]);
            changed.push(Extent { offset: at as u64, length: 3000 });
        }
        let image = Image::new(data.clone());
        let id = Uuid::from_u128(u128::from(number * 1000 + round + 1));
        let mut base = kept.last().map(|(point, _)| *point);
        loop {
            let since = base.map(|point| (point, changed.as_slice()));
            match attempt(&vault, id, &name, &image, since, round as i64) {
                Ok(()) => break,
                Err(VaultError::Overtaken) => {}
                Err(VaultError::BaseUnusable { .. }) => base = None,
                Err(error) => panic!("round {round}: {error}: {error:?}"),
            }
        }
        kept.push((id, data.clone()));
        if kept.len() > KEPT {
            vault.delete_point(kept.remove(0).0).unwrap();
        }
    }
    kept
}

#[test]
fn writers_collectors_and_readers_do_not_hurt_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let bucket = Arc::new(FolderBucket::open(path).unwrap()) as Arc<dyn Bucket>;
    let (_, key) = Vault::create(bucket, &passphrase()).unwrap();
    let working = AtomicBool::new(true);
    // Nothing is spared, as if every clock were wrong: only the order of operations protects the writers.
    let options = CollectOptions {
        // The clock is far ahead, and the writers are alive.
        abandon_older_ms: u64::MAX,
        spare_younger_ms: 0,
        repack_below_percent: 80,
        ..CollectOptions::at(i64::MAX / 2)
    };
    let kept: Vec<(Uuid, Vec<u8>)> = thread::scope(|scope| {
        let (key, working, options) = (&key, &working, &options);
        for _ in 0..2 {
            scope.spawn(move || {
                let vault = open(path, key);
                while working.load(Ordering::Relaxed) {
                    vault.collect(options).unwrap();
                    // A collector that never rests only makes writers begin again.
                    thread::sleep(std::time::Duration::from_millis(40));
                }
            });
        }
        scope.spawn(move || {
            while working.load(Ordering::Relaxed) {
                let vault = open(path, key);
                for point in vault.points().unwrap() {
                    // A point that is deleted while it is read may fail, and any other may not.
                    if let Err(error) = restore(&vault, point.id) {
                        assert!(open(path, key).point(point.id).unwrap().is_none(), "{error}");
                    }
                }
                let report = vault.verify(VerifyScope::All, &NoProgress).unwrap();
                assert_eq!(report.damage, []);
            }
        });
        let writers: Vec<_> =
            (0..WRITERS).map(|number| scope.spawn(move || writer(path, key, number))).collect();
        let kept = writers.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>();
        working.store(false, Ordering::Relaxed);
        kept.into_iter().flat_map(Result::unwrap).collect()
    });
    let vault = open(path, &key);
    assert_eq!(vault.points().unwrap().len(), kept.len());
    for (id, data) in &kept {
        assert!(restore(&vault, *id).unwrap() == *data);
    }
    vault.collect(&options).unwrap();
    assert_eq!(vault.verify(VerifyScope::All, &NoProgress).unwrap().damage, []);
    for (id, data) in &kept {
        assert!(restore(&open(path, &key), *id).unwrap() == *data);
    }
}
