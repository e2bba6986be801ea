//! Both stores keep the contract of all stores, and pass the probe.

use coffre_vault::bucket::{self, Bucket, BucketError};

use crate::contract::contract;
use crate::emulator::Emulator;

/// Whether they keep it below a prefix, at the top of the bucket, and with another vault beside.
fn keeps_the_contract(emulator: &Emulator) {
    contract(&*emulator.open("site/one"));
    // What is below one prefix is not below another, also when the names begin alike.
    assert_eq!(emulator.open("site/on").list("").unwrap(), []);
    let one = emulator.open("site/one").list("").unwrap();
    assert!(one.iter().any(|object| object.key == "a/c/d"));
    let top = emulator.open("").list("site/").unwrap();
    assert_eq!(top.len(), one.len());
    assert!(top[0].modified_unix_ms.is_some());
    let rules = bucket::probe(&*emulator.open("probed"), uuid::Uuid::from_u128(9)).unwrap();
    assert!(rules.len() > 10);
    // Larger than one part of any client.
    let large: Vec<u8> = (0..20u32 << 20).map(|n| (n % 251) as u8).collect();
    let store = emulator.open("large");
    store.create("packs/one", &large).unwrap();
    assert!(store.get("packs/one").unwrap() == large);
    let middle = store.get_range("packs/one", 12_345_678, 100).unwrap();
    assert_eq!(middle, large[12_345_678..][..100]);
    many_at_once(&*store);
}

/// More objects than one page of a listing, written by several threads.
fn many_at_once(store: &dyn Bucket) {
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                for n in 0..300 {
                    store.create(&format!("index/{thread}-{n}"), b"x").unwrap();
                }
            });
        }
    });
    assert_eq!(store.list("index/").unwrap().len(), 1200);
}

#[test]
fn s3_keeps_the_contract() {
    keeps_the_contract(&Emulator::s3());
}

#[test]
fn azure_blob_keeps_the_contract() {
    keeps_the_contract(&Emulator::azblob());
}

#[test]
fn a_store_that_cannot_be_had_is_an_error_without_secrets() {
    let nobody = Emulator::s3_profile(1);
    let store = coffre_buckets::open_with("s3://vaults/x", Some(nobody.path())).unwrap();
    assert_eq!(format!("{store:?}"), "ObjectBucket(s3://vaults/x)");
    let emulator = Emulator::s3();
    let wrong = coffre_buckets::open_with(
        "s3://no-such-bucket/x",
        Some(Emulator::s3_profile(emulator.port).path()),
    );
    let error = wrong.unwrap().create("a", b"x").unwrap_err();
    assert!(matches!(error, BucketError::NotFound { .. } | BucketError::Io { .. }));
    assert!(!format!("{error:?}").contains("test-secret"), "{error:?}");
}
