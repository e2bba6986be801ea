//! The whole way in a real machine: the host puts the extension into the guest through the QEMU guest agent, holds the
//! guest by it while it takes a point, and says how whole the point is.
//!
//! `COFFRE_WINDOW_RUNS` is the number of points of each kind that are compared. When it is given, our median must be at
//! most half of the agent's; a few points on a busy machine only show that all goes well.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests, and what was measured"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use coffre_fabric::extension::{Extension, ExtensionFile, ExtensionState, Handler};
use coffre_fabric::qemu::{Boot, DiskDefinition, MachineDefinition, QemuConfig, QemuFabric};
use coffre_fabric::{
    Consistency, Fabric, FreezeWish, FrozenBy, ImageFormat, Machine, OsType, Release,
    SnapshotReport, SnapshotRequest,
};
use coffre_guest::package::{Manifest, NAME, PROGRAM};
use coffre_testkit::{Guest, Machine as Vm, Workload};
use uuid::Uuid;

const FREEZE: FreezeWish = FreezeWish { ask: true, timeout: Duration::from_secs(60) };

/// A guest that the harness runs, and the host's view of it.
struct Guarded {
    machine: Arc<dyn Machine>,
    fabric: QemuFabric,
    scratch: PathBuf,
    vm: Vm,
}

impl Guarded {
    fn new() -> Guarded {
        let vm = Vm::warm(Guest::Debian).unwrap();
        let scratch = vm.folder().join("scratch");
        std::fs::create_dir(&scratch).unwrap();
        let fabric = fabric(&vm, "", vm.qmp_socket());
        let machine = fabric.machines().unwrap()[0].id;
        let machine = fabric.machine(machine).unwrap();
        Guarded { machine, fabric, scratch, vm }
    }

    fn take(&self, machine: &dyn Machine) -> SnapshotReport {
        let point = Uuid::new_v4();
        let scratch = self.scratch.clone();
        let request = SnapshotRequest { point, parent: None, scratch, freeze: FREEZE };
        let report = machine.take_snapshot(&request).unwrap();
        machine.release(point, Release::Committed).unwrap();
        report
    }

    fn check(&self, script: &str) -> String {
        self.vm.shell().check(script).unwrap()
    }
}

/// The host's view of a machine, with a state of its own.
fn fabric(vm: &Vm, name: &str, qmp_socket: PathBuf) -> QemuFabric {
    QemuFabric::new(config(vm, name, qmp_socket)).unwrap()
}

fn config(vm: &Vm, name: &str, qmp_socket: PathBuf) -> QemuConfig {
    let disks = vm.disks().iter().zip(0_u32..).map(|(disk, index)| DiskDefinition {
        key: disk.name.clone(),
        lun: index.checked_sub(1),
        name: None,
        format: ImageFormat::Qcow2,
        path: disk.path.clone(),
    });
    let folder = vm.folder();
    let mut config =
        QemuConfig::new(folder.join(format!("s{name}")), folder.join(format!("r{name}")));
    config.scratch_free_bytes = 1;
    config.machines.push(MachineDefinition {
        id: Uuid::new_v4(),
        name: "debian".to_owned(),
        os_type: OsType::Linux,
        memory_mib: 512,
        cpus: 1,
        boot: Boot::Firmware,
        disks: disks.collect(),
        managed: false,
        qmp_socket: Some(qmp_socket),
        agent_socket: Some(vm.agent_socket()),
        console_log: None,
        extra_args: Vec::new(),
    });
    config
}

/// The program, without what only a debugger needs: it goes through the agent's narrow channel.
fn program() -> Vec<u8> {
    let program = std::env::var_os("COFFRE_GUEST_PROGRAM");
    let program = program.unwrap_or_else(|| env!("CARGO_BIN_EXE_coffre-guest").into());
    let folder = tempfile::tempdir().unwrap();
    let small = folder.path().join("program");
    let status = Command::new("objcopy").arg("--strip-all").arg(program).arg(&small).status();
    assert!(status.expect("objcopy comes with the linker").success());
    std::fs::read(small).unwrap()
}

fn extension(version: &str, program: &[u8]) -> Arc<Extension> {
    let manifest = serde_json::to_vec(&[Manifest::new(NAME, version)]).unwrap();
    let hash = |bytes: &[u8]| {
        let hash = digest::digest(&digest::SHA256, bytes);
        hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let file = |path: &str, bytes: &[u8]| ExtensionFile {
        path: path.to_owned(),
        sha256: hash(bytes),
        bytes: bytes.into(),
    };
    Arc::new(Extension {
        name: NAME.to_owned(),
        version: version.to_owned(),
        digest: hash(&[version.as_bytes(), program].concat()),
        handler: Handler::parse(&manifest).unwrap(),
        files: vec![file("HandlerManifest.json", &manifest), file(PROGRAM, program)],
        seal: Arc::new(|plain, certificate| {
            coffre_guest::cms::seal(plain, certificate.as_bytes()).map_err(|e| e.to_string())
        }),
    })
}

fn at(sorted: &[Duration], share: f64) -> Duration {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

#[test]
fn a_guest_gets_the_extension_and_is_held_by_it() {
    let guest = Guarded::new();
    let program = program();
    guest.fabric.offer_extension(extension("1.0.0.0", &program));
    assert_eq!(guest.machine.info().unwrap().extension, ExtensionState::Absent);
    let begun = Instant::now();
    let installed = guest.machine.prepare_extension().unwrap();
    println!("{} bytes were put into the guest in {:?}", program.len(), begun.elapsed());
    assert_eq!(installed, ExtensionState::Installed { version: "1.0.0.0".to_owned() });

    Workload::on(guest.vm.shell()).start().unwrap();
    let report = guest.take(&*guest.machine);
    assert_eq!(report.consistency, Consistency::FileSystem, "{}", report.reason);
    let record = report.freeze.unwrap();
    assert_eq!(record.by, FrozenBy::Extension { version: "1.0.0.0".to_owned() });
    let times = record.guest.unwrap();
    assert!(times.started_unix_ns <= times.frozen_unix_ns);
    assert!(Some(times.frozen_unix_ns) < times.thawed_unix_ns);
    assert!(record.frozen_unix_ms <= record.taken_unix_ms);

    let windows = compare(&guest);
    println!("{windows}");
    not_left_frozen(&guest);
    secrets_and_logs(&guest);
    levels(&guest);
    an_update_keeps_the_key(&guest, &program);
    a_guest_that_lost_it_gets_it_again(&guest);
}

/// What a child process needs to know to take a point.
const TASK: &str = "COFFRE_TEST_POINT";

/// Takes a point in a process of its own, told by a variable; alone it does nothing.
#[test]
fn a_process_that_takes_a_point() {
    let Ok(task) = std::env::var(TASK) else { return };
    let (config, scratch): (QemuConfig, PathBuf) = serde_json::from_str(&task).unwrap();
    let id = config.machines[0].id;
    let fabric = QemuFabric::new(config).unwrap();
    fabric.offer_extension(extension("1.0.0.0", &program()));
    let machine = fabric.machine(id).unwrap();
    let point = Uuid::new_v4();
    let request = SnapshotRequest { point, parent: None, scratch, freeze: FREEZE };
    let taken = machine.take_snapshot(&request);
    println!("{taken:?}");
}

/// QEMU behind a door that keeps transactions back: whoever sent one waits for its answer.
fn without_transactions(vm: &Vm) -> PathBuf {
    let socket = vm.folder().join("slow.sock");
    let (listener, real) = (UnixListener::bind(&socket).unwrap(), vm.qmp_socket());
    std::thread::spawn(move || {
        for client in listener.incoming().map(Result::unwrap) {
            let server = UnixStream::connect(&real).unwrap();
            let (mut back, to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut back, &mut { to }));
            let mut server = server;
            for line in BufReader::new(client).lines().map_while(Result::ok) {
                if !line.contains("\"transaction\"") && writeln!(server, "{line}").is_err() {
                    break;
                }
            }
            // QEMU serves the next client when this one is gone.
            let _ = server.shutdown(Shutdown::Both);
        }
    });
    socket
}

#[test]
fn a_service_that_dies_in_the_window_leaves_nothing_frozen_beyond_the_ceiling() {
    let guest = Guarded::new();
    guest.fabric.offer_extension(extension("1.0.0.0", &program()));
    guest.machine.prepare_extension().unwrap();
    let slow = config(&guest.vm, "3", without_transactions(&guest.vm));
    let task = serde_json::to_string(&(&slow, &guest.scratch)).unwrap();
    let mut service = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_process_that_takes_a_point"])
        .env(TASK, task)
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while guest.check("cat /run/coffre-guest/channel/ready 2>/dev/null || true").is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the guest is not frozen");
    }
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

/// The same state, with the way to QEMU as it should be.
fn slow_repaired(guest: &Guarded, mut config: QemuConfig) -> QemuConfig {
    config.machines[0].qmp_socket = Some(guest.vm.qmp_socket());
    config
}

/// Our window and that of the QEMU guest agent, each with the same transaction, in turns, under the same load.
fn compare(guest: &Guarded) -> String {
    let asked = std::env::var("COFFRE_WINDOW_RUNS").ok();
    let runs: usize = asked.as_ref().map_or(2, |n| n.parse().unwrap());
    let other = fabric(&guest.vm, "2", guest.vm.qmp_socket());
    let other = other.machine(other.machines().unwrap()[0].id).unwrap();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let report = guest.take(&*guest.machine);
        assert_eq!(report.consistency, Consistency::FileSystem, "{}", report.reason);
        ours.push(report.freeze_window.unwrap());
        let (record, whole) = (report.freeze.unwrap(), report.freeze_window.unwrap());
        let times = record.guest.unwrap();
        let (from, to) = (times.started_unix_ns, times.frozen_unix_ns);
        let freezing = Duration::from_nanos(to - from);
        let taking = record.taken_unix_ms - record.frozen_unix_ms;
        println!("extension {whole:?}: froze in {freezing:?}, transaction {taking} ms");
        let report = guest.take(&*other);
        assert_eq!(report.freeze.unwrap().by, FrozenBy::Agent, "{}", report.reason);
        let whole = report.freeze_window.unwrap();
        println!("guest agent {whole:?}");
        theirs.push(whole);
    }
    ours.sort();
    theirs.sort();
    let told = |what: &str, all: &[Duration]| {
        let (half, most, worst) = (at(all, 0.5), at(all, 0.99), at(all, 1.0));
        format!("{what}: median {half:?}, p99 {most:?}, longest {worst:?}")
    };
    let share = at(&ours, 0.5).as_secs_f64() / at(&theirs, 0.5).as_secs_f64();
    let text = format!(
        "{runs} points each under load\n{}\n{}\nshare of the median {share:.3}",
        told("extension", &ours),
        told("guest agent", &theirs)
    );
    if asked.is_some() {
        assert!(share <= 0.5, "{text}");
        assert!(at(&ours, 0.99) <= Duration::from_secs(1), "{text}");
    }
    text
}

fn not_left_frozen(guest: &Guarded) {
    guest.check("echo alive > /root/alive && echo alive > /data/alive && sync");
}

fn secrets_and_logs(guest: &Guarded) {
    let home = format!("/var/lib/waagent/{NAME}-1.0.0.0");
    // What was sealed is on no disk any more, and the key is root's alone.
    guest.check(&format!("! grep -l '\"protectedSettings\"' {home}/config/*"));
    guest.check("test $(stat -c %a /var/lib/waagent/*.prv) = 600");
    let logs = guest.machine.guest_logs(64 << 10).unwrap();
    assert!(logs.iter().any(|log| log.text.contains("Thawed after")), "{logs:?}");
    assert!(logs.iter().all(|log| !log.text.contains("unable to load certificate")), "{logs:?}");
}

/// Scripts make it application-consistent; a failing one costs the level, says why, and not the point.
fn levels(guest: &Guarded) {
    let script = |name: &str, text: &str| {
        let path = format!("/etc/azure/{name}");
        guest.check(&format!("printf '#!/bin/sh\\n{text}\\n' > {path} && chmod 700 {path}"));
    };
    guest.check(
        "mkdir -p /etc/azure && umask 077 && cat > /etc/azure/VMSnapshotScriptPluginConfig.json <<E
{\"pluginName\": \"ScriptRunner\", \"preScriptLocation\": \"/etc/azure/pre.sh\",
 \"postScriptLocation\": \"/etc/azure/post.sh\", \"preScriptParams\": [], \"postScriptParams\": [],
 \"preScriptNoOfRetries\": 0, \"postScriptNoOfRetries\": 0, \"timeoutInSeconds\": 30,
 \"continueBackupOnFailure\": true, \"fsFreezeEnabled\": true}
E",
    );
    script("pre.sh", "echo pre >> /run/order");
    script("post.sh", "echo post >> /run/order");
    let report = guest.take(&*guest.machine);
    assert_eq!(report.consistency, Consistency::Application, "{}", report.reason);
    assert_eq!(guest.check("cat /run/order"), "pre\npost\n");
    script("pre.sh", "exit 7");
    let report = guest.take(&*guest.machine);
    assert_eq!(report.consistency, Consistency::FileSystem, "{}", report.reason);
    assert!(report.reason.ends_with("/etc/azure/pre.sh ended with 7"), "{}", report.reason);
    println!("a failing script: {}", report.reason);
    guest.check("rm /etc/azure/VMSnapshotScriptPluginConfig.json");
}

fn an_update_keeps_the_key(guest: &Guarded, program: &[u8]) {
    let key = "cat /var/lib/waagent/coffre-thumbprint";
    let before = guest.check(key);
    guest.fabric.offer_extension(extension("1.0.1.0", program));
    // A point that is open keeps an update away.
    let point = Uuid::new_v4();
    let scratch = guest.scratch.clone();
    let request = SnapshotRequest { point, parent: None, scratch, freeze: FREEZE };
    guest.machine.take_snapshot(&request).unwrap();
    let old = ExtensionState::Installed { version: "1.0.0.0".to_owned() };
    assert_eq!(guest.machine.prepare_extension().unwrap(), old);
    guest.machine.release(point, Release::Committed).unwrap();
    let new = ExtensionState::Installed { version: "1.0.1.0".to_owned() };
    assert_eq!(guest.machine.prepare_extension().unwrap(), new);
    assert_eq!(guest.check(key), before);
    assert_eq!(guest.check("ls -d /var/lib/waagent/M*-1.0.* | wc -l").trim(), "1");
    guest.fabric.offer_extension(extension("1.0.0.0", program));
    assert_eq!(guest.machine.prepare_extension().unwrap(), new, "never an older one");
}

fn a_guest_that_lost_it_gets_it_again(guest: &Guarded) {
    guest.check("rm -rf /var/lib/waagent");
    let report = guest.take(&*guest.machine);
    assert_eq!(report.consistency, Consistency::FileSystem, "{}", report.reason);
    assert!(matches!(report.freeze.unwrap().by, FrozenBy::Extension { .. }));
    // A guest whose extension does not work still has a point, by the next best way, and the point says why.
    let broken = "printf '#!/bin/sh\\nexit 3\\n'";
    guest.check(&format!("for it in /var/lib/waagent/*/{PROGRAM}; do {broken} > $it; done"));
    guest.fabric.offer_extension(extension("1.0.2.0", b"#!/bin/sh\nexit 3\n"));
    let report = guest.take(&*guest.machine);
    assert_eq!(report.freeze.unwrap().by, FrozenBy::Agent);
    assert!(
        report.reason.contains("the guest agent froze the file systems ("),
        "{}",
        report.reason
    );
    println!("without the extension: {}", report.reason);
    not_left_frozen(guest);
}
