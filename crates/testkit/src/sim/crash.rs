//! A crash at every operation of the store, and then at every operation of what comes after it.
//!
//! One process at a time does a fixed piece of work: back up in full, back up what changed, delete, collect, give up,
//! verify. For every operation of it there is a run in which the process dies there, before the operation or after it
//! and before the answer; then the next process goes on as if nothing had happened. No run is repaired: at the end all
//! must be as the oracle wants it.

use super::plan::{ActorPlan, Keys, Plan, Role};
use super::rng::Rng;
use super::run::run;
use super::store::{Fault, FaultKind};

/// What [`crash_everywhere`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CrashReport {
    /// Runs with one crash.
    pub singles: u64,
    /// Runs with two.
    pub pairs: u64,
    /// What broke a promise.
    pub failures: Vec<String>,
}

/// How a process may die at an operation.
const KINDS: [FaultKind; 3] = [FaultKind::CrashBefore, FaultKind::CrashAfter, FaultKind::Torn];

/// The processes of a script, one after the other.
fn script(number: u64) -> Plan {
    let writer = Role::Writer { item: 0, shared: number % 2 == 1 };
    let collector = Role::Collector {
        spare_younger_ms: 0,
        repack_below_percent: 100,
        abandon_older_ms: u64::MAX,
    };
    let roles: &[(Role, u32)] = match number % 5 {
        0 => &[(writer, 2), (collector, 1), (writer, 1)],
        1 => &[(writer, 2), (Role::Pruner, 1), (collector, 1), (writer, 2)],
        2 => &[(writer, 3), (Role::Pruner, 2), (collector, 2), (Role::Janitor, 1), (collector, 1)],
        3 => &[(writer, 1), (Role::Janitor, 1), (writer, 1), (collector, 1), (Role::Verifier, 1)],
        _ => &[
            (writer, 2),
            (Role::Pruner, 1),
            (collector, 1),
            (Role::Pruner, 1),
            (collector, 1),
            (Role::Reader, 2),
        ],
    };
    let mut chance = Rng::new(0xC4A5 + number);
    let actors = roles.iter().map(|(role, rounds)| ActorPlan {
        keys: Keys::All,
        role: *role,
        speed: 0,
        rounds: *rounds,
        stays_open: chance.chance(1, 2),
        seed: chance.next(),
    });
    Plan {
        seed: number,
        stalls: 0,
        pauses: 0,
        lock_ms: 0,
        hostile: false,
        actors: actors.collect(),
        faults: Vec::new(),
    }
}

/// Scripts that are tried.
const SCRIPTS: u64 = 10;

/// Crashes at every operation of every script, and at `pairs` pairs of operations.
pub fn crash_everywhere(pairs: u64) -> CrashReport {
    let mut report = CrashReport::default();
    let mut points = Vec::new();
    for number in 0..SCRIPTS {
        let plan = script(number);
        let whole = run(&plan);
        note(&mut report, &plan, whole.violation.as_ref().map(|found| format!("{found:?}")));
        for (actor, operations) in whole.operations.iter().enumerate().take(plan.actors.len()) {
            for operation in 0..*operations {
                for kind in KINDS {
                    points.push((number, Fault { actor, operation, kind }));
                }
            }
        }
    }
    for (number, fault) in &points {
        let plan = Plan { faults: vec![*fault], ..script(*number) };
        report.singles += 1;
        note(&mut report, &plan, run(&plan).violation.map(|found| format!("{found:?}")));
    }
    let mut chance = Rng::new(0x9A125);
    while report.pairs < pairs {
        let Some((number, first)) = chance.pick(&points).copied() else { break };
        // The second crash hits one of the processes that come after the first.
        let later: Vec<_> = points
            .iter()
            .filter(|(other, fault)| *other == number && fault.actor > first.actor)
            .collect();
        let Some((_, second)) = chance.pick(&later).copied() else { continue };
        let plan = Plan { faults: vec![first, *second], ..script(number) };
        report.pairs += 1;
        note(&mut report, &plan, run(&plan).violation.map(|found| format!("{found:?}")));
    }
    report
}

fn note(report: &mut CrashReport, plan: &Plan, failure: Option<String>) {
    report
        .failures
        .extend(failure.map(|what| format!("script {} {:?}: {what}", plan.seed, plan.faults)));
}
