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

use std::time::{Duration, Instant};

use coffre_fabric::extension::ExtensionState;
use coffre_fabric::{Consistency, Fabric as _, FrozenBy, Release, SnapshotRequest};
use coffre_guest::package::{NAME, PROGRAM};
use coffre_testkit::Workload;
use uuid::Uuid;

mod host_support;

use host_support::{FREEZE, Guarded, extension, fabric, not_left_frozen, program};

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
    let request = SnapshotRequest { point, parent: None, scratch, freeze: FREEZE, local: None };
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
