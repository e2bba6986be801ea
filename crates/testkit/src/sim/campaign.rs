//! Many simulations at once.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{Counts, Mutant, Scenario, Violation, run};

/// What a campaign found.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// Simulations that were run.
    pub seeds: u64,
    /// Simulations that were run twice to see the same.
    pub repeated: u64,
    /// What they did, all together.
    pub counts: Counts,
    /// Seeds that broke a promise, with the promise; lowest first. At most [`FAILURES_MAX`].
    pub failures: Vec<(u64, Violation)>,
}

/// After so many failures a campaign ends.
pub const FAILURES_MAX: usize = 20;

/// One in so many simulations is run twice.
const REPEATED_ONE_IN: u64 = 100;

/// Runs the simulations of these seeds on that many threads.
pub fn campaign(scenario: Scenario, seeds: Range<u64>, threads: usize) -> Findings {
    let next = AtomicU64::new(seeds.start);
    let findings = Mutex::new(Findings::default());
    let locked = || findings.lock().expect("a simulation that panics ends the test");
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                let mut mine = Findings::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || locked().failures.len() >= FAILURES_MAX {
                        break;
                    }
                    one(scenario, seed, &mut mine);
                    locked().failures.append(&mut mine.failures);
                }
                let mut all = locked();
                all.seeds += mine.seeds;
                all.repeated += mine.repeated;
                all.counts.add(&mine.counts);
            });
        }
    });
    let mut findings = findings.into_inner().expect("a simulation that panics ends the test");
    findings.failures.sort_by_key(|(seed, _)| *seed);
    findings
}

fn one(scenario: Scenario, seed: u64, findings: &mut Findings) {
    let plan = scenario.plan(seed);
    let outcome = run(&plan);
    findings.seeds += 1;
    findings.counts.add(&outcome.counts);
    if seed.is_multiple_of(REPEATED_ONE_IN) {
        findings.repeated += 1;
        let again = run(&plan);
        if again.trace != outcome.trace || again.violation != outcome.violation {
            let what = format!("trace {:016x}, then {:016x}", outcome.trace, again.trace);
            findings.failures.push((seed, Violation { invariant: "one seed, one run", what }));
        }
    }
    findings.failures.extend(outcome.violation.map(|violation| (seed, violation)));
}

/// How a mutant fared.
#[derive(Debug, Clone)]
pub struct Hunt {
    /// The mistake.
    pub mutant: Mutant,
    /// Simulations until it was found, that one included; all that were run if it was not.
    pub seeds: u64,
    /// What gave it away.
    pub violation: Option<Violation>,
}

/// Makes one mistake in the protocol and looks for a simulation that shows it, up to a number of seeds and a time.
pub fn hunt(
    mutant: Mutant,
    scenario: Scenario,
    seeds: Range<u64>,
    threads: usize,
    time: Duration,
) -> Hunt {
    let next = AtomicU64::new(seeds.start);
    let stop = AtomicBool::new(false);
    let found: Mutex<Option<(u64, Violation)>> = Mutex::new(None);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                Mutant::set(Some(mutant));
                while !stop.load(Ordering::Relaxed) && began.elapsed() < time {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    if let Some(violation) = run(&scenario.plan(seed)).violation {
                        stop.store(true, Ordering::Relaxed);
                        let mut found = found.lock().expect("nobody panics with the lock");
                        if found.as_ref().is_none_or(|(other, _)| seed < *other) {
                            *found = Some((seed, violation));
                        }
                    }
                }
            });
        }
    });
    let run = next.load(Ordering::Relaxed).min(seeds.end) - seeds.start;
    let found = found.into_inner().expect("nobody panics with the lock");
    match found {
        Some((seed, violation)) => {
            Hunt { mutant, seeds: seed - seeds.start + 1, violation: Some(violation) }
        }
        None => Hunt { mutant, seeds: run, violation: None },
    }
}
