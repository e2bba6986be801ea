//! A machine for a test alone: `unshare` makes it, `enter.sh` furnishes it.
#![allow(dead_code, reason = "each test binary uses a part of this")]

pub(crate) mod agent;
pub(crate) mod servers;

use std::path::Path;
use std::process::Command;

/// The program under test, inside.
pub(crate) const PROGRAM: &str = "/run/program";

/// File systems to freeze, inside: ext4, and xfs in it.
pub(crate) const MOUNTS: [&str; 2] = ["/data", "/data/inner"];

pub(crate) const INSIDE: &str = "COFFRE_TEST_SANDBOX";

/// Runs the body of the test of this name in a machine of its own. `root` says where its `/` is: `memory` or `ext4`.
pub(crate) fn enter(name: &str, root: &str, body: impl FnOnce()) {
    enter_with(name, root, &[], body);
}

/// The same, with more variables in its environment.
pub(crate) fn enter_with(name: &str, root: &str, variables: &[(&str, &Path)], body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    assert!(rustix::process::geteuid().is_root(), "a machine of one's own needs root");
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sandbox/enter.sh");
    let status = Command::new("unshare")
        .args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--propagation", "private"])
        .arg("sh")
        .arg(script)
        .arg(folder.path())
        .arg(root)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .envs(variables.iter().copied())
        .env(INSIDE, root)
        .env("SSL_CERT_FILE", "/run/authority.pem")
        .env("COFFRE_GUEST", env!("CARGO_BIN_EXE_coffre-guest"))
        .status()
        .expect("unshare (Debian package util-linux) makes the machine");
    assert!(status.success(), "{name} failed in its machine: {status}");
}

/// Fails when a file system does not take a write within five seconds: it would be frozen.
pub(crate) fn assert_nothing_is_frozen() {
    for mount in MOUNTS {
        let (send, receive) = std::sync::mpsc::channel();
        let path = Path::new(mount).join("probe");
        std::thread::spawn(move || send.send(std::fs::write(path, "x")));
        let answer = receive.recv_timeout(std::time::Duration::from_secs(5));
        answer.unwrap_or_else(|_| panic!("{mount} is frozen")).unwrap();
    }
}
