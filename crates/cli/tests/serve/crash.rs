//! The service ends itself at every crash point of a backup and of a restore, while the guest
//! runs; the next start brings the job to one end and leaves nothing behind.

use std::path::Path;
use std::process::Command;

use coffre_engine::{CRASH_POINTS, JobClass};
use serde_json::Value;

use crate::stand::{Stand, noise};

/// A machine that only runs its firmware: its disks do not change by themselves.
fn add_machine(stand: &Stand) {
    let folder = stand.data.join("machines");
    std::fs::create_dir_all(&folder).unwrap();
    let raw = stand.folder().join("seed.raw");
    std::fs::write(&raw, noise(6 << 20)).unwrap();
    for disk in ["os", "data"] {
        let made = Command::new("qemu-img")
            .args(["convert", "-f", "raw", "-O", "qcow2"])
            .arg(&raw)
            .arg(folder.join(format!("{disk}.qcow2")))
            .status()
            .expect("qemu-img is installed");
        assert!(made.success());
    }
    let text = "id = \"6a1c3d3e-0000-4000-8000-0000000000aa\"\nname = \"firmware\"\nmemory_mib = 64\n\
                [[disks]]\nkey = \"os\"\nformat = \"qcow2\"\npath = \"os.qcow2\"\n\
                [[disks]]\nkey = \"data\"\nlun = 0\nformat = \"qcow2\"\npath = \"data.qcow2\"\n";
    std::fs::write(folder.join("firmware.toml"), text).unwrap();
}

/// What the guest would read from an image.
pub(crate) fn guest_bytes(image: &Path, scratch: &Path) -> Vec<u8> {
    let raw = scratch.join("compare.raw");
    let made = Command::new("qemu-img")
        .args(["convert", "-U", "-O", "raw"])
        .arg(image)
        .arg(&raw)
        .status()
        .expect("qemu-img is installed");
    assert!(made.success());
    std::fs::read(raw).unwrap()
}

pub(crate) fn protected() -> Stand {
    let mut stand = Stand::new();
    protect(&mut stand);
    stand
}

/// Starts a service with one machine that is protected and runs.
pub(crate) fn protect(stand: &mut Stand) {
    add_machine(stand);
    stand.start(None);
    stand.login();
    stand.ask(&["vault", "create", "-g", "rg", "-n", "safe", "-l", "local"]);
    stand.ask(&["vm", "start", "-n", "firmware"]);
    stand.ask(&["protection", "enable", "-v", "safe", "--vm", "firmware"]);
}

/// Starts a job that the service does not survive, starts the service again, and waits for the end
/// of the job. Its status comes back.
pub(crate) fn crash_and_recover(stand: &mut Stand, point: &str, verb: &[&str]) -> String {
    stand.kill();
    stand.start(Some(point));
    stand.login();
    // The service may be gone before it answers: the job is in the database all the same.
    let _ = stand.client(verb);
    stand.wait_for_end();
    stand.start(None);
    stand.login();
    let jobs = stand.ask(&["job", "list", "-v", "safe"]);
    let newest = jobs[0]["name"].as_str().expect("a job").to_owned();
    let ended = stand.client(&["job", "wait", "-v", "safe", "-n", &newest, "-o", "json"]);
    let job: Value = serde_json::from_slice(&ended.stdout).unwrap_or_else(|error| {
        panic!("{point}: {error}: {}\n{}", String::from_utf8_lossy(&ended.stderr), stand.log())
    });
    job["properties"]["status"].as_str().unwrap().to_owned()
}

fn names_in(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn killed_at_every_step_of_a_backup_the_job_ends_and_nothing_is_left() {
    let mut stand = protected();
    let truth = guest_bytes(&stand.data.join("machines/os.qcow2"), stand.folder());
    let points = CRASH_POINTS.iter().filter(|point| point.class == JobClass::Backup);
    for (number, point) in points.enumerate() {
        let verb = ["protection", "backup-now", "-v", "safe", "--vm", "firmware", "--no-wait"];
        let status = crash_and_recover(&mut stand, point.name, &verb);
        // Its firmware answers no agent: the point is crash-consistent, and the job says so.
        assert_eq!(status, "CompletedWithWarnings", "{}\n{}", point.name, stand.log());
        assert_eq!(names_in(&stand.data.join("scratch")), [""; 0], "{}", point.name);
        let points = stand.ask(&["recoverypoint", "list", "-v", "safe", "--vm", "firmware"]);
        assert_eq!(points.as_array().unwrap().len(), number + 1, "{}", point.name);
    }
    stand.ask(&["restore", "disks", "-v", "safe", "--vm", "firmware"]);
    let staging = stand.data.join("staging");
    let folder = staging.join(&names_in(&staging)[0]);
    assert!(guest_bytes(&folder.join("os.qcow2"), stand.folder()) == truth);
}

#[test]
fn killed_at_every_step_of_a_restore_the_job_ends_and_the_disks_are_whole() {
    let mut stand = protected();
    stand.ask(&["protection", "backup-now", "-v", "safe", "--vm", "firmware"]);
    let truth = guest_bytes(&stand.data.join("machines/data.qcow2"), stand.folder());
    let points = CRASH_POINTS.iter().filter(|point| point.class == JobClass::Restore);
    for (number, point) in points.enumerate() {
        let verb = ["restore", "disks", "-v", "safe", "--vm", "firmware", "--no-wait"];
        let status = crash_and_recover(&mut stand, point.name, &verb);
        assert_eq!(status, "Completed", "{}\n{}", point.name, stand.log());
        let staging = stand.data.join("staging");
        let names = names_in(&staging);
        assert_eq!(names.len(), number + 1, "{}: {names:?}", point.name);
        assert!(names.iter().all(|name| !name.starts_with('.')), "{}: {names:?}", point.name);
        for name in names {
            let image = staging.join(name).join("data.qcow2");
            assert!(guest_bytes(&image, stand.folder()) == truth, "{}", point.name);
        }
    }
}
