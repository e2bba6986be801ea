//! A PostgreSQL under load, its cluster on one disk and its write-ahead log on another: every restored copy is a whole
//! database that holds all that was acknowledged before its point.
//!
//! `COFFRE_POSTGRES_RUNS` is the number of backups; two when nobody says otherwise.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use coffre_testkit::{Guest, Shell};
use serde::Deserialize;

use crate::extension::{last_lines, package, wait_for_the_extension};
use crate::world::{VM, World, format_of};

/// The scripts as they are shipped.
const PRE: &str = include_str!("../../../guest/workloads/postgresql/pre.sh");
const POST: &str = include_str!("../../../guest/workloads/postgresql/post.sh");

const PLUGIN: &str = r#"{"pluginName": "ScriptRunner", "preScriptLocation": "/etc/azure/pre.sh",
    "postScriptLocation": "/etc/azure/post.sh", "preScriptParams": [], "postScriptParams": [],
    "preScriptNoOfRetries": 1, "postScriptNoOfRetries": 2, "timeoutInSeconds": 300,
    "continueBackupOnFailure": true, "fsFreezeEnabled": true}"#;

/// The one line with this word that every recovery ends with: behind the last record there is none.
/// Where the last record ends with its page, the next page was never written: its magic number is zero.
const END_OF_LOG: [&str; 2] =
    ["invalid record length at ", "invalid magic number 0000 in log segment"];

/// Words of a recovery that found something wrong.
const TROUBLE: [&str; 8] =
    ["PANIC", "FATAL", "ERROR", "WARNING", "invalid", "could not", "corrupt", "missing"];

#[derive(Debug, Deserialize)]
struct Copy {
    entries: u64,
    highest: u64,
    wrong: u64,
    transfers: u64,
    sums: [i64; 4],
}

#[test]
fn a_database_under_load_comes_back_from_every_point() -> anyhow::Result<()> {
    let asked = std::env::var("COFFRE_POSTGRES_RUNS").ok();
    let runs: u32 = asked.map_or(Ok(2), |runs| runs.parse())?;
    let folder = tempfile::tempdir()?;
    let (package, trust) = package(folder.path())?;
    let more = format!("[extension]\npackage = \"{package}\"\ntrust = [\"{trust}\"]\n");
    let world = World::protected(Guest::Postgres, &more)?;
    wait_for_the_extension(&world)?;
    let shell = world.guest.shell();
    install_scripts(shell)?;
    shell.check("systemctl start coffre-postgres-load")?;

    let mut transfers = 0;
    for run in 1..=runs {
        let promised = acknowledged(shell)?;
        let job = world.back_up()?;
        let log = || world.verbs.text(&["vm", "log", "-n", VM]).unwrap_or_default();
        let level = job.fact("Consistency");
        ensure!(level == Some("AppConsistent"), "{}\n{}", job.body, last_lines(&log(), 60));
        let points = world.points()?;
        ensure!(points[0].consistency() == "AppConsistent", "{}", points[0].body);
        let (copy, log) = start_copy(&world)?;
        must_be_whole(&copy, &log, promised)?;
        ensure!(copy.transfers > transfers, "no load between the points: {copy:?}");
        transfers = copy.transfers;
        let window = job.fact("Freeze window").context("the window is measured")?;
        println!("backup {run}: held for {window}, {promised} entries promised, {copy:?}");
    }

    // The scripts refuse a server that would lose data. The point is taken without their word, and says so.
    shell.check("psql -X -U postgres -c 'ALTER SYSTEM SET full_page_writes = off' -c 'SELECT pg_reload_conf()'")?;
    let job = world.back_up()?;
    ensure!(job.fact("Consistency") == Some("FileSystemConsistent"), "{}", job.body);
    let reason = job.fact("Consistency reason").context("the level has a reason")?;
    ensure!(reason.contains("full_page_writes is off"), "{reason}");
    println!("with a failing script: {reason}");
    ensure!(world.points()?[0].consistency() == "FileSystemConsistent", "{}", job.body);
    world.must_be_clean()
}

/// As an administrator does it by the README of the scripts.
fn install_scripts(shell: &Shell) -> anyhow::Result<()> {
    let files = [
        ("pre.sh", PRE, "700"),
        ("post.sh", POST, "700"),
        ("VMSnapshotScriptPluginConfig.json", PLUGIN, "600"),
    ];
    for (name, text, mode) in files {
        let path = format!("/etc/azure/{name}");
        shell.check(&format!(
            "mkdir -p /etc/azure && cat > {path} <<'END'\n{text}\nEND\nchmod {mode} {path}"
        ))?;
    }
    Ok(())
}

fn acknowledged(shell: &Shell) -> anyhow::Result<u64> {
    let text = shell.check("cat /run/coffre-postgres/acknowledged")?;
    text.trim().parse().context("the number of the acknowledged entry")
}

/// Restores the newest point, starts its server and looks into it; also what the server said.
fn start_copy(world: &World) -> anyhow::Result<(Copy, String)> {
    let folder = tempfile::tempdir()?;
    let mut images = Vec::new();
    for (key, image) in world.restore_to_files()? {
        let raw = folder.path().join(format!("{key}.raw"));
        to_raw(&image, &raw)?;
        std::fs::remove_file(image)?;
        images.push(raw);
    }
    let [root, data] = <[PathBuf; 2]>::try_from(images).ok().context("two disks")?;
    let output = Command::new("unshare")
        .args(["--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"])
        .args(["sh", "-c", include_str!("postgres.sh"), "postgres.sh"])
        .args([root.as_path(), data.as_path(), folder.path()])
        .output()
        .context("start unshare")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the copy is not whole ({}): {said}", output.status);
    let copy = serde_json::from_slice(&output.stdout).with_context(|| said.into_owned())?;
    Ok((copy, std::fs::read_to_string(folder.path().join("log"))?))
}

fn to_raw(image: &Path, raw: &Path) -> anyhow::Result<()> {
    let status = Command::new("qemu-img")
        .args(["convert", "-f", format_of(image), "-O", "raw"])
        .args([image, raw])
        .status()
        .context("start qemu-img")?;
    ensure!(status.success(), "{} cannot be read", image.display());
    Ok(())
}

fn must_be_whole(copy: &Copy, log: &str, promised: u64) -> anyhow::Result<()> {
    ensure!(log.contains("database system is ready to accept connections"), "{log}");
    let at_the_end = |line: &str| END_OF_LOG.iter().any(|end| line.contains(end));
    ensure!(log.lines().filter(|line| at_the_end(line)).count() <= 1, "a log has one end: {log}");
    for line in log.lines().filter(|line| !at_the_end(line)) {
        ensure!(!TROUBLE.iter().any(|word| line.contains(word)), "{line}\nin\n{log}");
    }
    ensure!(copy.highest >= promised, "{promised} was acknowledged before the point: {copy:?}");
    ensure!(copy.entries == copy.highest && copy.wrong == 0, "{copy:?}");
    ensure!(copy.sums.iter().all(|sum| *sum == copy.sums[0]), "{copy:?}");
    Ok(())
}
