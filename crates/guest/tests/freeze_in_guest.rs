//! How long a real machine stands still: our freeze against that of the QEMU guest agent, in the same machine, in turns,
//! under the same load. The kernel of the guest is the clock: probes on its own functions for freezing and thawing.
//!
//! `COFFRE_FREEZE_RUNS` is the number of freezes of each kind; given, guests with one and with two processors are measured. Without
//! it only one with one: QEMU 7.2 emulates several processors on several threads, and now and then crashes itself.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;

use coffre_testkit::{Guest, Machine, Shell, Workload};
use serde_json::{Value, json};

const PROBES: &str = "
set -e
mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
cd /sys/kernel/tracing
echo 'p:coffre/freeze_begins freeze_super' > kprobe_events
echo 'r:coffre/freeze_ends freeze_super ret=$retval:s32' >> kprobe_events
echo 'p:coffre/thaw_begins thaw_super' >> kprobe_events
echo 'r:coffre/thaw_ends thaw_super ret=$retval:s32' >> kprobe_events
echo mono > trace_clock
echo 1 > events/coffre/enable
";

/// Milliseconds of one freeze, by the guest's clock.
#[derive(Debug, Clone, Copy)]
struct Window {
    /// From the beginning of the first freeze to the end of the last thaw.
    whole: f64,
    /// The same without the time between the last freeze and the first thaw, in which a snapshot would be taken.
    own: f64,
    /// File systems that were frozen.
    file_systems: usize,
}

/// What the kernel has seen since the last call.
fn window(shell: &Shell) -> Window {
    let trace = shell.check("cd /sys/kernel/tracing && cat trace && echo > trace").unwrap();
    let events: Vec<(f64, &str, bool)> = trace.lines().filter_map(event).collect();
    let times = |name: &str, good: bool| -> Vec<f64> {
        events.iter().filter(|e| e.1 == name && (e.2 || !good)).map(|e| e.0).collect()
    };
    let (begins, ends) = (times("freeze_begins", false), times("freeze_ends", true));
    let thaws = times("thaw_ends", true);
    assert_eq!(ends.len(), thaws.len(), "{trace}");
    let begin = begins[0];
    let frozen = *ends.last().unwrap();
    let thaw_begins = times("thaw_begins", false).into_iter().find(|at| *at > frozen).unwrap();
    let end = *thaws.last().unwrap();
    let whole = (end - begin) * 1e3;
    let hold = (thaw_begins - frozen) * 1e3;
    Window { whole, own: whole - hold, file_systems: ends.len() }
}

/// Time in seconds, name, and whether the call succeeded, of a line of the trace.
fn event(line: &str) -> Option<(f64, &str, bool)> {
    let line = line.trim();
    let (before, after) = line.split_once(": ").filter(|_| !line.starts_with('#'))?;
    let (at, after) = match before.rsplit_once(' ') {
        Some((_, at)) => (at.parse().ok()?, after),
        None => return None,
    };
    let name = after.split(':').next()?.trim();
    Some((at, name, !after.contains("ret=-")))
}

fn freeze_by_agent(shell: &Shell) {
    let count = shell.agent("guest-fsfreeze-freeze", &json!({})).unwrap();
    assert!(count.as_u64().unwrap() >= 2, "{count}");
    shell.agent("guest-fsfreeze-thaw", &json!({})).unwrap();
}

fn freeze_by_us(shell: &Shell) -> Value {
    let said = shell.check("/run/coffre-guest-bin try-freeze --hold-ms 0").unwrap();
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["held"], true, "{report}");
    report
}

fn at(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

fn summary(windows: &[Window], what: fn(&Window) -> f64) -> (f64, f64, f64) {
    let mut all: Vec<f64> = windows.iter().map(what).collect();
    all.sort_by(f64::total_cmp);
    (at(&all, 0.5), at(&all, 0.99), at(&all, 1.0))
}

/// A machine with that many processors, the program in it, the load running.
fn machine(processors: usize, program: &Path) -> Machine {
    let drive = format!("file={},format=raw,if=virtio,readonly=on", program.display());
    Machine::build(Guest::Debian)
        .argument("-smp")
        .argument(&processors.to_string())
        .argument("-drive")
        .argument(&drive)
        .cold()
        .unwrap()
}

/// The program as a disk; its length is told apart, because disks have whole sectors.
fn as_disk(folder: &Path) -> (std::path::PathBuf, usize) {
    let program = std::env::var_os("COFFRE_GUEST_PROGRAM");
    let program = program.unwrap_or_else(|| env!("CARGO_BIN_EXE_coffre-guest").into());
    let mut bytes = std::fs::read(program).unwrap();
    let length = bytes.len();
    bytes.resize(length.next_multiple_of(1 << 20), 0);
    let path = folder.join("program.raw");
    std::fs::write(&path, bytes).unwrap();
    (path, length)
}

/// Days forward and back while everything is frozen.
fn a_clock_that_jumps_changes_nothing(shell: &Shell) {
    let script = "
        /run/coffre-guest-bin try-freeze --hold-ms 1500 --ceiling-ms 8000 > /run/jump &
        until [ -e /run/coffre-guest/session ]; do sleep 0.01; done
        for jump in '+3 days' '-6 days' '+3 days'; do date -s \"$jump\" > /dev/null; sleep 0.3; done
        wait; cat /run/jump";
    let report: Value = serde_json::from_str(&shell.check(script).unwrap()).unwrap();
    assert_eq!(report["held"], true, "{report}");
    let window = report["windowMs"].as_f64().unwrap();
    assert!((1500.0..8000.0).contains(&window), "{report}");
}

#[test]
fn our_window_is_at_most_half_of_the_agents() {
    let wanted = std::env::var("COFFRE_FREEZE_RUNS").ok();
    let guests: &[usize] = if wanted.is_some() { &[1, 2] } else { &[1] };
    let runs: usize = wanted.map_or(8, |n| n.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (program, length) = as_disk(folder.path());
    for &processors in guests {
        let machine = machine(processors, &program);
        let shell = machine.shell();
        shell
            .check(&format!("head -c {length} /dev/vdc > /run/coffre-guest-bin && chmod 700 /run/coffre-guest-bin"))
            .unwrap();
        shell.check(PROBES).unwrap();
        let workload = Workload::on(shell);
        workload.start().unwrap();
        shell.check("echo > /sys/kernel/tracing/trace").unwrap();
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            freeze_by_agent(shell);
            theirs.push(window(shell));
            freeze_by_us(shell);
            ours.push(window(shell));
        }
        let same = ours.iter().chain(&theirs).all(|w| w.file_systems == 2);
        assert!(same, "not the same file systems: {ours:?} {theirs:?}");
        println!(
            "{processors} processors, {runs} freezes each, milliseconds: median, p99, longest"
        );
        type Part = (&'static str, fn(&Window) -> f64);
        let parts: [Part; 2] =
            [("first freeze to last thaw", |w| w.whole), ("freezing and thawing", |w| w.own)];
        for (name, part) in parts {
            let (ours, theirs) = (summary(&ours, part), summary(&theirs, part));
            println!(
                "  {name}: ours {ours:.1?}, agent {theirs:.1?}, ratio {:.3}",
                ours.0 / theirs.0
            );
        }
        a_clock_that_jumps_changes_nothing(shell);
        let (median, p99, _) = summary(&ours, |w| w.whole);
        let (agent, ..) = summary(&theirs, |w| w.whole);
        assert!(median <= agent / 2.0, "{median} ms against {agent} ms");
        assert!(p99 <= 1000.0, "{p99} ms");
    }
}
