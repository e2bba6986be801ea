//! Locks of object stores. Neither emulator keeps all of its word, and the probe must say so.

use coffre_vault::bucket::{BucketError, Created, ProbeError, probe_locks};
use coffre_vault::{Passphrase, Vault, VaultError};
use uuid::Uuid;

use crate::emulator::Emulator;

fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

#[test]
fn s3_locks_from_the_first_moment_and_refuses_to_destroy() {
    let emulator = Emulator::s3();
    let store = emulator.lockable("site");
    let until = (now() / 1000 + 600) * 1000;
    assert_eq!(store.create_locked("packs/a", b"one", until).unwrap(), Created::New);
    assert_eq!(store.locked_until("packs/a").unwrap(), Some(until));
    assert_eq!(store.create_locked("packs/a", b"two", until).unwrap(), Created::Exists);
    assert_eq!(store.get("packs/a").unwrap(), b"one");
    store.lock("packs/a", until + 60_000).unwrap();
    assert_eq!(store.locked_until("packs/a").unwrap(), Some(until + 60_000));
    assert!(store.destroy("packs/a").is_err(), "a locked version stays");
    // What was not locked can be locked later, and destroyed before that.
    store.create("packs/b", b"b").unwrap();
    assert_eq!(store.locked_until("packs/b").unwrap(), None);
    store.destroy("packs/b").unwrap();
    assert!(matches!(store.get("packs/b"), Err(BucketError::NotFound { .. })));
    assert!(matches!(
        store.lock("packs/b", until),
        Err(BucketError::NotFound { .. } | BucketError::NoLocks { .. })
    ));
}

#[test]
fn an_s3_whose_locks_can_be_shortened_gets_no_vault_with_locks() {
    let emulator = Emulator::s3();
    let probed = probe_locks(&*emulator.lockable("probed"), Uuid::from_u128(7), now());
    let rule = "a lock cannot be shortened";
    assert!(
        matches!(probed, Err(ProbeError::Unfit { rule: found }) if found == rule),
        "{probed:?}"
    );
    let made = Vault::create_locked(emulator.lockable("made"), &Passphrase::new("x"), 7);
    let error = made.err().unwrap();
    assert!(matches!(error, VaultError::UnfitStore { .. }), "{error:?}");
}

#[test]
fn stores_without_locks_are_found_out() {
    let (s3, azblob) = (Emulator::s3(), Emulator::azblob());
    for store in [s3.open("plain"), azblob.open("plain")] {
        let probed = probe_locks(&*store, Uuid::from_u128(8), now());
        assert!(matches!(probed, Err(ProbeError::Unfit { .. })), "{store:?}: {probed:?}");
    }
}
