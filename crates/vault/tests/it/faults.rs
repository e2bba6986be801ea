//! The store fails at each operation in turn: nothing acknowledged is lost, the next run works with no repair.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use coffre_vault::bucket::{Bucket, MemoryBucket};
use coffre_vault::{Extent, NoProgress, Vault, VaultError, VerifyScope};
use uuid::Uuid;

use crate::support::{
    BLOCK, Fault, Faulty, Image, backup, mixed_image, new_vault, open, open_through, passphrase,
    restore,
};

/// One attempt at an incremental backup through a store that fails at operation `at`. Gives the outcome and how many
/// operations were made.
fn attempt(
    bucket: &Arc<MemoryBucket>,
    at: usize,
    fault: Fault,
    image: &Image,
) -> (Result<(), VaultError>, usize) {
    let faulty = Arc::new(Faulty::new(Arc::clone(bucket), at, fault));
    let outcome = (|| {
        let vault = open_through(Arc::clone(&faulty) as Arc<dyn Bucket>)?.with_threads(1)?;
        let changed = [Extent { offset: 0, length: 6 * BLOCK as u64 }];
        backup(&vault, Uuid::from_u128(2), image, Some((Uuid::from_u128(1), &changed))).map(|_| ())
    })();
    (outcome, faulty.count.load(Ordering::SeqCst))
}

#[test]
fn a_fault_at_every_operation_of_a_backup_loses_nothing() {
    let before = Image::new(mixed_image(1, 40, 0));
    let mut data = before.data.clone();
    data[..6 * BLOCK].copy_from_slice(&mixed_image(2, 6, 0));
    let after = Image::new(data);
    for fault in [Fault::Before, Fault::After, Fault::Full, Fault::Dead] {
        let mut failures = 0;
        for at in 0.. {
            let (bucket, vault) = new_vault();
            backup(&vault, Uuid::from_u128(1), &before, None).unwrap();
            let (outcome, operations) = attempt(&bucket, at, fault, &after);
            let fresh = open(&bucket).unwrap();
            assert!(restore(&fresh, Uuid::from_u128(1)).unwrap() == before.data);
            match &outcome {
                Ok(()) => assert!(restore(&fresh, Uuid::from_u128(2)).unwrap() == after.data),
                Err(error) => {
                    failures += 1;
                    assert_eq!(error.is_store_full(), fault == Fault::Full, "{error}");
                }
            }
            // The next run, on a store that works: done, or done already.
            let (again, _) = attempt(&bucket, usize::MAX, Fault::Before, &after);
            match again {
                Ok(()) => assert!(outcome.is_err()),
                Err(VaultError::AlreadyCommitted(_)) => {}
                Err(error) => panic!("operation {at}, {fault:?}: {error}"),
            }
            let fresh = open(&bucket).unwrap();
            assert!(restore(&fresh, Uuid::from_u128(2)).unwrap() == after.data);
            assert_eq!(
                fresh.verify(VerifyScope::All, &NoProgress).unwrap().damage,
                [],
                "operation {at}, {fault:?}"
            );
            if operations <= at {
                assert!(outcome.is_ok());
                break;
            }
        }
        assert!(failures > 5, "{fault:?}: {failures}");
    }
}

#[test]
fn a_fault_at_every_operation_of_creating_a_vault_leaves_a_vault_or_room_for_one() {
    for fault in [Fault::Before, Fault::After, Fault::Dead] {
        for at in 0.. {
            let bucket = Arc::new(MemoryBucket::new());
            let faulty = Arc::new(Faulty::new(Arc::clone(&bucket), at, fault));
            let created = Vault::create(Arc::clone(&faulty) as Arc<dyn Bucket>, &passphrase());
            match (created, bucket.size("vault").unwrap()) {
                (Ok(_), Some(_)) => {}
                (Err(_), None) => {
                    let again =
                        Vault::create(Arc::clone(&bucket) as Arc<dyn Bucket>, &passphrase());
                    let report = again.unwrap().0.verify(VerifyScope::All, &NoProgress).unwrap();
                    assert_eq!(report.damage, []);
                }
                (created, root) => panic!("{fault:?} at {at}: {:?}, root {root:?}", created.err()),
            }
            if faulty.count.load(Ordering::SeqCst) <= at {
                break;
            }
        }
    }
}
