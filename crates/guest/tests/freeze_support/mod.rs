//! File systems to freeze, in a mount namespace of the test's own. Nothing of the machine itself is ever frozen: every
//! freeze is told to look only below the folder of the test.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of this")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use coffre_guest::freeze::FreezeSpec;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_coffre-guest");

const INSIDE: &str = "COFFRE_TEST_NAMESPACE";

/// Runs the body of the test of this name in a process with a mount namespace of its own.
pub fn in_namespace(name: &str, body: impl FnOnce(&Path)) {
    if let Some(folder) = std::env::var_os(INSIDE) {
        let folder = PathBuf::from(folder);
        let watched = folder.clone();
        thread::spawn(move || thaw_what_hangs(&watched));
        return body(&folder);
    }
    assert!(rustix::process::geteuid().is_root(), "freezing file systems needs root");
    let folder = tempfile::tempdir().unwrap();
    let script =
        "ulimit -c 0; mount -t tmpfs -o mode=700,size=6g tmpfs \"$1\" && shift && exec \"$@\"";
    let status = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(INSIDE, folder.path())
        .status()
        .expect("unshare (util-linux) makes the namespace");
    assert!(status.success(), "{name} failed in its namespace: {status}");
}

/// A test that takes this long hangs, and perhaps in a call that only a thaw ends.
const HANGS: Duration = Duration::from_secs(900);

fn thaw_what_hangs(folder: &Path) {
    thread::sleep(HANGS);
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let places = table.lines().filter_map(|line| line.split(' ').nth(4)).map(Path::new);
    // The outer ones come first in the table, and must be thawed first.
    places
        .filter(|at| at.starts_with(folder) && *at != folder)
        .for_each(|at| _ = thaw_of_another(at));
    std::process::abort();
}

pub fn call(program: &str, words: &[&str]) -> Output {
    let output = Command::new(program).args(words).stdin(Stdio::null()).output();
    output.unwrap_or_else(|failure| panic!("{program} is needed (cargo xtask setup): {failure}"))
}

pub fn must(program: &str, words: &[&str]) {
    let output = call(program, words);
    let words = words.join(" ");
    assert!(output.status.success(), "{program} {words}: {}", text(&output.stderr));
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Some file systems, and a folder for the state of freezes.
pub struct World {
    pub folder: PathBuf,
    pub mounts: Vec<PathBuf>,
}

impl World {
    pub fn new(folder: &Path) -> World {
        for name in ["images", "mnt", "state"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        World { folder: folder.to_owned(), mounts: Vec::new() }
    }

    /// A fresh file system on a loop device whose image is in memory, unless a path for it is given.
    pub fn mount(&mut self, fs_type: &str, name: &str, image: Option<&Path>) -> PathBuf {
        let at = self.folder.join("mnt").join(name);
        self.mount_at(fs_type, &at, image);
        at
    }

    pub fn mount_at(&mut self, fs_type: &str, at: &Path, image: Option<&Path>) {
        let made = self.folder.join("images").join(format!("{}", self.mounts.len()));
        let image = image.unwrap_or(&made);
        let size = if fs_type == "xfs" { 320 } else { 128 };
        fs::File::create(image).unwrap().set_len(size << 20).unwrap();
        let (maker, quiet) = match fs_type {
            "xfs" => ("mkfs.xfs", "-q"),
            "btrfs" => ("mkfs.btrfs", "-q"),
            "vfat" => ("mkfs.vfat", "-v"),
            _ => ("mkfs.ext4", "-q"),
        };
        must(maker, &[quiet, image.to_str().unwrap()]);
        fs::create_dir_all(at).unwrap();
        must("mount", &["-o", "loop", image.to_str().unwrap(), at.to_str().unwrap()]);
        self.mounts.push(at.to_owned());
    }

    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    pub fn spec(&self) -> FreezeSpec {
        FreezeSpec {
            ceiling: Duration::from_secs(2),
            only: Some(self.folder.join("mnt")),
            state: self.state(),
            program: PROGRAM.into(),
            ..FreezeSpec::default()
        }
    }

    /// Thaws everything by other means than ours, and tells what was frozen.
    pub fn thaw_by_force(&self) -> Vec<PathBuf> {
        let is_frozen = |at: &&PathBuf| thaw_of_another(at);
        self.mounts.iter().filter(is_frozen).cloned().collect()
    }

    pub fn assert_nothing_is_frozen(&self) {
        let frozen = self.thaw_by_force();
        assert!(frozen.is_empty(), "left frozen: {frozen:?}");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Twice: an inner one may have hung on an outer one. Then the mounts go, and with them the loop devices.
        self.thaw_by_force();
        self.thaw_by_force();
        for at in self.mounts.iter().rev() {
            let _ = rustix::mount::unmount(at, rustix::mount::UnmountFlags::DETACH);
        }
    }
}

/// Freezes like any other program.
pub fn freeze_of_another(at: &Path) -> bool {
    call("fsfreeze", &["-f", at.to_str().unwrap()]).status.success()
}

/// Thaws like any other program; false when nothing was frozen.
pub fn thaw_of_another(at: &Path) -> bool {
    call("fsfreeze", &["-u", at.to_str().unwrap()]).status.success()
}

/// Writes all the time, and knows for how long it was held up at most.
pub struct Writer {
    end: Arc<AtomicBool>,
    beats: Arc<AtomicU64>,
    thread: Option<JoinHandle<Duration>>,
}

impl Writer {
    pub fn start(at: &Path) -> Writer {
        let end = Arc::new(AtomicBool::new(false));
        let beats = Arc::new(AtomicU64::new(0));
        let (ended, beaten, file) = (end.clone(), beats.clone(), at.join("beat"));
        let thread = thread::spawn(move || {
            let mut longest = Duration::ZERO;
            while !ended.load(Ordering::Relaxed) {
                let begun = Instant::now();
                fs::write(&file, [7; 4096]).unwrap();
                longest = longest.max(begun.elapsed());
                beaten.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(1));
            }
            longest
        });
        Writer { end, beats, thread: Some(thread) }
    }

    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// The longest time that one write took.
    pub fn end(mut self) -> Duration {
        self.end.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

/// Waits for a condition that comes true by itself.
pub fn wait_until(what: &str, limit: Duration, condition: impl Fn() -> bool) {
    let until = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < until, "waited {limit:?} in vain: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}
