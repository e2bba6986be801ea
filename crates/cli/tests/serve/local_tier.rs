//! Copies of points beside the disks, with the real service: a restore from one may be cut off anywhere, one that is gone
//! sends the restore to the vault, and one that had its time is deleted.

use std::path::{Path, PathBuf};
use std::process::Command;

use coffre_engine::{CRASH_POINTS, JobClass};
use serde_json::Value;

use crate::crash::{crash_and_recover, guest_bytes, protect, protected};
use crate::stand::{Stand, wait_for};

const DISKS: [&str; 2] = ["os", "data"];

fn image(stand: &Stand, disk: &str) -> PathBuf {
    stand.data.join(format!("machines/{disk}.qcow2"))
}

fn qemu_img(words: &[&str], image: &Path) -> String {
    let done = Command::new("qemu-img").args(words).arg(image).output().expect("qemu-img");
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// Names of all snapshots in an image.
fn snapshots(stand: &Stand, disk: &str) -> Vec<String> {
    let info = qemu_img(&["info", "-U", "--output=json"], &image(stand, disk));
    let info: Value = serde_json::from_str(&info).unwrap();
    let all = info["snapshots"].as_array().cloned().unwrap_or_default();
    all.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
}

/// A protected machine with one point, that is off; and what its disks hold.
fn backed_up() -> (Stand, Vec<Vec<u8>>) {
    let stand = protected();
    stand.ask(&["protection", "backup-now", "-v", "safe", "--vm", "firmware"]);
    stand.ask(&["vm", "stop", "-n", "firmware", "--now"]);
    let truth = DISKS.map(|disk| guest_bytes(&image(&stand, disk), stand.folder())).to_vec();
    (stand, truth)
}

fn damage(stand: &Stand) {
    for disk in DISKS {
        let path = image(stand, disk);
        let done = Command::new("qemu-io").args(["-c", "write -P 7 0 2M"]).arg(path).output();
        assert!(done.unwrap().status.success());
    }
}

fn assert_holds(stand: &Stand, truth: &[Vec<u8>], what: &str) {
    for (disk, bytes) in DISKS.iter().zip(truth) {
        assert!(guest_bytes(&image(stand, disk), stand.folder()) == *bytes, "{what}: {disk}");
    }
}

fn tiers(stand: &Stand) -> Vec<(String, String)> {
    let points = stand.ask(&["recoverypoint", "list", "-v", "safe", "--vm", "firmware"]);
    let details = points[0]["properties"]["recoveryPointTierDetails"].as_array().cloned();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    details.unwrap().iter().map(|tier| (text(&tier["type"]), text(&tier["status"]))).collect()
}

fn assert_tiers(stand: &Stand, wanted: &[(&str, &str)]) {
    let found = tiers(stand);
    let found: Vec<(&str, &str)> = found.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(found, wanted, "{}", stand.log());
}

/// The newest job in full.
fn newest_job(stand: &Stand) -> Value {
    let jobs = stand.ask(&["job", "list", "-v", "safe"]);
    stand.ask(&["job", "show", "-v", "safe", "-n", jobs[0]["name"].as_str().unwrap()])
}

const IN_PLACE: [&str; 6] = ["restore", "in-place", "-v", "safe", "--vm", "firmware"];

#[test]
fn killed_at_every_step_of_a_restore_from_the_copy_the_disks_are_those_of_the_point() {
    let (mut stand, truth) = backed_up();
    assert_tiers(&stand, &[("InstantRP", "Valid"), ("HardenedRP", "Valid")]);
    for point in CRASH_POINTS.iter().filter(|point| point.class == JobClass::Restore) {
        // Nothing is moved: it comes by no middle of a transfer.
        if point.name.starts_with("restore.transfer") || point.name == "restore.validate.done" {
            continue;
        }
        damage(&stand);
        let status =
            crash_and_recover(&mut stand, point.name, &[&IN_PLACE[..], &["--no-wait"]].concat());
        assert_eq!(status, "Completed", "{}\n{}", point.name, stand.log());
        assert_holds(&stand, &truth, point.name);
        let job = newest_job(&stand).to_string();
        assert!(job.contains(r#""Recovery point tier":"Snapshot""#), "{job}");
        for disk in DISKS {
            let names = snapshots(&stand, disk);
            assert!(names.len() == 1 && names[0].starts_with("coffre-point-"), "{names:?}");
        }
    }
}

#[test]
fn a_copy_that_is_gone_sends_the_restore_to_the_vault_and_the_point_says_so() {
    let (stand, truth) = backed_up();
    damage(&stand);
    let copy = snapshots(&stand, "data").remove(0);
    qemu_img(&["snapshot", "-d", &copy], &image(&stand, "data"));
    stand.client(&IN_PLACE);
    let job = newest_job(&stand);
    assert_eq!(job["properties"]["status"], "Completed", "{job}");
    let text = job.to_string();
    assert!(text.contains("from the vault: the image of disk data has 0 snapshots"), "{text}");
    assert!(text.contains(r#""Recovery point tier":"Vault-Standard""#), "{text}");
    assert_holds(&stand, &truth, "restored");
    // The images are new: nothing of a copy is in them.
    let mut stand = stand;
    stand.stop();
    stand.start(None);
    stand.login();
    wait_for("the point to say so", || {
        tiers(&stand)[0] == ("InstantRP".to_owned(), "Deleted".to_owned())
    });
}

#[test]
fn images_that_are_past_reading_are_restored_from_the_vault() {
    let (stand, truth) = backed_up();
    for (disk, from) in [("data", 0), ("os", 65_536)] {
        let file = std::fs::File::options().write(true).open(image(&stand, disk)).unwrap();
        let length = file.metadata().unwrap().len();
        // The header of one, the tables of the other.
        let waste = vec![0xd7; usize::try_from(length - from).unwrap().min(1 << 20)];
        std::os::unix::fs::FileExt::write_all_at(&file, &waste, from).unwrap();
    }
    stand.client(&IN_PLACE);
    let job = newest_job(&stand);
    assert_eq!(job["properties"]["status"], "Completed", "{job}\n{}", stand.log());
    assert!(job.to_string().contains(r#""Recovery point tier":"Vault-Standard""#), "{job}");
    assert_holds(&stand, &truth, "restored");
}

fn change(stand: &Stand, sql: &str) {
    let files = std::fs::read_dir(&stand.data).unwrap().map(|entry| entry.unwrap().path());
    let is = |path: &PathBuf| path.extension().is_some_and(|it| it == "db" || it == "sqlite");
    let database = files.into_iter().find(is).expect("the service has a database");
    let done = Command::new("sqlite3").arg(database).arg(sql).output().expect("run sqlite3");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn a_copy_that_had_its_time_is_deleted_and_nothing_else() {
    let mut stand = protected();
    stand.ask(&["protection", "backup-now", "-v", "safe", "--vm", "firmware"]);
    stand.ask(&["vm", "stop", "-n", "firmware", "--now"]);
    qemu_img(&["snapshot", "-c", "mine"], &image(&stand, "os"));
    stand.ask(&["vm", "start", "-n", "firmware"]);
    // Two more have time left.
    for _ in 0..2 {
        stand.ask(&["protection", "backup-now", "-v", "safe", "--vm", "firmware"]);
    }
    let [first, mine, second, third] = snapshots(&stand, "os").try_into().unwrap();
    stand.stop();
    let point = first.strip_prefix("coffre-point-").unwrap();
    let old = format!(
        "UPDATE record SET doc = json_set(doc, '$.content.until', '2020-01-01T00:00:00Z') \
         WHERE kind = 'local-copy' AND replace(name, '-', '') = '{point}'"
    );
    change(&stand, &old);
    // The machine runs all the while.
    stand.start(None);
    wait_for("the copy to go", || {
        snapshots(&stand, "os") == [&mine, &second, &third].map(Clone::clone)
            && snapshots(&stand, "data") == [&second, &third].map(Clone::clone)
    });
    stand.login();
    let list = || stand.ask(&["recoverypoint", "list", "-v", "safe", "--vm", "firmware"]);
    // It is written down when the last image is rid of it.
    wait_for("the point to say so", || {
        let points = list();
        let mut found: Vec<&str> = points
            .as_array()
            .unwrap()
            .iter()
            .map(|it| &it["properties"]["recoveryPointTierDetails"][0]["status"])
            .map(|status| status.as_str().unwrap())
            .collect();
        found.sort_unstable();
        found == ["Deleted", "Valid", "Valid"]
    });
    let points = list();
    // A point that is deleted needs none.
    let second_point = points[1]["name"].as_str().unwrap();
    stand.ask(&["recoverypoint", "delete", "-v", "safe", "--vm", "firmware", "-n", second_point]);
    stand.stop();
    stand.start(None);
    wait_for("the copy of a deleted point to go", || {
        snapshots(&stand, "os") == [&mine, &third].map(Clone::clone)
    });
}

/// A file system of the test alone, which goes with it.
struct Mount(PathBuf);

impl Mount {
    fn small(folder: &Path) -> Mount {
        std::fs::create_dir_all(folder).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=48m", "tmpfs"]).arg(folder);
        assert!(mount.status().expect("run mount").success(), "root mounts");
        Mount(folder.to_owned())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn copies_make_room_before_a_guest_stands_still() {
    let mut stand = Stand::new();
    let machines = stand.data.join("machines");
    let _mount = Mount::small(&machines);
    protect(&mut stand);
    stand.ask(&["protection", "backup-now", "-v", "safe", "--vm", "firmware"]);
    assert_eq!(snapshots(&stand, "os").len(), 1);
    stand.stop();
    let free = rustix::fs::statvfs(&machines).unwrap();
    let filler = (free.f_bavail - free.f_blocks / 25) * free.f_frsize;
    std::fs::write(machines.join("filler"), vec![1; usize::try_from(filler).unwrap()]).unwrap();
    stand.start(None);
    wait_for("the copies to go", || snapshots(&stand, "os").is_empty());
    stand.login();
    wait_for("the point to say so", || tiers(&stand)[0].1 == "Deleted");
    assert_tiers(&stand, &[("InstantRP", "Deleted"), ("HardenedRP", "Valid")]);
    // The next backup takes none, and is a backup all the same.
    stand.client(&["protection", "backup-now", "-v", "safe", "--vm", "firmware"]);
    let job = newest_job(&stand);
    assert_eq!(job["properties"]["status"], "CompletedWithWarnings", "{job}");
    let text = job.to_string();
    assert!(text.contains("no snapshot is kept: only") && text.contains("MiB are free"), "{text}");
    assert_eq!(snapshots(&stand, "os").len(), 0);
    assert_tiers(&stand, &[("HardenedRP", "Valid")]);
}
