//! What the fuzzer collected is replayed: a find stays found.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "../fuzz/entries.rs"]
mod entries;

use std::path::Path;

fn replay(target: &str, entry: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files = 0;
    for file in std::fs::read_dir(&folder).unwrap() {
        entry(&std::fs::read(file.unwrap().path()).unwrap());
        files += 1;
    }
    assert!(files > 0, "{} is empty", folder.display());
}

#[test]
fn nbd_handshake() {
    replay("nbd_handshake", entries::nbd_handshake);
}

#[test]
fn nbd_reply() {
    replay("nbd_reply", entries::nbd_reply);
}

#[test]
fn qmp_line() {
    replay("qmp_line", entries::qmp_line);
}
