//! The further verbs on a store with no service: mount, diff, keys, recover, probe, sampled verify.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::image::{Store, text, write_image};
use crate::stand::{coffre, noise, wait_for};

/// A disk with an ext4 file system made from a folder of files.
fn disk_with_files(store: &Store) -> (std::path::PathBuf, std::path::PathBuf) {
    let files = store.path("files");
    std::fs::create_dir_all(files.join("etc")).unwrap();
    std::fs::write(files.join("etc/motd"), "hello\n").unwrap();
    for n in 0..20 {
        std::fs::write(files.join(format!("noise-{n}")), noise(300_000 + n * 7)).unwrap();
    }
    let image = store.path("disk.raw");
    let made = Command::new("mke2fs")
        .args(["-q", "-t", "ext4", "-F", "-d", text(&files), text(&image), "64M"])
        .status();
    assert!(made.expect("mke2fs of e2fsprogs is there").success());
    (files, image)
}

/// A mounted point; unmounted when dropped.
struct Mounted(Child);

impl Mounted {
    fn new(store: &Store, folder: &Path, words: &[&str]) -> Mounted {
        std::fs::create_dir_all(folder).unwrap();
        let mut command = store.command(&["image", "mount"]);
        let child = command.args(words).arg(folder).stdout(Stdio::null()).spawn().unwrap();
        let mounted = Mounted(child);
        wait_for("the mount", || folder.join("disk.raw").exists());
        mounted
    }

    fn end(&mut self) -> Option<i32> {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.0.wait().unwrap().code()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self.0.try_wait().unwrap().is_none() {
            self.end();
        }
    }
}

#[test]
fn a_mounted_point_is_the_disk_and_the_file_system_inside_reads() {
    let store = Store::new();
    store.ask(&["vault", "create"]);
    let (files, image) = disk_with_files(&store);
    store.ask(&["image", "backup", "--name", "web", text(&image)]);
    let folder = store.path("point");
    let mut mounted = Mounted::new(&store, &folder, &["--name", "web"]);
    let disk = folder.join("disk.raw");
    assert!(std::fs::read(&disk).unwrap() == std::fs::read(&image).unwrap());
    assert!(std::fs::write(&disk, "x").is_err(), "it is read-only");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    // A tool that knows the file system takes the files out of it.
    let out = store.path("out");
    std::fs::create_dir(&out).unwrap();
    let dump = format!("rdump / {}", text(&out));
    let dumped = Command::new("debugfs").args(["-R", &dump, text(&disk)]).output().unwrap();
    assert!(dumped.status.success());
    let words = ["-r", "-x", "lost+found", text(&files), text(&out)];
    let same = Command::new("diff").args(words).output().unwrap();
    assert!(same.status.success(), "{}", String::from_utf8_lossy(&same.stdout));
    // A copy that looks for holes finds them.
    let copy = store.path("copy.raw");
    let copied = Command::new("cp").args(["--sparse=auto", text(&disk), text(&copy)]).status();
    assert!(copied.unwrap().success());
    assert!(std::fs::read(&copy).unwrap() == std::fs::read(&image).unwrap());
    assert_eq!(mounted.end(), Some(0));
    assert!(!disk.exists(), "it is unmounted");

    // Damage fails the read that meets it, and is told in the end.
    let pack = crate::image::largest_file(&store.path("store/packs"));
    let mut bytes = std::fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&pack, bytes).unwrap();
    let mut mounted = Mounted::new(&store, &folder, &["--name", "web"]);
    assert!(std::fs::read(&disk).is_err());
    assert_eq!(mounted.end(), Some(3));
}

#[test]
fn a_diff_is_a_map_of_changes_and_a_backup_with_it_is_whole() {
    let store = Store::new();
    store.ask(&["vault", "create"]);
    let image = store.path("disk.raw");
    write_image(&image);
    let first = store.ask(&["image", "backup", "--name", "web", text(&image)]);
    let file = std::fs::File::options().write(true).open(&image).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &noise(100_000), 20 << 20).unwrap();
    let second = store.ask(&["image", "backup", "--name", "web", text(&image)]);
    let (one, two) = (first["point"].as_str().unwrap(), second["point"].as_str().unwrap());
    let diff = store.ask(&["image", "diff", "--point", one, "--point", two]);
    assert_eq!(diff["disks"][0]["changed"], json!([{"offset": 20 << 20, "length": 128 << 10}]));
    assert_eq!(diff["disks"][0]["changed_bytes"], 128 << 10);
    let same = store.ask(&["image", "diff", "--point", two, "--point", "latest", "--name", "web"]);
    assert_eq!(same["disks"][0]["changed"], json!([]));
    let wrong = store.run(&["image", "diff", "--point", one]);
    assert_eq!(wrong.status.code(), Some(1));

    // Another history of the same disk follows by the map.
    let map = store.path("map.json");
    std::fs::write(&map, diff["disks"][0]["changed"].to_string()).unwrap();
    let third =
        store.ask(&["image", "backup", "--name", "web", "--changed", text(&map), text(&image)]);
    assert_eq!((&third["read_bytes"], &third["new_bytes"]), (&json!(128 << 10), &json!(0)));
}

#[test]
fn keys_allow_what_they_say_and_a_new_one_ends_the_old() {
    let store = Store::new();
    let created = store.ask(&["vault", "create"]);
    let image = store.path("disk.raw");
    write_image(&image);
    store.ask(&["image", "backup", "--name", "web", text(&image)]);
    std::fs::write(store.path("host"), "host\n").unwrap();
    let host = store.path("host");
    let add = ["vault", "key", "add", "--allow", "put", "--new-passphrase-file", text(&host)];
    let added = store.ask(&add);
    let keys = store.ask(&["vault", "key", "list"]);
    assert_eq!(keys.as_array().unwrap().len(), 3);
    let of_host = keys.as_array().unwrap().iter().find(|key| key["key"] == added["key"]).unwrap();
    assert_eq!((&of_host["kind"], &of_host["allows"]), (&json!("passphrase"), &json!(["put"])));
    // The host stores; it can neither read nor delete.
    let as_host = |words: &[&str]| store.run_with(words, "--passphrase-file", &host);
    let stored = as_host(&["image", "backup", "--name", "web", text(&image)]);
    assert!(stored.status.success(), "{}", String::from_utf8_lossy(&stored.stderr));
    let back = store.path("back.raw");
    let refused = as_host(&["image", "restore", "--to", text(&back)]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("do not allow"));
    assert_eq!(as_host(&["vault", "key", "list"]).status.code(), Some(0));
    store.ask(&["vault", "key", "remove", "--key", added["key"].as_str().unwrap()]);
    assert_eq!(as_host(&["image", "list"]).status.code(), Some(1));

    // A new recovery key, then a rotation: what was there before opens nothing.
    let paper = store.path("paper");
    let by_paper = |words: &[&str]| store.run_with(words, "--recovery-key-file", &paper);
    std::fs::write(&paper, created["recovery_key"].as_str().unwrap()).unwrap();
    assert_eq!(by_paper(&["image", "list"]).status.code(), Some(0));
    let renewed = store.ask(&["vault", "key", "recovery"]);
    assert_eq!(by_paper(&["image", "list"]).status.code(), Some(1));
    std::fs::write(&paper, renewed["recovery_key"].as_str().unwrap()).unwrap();
    assert_eq!(by_paper(&["image", "list"]).status.code(), Some(0));
    let rotated = store.ask(&["vault", "key", "rotate", "--new-passphrase-file", text(&host)]);
    assert_eq!(store.run(&["image", "list"]).status.code(), Some(1));
    assert_eq!(by_paper(&["image", "list"]).status.code(), Some(1));
    std::fs::write(&paper, rotated["recovery_key"].as_str().unwrap()).unwrap();
    for opened in [as_host(&["vault", "verify"]), by_paper(&["vault", "verify"])] {
        assert_eq!(opened.status.code(), Some(0), "{}", String::from_utf8_lossy(&opened.stderr));
    }
}

#[test]
fn a_lost_index_is_made_anew_with_the_recovery_key_alone() {
    let store = Store::new();
    let created = store.ask(&["vault", "create"]);
    let image = store.path("disk.raw");
    write_image(&image);
    store.ask(&["image", "backup", "--name", "web", text(&image)]);
    std::fs::remove_dir_all(store.path("store/index")).unwrap();
    std::fs::remove_file(store.path("pass")).unwrap();
    let paper = store.path("paper");
    std::fs::write(&paper, created["recovery_key"].as_str().unwrap()).unwrap();
    let by_paper = |words: &[&str]| store.run_with(words, "--recovery-key-file", &paper);
    let back = store.path("back.raw");
    let restored = by_paper(&["image", "restore", "--to", text(&back)]);
    assert!(restored.status.success(), "packs alone are enough");
    assert!(std::fs::read(&back).unwrap() == std::fs::read(&image).unwrap());
    assert_eq!(by_paper(&["vault", "verify"]).status.code(), Some(3), "the index is missed");
    let recovered = by_paper(&["vault", "recover"]);
    assert_eq!(recovered.status.code(), Some(0));
    let recovered: Value = serde_json::from_slice(&recovered.stdout).unwrap();
    assert_eq!(recovered["points"][0]["whole"], true);
    assert!(recovered["packs_indexed"].as_u64().unwrap() > 0);
    assert_eq!(by_paper(&["vault", "verify"]).status.code(), Some(0));

    // A pack that is gone cannot be made anew, and that is said, with the point.
    let pack = crate::image::largest_file(&store.path("store/packs"));
    std::fs::remove_file(&pack).unwrap();
    let recovered = by_paper(&["vault", "recover"]);
    assert_eq!(recovered.status.code(), Some(3));
    let recovered: Value = serde_json::from_slice(&recovered.stdout).unwrap();
    assert_eq!(recovered["points"][0]["whole"], false);
    let sample = by_paper(&["vault", "verify", "--sample", "0%"]);
    assert_eq!(sample.status.code(), Some(3), "a sample misses no pack");
}

#[test]
fn a_store_is_probed_and_a_sample_is_a_share() {
    let store = Store::new();
    let probed = store.probe();
    assert!(probed["rules"].as_array().unwrap().len() > 10);
    assert_eq!(std::fs::read_dir(store.path("store")).unwrap().count(), 1, "an empty folder");
    store.ask(&["vault", "create"]);
    let image = store.path("disk.raw");
    write_image(&image);
    let stored = store.ask(&["image", "backup", "--name", "web", text(&image)]);
    let whole = store.ask(&["vault", "verify"]);
    let part = store.ask(&["vault", "verify", "--sample", "5%"]);
    assert_eq!(part["packs"], 1);
    assert_eq!(part["packs_known"], whole["packs"]);
    let point = store.ask(&["vault", "verify", "--point", stored["point"].as_str().unwrap()]);
    assert_eq!((&point["points"], &point["damage"]), (&json!(1), &json!([])));
    let wrong = coffre().args(["vault", "verify", "--sample", "200%"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn a_restore_that_was_stopped_goes_on_and_believes_nothing() {
    let store = Store::new();
    store.ask(&["vault", "create"]);
    let image = store.path("disk.raw");
    write_image(&image);
    store.ask(&["image", "backup", "--name", "web", text(&image)]);
    // As an attempt left it that died in the middle: some of it right, some torn, some nobody's.
    let (back, part) = (store.path("back.raw"), store.path("back.raw.part"));
    let file = std::fs::File::create(&part).unwrap();
    let whole = std::fs::read(&image).unwrap();
    let write = |bytes: &[u8], at: usize| {
        std::os::unix::fs::FileExt::write_all_at(&file, bytes, at as u64).unwrap();
    };
    write(&whole[5 << 20..6 << 20], 5 << 20);
    write(b"torn", (5 << 20) + 1000);
    write(b"stray", 30 << 20);
    let restored = store.ask(&["image", "restore", "--to", text(&back)]);
    assert_eq!(restored["blocks_kept"], 15, "{restored}");
    assert!(std::fs::read(&back).unwrap() == whole);
    assert!(!part.exists());

    // Two at once would write over each other.
    let file = std::fs::File::create(store.path("other.raw.part")).unwrap();
    file.lock().unwrap();
    let other = store.run(&["image", "restore", "--to", text(&store.path("other.raw"))]);
    assert_eq!(other.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&other.stderr).contains("another restore"));
}
