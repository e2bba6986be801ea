//! What is written in a guest while it is backed up, and how a restored guest is judged.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::shell::Shell;

const COMMAND: &str = "/usr/local/sbin/coffre-workload";

/// The workload of the debian guest: a database, text files and blocks of noise under `/data/workload`.
#[derive(Debug, Clone)]
pub struct Workload {
    shell: Shell,
}

/// Hash by path of the files that do not change any more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest(
    /// Absolute path in the guest to SHA-256 in hex.
    pub BTreeMap<String, String>,
);

/// What the database looks like inside.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DatabaseReport {
    /// `ok`, or what SQLite's integrity check found.
    pub integrity: String,
    /// Rows 1 to this number are there.
    pub rows: u64,
    /// Numbers of rows that are wrong or follow a gap; the first 20.
    pub damaged: Vec<u64>,
}

/// What had reached the disks when it was taken, so every later recovery point must hold it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Promise {
    /// Rows up to this number were committed and acknowledged.
    pub rows: u64,
    /// Files that were complete.
    pub files: Manifest,
}

impl Workload {
    /// The workload of the debian guest behind that shell.
    pub fn on(shell: &Shell) -> Workload {
        Workload { shell: shell.clone() }
    }

    /// Starts the writer and waits for its first acknowledged row.
    ///
    /// # Errors
    /// When the unit does not start.
    pub fn start(&self) -> anyhow::Result<()> {
        self.shell.check("systemctl start coffre-workload").map(drop)
    }

    /// Stops the writer. Its files are complete and flushed then.
    ///
    /// # Errors
    /// When the unit does not stop.
    pub fn stop(&self) -> anyhow::Result<()> {
        self.shell.check("systemctl stop coffre-workload && sync").map(drop)
    }

    /// Number of the last row that was acknowledged since the guest booted.
    ///
    /// # Errors
    /// When the writer never ran.
    pub fn acknowledged(&self) -> anyhow::Result<u64> {
        let text = self.shell.check("cat /run/coffre-workload/acknowledged")?;
        text.trim().parse().context("read the number of the acknowledged row")
    }

    /// Waits until the writer acknowledged that row, one minute at most.
    ///
    /// # Errors
    /// When it does not.
    pub fn wait_for_row(&self, number: u64) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.acknowledged()? < number {
            ensure!(Instant::now() < deadline, "the workload does not get to row {number}");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Hashes of all files under `/data` that no longer change; with the writer stopped these are all files.
    ///
    /// # Errors
    /// When the guest cannot read them.
    pub fn manifest(&self) -> anyhow::Result<Manifest> {
        let text = self.shell.check(&format!("{COMMAND} manifest"))?;
        let mut files = BTreeMap::new();
        for line in text.lines() {
            let (hash, path) =
                line.split_once("  ").context("a line of the manifest has no path")?;
            files.insert(path.to_owned(), hash.to_owned());
        }
        Ok(Manifest(files))
    }

    /// Looks into the database.
    ///
    /// # Errors
    /// When it cannot be opened. Damage is in the report.
    pub fn check(&self) -> anyhow::Result<DatabaseReport> {
        let output = self.shell.run(&format!("{COMMAND} check"))?;
        serde_json::from_str(&output.stdout).with_context(|| {
            format!("check the database in the guest: {}", output.stderr.trim_end())
        })
    }

    /// What is safe on the disks now.
    ///
    /// # Errors
    /// When the writer never ran or the files cannot be read.
    pub fn promise(&self) -> anyhow::Result<Promise> {
        Ok(Promise { rows: self.acknowledged()?, files: self.manifest()? })
    }

    /// Checks that the guest holds all that was promised: a sound database with at least the acknowledged rows and no
    /// gap, and every file with its hash.
    ///
    /// # Errors
    /// Says what is missing or damaged.
    pub fn check_promise(&self, promise: &Promise) -> anyhow::Result<DatabaseReport> {
        let report = self.check()?;
        ensure!(report.integrity == "ok", "the database is damaged: {}", report.integrity);
        ensure!(report.damaged.is_empty(), "rows are wrong: {:?}", report.damaged);
        let (rows, promised) = (report.rows, promise.rows);
        ensure!(rows >= promised, "{rows} rows are there, {promised} were acknowledged before");
        promise.files.check_within(&self.manifest()?)?;
        Ok(report)
    }
}

impl Manifest {
    /// Checks that every file of this manifest is in the other with the same hash.
    ///
    /// # Errors
    /// Names the first ones that are not.
    pub fn check_within(&self, other: &Manifest) -> anyhow::Result<()> {
        let wrong: Vec<&String> = self
            .0
            .iter()
            .filter(|(path, hash)| other.0.get(*path) != Some(hash))
            .map(|(path, _)| path)
            .collect();
        if !wrong.is_empty() {
            let (count, of) = (wrong.len(), self.0.len());
            bail!("{count} of {of} files are missing or changed: {:?}", &wrong[..count.min(5)]);
        }
        Ok(())
    }
}

/// A writer for the tiny guest: overwrites random 64 KiB blocks of a file, each with an fsync.
#[derive(Debug, Clone)]
pub struct Scribbler {
    shell: Shell,
    folder: String,
}

impl Scribbler {
    /// Starts writing in that folder of the guest, and waits for the first block.
    ///
    /// # Errors
    /// When the guest cannot write there.
    pub fn start(shell: &Shell, folder: &str) -> anyhow::Result<Scribbler> {
        shell.check(&format!("scribble start {folder}"))?;
        let scribbler = Scribbler { shell: shell.clone(), folder: folder.to_owned() };
        scribbler.wait_for_blocks(1)?;
        Ok(scribbler)
    }

    /// Blocks written since the start.
    ///
    /// # Errors
    /// When the guest does not answer.
    pub fn blocks(&self) -> anyhow::Result<u64> {
        let text = self.shell.check(&format!("scribble count {}", self.folder))?;
        text.trim().parse().context("read the number of blocks")
    }

    /// Waits until that many blocks were written, one minute at most.
    ///
    /// # Errors
    /// When they are not.
    pub fn wait_for_blocks(&self, number: u64) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.blocks()? < number {
            ensure!(Instant::now() < deadline, "the guest does not get to block {number}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Stops writing; returns when the last block is on the disk.
    ///
    /// # Errors
    /// When the guest does not answer.
    pub fn stop(self) -> anyhow::Result<()> {
        self.shell.check(&format!("scribble stop {}", self.folder)).map(drop)
    }
}
