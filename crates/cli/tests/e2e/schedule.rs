//! What the service does by itself, with its real threads: a slot that was missed, the end of a point; and a machine that ran
//! runs again after a restore in its place.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use coffre_testkit::Guest;
use coffre_testkit::service::{Commands, RestoreTo};

use crate::world::{PATIENCE, World, files_below};

const DAY: i64 = 86_400_000_000;

/// Asks the database; changes that of a service that is stopped, as time would have.
fn change(world: &World, sql: &str) -> anyhow::Result<String> {
    let database = database(world)?;
    let done = Command::new("sqlite3").arg(&database).arg(sql).output().context("run sqlite3")?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

fn database(world: &World) -> anyhow::Result<PathBuf> {
    let files = files_below(world.service.folder())?;
    let is = |file: &PathBuf| file.extension().is_some_and(|it| it == "db" || it == "sqlite");
    files.into_iter().find(is).context("the service has a database")
}

fn wait_until(what: &str, mut holds: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    while !holds()? {
        if Instant::now() > until {
            bail!("waited for {what}");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// The machine is protected and never backed up; its slot passes while the service is down, twice. At the next start one
/// scheduled backup is the initial one and makes up for both. Then a point has its time behind it: it goes, the newest stays.
#[test]
fn a_missed_slot_is_made_up_for_and_points_end() -> anyhow::Result<()> {
    let mut world = World::protected(Guest::Tiny, "")?;
    world.stop_vm()?;
    world.service.stop()?;
    change(
        &world,
        &format!("UPDATE agenda SET due = 1, slot = slot - {DAY} * 2 WHERE task = 'backup'"),
    )?;
    world.service.start()?;
    wait_until("the scheduled backup", || Ok(world.points()?.len() == 1))?;
    let first = world.newest_job("Backup")?;
    world.wait(&first)?.must_be_completed()?;
    ensure!(world.jobs("Backup")?.len() == 1, "one backup makes up for all that was missed");
    let item = world.verbs.run(&["item", "list", "-v", "safe"])?;
    ensure!(item[0]["properties"]["protectionState"] == "Protected", "{item}");

    world.back_up()?;
    let old = world.points()?.pop().context("the scheduled point")?.name;
    world.service.stop()?;
    // The scheduled point was asked for by hand, and until long ago.
    change(
        &world,
        "UPDATE point SET doc = json_set(doc, '$.slot', json('null'), '$.retain_until', \
         '2020-01-01T00:00:00Z'), slot = NULL WHERE slot IS NOT NULL; \
         UPDATE agenda SET due = 1 WHERE task = 'expiry'",
    )?;
    world.service.start()?;
    // It can be brought back for two weeks; then it goes.
    let marked =
        "SELECT count(*) FROM point WHERE json_extract(doc, '$.deletion.until') IS NOT NULL";
    wait_until("the grace of the first point", || Ok(change(&world, marked)?.trim() == "1"))?;
    ensure!(world.points()?.iter().any(|point| point.name == old), "it is still there");
    world.service.stop()?;
    change(
        &world,
        "UPDATE point SET doc = json_set(doc, '$.deletion.until', '2020-01-15T00:00:00Z') \
         WHERE json_extract(doc, '$.deletion.until') IS NOT NULL; \
         UPDATE agenda SET due = 1 WHERE task = 'expiry'",
    )?;
    world.service.start()?;
    wait_until("the end of the first point", || {
        Ok(world.points()?.iter().all(|point| point.name != old))
    })?;
    ensure!(world.points()?.len() == 1, "the newest stays");
    world.restore_to_files()?;
    Ok(())
}

/// It is turned off for the restore, and on again after it.
#[test]
fn a_machine_that_ran_runs_again_after_a_restore_in_place() -> anyhow::Result<()> {
    let world = World::protected(Guest::Tiny, "")?;
    world.guest.shell().check("echo kept >/mnt/vda/file && sync")?;
    world.back_up()?;
    world.guest.shell().check("echo lost >/mnt/vda/file && sync")?;
    let before = world.guest.qemu_pid()?.context("the machine runs")?;
    let point = world.points()?.into_iter().next().context("there is a recovery point")?;
    let job = world.verbs.restore("lab", "safe", "web", &point.name, RestoreTo::Original)?;
    let done = world.wait(&job)?;
    done.must_be_completed().with_context(|| world.service.log_tail())?;
    ensure!(done.body.to_string().contains("Start virtual machine"), "{}", done.body);
    let after = world.guest.qemu_pid()?.context("the machine runs again")?;
    ensure!(before != after, "it was turned off for the restore");
    world.guest.shell().wait_until_ready(PATIENCE)?;
    world.guest.shell().check("grep -q kept /mnt/vda/file")?;
    Ok(())
}
