//! Images in a store with no service.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::stand::{coffre, noise};

pub(crate) struct Store {
    folder: tempfile::TempDir,
}

impl Store {
    pub(crate) fn new() -> Store {
        let store = Store { folder: tempfile::tempdir().unwrap() };
        std::fs::write(store.path("pass"), "correct horse\n").unwrap();
        store
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn address(&self) -> String {
        format!("file://{}", self.path("store").display())
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = coffre();
        command.args(words).args(["--store", &self.address()]);
        command.arg("--passphrase-file").arg(self.path("pass")).args(["--output", "json"]);
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// With another secret than the passphrase of the store.
    pub(crate) fn run_with(&self, words: &[&str], option: &str, file: &Path) -> Output {
        let mut command = coffre();
        command.args(words).args(["--store", &self.address(), option]).arg(file);
        command.args(["--output", "json"]).output().unwrap()
    }

    pub(crate) fn probe(&self) -> Value {
        let mut command = coffre();
        command.args(["vault", "probe", "--output", "json", "--store", &self.address()]);
        serde_json::from_slice(&command.output().unwrap().stdout).unwrap()
    }

    pub(crate) fn ask(&self, words: &[&str]) -> Value {
        let output = self.run(words);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {errors}");
        if output.stdout.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

pub(crate) fn write_image(path: &Path) {
    let file = std::fs::File::create(path).unwrap();
    file.set_len(64 << 20).unwrap();
    file.write_all_at(&noise(3_000_000), 5 << 20).unwrap();
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn an_image_goes_in_and_comes_out_as_it_was() {
    let store = Store::new();
    let created = store.ask(&["vault", "create"]);
    assert!(created["recovery_key"].as_str().is_some_and(|key| key.len() > 40));
    let image = store.path("disk.raw");
    write_image(&image);
    let first = store.ask(&["image", "backup", "--name", "web", text(&image)]);
    assert!(first["new_bytes"].as_u64().unwrap() >= 3_000_000);
    assert!(first["read_bytes"].as_u64().unwrap() < 16 << 20, "holes are not read: {first}");

    let file = std::fs::File::options().write(true).open(&image).unwrap();
    file.write_all_at(b"changed", 40 << 20).unwrap();
    let map = store.path("map.json");
    std::fs::write(&map, json!([{"offset": 40 << 20, "length": 7}]).to_string()).unwrap();
    let second =
        store.ask(&["image", "backup", "--name", "web", "--changed", text(&map), text(&image)]);
    assert!(second["read_bytes"].as_u64().unwrap() <= 4 << 20, "{second}");

    let list = store.ask(&["image", "list", "--name", "web"]);
    let points: Vec<&Value> = list.as_array().unwrap().iter().map(|it| &it["point"]).collect();
    assert_eq!(points, [&first["point"], &second["point"]]);
    assert_eq!(list[0]["size_bytes"], 64 << 20);

    let back = store.path("back.raw");
    store.ask(&["image", "restore", "--point", "latest", "--name", "web", "--to", text(&back)]);
    assert!(std::fs::read(&back).unwrap() == std::fs::read(&image).unwrap());
    let again = store.run(&["image", "restore", "--point", "latest", "--to", text(&back)]);
    assert_eq!(again.status.code(), Some(1), "an existing file is not replaced");

    let verified = store.ask(&["vault", "verify"]);
    assert_eq!(verified["damage"], json!([]));
    let point = first["point"].as_str().unwrap();
    store.ask(&["image", "delete", "--point", point]);
    assert_eq!(store.ask(&["image", "list"]).as_array().unwrap().len(), 1);
    let plan = store.ask(&["vault", "gc", "--dry-run"]);
    assert_eq!(plan["deleted_points"], 1);
    store.ask(&["vault", "gc"]);
    assert_eq!(store.ask(&["vault", "stats"])["points"], 1);
    assert_eq!(store.ask(&["vault", "verify"])["damage"], json!([]), "what is left is whole");
}

#[test]
fn the_store_and_the_recovery_key_are_enough() {
    let store = Store::new();
    let created = store.ask(&["vault", "create"]);
    let image = store.path("disk.raw");
    write_image(&image);
    store.ask(&["image", "backup", "--name", "web", text(&image)]);
    std::fs::remove_file(store.path("pass")).unwrap();
    let paper = store.path("paper");
    std::fs::write(&paper, created["recovery_key"].as_str().unwrap()).unwrap();
    let back = store.path("back.raw");
    let restored = coffre()
        .args(["image", "restore", "--store", &format!("file://{}", text(&store.path("store")))])
        .args(["--recovery-key-file", text(&paper), "--to", text(&back)])
        .output()
        .unwrap();
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    assert!(std::fs::read(&back).unwrap() == std::fs::read(&image).unwrap());
}

#[test]
fn a_wrong_passphrase_is_a_failure_and_damage_has_its_own_status() {
    let store = Store::new();
    store.ask(&["vault", "create"]);
    let image = store.path("disk.raw");
    write_image(&image);
    store.ask(&["image", "backup", "--name", "web", text(&image)]);

    std::fs::write(store.path("pass"), "wrong\n").unwrap();
    let refused = store.run(&["image", "list"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("passphrase"));
    std::fs::write(store.path("pass"), "correct horse\n").unwrap();

    let pack = largest_file(&store.path("store/packs"));
    let mut bytes = std::fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&pack, bytes).unwrap();
    let found = store.run(&["vault", "verify"]);
    assert_eq!(found.status.code(), Some(3), "{}", String::from_utf8_lossy(&found.stderr));
    let report: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert!(!report["damage"].as_array().unwrap().is_empty());
    let to = store.path("back.raw");
    let restore = store.run(&["image", "restore", "--to", text(&to)]);
    assert_eq!(restore.status.code(), Some(3), "{}", String::from_utf8_lossy(&restore.stderr));
    assert!(!to.exists(), "a damaged restore leaves no file that looks whole");
}

pub(crate) fn largest_file(folder: &Path) -> std::path::PathBuf {
    let mut folders = vec![folder.to_owned()];
    let mut largest = (0, None);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.metadata().unwrap().len() >= largest.0 {
                largest = (path.metadata().unwrap().len(), Some(path));
            }
        }
    }
    largest.1.expect("the store holds packs")
}
