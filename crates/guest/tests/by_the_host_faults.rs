//! Faults while the host holds a guest by the extension: the service dies, the channel is cut, nothing in the guest runs
//! any more, a server of files is dead. No guest stays frozen, and no point says more than is true.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests, and what was measured"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use coffre_fabric::qemu::{QemuConfig, QemuFabric};
use coffre_fabric::{Consistency, Fabric as _, FreezeWish, FrozenBy, Release, SnapshotRequest};
use coffre_testkit::{Machine as Vm, Workload};
use uuid::Uuid;

mod host_support;

use host_support::{FREEZE, Guarded, config, extension, not_left_frozen, program};

/// What a child process needs to know to take a point.
const TASK: &str = "COFFRE_TEST_POINT";

/// Takes a point in a process of its own, told by a variable; alone it does nothing.
#[test]
fn a_process_that_takes_a_point() {
    let Ok(task) = std::env::var(TASK) else { return };
    let (config, scratch, seconds): (QemuConfig, PathBuf, Option<u64>) =
        serde_json::from_str(&task).unwrap();
    let id = config.machines[0].id;
    let fabric = QemuFabric::new(config).unwrap();
    let freeze = match seconds {
        // Without the extension, by the guest agent alone.
        Some(seconds) => FreezeWish { ask: true, timeout: Duration::from_secs(seconds) },
        None => {
            fabric.offer_extension(extension("1.0.0.0", &program()));
            FREEZE
        }
    };
    let machine = fabric.machine(id).unwrap();
    let point = Uuid::new_v4();
    let request = SnapshotRequest { point, parent: None, scratch, freeze, local: None };
    let taken = machine.take_snapshot(&request);
    println!("{taken:?}");
}

/// QEMU behind a door that keeps transactions back for as long as the latch is closed; without a latch, for ever. `came`
/// says that one was there.
fn behind_a_door(vm: &Vm, latch: Option<&Arc<AtomicBool>>, came: &Arc<AtomicBool>) -> PathBuf {
    let socket = vm.folder().join("slow.sock");
    let (listener, real) = (UnixListener::bind(&socket).unwrap(), vm.qmp_socket());
    let (latch, came) = (latch.cloned(), came.clone());
    std::thread::spawn(move || {
        for client in listener.incoming().map(Result::unwrap) {
            let server = UnixStream::connect(&real).unwrap();
            let (mut back, to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut back, &mut { to }));
            let mut server = server;
            for line in BufReader::new(client).lines().map_while(Result::ok) {
                if line.contains("\"transaction\"") {
                    came.store(true, Ordering::SeqCst);
                    let Some(latch) = &latch else { continue };
                    while !latch.load(Ordering::SeqCst) {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
                if writeln!(server, "{line}").is_err() {
                    break;
                }
            }
            // QEMU serves the next client when this one is gone.
            let _ = server.shutdown(Shutdown::Both);
        }
    });
    socket
}

/// The channel of the guest agent behind a door that can be slammed once: whoever talks is cut off.
fn behind_a_slamming_door(vm: &Vm, slam: &Arc<AtomicBool>) -> PathBuf {
    let socket = vm.folder().join("agent-door.sock");
    let (listener, real) = (UnixListener::bind(&socket).unwrap(), vm.agent_socket());
    let slam = Arc::clone(slam);
    std::thread::spawn(move || {
        for client in listener.incoming().map(Result::unwrap) {
            let server = UnixStream::connect(&real).unwrap();
            let (mut back, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut back, &mut to));
            let (mut from, mut server) = (client, server);
            from.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
            let mut piece = [0; 4096];
            loop {
                match from.read(&mut piece) {
                    Ok(0) => break,
                    Ok(length) => server.write_all(&piece[..length]).unwrap(),
                    Err(_) if slam.swap(false, Ordering::SeqCst) => break,
                    Err(_) => {}
                }
            }
            let _ = (from.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
        }
    });
    socket
}

fn wait_until_frozen(guest: &Guarded) {
    let begun = Instant::now();
    while guest.check("cat /run/coffre-guest/channel/ready 2>/dev/null || true").is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the guest is not frozen");
    }
}

#[test]
fn a_service_that_dies_in_the_window_leaves_nothing_frozen_beyond_the_ceiling() {
    let guest = Guarded::new();
    guest.fabric.offer_extension(extension("1.0.0.0", &program()));
    guest.machine.prepare_extension().unwrap();
    let slow = config(&guest.vm, "3", behind_a_door(&guest.vm, None, &Arc::default()));
    let task = serde_json::to_string(&(&slow, &guest.scratch, None::<u64>)).unwrap();
    let mut service = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_process_that_takes_a_point"])
        .env(TASK, task)
        .spawn()
        .unwrap();
    wait_until_frozen(&guest);
    service.kill().unwrap();
    service.wait().unwrap();
    let killed = Instant::now();
    not_left_frozen(&guest);
    let frozen = killed.elapsed();
    println!("thawed by itself {frozen:?} after the service was killed");
    // The ceiling is ten seconds, and the watchdog's grace and a slow shell come on top.
    assert!(frozen < Duration::from_secs(15), "{frozen:?}");
    // The next service finds the note, and takes the next point as if nothing had been.
    let service = QemuFabric::new(slow_repaired(&guest, slow)).unwrap();
    let machine = service.machine(service.machines().unwrap()[0].id).unwrap();
    let left = machine.leftovers().unwrap();
    assert_eq!(left.len(), 1);
    machine.release(left[0], Release::Abandoned).unwrap();
    let report = guest.take(&*guest.machine);
    assert_eq!(report.consistency, Consistency::FileSystem, "{}", report.reason);
}

#[test]
fn a_guest_without_the_extension_is_thawed_by_its_guard_when_the_service_dies() {
    const SECONDS: u64 = 10;
    let guest = Guarded::new();
    // Nothing is left of a point that went well.
    let report = guest.take(&*guest.machine);
    assert_eq!(report.freeze.unwrap().by, FrozenBy::Agent);
    guest.check("test ! -e /run/coffre-thaw");
    let came = Arc::new(AtomicBool::new(false));
    let slow = config(&guest.vm, "5", behind_a_door(&guest.vm, None, &came));
    let task = serde_json::to_string(&(&slow, &guest.scratch, Some(SECONDS))).unwrap();
    let mut service = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_process_that_takes_a_point"])
        .env(TASK, task)
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !came.load(Ordering::SeqCst) {
        assert!(begun.elapsed() < Duration::from_secs(60), "no transaction comes");
        std::thread::sleep(Duration::from_millis(5));
    }
    service.kill().unwrap();
    service.wait().unwrap();
    // By the guest's clock: a slow way to its shell does not count.
    let line = "u() { cut -d' ' -f1 /proc/uptime; }; u; echo alive > /root/alive; echo alive > /data/alive; u";
    let seen = guest.check(line);
    let mut times = seen.split_whitespace().map(|word| word.parse::<f64>().unwrap());
    let (before, after) = (times.next().unwrap(), times.next().unwrap());
    let frozen = after - before;
    println!("thawed by its guard {frozen:.1} s after the service was killed");
    assert!(frozen > 2.0, "nothing was frozen: {seen}");
    // The guard sleeps for the time that a freeze may take and 15 s; a slow shell comes on top.
    assert!(frozen < (SECONDS + 15 + 20) as f64, "{seen}");
    not_left_frozen(&guest);
    guest.check("test ! -e /run/coffre-thaw");
    // The next service thaws the agent, which knows nothing of it, and goes on.
    let service = QemuFabric::new(slow_repaired(&guest, slow)).unwrap();
    let machine = service.machine(service.machines().unwrap()[0].id).unwrap();
    for point in machine.leftovers().unwrap() {
        machine.release(point, Release::Abandoned).unwrap();
    }
    let report = guest.take(&*guest.machine);
    assert_eq!(report.consistency, Consistency::FileSystem, "{}", report.reason);
}

/// The same state, with the way to QEMU as it should be.
fn slow_repaired(guest: &Guarded, mut config: QemuConfig) -> QemuConfig {
    config.machines[0].qmp_socket = Some(guest.vm.qmp_socket());
    config
}

/// The channel is cut and nothing of the extension runs any more, all while the guest is frozen: the host thaws it.
#[test]
fn a_guest_in_which_nothing_runs_any_more_is_thawed_by_the_host() {
    let guest = Guarded::new();
    let (latch, slam) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let mut config =
        config(&guest.vm, "4", behind_a_door(&guest.vm, Some(&latch), &Arc::default()));
    config.machines[0].agent_socket = Some(behind_a_slamming_door(&guest.vm, &slam));
    let fabric = QemuFabric::new(config).unwrap();
    fabric.offer_extension(extension("1.0.0.0", &program()));
    let machine = fabric.machine(fabric.machines().unwrap()[0].id).unwrap();
    machine.prepare_extension().unwrap();
    let (point, scratch) = (Uuid::new_v4(), guest.scratch.clone());
    let taker = std::thread::spawn({
        let machine = Arc::clone(&machine);
        move || {
            let request =
                SnapshotRequest { point, parent: None, scratch, freeze: FREEZE, local: None };
            machine.take_snapshot(&request).unwrap()
        }
    });
    wait_until_frozen(&guest);
    let stopped = send(&guest, "STOP");
    slam.store(true, Ordering::SeqCst);
    latch.store(true, Ordering::SeqCst);
    let begun = Instant::now();
    let report = taker.join().unwrap();
    let taken = begun.elapsed();
    println!("{stopped} processes were stopped; {taken:?} later: {}", report.reason);
    assert_eq!(report.consistency, Consistency::Crash);
    assert!(report.reason.contains("the host thawed it"), "{}", report.reason);
    // Worker, freezer and watchdog at the least.
    assert!(stopped >= 3, "{stopped} processes were stopped");
    not_left_frozen(&guest);
    machine.release(point, Release::Committed).unwrap();
    send(&guest, "CONT");
    guest.fabric.offer_extension(extension("1.0.0.0", &program()));
    let report = guest.take(&*guest.machine);
    assert_eq!(report.consistency, Consistency::FileSystem, "{}", report.reason);
}

/// Sends a signal to all processes of the extension; how many there are. Some of them have another name.
fn send(guest: &Guarded, signal: &str) -> usize {
    let said = guest.check(&format!(
        "all=$(ls -l /proc/[0-9]*/exe 2>/dev/null | sed -n 's|.*/proc/\\([0-9]*\\)/exe -> .*coffre-guest.*|\\1|p'); \
         for it in $all; do kill -{signal} $it && echo $it; done; true"
    ));
    said.lines().count()
}

/// Files of a server that died: whoever touches them hangs, and the extension does not.
#[test]
fn a_dead_server_of_files_holds_nobody_up() {
    let guest = Guarded::new();
    guest.fabric.offer_extension(extension("1.0.0.0", &program()));
    guest.machine.prepare_extension().unwrap();
    Workload::on(guest.vm.shell()).start().unwrap();
    guest.check(
        "modprobe nfsv3; coffre-nfs-server >/run/nfs.log 2>&1 & \
         echo $! >/run/nfs.pid; mkdir -p /far; \
         for n in 1 2 3 4 5 6 7 8 9 10; do mount -i -t nfs -o vers=3,proto=tcp,port=20490,mountproto=tcp,mountport=20490,nolock,hard,addr=127.0.0.1 127.0.0.1:/export /far && break; sleep 1; done; \
         mountpoint /far && ls /far",
    );
    assert!(guest.check("grep /far /proc/mounts").contains(" nfs "), "a real mount over NFS");
    // The sign of a server that is gone: a look never ends, and cannot be killed off at once.
    guest.check("kill -9 $(cat /run/nfs.pid); (stat -f /far; echo ended >/run/nfs.ended) >/run/nfs.stat 2>&1 & true");
    for _ in 0..3 {
        let begun = Instant::now();
        let report = guest.take(&*guest.machine);
        let took = begun.elapsed();
        println!("with a dead server: {:?} in {took:?}", report.freeze_window);
        assert_eq!(report.consistency, Consistency::FileSystem, "{}", report.reason);
        assert!(matches!(report.freeze.unwrap().by, FrozenBy::Extension { .. }));
    }
    assert!(!guest.check("ls /run").contains("nfs.ended"), "the server was not dead");
    not_left_frozen(&guest);
}
