//! Freezing and thawing real file systems: what is frozen, in what order, and who is left alone.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod freeze_support;

use std::fs;
use std::time::{Duration, Instant};

use coffre_guest::freeze::{FreezeCause, FreezeSpec, Freezer, Recovery, recover};
use freeze_support::{
    World, Writer, freeze_of_another, in_namespace, must, text, thaw_of_another, wait_until,
};

#[test]
fn three_kinds_of_file_system_are_frozen_and_thawed() {
    in_namespace("three_kinds_of_file_system_are_frozen_and_thawed", |folder| {
        let mut world = World::new(folder);
        for fs_type in ["ext4", "xfs", "btrfs"] {
            world.mount(fs_type, fs_type, None);
        }
        let frozen = Freezer::start(world.spec()).unwrap().freeze().unwrap();
        let kinds: Vec<_> = frozen.filesystems().iter().map(|s| s.fs_type.as_str()).collect();
        assert_eq!(kinds, ["btrfs", "xfs", "ext4"]);
        for at in &world.mounts {
            assert!(!freeze_of_another(at), "{} was not frozen", at.display());
        }
        let (started, at) = (frozen.started, frozen.frozen);
        let thawed = frozen.thaw();
        assert!(thawed.held, "{thawed:?}");
        assert!(started.steady <= at.steady && at.steady <= thawed.began.steady);
        assert_eq!(thawed.window, thawed.thawed_at.since(&started));
        world.assert_nothing_is_frozen();
        assert_eq!(recover(&world.state()).unwrap(), Recovery::Nothing);
    });
}

#[test]
fn bind_mounts_and_subvolumes_are_one_file_system() {
    in_namespace("bind_mounts_and_subvolumes_are_one_file_system", |folder| {
        let mut world = World::new(folder);
        let ext4 = world.mount("ext4", "a b", None);
        let btrfs = world.mount("btrfs", "btrfs", None);
        let mnt = folder.join("mnt");
        must("btrfs", &["subvolume", "create", btrfs.join("sub").to_str().unwrap()]);
        let device = text(
            &freeze_support::call("findmnt", &["-no", "SOURCE", btrfs.to_str().unwrap()]).stdout,
        );
        for name in ["sub", "bind"] {
            fs::create_dir(mnt.join(name)).unwrap();
        }
        must("mount", &["-o", "subvol=sub", device.trim(), mnt.join("sub").to_str().unwrap()]);
        must("mount", &["--bind", ext4.to_str().unwrap(), mnt.join("bind").to_str().unwrap()]);
        let freezer = Freezer::start(world.spec()).unwrap();
        assert_eq!(freezer.file_systems().len(), 2, "{:?}", freezer.file_systems());
        assert!(freezer.freeze().unwrap().thaw().held);
        world.assert_nothing_is_frozen();
        for name in ["sub", "bind"] {
            must("umount", &[mnt.join(name).to_str().unwrap()]);
        }
    });
}

#[test]
fn an_image_on_another_file_system_is_frozen_first() {
    in_namespace("an_image_on_another_file_system_is_frozen_first", |folder| {
        let mut world = World::new(folder);
        // Mounted before and beside its holder, so that neither the paths nor the order of mounting tell.
        let outer = world.mount("xfs", "zz-outer", None);
        let inner = world.mount("ext4", "inner", Some(&outer.join("image")));
        let inmost = world.mount("btrfs", "another", Some(&inner.join("image")));
        let moved = folder.join("mnt/moved");
        fs::create_dir(&moved).unwrap();
        must("mount", &["--bind", outer.to_str().unwrap(), moved.to_str().unwrap()]);
        let writers: Vec<_> = world.mounts.iter().map(|at| Writer::start(at)).collect();
        for _ in 0..5 {
            let frozen = Freezer::start(world.spec()).unwrap().freeze().unwrap();
            let order: Vec<_> = frozen.filesystems().iter().map(|s| s.fs_type.as_str()).collect();
            assert_eq!(order, ["btrfs", "ext4", "xfs"]);
            let thawed = frozen.thaw();
            assert!(thawed.held, "{thawed:?}");
        }
        for writer in writers {
            assert!(writer.end() < Duration::from_secs(3));
        }
        must("umount", &[moved.to_str().unwrap()]);
        assert!(inmost.exists());
        world.assert_nothing_is_frozen();
    });
}

#[test]
fn what_somebody_else_froze_is_left_frozen() {
    in_namespace("what_somebody_else_froze_is_left_frozen", |folder| {
        let mut world = World::new(folder);
        let first = world.mount("ext4", "first", None);
        let second = world.mount("ext4", "second", None);
        assert!(freeze_of_another(&first));
        let failure = Freezer::start(world.spec()).unwrap().freeze().unwrap_err();
        assert_eq!((failure.cause, failure.code), (FreezeCause::Foreign, 121));
        assert!(failure.what.contains("first"), "{failure}");
        assert!(thaw_of_another(&first), "we thawed what was not ours");
        assert!(!thaw_of_another(&second), "ours was left frozen");
    });
}

#[test]
fn a_thaw_by_somebody_else_is_told() {
    in_namespace("a_thaw_by_somebody_else_is_told", |folder| {
        let mut world = World::new(folder);
        let first = world.mount("ext4", "first", None);
        let frozen = Freezer::start(world.spec()).unwrap().freeze().unwrap();
        assert!(thaw_of_another(&first));
        let thawed = frozen.thaw();
        assert!(!thawed.held);
        assert!(thawed.why.unwrap().contains("somebody else thawed"));
    });
}

#[test]
fn the_ceiling_thaws_whatever_the_worker_does() {
    in_namespace("the_ceiling_thaws_whatever_the_worker_does", |folder| {
        let mut world = World::new(folder);
        let first = world.mount("ext4", "first", None);
        let ceiling = Duration::from_millis(300);
        let spec = FreezeSpec { ceiling, ..world.spec() };
        let begun = Instant::now();
        let frozen = Freezer::start(spec).unwrap().freeze().unwrap();
        fs::write(first.join("file"), "waits for the thaw").unwrap();
        assert!(begun.elapsed() < ceiling + Duration::from_secs(1));
        let thawed = frozen.thaw();
        assert!(!thawed.held);
        assert!(thawed.why.as_ref().unwrap().contains("by itself"), "{thawed:?}");
        assert!(thawed.window >= ceiling);
    });
}

#[test]
fn one_freeze_at_a_time() {
    in_namespace("one_freeze_at_a_time", |folder| {
        let mut world = World::new(folder);
        world.mount("ext4", "first", None);
        let frozen = Freezer::start(world.spec()).unwrap().freeze().unwrap();
        let failure = Freezer::start(world.spec()).unwrap_err();
        assert_eq!(failure.cause, FreezeCause::InProgress);
        assert_eq!(recover(&world.state()).unwrap(), Recovery::InProgress);
        assert!(frozen.thaw().held);
        let frozen = Freezer::start(world.spec()).unwrap().freeze().unwrap();
        assert!(frozen.thaw().held);
    });
}

#[test]
fn a_covered_mount_is_left_out_and_named() {
    in_namespace("a_covered_mount_is_left_out_and_named", |folder| {
        let mut world = World::new(folder);
        let first = world.mount("ext4", "first", None);
        must("mount", &["-t", "tmpfs", "tmpfs", first.to_str().unwrap()]);
        let freezer = Freezer::start(world.spec()).unwrap();
        assert!(freezer.file_systems().is_empty());
        assert_eq!(freezer.left_out()[0].mount, first);
        assert!(freezer.left_out()[0].partial);
        // Nothing to freeze is no failure.
        assert!(freezer.freeze().unwrap().thaw().held);
        must("umount", &[first.to_str().unwrap()]);
    });
}

#[test]
fn a_file_system_of_another_namespace_is_frozen_too() {
    in_namespace("a_file_system_of_another_namespace_is_frozen_too", |folder| {
        let mut world = World::new(folder);
        let first = world.mount("ext4", "first", None);
        // Another process takes the mounts along, and then ours goes away.
        let mut container = std::process::Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-c", "echo; read end"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = [0];
        std::io::Read::read_exact(container.stdout.as_mut().unwrap(), &mut line).unwrap();
        must("umount", &[first.to_str().unwrap()]);
        let there = format!("/proc/{}/root{}", container.id(), first.display());
        let frozen = Freezer::start(world.spec()).unwrap().freeze().unwrap();
        assert_eq!(frozen.filesystems().len(), 1);
        assert!(!freeze_of_another(there.as_ref()));
        assert!(frozen.thaw().held);
        assert!(!thaw_of_another(there.as_ref()));
        drop(container.stdin.take());
        container.wait().unwrap();
    });
}

#[test]
fn a_file_system_that_never_answers_is_not_touched() {
    in_namespace("a_file_system_that_never_answers_is_not_touched", |folder| {
        let mut world = World::new(folder);
        let first = world.mount("ext4", "first", None);
        // A server that takes no request: whoever opens anything below waits for ever.
        let server = fs::OpenOptions::new().read(true).write(true).open("/dev/fuse").unwrap();
        let options = format!(
            "fd={},rootmode=40000,user_id=0,group_id=0",
            std::os::fd::AsRawFd::as_raw_fd(&server)
        );
        let dead = folder.join("mnt/dead");
        fs::create_dir(&dead).unwrap();
        let options = std::ffi::CString::new(options).unwrap();
        let flags = rustix::mount::MountFlags::empty();
        rustix::mount::mount("dead", &dead, "fuse.dead", flags, options.as_c_str()).unwrap();
        let begun = Instant::now();
        let frozen = Freezer::start(world.spec()).unwrap().freeze().unwrap();
        assert_eq!(frozen.filesystems().len(), 1);
        assert!(frozen.thaw().held);
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        world.assert_nothing_is_frozen();
        rustix::mount::unmount(&dead, rustix::mount::UnmountFlags::DETACH).unwrap();
        assert!(first.exists());
    });
}

#[test]
fn no_room_for_the_state_means_no_freeze() {
    in_namespace("no_room_for_the_state_means_no_freeze", |folder| {
        let mut world = World::new(folder);
        world.mount("ext4", "first", None);
        let state = world.state();
        must("mount", &["-t", "tmpfs", "-o", "size=4k,mode=700", "tmpfs", state.to_str().unwrap()]);
        fs::write(state.join("full"), [1; 4096]).unwrap();
        let failure = Freezer::start(world.spec()).unwrap_err();
        assert!(failure.what.contains("cannot prepare"), "{failure}");
        world.assert_nothing_is_frozen();
        must("umount", &[state.to_str().unwrap()]);
        // On a disk it could itself be frozen.
        let spec = FreezeSpec { state: folder.join("mnt/first/state"), ..world.spec() };
        let failure = Freezer::start(spec).unwrap_err();
        assert!(failure.what.contains("is not on a tmpfs"), "{failure}");
    });
}

#[test]
fn a_full_file_system_is_frozen_and_thawed() {
    in_namespace("a_full_file_system_is_frozen_and_thawed", |folder| {
        let mut world = World::new(folder);
        for fs_type in ["ext4", "btrfs"] {
            let at = world.mount(fs_type, fs_type, None);
            let full = fs::write(at.join("full"), vec![1; 200 << 20]).unwrap_err();
            assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
        }
        assert!(Freezer::start(world.spec()).unwrap().freeze().unwrap().thaw().held);
        world.assert_nothing_is_frozen();
    });
}

#[test]
fn a_program_that_is_missing_has_its_own_code() {
    let failure = Freezer::start(FreezeSpec {
        program: "/nonexistent/coffre-guest".into(),
        ..FreezeSpec::default()
    });
    assert_eq!(failure.unwrap_err().code, 124);
}

#[test]
fn writers_are_held_up_for_the_window_and_no_longer() {
    in_namespace("writers_are_held_up_for_the_window_and_no_longer", |folder| {
        let mut world = World::new(folder);
        let first = world.mount("ext4", "first", None);
        let writer = Writer::start(&first);
        wait_until("it writes", Duration::from_secs(5), || writer.beats() > 10);
        let frozen = Freezer::start(world.spec()).unwrap().freeze().unwrap();
        let before = writer.beats();
        std::thread::sleep(Duration::from_millis(100));
        assert!(writer.beats() <= before + 1, "somebody wrote to a frozen file system");
        let thawed = frozen.thaw();
        assert!(thawed.held);
        let longest = writer.end();
        assert!(longest < thawed.window + Duration::from_millis(500), "{longest:?}");
    });
}

/// `dirty`: it hangs while it writes out what is in memory. Otherwise in the freeze itself, with another file system
/// frozen already.
fn hangs_in_the_kernel(folder: &std::path::Path, dirty: bool) {
    let mut world = World::new(folder);
    // The holders are outside of what we freeze. Somebody else has frozen the one.
    let (holder, other) = (folder.join("holder"), folder.join("other"));
    world.mount_at("ext4", &holder, None);
    world.mount_at("ext4", &other, None);
    let inner = world.mount("ext4", "inner", Some(&holder.join("image")));
    let first = world.mount("ext4", "first", Some(&other.join("image")));
    must("sync", &["-f", inner.to_str().unwrap()]);
    if dirty {
        fs::write(inner.join("dirty"), vec![1; 1 << 20]).unwrap();
    }
    let ceiling = Duration::from_millis(500);
    let spec = FreezeSpec { ceiling, prepare: ceiling, ..world.spec() };
    let freezer = Freezer::start(spec).unwrap();
    assert_eq!(freezer.file_systems()[0].mount, first);
    let writer = Writer::start(&first);
    assert!(freeze_of_another(&holder));
    let begun = Instant::now();
    let failure = freezer.freeze().unwrap_err();
    let took = begun.elapsed();
    let longest = writer.end();
    assert!(thaw_of_another(&holder), "we thawed what was not ours");
    assert!(took < Duration::from_secs(15), "{failure} after {took:?}");
    assert!(longest < ceiling + Duration::from_secs(1), "somebody waited for {longest:?}");
    let until = Instant::now() + Duration::from_secs(10);
    while recover(&world.state()).unwrap() == Recovery::InProgress {
        assert!(Instant::now() < until, "the freezer that hung is not gone");
    }
    fs::write(inner.join("file"), "is not frozen, or no longer").unwrap();
    world.assert_nothing_is_frozen();
}

#[test]
fn a_sync_that_hangs_in_the_kernel_freezes_nothing() {
    in_namespace("a_sync_that_hangs_in_the_kernel_freezes_nothing", |folder| {
        hangs_in_the_kernel(folder, true);
    });
}

#[test]
fn a_freeze_that_hangs_in_the_kernel_holds_up_nobody_else() {
    in_namespace("a_freeze_that_hangs_in_the_kernel_holds_up_nobody_else", |folder| {
        hangs_in_the_kernel(folder, false);
    });
}

#[test]
fn a_later_start_thaws_what_all_three_have_left() {
    use rustix::process::{Pid, Signal, kill_process};
    in_namespace("a_later_start_thaws_what_all_three_have_left", |folder| {
        let mut world = World::new(folder);
        let first = world.mount("ext4", "first", None);
        let state = world.state();
        for signal in [Signal::STOP, Signal::KILL] {
            let mut worker = std::process::Command::new(freeze_support::PROGRAM)
                .args(["try-freeze", "--hold-ms", "20000", "--ceiling-ms", "20000", "--state"])
                .arg(&state)
                .arg("--only")
                .arg(folder.join("mnt"))
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap();
            let frozen = || {
                let page = fs::read(state.join("marks")).unwrap_or_default();
                page.get(16 * 8).is_some_and(|mark| *mark == 2)
            };
            wait_until("it is frozen", Duration::from_secs(10), frozen);
            let session: serde_json::Value =
                serde_json::from_slice(&fs::read(state.join("session")).unwrap()).unwrap();
            let pid =
                |name: &str| Pid::from_raw(session[name]["pid"].as_i64().unwrap() as i32).unwrap();
            let all = [Pid::from_child(&worker), pid("freezer"), pid("watchdog")];
            // Stopped first, so that none sees the end of another.
            for signal in [Signal::STOP, signal] {
                all.iter().for_each(|pid| kill_process(*pid, signal).unwrap());
            }
            assert!(!freeze_of_another(&first), "it was thawed by a miracle");
            if signal == Signal::STOP {
                // They live, and the ceiling is far ahead: they are believed. Once it is over, they are not.
                assert_eq!(recover(&state).unwrap(), Recovery::InProgress);
                let mut page = fs::read(state.join("marks")).unwrap();
                page[..8].copy_from_slice(&1_u64.to_ne_bytes());
                // In place: the processes share this page.
                let marks = fs::OpenOptions::new().write(true).open(state.join("marks")).unwrap();
                std::os::unix::fs::FileExt::write_all_at(&marks, &page, 0).unwrap();
            }
            let thawed = Recovery::Thawed { thawed: vec![first.clone()] };
            let by_watchdog = Recovery::Thawed { thawed: Vec::new() };
            let found = recover(&state).unwrap();
            assert!(found == thawed || found == by_watchdog, "{found:?}");
            assert!(!thaw_of_another(&first), "left frozen");
            worker.kill().unwrap();
            worker.wait().unwrap();
        }
    });
}
