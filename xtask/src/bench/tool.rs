//! Running the binary and measuring it.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::Value;

/// A folder in memory, and the binary. Sparse files there may be larger than most disks allow.
pub(super) struct Bench {
    coffre: PathBuf,
    folder: PathBuf,
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What a run of the binary took.
pub(super) struct Measured {
    /// Processor time of all its threads, in user and system mode.
    pub(super) cpu: Duration,
    pub(super) wall: Duration,
    /// The most memory that it held.
    pub(super) peak_kib: u64,
    /// The last line of its output, if that is JSON.
    pub(super) json: Value,
}

impl Bench {
    pub(super) fn new(coffre: PathBuf) -> anyhow::Result<Bench> {
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder = base.join(format!("coffre-bench-{}", std::process::id()));
        std::fs::create_dir(&folder).with_context(|| format!("make {}", folder.display()))?;
        std::fs::write(folder.join("pass"), "bench\n")?;
        Ok(Bench { coffre, folder })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The binary on a vault, with these words.
    pub(super) fn command(&self, vault: &str, words: &[&str]) -> Command {
        let mut command = Command::new(&self.coffre);
        self.finish(&mut command, vault, words);
        command
    }

    fn finish(&self, command: &mut Command, vault: &str, words: &[&str]) {
        let store = format!("file://{}", self.path(vault).display());
        command.args(words).args(["--output", "json", "--store", &store]);
        command.arg("--passphrase-file").arg(self.path("pass"));
    }

    /// Runs to the end and measures.
    pub(super) fn measure(&self, vault: &str, words: &[&str]) -> anyhow::Result<Measured> {
        let peak = self.path("peak");
        let mut command = Command::new("time");
        command.args(["-f", "%M", "-o"]).arg(&peak).arg(&self.coffre);
        self.finish(&mut command, vault, words);
        let (begun, before) = (Instant::now(), children()?);
        let output = command.output().context("run `time` of the Debian package time")?;
        let (wall, cpu) = (begun.elapsed(), children()? - before);
        ensure!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout);
        let last = text.lines().last().unwrap_or_default();
        let json = serde_json::from_str(last).unwrap_or_default();
        let peak_kib = std::fs::read_to_string(&peak)?.trim().parse()?;
        Ok(Measured { cpu, wall, peak_kib, json })
    }

    /// Mounts; gives the process once the file is there, and its path.
    pub(super) fn mount(&self, vault: &str, folder: &str) -> anyhow::Result<Mounted> {
        let point = self.path(folder);
        std::fs::create_dir_all(&point)?;
        let mut command = self.command(vault, &["image", "mount"]);
        command.arg(&point).stdout(Stdio::null());
        let disk = point.join("disk.raw");
        let begun = Instant::now();
        let mut child = command.spawn()?;
        while !disk.exists() {
            ensure!(child.try_wait()?.is_none(), "the mount ended at once");
            ensure!(begun.elapsed() < Duration::from_secs(60), "the mount does not come up");
            std::hint::spin_loop();
        }
        Ok(Mounted { child, begun, disk })
    }
}

/// A mounted point.
pub(super) struct Mounted {
    child: Child,
    pub(super) begun: Instant,
    pub(super) disk: PathBuf,
}

impl Mounted {
    /// The most memory that it held so far.
    pub(super) fn peak_kib(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.context("a process says its peak memory")?.parse()?)
    }

    /// Ends it as a person would.
    pub(super) fn end(mut self) -> anyhow::Result<()> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the mount did not end cleanly");
        Ok(())
    }
}

/// Processor time of all children that have ended.
fn children() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = [usage.user_time(), usage.system_time()]
        .map(|time| time.tv_sec() * 1_000_000 + time.tv_usec());
    Ok(Duration::from_micros(micros.iter().sum::<i64>().try_into()?))
}

/// Bytes that do not compress; the same for the same seed.
pub(super) fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(bytes + 8);
    while out.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(bytes);
    out
}

/// Writes pieces of noise into a file, each at its offset.
pub(super) fn write_noise(
    file: &File,
    places: &[u64],
    bytes: usize,
    seed: u64,
) -> anyhow::Result<()> {
    for (n, offset) in (0u64..).zip(places) {
        file.write_all_at(&noise(seed + n, bytes), *offset)?;
    }
    Ok(file.sync_data()?)
}

/// Writes a map of changes.
pub(super) fn write_map(path: &Path, places: &[u64], bytes: usize) -> anyhow::Result<()> {
    let changes: Vec<Value> = places
        .iter()
        .map(|offset| serde_json::json!({ "offset": offset, "length": bytes }))
        .collect();
    Ok(File::create(path)?.write_all(Value::Array(changes).to_string().as_bytes())?)
}

/// The middle one.
pub(super) fn median<T: Ord + Copy>(values: &[T]) -> T {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}
