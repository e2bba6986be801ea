//! The VMSnapshot extension, from its package to a recovery point: a protected guest gets it by itself and is held by it.

use std::time::Instant;

use anyhow::{Context, ensure};
use coffre_testkit::{Guest, Workload, extension_program};
use serde_json::Value;

use crate::world::{GROUP, PATIENCE, VAULT, VM, World};

/// A signed package in the folder, and the key that others must trust.
pub(crate) fn package(folder: &std::path::Path) -> anyhow::Result<(String, String)> {
    let coffre = |arguments: &[&str]| -> anyhow::Result<String> {
        let output =
            std::process::Command::new(crate::world::program()).args(arguments).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{arguments:?}: {said}");
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    let text = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let (key, to) = (text("key.pem"), text("extension.zip"));
    let program = extension_program()?;
    let program = program.to_str().context("the path is UTF-8")?;
    let trusted = coffre(&["extension", "key", "--key-file", &key])?;
    coffre(&["extension", "package", "--program", program, "--key-file", &key, "--to", &to])?;
    Ok((to, trusted))
}

#[test]
fn a_protected_guest_gets_the_extension_and_is_held_by_it() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (package, trust) = package(folder.path())?;
    let more = format!("[extension]\npackage = \"{package}\"\ntrust = [\"{trust}\"]\n");
    let world = World::protected(Guest::Debian, &more)?;
    wait_for_the_extension(&world)?;
    Workload::on(world.guest.shell()).start()?;

    let job = world.back_up()?;
    let fact = |name: &str| job.fact(name).with_context(|| format!("{name} in {}", job.body));
    ensure!(fact("Frozen by")?.starts_with("VMSnapshotLinux "), "{}", job.body);
    ensure!(fact("Consistency")? == "FileSystemConsistent", "{}", job.body);
    let started = fact("Freeze started (guest)")?;
    let (frozen, thawed) = (fact("Frozen (guest)")?, fact("Thawed (guest)")?);
    ensure!(started <= frozen && frozen < thawed, "{}", job.body);
    let points = world.points()?;
    ensure!(points[0].consistency() == "FileSystemConsistent", "{}", points[0].body);
    for (key, image) in world.restore_to_files()? {
        let clean = crate::point::check_file_system(&image)?;
        ensure!(clean, "the file system of disk {key} needs repair");
    }
    shown_to_people(&world)?;
    world.must_be_clean()
}

/// The unmodified `az` lists it, and the log of the guest is read through the service.
fn shown_to_people(world: &World) -> anyhow::Result<()> {
    let az = crate::az::az_of(world)?;
    let group = world.vm["group"].as_str().context("a VM is in a group")?;
    let listing = ["vm", "extension", "list", "--resource-group", group, "--vm-name", VM];
    let table = az.text(&[&listing[..], &["-o", "table"]].concat())?;
    println!("az vm extension list -o table\n{table}");
    let rows: Vec<&str> = table.lines().filter(|line| line.contains("VMSnapshotLinux")).collect();
    let wanted = ["Succeeded", "Microsoft.Azure.RecoveryServices"];
    ensure!(rows.len() == 1 && wanted.iter().all(|word| rows[0].contains(word)), "{table}");
    let list = az.run(&listing)?;
    ensure!(list[0]["provisioningState"] == "Succeeded", "{list}");

    let log = world.verbs.text(&["vm", "log", "-n", VM])?;
    println!("the last lines of coffre vm log\n{}", last_lines(&log, 6));
    ensure!(log.starts_with("==> /var/log/azure/"), "{log}");
    ensure!(log.contains("extension.log <==") && log.contains("Thawed after"), "{log}");
    Ok(())
}

pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// It comes when the machine is protected and runs, before any backup.
pub(crate) fn wait_for_the_extension(world: &World) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let listed = world.verbs.run(&["vm", "list"])?;
        let found = listed.as_array().into_iter().flatten().find(|vm| vm["name"] == VM);
        let state = found.map_or(&Value::Null, |vm| &vm["properties"]["instanceView"]);
        if state["extensions"][0]["statuses"][0]["code"] == "ProvisioningState/succeeded" {
            return Ok(());
        }
        let log = || world.service.log_tail();
        ensure!(begun.elapsed() < PATIENCE, "{GROUP}/{VAULT}: {listed} {}", log());
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
}

#[test]
fn a_changed_package_keeps_the_service_from_starting() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (package, trust) = package(folder.path())?;
    let mut bytes = std::fs::read(&package)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&package, bytes)?;
    let config = folder.path().join("coffre.toml");
    let text = format!("[extension]\npackage = \"{package}\"\ntrust = [\"{trust}\"]\n");
    std::fs::write(&config, text)?;
    let output = std::process::Command::new(crate::world::program())
        .args(["serve", "--listen", "127.0.0.1:0", "--config"])
        .arg(&config)
        .arg("--data")
        .arg(folder.path().join("data"))
        .arg("--admin-secret-file")
        .arg(folder.path().join("secret"))
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(!output.status.success() && said.contains("was changed after it was signed"), "{said}");
    Ok(())
}
