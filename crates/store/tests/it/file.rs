//! What may be wrong with a database file, and what a crash leaves of it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use coffre_control::model::Region;
use coffre_control::port::{read, tx};
use coffre_store::{OpenError, SqliteDb};

use crate::scene::region;

/// Set for the child process of the crash test: the database it works on.
const CRASH_ON: &str = "COFFRE_STORE_TEST_CRASH_ON";

fn regions(db: &SqliteDb) -> Vec<String> {
    let regions: Vec<Region> = read(db, "test", |tx| Ok(tx.regions()?)).unwrap();
    regions.into_iter().map(|region| region.name).collect()
}

fn add(db: &SqliteDb, name: &str) {
    tx(db, "test", |tx| Ok(tx.put_region(&mut region(name))?)).unwrap();
}

#[test]
fn what_was_committed_is_there_after_a_reopen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("coffre.db");
    let db = SqliteDb::open(&path).unwrap();
    add(&db, "north");
    drop(db);
    let db = SqliteDb::open(&path).unwrap();
    assert_eq!(regions(&db), ["north"]);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "others may not read it");
}

#[test]
fn a_second_service_is_told_to_keep_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("coffre.db");
    let first = SqliteDb::open(&path).unwrap();
    let error = SqliteDb::open(&path).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("in use by another running service"), "{error}");
    drop(first);
    SqliteDb::open(&path).unwrap();
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("coffre.db");
    let text = "These are not the bytes you are looking for. ".repeat(50);
    std::fs::write(&path, &text).unwrap();
    let error = SqliteDb::open(&path).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("put it aside"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_damaged_database_is_found_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("coffre.db");
    let db = SqliteDb::open(&path).unwrap();
    for at in 0..200 {
        add(&db, &format!("region{at}"));
    }
    drop(db);
    let mut bytes = std::fs::read(&path).unwrap();
    let page = 4096;
    assert!(bytes.len() > 20 * page);
    // Everything but the first page and the schema's.
    for byte in bytes.iter_mut().skip(12 * page) {
        *byte = 0xa5;
    }
    std::fs::write(&path, &bytes).unwrap();
    let error = SqliteDb::open(&path).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing/coffre.db");
    let error = SqliteDb::open(&path).unwrap_err();
    assert!(matches!(error, OpenError::File { .. }), "{error}");
    assert!(error.to_string().contains("missing/coffre.db"), "{error}");
}

#[test]
fn a_process_that_dies_in_a_transaction_leaves_the_last_committed_state() {
    if let Some(path) = std::env::var_os(CRASH_ON) {
        die_in_a_transaction(Path::new(&path));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("coffre.db");
    let db = SqliteDb::open(&path).unwrap();
    add(&db, "before");
    drop(db);
    let name = "file::a_process_that_dies_in_a_transaction_leaves_the_last_committed_state";
    let child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact"])
        .env(CRASH_ON, &path)
        .output()
        .unwrap();
    assert!(path.with_extension("dying").exists(), "it died too early: {child:?}");
    assert!(!child.status.success());

    let db = SqliteDb::open(&path).unwrap();
    assert_eq!(regions(&db), ["before", "committed"]);
    add(&db, "after");
}

/// Commits once, then dies with many rows written and not committed.
fn die_in_a_transaction(path: &Path) -> ! {
    let db = SqliteDb::open(path).unwrap();
    add(&db, "committed");
    let _ = tx(&db, "test", |tx| -> Result<(), coffre_control::Refusal> {
        for at in 0..2_000 {
            tx.put_region(&mut region(&format!("half{at}")))?;
        }
        std::fs::write(path.with_extension("dying"), "").unwrap();
        std::process::abort()
    });
    unreachable!("the process is dead")
}
