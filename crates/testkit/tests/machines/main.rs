//! The guests themselves: they boot, they can be driven, and the workload keeps its word.

use coffre_testkit::{Format, Guest, Machine, Scribbler, Shell, Workload, first_difference};
use serde_json::json;

#[test]
fn tiny_starts_warm_and_its_disks_are_mounted() {
    let machine = Machine::warm(Guest::Tiny).unwrap();
    println!("warm start of tiny: {:?}", machine.boot_time());
    let mounts = machine.shell().check("cat /proc/mounts").unwrap();
    for disk in machine.disks() {
        let mount = format!("{} {} ", disk.device, disk.mount.as_ref().unwrap());
        assert!(mounts.contains(&mount), "no {mount:?} in {mounts}");
    }
}

#[test]
fn tiny_boots_cold_with_a_blank_raw_disk_and_shuts_down() {
    let build = Machine::build(Guest::Tiny).blank_disk("blank", 16 << 20, Format::Raw);
    let mut machine = build.cold().unwrap();
    println!("cold boot of tiny: {:?}", machine.boot_time());
    machine
        .shell()
        .check("printf coffre | dd of=/dev/vdc bs=512 seek=1 conv=notrunc,fsync")
        .unwrap();
    let image = machine.disk("blank").path.clone();
    machine.shut_down().unwrap();
    let bytes = std::fs::read(image).unwrap();
    assert_eq!(&bytes[512..518], b"coffre");
}

#[test]
fn the_power_button_shuts_tiny_down() {
    let mut machine = Machine::warm(Guest::Tiny).unwrap();
    machine.qmp().call("system_powerdown", json!({})).unwrap();
    machine.wait_for_end().unwrap();
}

#[test]
fn the_harness_sees_into_a_frozen_guest() {
    let machine = Machine::warm(Guest::Tiny).unwrap();
    let scribbler = Scribbler::start(machine.shell(), "/mnt/vda").unwrap();
    let agent = Shell::at(&machine.agent_socket());
    assert_eq!(agent.agent("guest-fsfreeze-freeze", &json!({})).unwrap(), 2);
    // The writer hangs at the frozen file system: once it stands, it stands until the thaw.
    let mut frozen = scribbler.blocks().unwrap();
    machine.shell().check("sleep 1").unwrap();
    let later = scribbler.blocks().unwrap();
    assert!(later <= frozen + 1, "{later} blocks, {frozen} when frozen");
    frozen = later;
    assert_eq!(agent.agent("guest-fsfreeze-thaw", &json!({})).unwrap(), 2);
    scribbler.wait_for_blocks(frozen + 3).unwrap();
    scribbler.stop().unwrap();
    let log = machine.shell().check("cat /run/fsfreeze-hook.log").unwrap();
    assert_eq!(log.lines().count(), 2, "{log}");
}

#[test]
fn a_paused_disk_is_the_truth_of_that_moment() {
    let machine = Machine::warm(Guest::Tiny).unwrap();
    let scribbler = Scribbler::start(machine.shell(), "/mnt/vda").unwrap();
    let copy = |name: &str| {
        let path = machine.folder().join(name);
        machine.copy_disk("first", &path).map(|()| path)
    };
    assert!(copy("running.raw").is_err(), "a running disk was copied");
    machine.pause().unwrap();
    let (one, two) = (copy("one.raw").unwrap(), copy("two.raw").unwrap());
    assert_eq!(first_difference(&one, &two).unwrap(), None);
    machine.unpause().unwrap();
    let written = scribbler.blocks().unwrap();
    scribbler.wait_for_blocks(written + 5).unwrap();
    scribbler.stop().unwrap();
    machine.pause().unwrap();
    assert!(first_difference(&one, &copy("three.raw").unwrap()).unwrap().is_some());
}

#[test]
fn a_killed_machine_starts_again_with_what_was_flushed() {
    let mut machine = Machine::warm(Guest::Tiny).unwrap();
    machine.shell().check("echo kept >/mnt/vdb/file && sync /mnt/vdb/file /mnt/vdb").unwrap();
    machine.kill().unwrap();
    machine.start().unwrap();
    assert_eq!(machine.shell().check("cat /mnt/vdb/file").unwrap(), "kept\n");
}

#[test]
fn a_failing_script_says_so() {
    let machine = Machine::warm(Guest::Tiny).unwrap();
    let output = machine.shell().run("echo out; echo err >&2; exit 3").unwrap();
    assert_eq!((output.code, &*output.stdout, &*output.stderr), (Some(3), "out\n", "err\n"));
    let error = machine.shell().check("exit 4").unwrap_err().to_string();
    assert!(error.contains("Some(4)"), "{error}");
}

#[test]
fn debian_boots_cold_and_systemd_is_content() {
    let mut machine = Machine::build(Guest::Debian).flat_disks().cold().unwrap();
    println!("cold boot of debian: {:?}", machine.boot_time());
    let state = machine.shell().run("systemctl is-system-running --wait").unwrap();
    let failed =
        machine.shell().check("systemctl list-units --failed --plain --no-legend").unwrap();
    assert_eq!((state.stdout.trim(), failed.trim()), ("running", ""));
    assert_eq!(machine.shell().check("cat /proc/1/comm").unwrap(), "systemd\n");
    let types = machine.shell().check("findmnt -no FSTYPE / && findmnt -no FSTYPE /data").unwrap();
    assert_eq!(types, "ext4\nxfs\n");
    // The power button, which takes logind and the button's driver.
    machine.qmp().call("system_powerdown", json!({})).unwrap();
    machine.wait_for_end().unwrap();
}

#[test]
fn the_workload_stands_still_while_debian_is_frozen() {
    let machine = Machine::warm(Guest::Debian).unwrap();
    let workload = Workload::on(machine.shell());
    workload.start().unwrap();
    let agent = Shell::at(&machine.agent_socket());
    assert_eq!(agent.agent("guest-fsfreeze-freeze", &json!({})).unwrap(), 2);
    // The row that was under way may have reached the disk before the freeze and been acknowledged after it.
    let frozen = workload.acknowledged().unwrap();
    machine.shell().check("sleep 1").unwrap();
    let later = workload.acknowledged().unwrap();
    assert!(later <= frozen + 1, "row {later}, {frozen} when frozen");
    assert_eq!(agent.agent("guest-fsfreeze-thaw", &json!({})).unwrap(), 2);
    workload.wait_for_row(later + 2).unwrap();
}

#[test]
fn the_workload_keeps_its_promise_over_a_crash() {
    let mut machine = Machine::warm(Guest::Debian).unwrap();
    println!("warm start of debian: {:?}", machine.boot_time());
    let workload = Workload::on(machine.shell());
    workload.start().unwrap();
    workload.wait_for_row(40).unwrap();
    let promise = workload.promise().unwrap();
    assert!(promise.rows >= 40 && promise.files.0.len() >= 4, "{promise:?}");
    machine.kill().unwrap();
    machine.start().unwrap();
    let report = Workload::on(machine.shell()).check_promise(&promise).unwrap();
    println!("{} rows acknowledged, {} rows after the crash", promise.rows, report.rows);
}

#[test]
fn the_manifest_of_a_stopped_workload_is_complete_and_stable() {
    let machine = Machine::warm(Guest::Debian).unwrap();
    let workload = Workload::on(machine.shell());
    workload.start().unwrap();
    workload.wait_for_row(20).unwrap();
    workload.stop().unwrap();
    let manifest = workload.manifest().unwrap();
    assert_eq!(workload.manifest().unwrap(), manifest);
    for file in ["entries.db", "blocks.bin", "notes/00000008.txt"] {
        assert!(
            manifest.0.contains_key(&format!("/data/workload/{file}")),
            "{file} is not in {manifest:?}"
        );
    }
    // The check of a manifest can fail.
    machine.shell().check("echo more >>/data/workload/notes/00000008.txt").unwrap();
    let error = manifest.check_within(&workload.manifest().unwrap()).unwrap_err().to_string();
    assert!(error.contains("00000008.txt"), "{error}");
}
