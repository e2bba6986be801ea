//! What a report says about the machine besides the point: versions, and bytes in use.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::environment::Environment;
use crate::file;
use crate::report::StorageDetails;
use crate::telemetry::Telemetry;

/// A program that is asked for its version has this long.
const PATIENCE: Duration = Duration::from_secs(5);

/// A file system that is asked for its size has this long.
const STAT_PATIENCE: Duration = Duration::from_secs(3);

/// What one LUN can hold, for the cap of the bill.
const LUN_MAX: u64 = 1 << 40;

/// File systems that are billed: on disks of this machine, and able to say how full they are.
const BILLED: &[&str] =
    &["ext2", "ext3", "ext4", "xfs", "vfat", "f2fs", "jfs", "reiserfs", "ntfs3"];

/// Sets the facts that every report carries.
pub(crate) fn set(telemetry: &mut Telemetry, environment: &Environment) {
    telemetry.set("guestAgentVersion", agent_version());
    telemetry.set("extensionVersion", environment.extension_version());
    telemetry.set("osVersion", os_version(&read("/etc/os-release")));
    let uname = rustix::system::uname();
    telemetry.set("kernelVersion", uname.release().to_string_lossy());
    telemetry.set("workloads", workloads());
    telemetry.set("prePostEnabled", "False");
}

fn read(path: &str) -> String {
    let bytes = file::read(Path::new(path), 1 << 20).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn os_version(release: &str) -> String {
    let field = |name: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
    };
    format!("{}-{}", field("NAME"), field("VERSION_ID"))
}

fn agent_version() -> String {
    let spawned = Command::new("/usr/sbin/waagent")
        .arg("-version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = spawned else { return "Unknown".to_owned() };
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
            let output = child.wait_with_output().map(|output| output.stdout).unwrap_or_default();
            return understood_version(&String::from_utf8_lossy(&output));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    // It may have ended just now.
    let _ = child.kill();
    let _ = child.wait();
    "Unknown".to_owned()
}

fn understood_version(text: &str) -> String {
    if let Some((_, rest)) = text.split_once("Goal state agent: ") {
        return rest.split_whitespace().next().unwrap_or("Unknown").to_owned();
    }
    let first = text.split_whitespace().next().unwrap_or_default();
    first.rsplit_once('-').map_or("Unknown", |(_, version)| version).to_owned()
}

/// Databases that run here, as a list in the notation that readers know.
fn workloads() -> String {
    const NAMES: [&str; 5] = ["mysqld", "postgresql", "oracle", "cassandra", "mongo"];
    let mut found = Vec::new();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for entry in processes.filter(|entry| {
        entry.file_name().to_str().is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()))
    }) {
        let line = file::read(&entry.path().join("cmdline"), 1 << 20).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        for name in NAMES.iter().filter(|name| line.contains(**name)) {
            if !found.contains(name) {
                found.push(name);
            }
        }
    }
    let quoted: Vec<String> = found.iter().map(|name| format!("'{name}'")).collect();
    format!("[{}]", quoted.join(", "))
}

/// Bytes in use on local disks. A file system that does not answer in time makes the count incomplete, never the run.
#[must_use]
pub(crate) fn storage(luns: usize, only_os_disk: bool) -> StorageDetails {
    let mounts = local_mounts(&read("/proc/self/mountinfo"));
    let mut details =
        StorageDetails { partition_count: mounts.len() as u64, ..StorageDetails::default() };
    for (_, mount) in mounts.iter().filter(|(_, mount)| !only_os_disk || mount == Path::new("/")) {
        match used_bytes(mount) {
            Some(bytes) => details.total_used_size_in_bytes += bytes,
            None => details.is_size_computation_failed = true,
        }
    }
    if details.is_size_computation_failed {
        details.total_used_size_in_bytes = 0;
    }
    if luns > 0 {
        let cap = (luns as u64).saturating_mul(LUN_MAX);
        details.total_used_size_in_bytes = details.total_used_size_in_bytes.min(cap);
    }
    details
}

/// Device and mount point of each billed file system, each once.
fn local_mounts(mountinfo: &str) -> Vec<(String, PathBuf)> {
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    for line in mountinfo.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let Some(dash) = fields.iter().position(|field| *field == "-") else { continue };
        let (Some(device), Some(path), Some(kind)) =
            (fields.get(2), fields.get(4), fields.get(dash + 1))
        else {
            continue;
        };
        let billed = BILLED.contains(kind) && !path.starts_with("/run/gluster/snaps/");
        if billed && !found.iter().any(|(known, _)| known == device) {
            found.push(((*device).to_owned(), unescaped(path).into()));
        }
    }
    found
}

/// The kernel writes blanks and backslashes in octal.
fn unescaped(path: &str) -> String {
    path.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

/// Asked on a thread that is left behind when the answer does not come.
fn used_bytes(mount: &Path) -> Option<u64> {
    let (send, receive) = std::sync::mpsc::channel();
    let mount = mount.to_owned();
    let ask = move || {
        let answer = rustix::fs::statvfs(&mount).ok();
        // The one who asked may have gone.
        let _ = send.send(answer);
    };
    std::thread::Builder::new().spawn(ask).ok()?;
    let found = receive.recv_timeout(STAT_PATIENCE).ok()??;
    Some(found.f_blocks.saturating_sub(found.f_bfree).saturating_mul(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(understood_version("WALinuxAgent-2.7.3.0 running on debian 12"), "2.7.3.0");
        assert_eq!(
            understood_version("W-2.2\nPython: 3\nGoal state agent: 2.15.0.1\n"),
            "2.15.0.1"
        );
        assert_eq!(understood_version(""), "Unknown");
        assert_eq!(
            os_version("NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n"),
            "Debian GNU/Linux-12"
        );
    }

    #[test]
    fn each_device_counts_once_and_only_local_ones() {
        let mountinfo = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:1 /x /bind rw - ext4 /dev/sda1 rw\n3 1 0:9 / /nfs rw - nfs s:/ rw\n4 1 8:2 / /my\\040disk rw shared:1 - xfs /dev/sdb rw\nbroken\n";
        let found: Vec<PathBuf> = local_mounts(mountinfo).into_iter().map(|(_, p)| p).collect();
        assert_eq!(found, [PathBuf::from("/"), PathBuf::from("/my disk")]);
    }
}
