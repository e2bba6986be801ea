//! Collection with blocks and packs of real size. What happens when everybody runs at once is for the simulator.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use coffre_vault::bucket::{Bucket, BucketError, Created, MemoryBucket, Object};
use coffre_vault::{
    CollectOptions, CollectReport, Extent, NoProgress, Vault, VaultError, VerifyScope,
};
use uuid::Uuid;

use crate::support::{
    BLOCK, Fault, Faulty, Image, Noise, backup, copy, mixed_image, new_vault, open, open_through,
    restore,
};

fn options() -> CollectOptions {
    CollectOptions { spare_younger_ms: 0, ..CollectOptions::at(1_700_000_000_000) }
}

fn keys(bucket: &MemoryBucket) -> Vec<String> {
    bucket.list("").unwrap().into_iter().map(|object| object.key).collect()
}

fn pack_bytes(bucket: &MemoryBucket) -> u64 {
    bucket.list("packs/").unwrap().iter().map(|object| object.size).sum()
}

fn is_clean(vault: &Vault) -> bool {
    let report = vault.verify(VerifyScope::All, &NoProgress).unwrap();
    report.damage.is_empty()
}

/// A point and what it restores to.
type Truth = (Uuid, Vec<u8>);

/// A vault with a point, and a second one that changed most of it.
fn two_points() -> (Arc<MemoryBucket>, Vault, [Truth; 2]) {
    let (bucket, vault) = new_vault();
    let first = mixed_image(1, 60, 100);
    let mut second = first.clone();
    second[4 * BLOCK..55 * BLOCK].copy_from_slice(&mixed_image(2, 51, 0));
    let ids = [Uuid::from_u128(1), Uuid::from_u128(2)];
    backup(&vault, ids[0], &Image::new(first.clone()), None).unwrap();
    let changed = [Extent { offset: 4 * BLOCK as u64, length: 51 * BLOCK as u64 }];
    backup(&vault, ids[1], &Image::new(second.clone()), Some((ids[0], &changed))).unwrap();
    (bucket, vault, [(ids[0], first), (ids[1], second)])
}

#[test]
fn what_only_a_deleted_point_needed_is_freed_and_the_rest_stays() {
    let (bucket, vault, [first, second]) = two_points();
    let idle = vault.collect(&options()).unwrap();
    assert_eq!(
        (idle.packs_deleted, idle.run),
        (0, None),
        "nothing is deleted, so nothing is freed"
    );
    vault.delete_point(first.0).unwrap();
    let before = (keys(&bucket), pack_bytes(&bucket));
    let plan = vault.collect_plan(&options()).unwrap();
    assert_eq!(before, (keys(&bucket), pack_bytes(&bucket)), "a plan changes nothing");
    assert_eq!((plan.live_points, plan.deleted_points), (1, 1));
    assert!(plan.sparse_packs > 0 && plan.rescue_bytes > 0, "{plan:?}");
    let report = vault.collect(&options()).unwrap();
    assert_eq!(report.plan, plan);
    assert!(report.bytes_deleted >= plan.condemned_bytes && report.bytes_rescued > 0, "{report:?}");
    assert!(pack_bytes(&bucket) < before.1);
    assert_eq!(restore(&vault, second.0).unwrap(), second.1);
    let again = open(&bucket).unwrap();
    assert_eq!(restore(&again, second.0).unwrap(), second.1);
    assert!(is_clean(&again));
    assert_eq!(again.collect(&options()).unwrap().packs_deleted, 0);
    vault.delete_point(second.0).unwrap();
    vault.collect(&options()).unwrap();
    assert_eq!(pack_bytes(&bucket), 0);
    assert!(bucket.list("index/").unwrap().is_empty());
}

#[test]
fn a_plan_that_cannot_be_right_deletes_nothing() {
    let (bucket, vault, [first, second]) = two_points();
    vault.delete_point(first.0).unwrap();
    let before = keys(&bucket);
    let stops = |vault: &Vault, options: &CollectOptions| {
        matches!(vault.collect(options), Err(VaultError::GcStopped { .. }))
    };
    assert!(stops(&vault, &CollectOptions { points_known: 2, ..options() }));
    assert!(stops(&vault, &CollectOptions { delete_percent_max: 5, ..options() }));
    assert_eq!(keys(&bucket), before);
    // Each of these is what a store shows that lists too little.
    let lost = [
        format!("rp/{}", second.0.simple()),
        format!("rp/{}", first.0.simple()),
        bucket.list("index/").unwrap()[0].key.clone(),
        bucket.list("index/").unwrap().pop().unwrap().key,
    ];
    for key in lost {
        let bucket = copy(&bucket);
        bucket.delete(&key).unwrap();
        let before = keys(&bucket);
        assert!(stops(&open(&bucket).unwrap(), &options()), "{key}");
        assert_eq!(keys(&bucket), before, "{key}");
    }
}

#[test]
fn a_damaged_pack_is_not_copied_and_not_deleted() {
    let (bucket, vault, [first, second]) = two_points();
    vault.delete_point(first.0).unwrap();
    let condemned = vault.collect_plan(&options()).unwrap();
    assert!(condemned.sparse_packs > 0);
    for object in bucket.list("packs/").unwrap() {
        let bucket = copy(&bucket);
        let mut bytes = bucket.get(&object.key).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        bucket.delete(&object.key).unwrap();
        bucket.create(&object.key, &bytes).unwrap();
        let vault = open(&bucket).unwrap();
        match vault.collect(&options()) {
            Ok(_) => {}
            Err(error) => assert!(error.is_damage(), "{error}"),
        }
        let still = bucket.size(&object.key).unwrap().is_some();
        assert!(
            still || restore(&vault, second.0).is_ok_and(|data| data == second.1),
            "{object:?}"
        );
    }
}

/// Fails at every operation of a collection in turn, in every way; the next collection completes it.
#[test]
fn a_collection_that_was_cut_off_is_completed_by_the_next() {
    let (bucket, vault, [first, second]) = two_points();
    vault.delete_point(first.0).unwrap();
    let whole = copy(&bucket);
    let done: CollectReport = open(&whole).unwrap().collect(&options()).unwrap();
    assert!(done.packs_deleted > 0);
    let size = pack_bytes(&whole);
    for fault in [Fault::Before, Fault::After, Fault::Dead] {
        for at in 0.. {
            let bucket = copy(&bucket);
            let faulty = Arc::new(Faulty::new(Arc::clone(&bucket), at, fault));
            let collected = open_through(Arc::clone(&faulty) as Arc<dyn Bucket>)
                .and_then(|vault| vault.collect(&options()));
            let reached = faulty.count.load(std::sync::atomic::Ordering::SeqCst) > at;
            let vault = open(&bucket).unwrap();
            assert_eq!(restore(&vault, second.0).unwrap(), second.1, "{fault:?} at {at}");
            for _ in 0..2 {
                vault.collect(&options()).unwrap();
            }
            assert!(is_clean(&vault), "{fault:?} at {at}");
            assert_eq!(restore(&vault, second.0).unwrap(), second.1, "{fault:?} at {at}");
            assert!(pack_bytes(&bucket) <= size + size / 10, "{fault:?} at {at}");
            assert!(bucket.list("gc/condemned/").unwrap().is_empty(), "{fault:?} at {at}");
            if !reached {
                collected.unwrap();
                break;
            }
        }
    }
}

#[test]
fn a_point_that_was_given_up_can_never_be_committed() {
    let (bucket, vault, _) = two_points();
    let id = Uuid::from_u128(3);
    let spec = coffre_vault::PointSpec { id, name: "vm".to_owned(), time_unix_ms: 1 };
    let writer = vault.begin_point(spec).unwrap();
    assert!(vault.unfinished().unwrap().iter().any(|unfinished| unfinished.point == id));
    vault.abandon_point(id).unwrap();
    assert!(vault.unfinished().unwrap().is_empty());
    let refused = writer.commit(serde_json::Value::Null);
    assert!(matches!(refused, Err(VaultError::Aborted(given_up)) if given_up == id), "{refused:?}");
    assert!(vault.point(id).unwrap().is_none());
    vault.collect(&options()).unwrap();
    for folder in ["pending/", "active/"] {
        assert!(bucket.list(folder).unwrap().is_empty());
    }
    // One that is committed stays.
    vault.abandon_point(Uuid::from_u128(1)).unwrap();
    assert!(vault.point(Uuid::from_u128(1)).unwrap().is_some());
}

/// A store with object lock: packs cannot be deleted before it is opened.
#[derive(Debug)]
struct Locked {
    inner: Arc<MemoryBucket>,
    locked: AtomicBool,
}

impl Bucket for Locked {
    fn create(&self, key: &str, data: &[u8]) -> Result<Created, BucketError> {
        self.inner.create(key, data)
    }
    fn get(&self, key: &str) -> Result<Vec<u8>, BucketError> {
        self.inner.get(key)
    }
    fn get_range(&self, key: &str, offset: u64, length: usize) -> Result<Vec<u8>, BucketError> {
        self.inner.get_range(key, offset, length)
    }
    fn size(&self, key: &str) -> Result<Option<u64>, BucketError> {
        self.inner.size(key)
    }
    fn list(&self, prefix: &str) -> Result<Vec<Object>, BucketError> {
        self.inner.list(prefix)
    }
    fn delete(&self, key: &str) -> Result<(), BucketError> {
        if key.starts_with("packs/") && self.locked.load(Ordering::SeqCst) {
            let source = std::io::ErrorKind::PermissionDenied.into();
            return Err(BucketError::Io { verb: "delete", key: key.to_owned(), source });
        }
        self.inner.delete(key)
    }
}

#[test]
fn what_a_lock_protects_stays_condemned_and_is_deleted_when_it_is_over() {
    let (bucket, vault) = new_vault();
    let (one, two) = (mixed_image(1, 20, 0), mixed_image(2, 20, 0));
    backup(&vault, Uuid::from_u128(1), &Image::new(one.clone()), None).unwrap();
    backup(&vault, Uuid::from_u128(2), &Image::new(two.clone()), None).unwrap();
    vault.delete_point(Uuid::from_u128(1)).unwrap();
    let store = Arc::new(Locked { inner: Arc::clone(&bucket), locked: true.into() });
    let through = || open_through(Arc::clone(&store) as Arc<dyn Bucket>).unwrap();
    for _ in 0..2 {
        let report = through().collect(&options()).unwrap();
        assert!(report.packs_deferred > 0 && report.packs_deleted == 0, "{report:?}");
        assert_eq!(bucket.list("gc/done/").unwrap().len(), 0);
    }
    // Nothing that is backed up meanwhile counts on them.
    backup(&through(), Uuid::from_u128(3), &Image::new(one.clone()), None).unwrap();
    store.locked.store(false, Ordering::SeqCst);
    let report = through().collect(&options()).unwrap();
    assert!(report.packs_deferred == 0 && report.packs_deleted > 0, "{report:?}");
    assert_eq!(bucket.list("gc/condemned/").unwrap(), []);
    let vault = open(&bucket).unwrap();
    assert_eq!(vault.verify(VerifyScope::All, &NoProgress).unwrap().damage, []);
    assert!(restore(&vault, Uuid::from_u128(2)).unwrap() == two);
    assert!(restore(&vault, Uuid::from_u128(3)).unwrap() == one);
}

/// Many small backups end in few packs.
#[test]
fn small_packs_are_merged() {
    let (bucket, vault) = new_vault();
    let mut truth = Vec::new();
    for number in 1..=20u8 {
        let mut data = vec![0; 3 * BLOCK];
        Noise::new(number.into()).fill(&mut data);
        let id = Uuid::from_u128(number.into());
        backup(&vault, id, &Image::new(data.clone()), None).unwrap();
        truth.push((id, data));
    }
    let before = bucket.list("packs/").unwrap().len();
    let report = vault.collect(&options()).unwrap();
    assert!(report.plan.small_packs >= 16 && report.plan.sparse_packs == 0, "{report:?}");
    let after = bucket.list("packs/").unwrap().len();
    assert!(before == 40 && after == 2, "{before} packs became {after}");
    let vault = open(&bucket).unwrap();
    assert_eq!(vault.verify(VerifyScope::All, &NoProgress).unwrap().damage, []);
    for (id, data) in truth {
        assert!(restore(&vault, id).unwrap() == data);
    }
    assert_eq!(vault.collect(&options()).unwrap().packs_deleted, 0);
}
