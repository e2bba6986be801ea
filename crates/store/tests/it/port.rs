//! The rules of the port that every adapter keeps.

use coffre_control::ErrorCode;
use coffre_control::Refusal;
use coffre_control::model::*;
use coffre_control::port::{Db, Rollback, StoreFault, read, tx};
use coffre_store::SqliteDb;

use crate::scene::{Scene, region};

fn name_of(db: &dyn Db, name: &str) -> Option<Region> {
    read(db, "test", |tx| Ok(tx.region(name)?)).unwrap()
}

#[test]
fn a_put_inserts_or_replaces_exactly_what_was_read() {
    let db = SqliteDb::memory().unwrap();
    let mut first = region("North");
    tx(&db, "test", |tx| Ok(tx.put_region(&mut first)?)).unwrap();
    assert_eq!(first.etag, 1);
    // Found in any case, spelt as stored.
    assert_eq!(name_of(&db, "nORTH"), Some(first.clone()));

    let mut twin = region("NORTH");
    let fault = fault_of(&db, &mut |tx| tx.put_region(&mut twin));
    assert!(matches!(fault, StoreFault::Exists { noun: "region", .. }), "{fault}");
    assert_eq!(twin.etag, 0, "a failed put changes nothing");

    let mut stale = first.clone();
    first.display_name = "changed".into();
    tx(&db, "test", |tx| Ok(tx.put_region(&mut first)?)).unwrap();
    assert_eq!(first.etag, 2);
    let fault = fault_of(&db, &mut |tx| tx.put_region(&mut stale));
    assert!(matches!(fault, StoreFault::Stale { noun: "region", .. }), "{fault}");
    assert_eq!(stale.etag, 1);
    assert_eq!(name_of(&db, "north").unwrap().display_name, "changed");
}

fn fault_of(
    db: &dyn Db,
    work: &mut dyn FnMut(&mut dyn coffre_control::port::Tx) -> Result<(), StoreFault>,
) -> StoreFault {
    let mut fault = None;
    db.run("test", &mut |tx| {
        fault = work(tx).err();
        Err(Rollback)
    })
    .unwrap();
    fault.expect("the work should fail")
}

#[test]
fn a_conflict_is_told_as_one() {
    let db = SqliteDb::memory().unwrap();
    let mut region = region("north");
    region.etag = 5;
    let refusal = tx(&db, "test", |tx| Ok(tx.put_region(&mut region)?)).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::Conflict);
    assert!(matches!(refusal.fault.as_deref(), Some(StoreFault::Stale { .. })));
}

#[test]
fn a_refusal_rolls_everything_back() {
    let db = SqliteDb::memory().unwrap();
    let refusal = tx(&db, "test", |tx| {
        tx.put_region(&mut region("north"))?;
        assert!(tx.region("north")?.is_some(), "a transaction sees its own writes");
        Err::<(), _>(Refusal::new(ErrorCode::InvalidParameter, "No."))
    })
    .unwrap_err();
    assert_eq!(refusal.code, ErrorCode::InvalidParameter);
    assert_eq!(name_of(&db, "north"), None);
}

#[test]
fn a_panic_rolls_everything_back_and_the_database_goes_on() {
    let db = SqliteDb::memory().unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        tx(&db, "test", |tx| -> Result<(), Refusal> {
            tx.put_region(&mut region("north"))?;
            panic!("a use-case with a bug")
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(name_of(&db, "north"), None);
    tx(&db, "test", |tx| Ok(tx.put_region(&mut region("north"))?)).unwrap();
}

#[test]
fn reading_never_writes() {
    let folder = tempfile::tempdir().unwrap();
    let file = SqliteDb::open(&folder.path().join("coffre.db")).unwrap();
    for db in [SqliteDb::memory().unwrap(), file] {
        let refusal = read(&db, "test", |tx| Ok(tx.put_region(&mut region("north"))?)).unwrap_err();
        assert!(matches!(refusal.fault.as_deref(), Some(StoreFault::ReadOnly { .. })));
        // And afterwards writing works again.
        tx(&db, "test", |tx| Ok(tx.put_region(&mut region("north"))?)).unwrap();
        assert!(name_of(&db, "north").is_some());
    }
}

#[test]
fn the_database_itself_keeps_one_running_job_per_item_and_one_item_per_vm() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    let job = scene.backup(item.id).unwrap();
    let mut twin = Job { id: coffre_control::id::JobId(scene.id()), etag: 0, ..job };
    let fault = fault_of(&*scene.db, &mut |tx| tx.put_job(&mut twin));
    assert!(matches!(fault, StoreFault::Exists { noun: "job", .. }), "{fault}");
    let other = coffre_control::id::ItemId(scene.id());
    let mut twin = ProtectedItem { id: other, vm_name: "other".into(), etag: 0, ..item };
    let fault = fault_of(&*scene.db, &mut |tx| tx.put_item(&mut twin));
    assert!(matches!(fault, StoreFault::Exists { noun: "protected item", .. }), "{fault}");
}

#[test]
fn an_item_with_recovery_points_cannot_lose_its_row() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    scene.backup(item.id).unwrap();
    scene.work();
    let fault = fault_of(&*scene.db, &mut |tx| tx.delete_item(item.id));
    assert!(matches!(fault, StoreFault::Broken { .. }), "{fault}");
    let fault = fault_of(&*scene.db, &mut |tx| tx.delete_vault(vault.id));
    assert!(matches!(fault, StoreFault::Broken { .. }), "{fault}");
}

#[test]
fn a_row_whose_lease_moved_on_is_not_replaced() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    let mut job = scene.backup(item.id).unwrap();
    scene.lease(scene.id()).unwrap();
    // Even with a guessed etag, the epoch has to fit.
    job.etag = scene.job(job.id).etag;
    let fault = fault_of(&*scene.db, &mut |tx| tx.put_job(&mut job));
    assert!(matches!(fault, StoreFault::Stale { noun: "job", .. }), "{fault}");
}
