//! What a recovery point holds: the disks of one moment, byte for byte, while the guest writes on.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use coffre_testkit::{Guest, Scribbler};
use serde_json::json;

use crate::world::{PATIENCE, World, format_of, must_be_equal};

/// The truth is learnt by stopping the processors, copying the disks, and letting the guest run on (and write) only once
/// the point is taken.
#[test]
fn a_backup_under_load_is_the_disks_at_the_point() -> anyhow::Result<()> {
    let world = World::protected(Guest::Tiny, "")?;
    let first = Scribbler::start(world.guest.shell(), "/mnt/vda")?;
    let second = Scribbler::start(world.guest.shell(), "/mnt/vdb")?;
    first.wait_for_blocks(50)?;
    second.wait_for_blocks(50)?;

    let mut qmp = world.guest.qmp()?;
    qmp.call("stop", json!({}))?;
    let mut truth = Vec::new();
    for (key, _) in world.guest.images() {
        let path = world.path(&format!("truth-{key}.raw"));
        world.guest.copy_disk(key, &path)?;
        truth.push((key.clone(), path));
    }
    let job = world.start_backup()?;
    wait_until_the_point_is_taken(&world, &job)?;
    qmp.call("cont", json!({}))?;
    drop(qmp);
    // Everything that was on the disks at the point is overwritten while the point is read, or after.
    let done = world.wait(&job)?;
    done.must_be_completed()?;
    first.wait_for_blocks(first.blocks()? + 20)?;
    second.wait_for_blocks(second.blocks()? + 20)?;

    for ((key, truth), (_, restored)) in truth.iter().zip(world.restore_to_files()?) {
        must_be_equal(("raw", truth), (format_of(&restored), &restored), &format!("disk {key}"))?;
    }
    world.must_be_clean()
}

/// With a guest that answers, the file systems are frozen for the moment of the point, and that moment is short and known.
#[test]
fn a_guest_with_an_agent_gives_file_system_consistent_points() -> anyhow::Result<()> {
    let world = World::protected(Guest::Tiny, "")?;
    let scribbler = Scribbler::start(world.guest.shell(), "/mnt/vda")?;
    scribbler.wait_for_blocks(20)?;
    let job = world.back_up()?;
    let window = job.fact("Freeze window").context("the window is measured")?;
    let ms: u64 = window.trim_end_matches(" ms").parse()?;
    ensure!((1..10_000).contains(&ms), "the window is {window}");
    let points = world.points()?;
    ensure!(points.len() == 1, "{} points", points.len());
    ensure!(points[0].consistency() == "FileSystemConsistent", "{}", points[0].body);
    for (key, image) in world.restore_to_files()? {
        let check = check_file_system(&image)?;
        ensure!(check, "the file system of disk {key} needs repair");
    }
    world.must_be_clean()
}

/// A VM that is off is read from its images; nothing is started for that.
#[test]
fn a_vm_that_is_off_is_backed_up_too() -> anyhow::Result<()> {
    let world = World::protected(Guest::Tiny, "")?;
    world.guest.shell().check("echo kept >/mnt/vda/file && sync")?;
    world.stop_vm()?;
    let job = world.back_up()?;
    ensure!(job.fact("Consistency") == Some("CrashConsistent"), "{}", job.body);
    ensure!(world.guest.qemu_pid()?.is_none(), "the VM was started");
    for ((key, image), (_, restored)) in world.guest.images().iter().zip(world.restore_to_files()?)
    {
        must_be_equal(("qcow2", image), (format_of(&restored), &restored), &format!("disk {key}"))?;
    }
    Ok(())
}

/// The service stays small: idle and in a backup.
#[test]
fn the_service_needs_little_memory() -> anyhow::Result<()> {
    const MIB: u64 = 1 << 20;
    let world = World::protected(Guest::Debian, "")?;
    let idle = world.service.memory_bytes()?;
    world.back_up()?;
    let peak = world.service.peak_memory_bytes()?;
    println!("idle {} MiB, peak in a backup {} MiB", idle / MIB, peak / MIB);
    ensure!(idle < 100 * MIB, "the idle service has {} MiB", idle / MIB);
    ensure!(peak < 200 * MIB, "the service had {} MiB in a backup", peak / MIB);
    Ok(())
}

fn wait_until_the_point_is_taken(world: &World, job: &str) -> anyhow::Result<()> {
    use coffre_testkit::service::Commands;
    let started = Instant::now();
    loop {
        let seen = world.verbs.job(crate::world::GROUP, crate::world::VAULT, job)?;
        let tasks = &seen.body["properties"]["extendedInfo"]["tasksList"];
        if tasks[0]["status"] == "Completed" {
            return Ok(());
        }
        ensure!(seen.is_running(), "the job ended: {}", seen.body);
        ensure!(started.elapsed() < PATIENCE, "the point is not taken: {}", seen.body);
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether the file system in an image is whole by its own checker, on a copy that was mounted once. (A freeze leaves a
/// note in the log of an xfs so that a mount after a crash looks there; the checker alone will not.)
pub(crate) fn check_file_system(image: &Path) -> anyhow::Result<bool> {
    let raw = image.with_extension("checked");
    let here = image.with_extension("mounted");
    std::fs::create_dir(&here)?;
    let image = image.to_str().context("the path is UTF-8")?;
    let format = format_of(Path::new(image));
    let (raw, here) =
        (raw.to_str().context("the path is UTF-8")?, here.to_str().context("the path is UTF-8")?);
    run("qemu-img", &["convert", "-f", format, "-O", "raw", image, raw])?;
    run("mount", &["-o", "loop", raw, here])?;
    run("umount", &[here])?;
    let kind = run("blkid", &["-o", "value", "-s", "TYPE", raw])?;
    let checked = match kind.trim() {
        "xfs" => run("xfs_repair", &["-n", "-f", raw]),
        "ext4" => run("e2fsck", &["-f", "-n", raw]),
        other => bail!("no file system but {other:?} in {image}"),
    };
    if let Err(error) = &checked {
        println!("{error:#}");
    }
    std::fs::remove_file(raw)?;
    std::fs::remove_dir(here)?;
    Ok(checked.is_ok())
}

fn run(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.with_context(|| format!("start {program}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let why = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {arguments:?}: {said}{why}");
    Ok(said)
}
