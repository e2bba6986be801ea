//! Simulations of the vault, by the million.
//!
//! ```text
//! cargo run --release -p coffre-testkit --bin sim -- --seeds 20000 [--from 0] [--threads 2]
//! cargo run --release -p coffre-testkit --bin sim -- --mutants --seeds 100000
//! cargo run --release -p coffre-testkit --bin sim -- --scenario pruned --seeds 20000     or hostile; with --mutants as well,
//!                                                                which otherwise hunts each mistake where it can show
//! cargo run --release -p coffre-testkit --bin sim -- --crash --pairs 5000
//! SEED=17 cargo run --release -p coffre-testkit --bin sim          one seed, step by step, and made smaller
//! ```
//!
//! The last line is one for the ledger in docs/evidence.md. The exit status is 1 if a promise was broken.

#![expect(clippy::print_stdout, reason = "a command that prints its findings")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use coffre_testkit::sim::{
    Mutant, Scenario, campaign, crash_everywhere, hunt, run_with_log, shrink,
};

fn main() -> ExitCode {
    if let Ok(seed) = std::env::var("SEED") {
        return replay(seed.parse().expect("SEED is a number"));
    }
    let threads = number("--threads").map_or(2, |threads| usize::try_from(threads).unwrap_or(2));
    let (from, seeds) = (number("--from").unwrap_or(0), number("--seeds").unwrap_or(20_000));
    if flag("--mutants") {
        hunt_all(from, seeds, threads)
    } else if flag("--crash") {
        crash(number("--pairs").unwrap_or(5_000))
    } else {
        simulate(from, seeds, threads)
    }
}

fn flag(name: &str) -> bool {
    std::env::args().any(|argument| argument == name)
}

/// What the command line asks for, or where `mutant` can show, or the mixed one.
fn scenario(mutant: Option<Mutant>) -> Scenario {
    match std::env::args().skip_while(|argument| argument != "--scenario").nth(1).as_deref() {
        None => mutant.map_or(Scenario::Mixed, Scenario::of),
        Some("mixed") => Scenario::Mixed,
        Some("pruned") => Scenario::Pruned,
        Some("hostile") => Scenario::Hostile,
        Some(other) => panic!("--scenario is mixed, pruned or hostile, not {other}"),
    }
}

fn number(name: &str) -> Option<u64> {
    let value = std::env::args().skip_while(|argument| argument != name).nth(1)?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} takes a number, not {value}")))
}

fn commit() -> String {
    let output = std::process::Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    output.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

fn simulate(from: u64, seeds: u64, threads: usize) -> ExitCode {
    let (began, scenario) = (Instant::now(), scenario(None));
    let findings = campaign(scenario, from..from + seeds, threads);
    for (seed, violation) in &findings.failures {
        println!("SEED={seed}: {}: {}", violation.invariant, violation.what);
    }
    let counts = findings.counts;
    println!(
        "| {} | {:?}, seeds {from}..{} | {} | {} operations, {} commits, {} overtaken, {} aborted, {} collections, {} packs \
         deleted, {} deletions, {} reads, {} faults, {} run twice | {:.0} s |",
        commit(),
        scenario,
        from + seeds,
        verdict(findings.failures.len()),
        counts.operations,
        counts.commits,
        counts.overtaken,
        counts.aborted,
        counts.collections,
        counts.packs_deleted,
        counts.deletions,
        counts.reads,
        counts.faults,
        findings.repeated,
        began.elapsed().as_secs_f64(),
    );
    status(findings.failures.is_empty() && findings.seeds == seeds)
}

fn verdict(failures: usize) -> String {
    format!("{failures} failures")
}

fn status(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn hunt_all(from: u64, seeds: u64, threads: usize) -> ExitCode {
    let only = std::env::var("MUTANT").ok();
    let wanted = |mutant: &&Mutant| only.as_ref().is_none_or(|name| format!("{mutant:?}") == *name);
    let mutants: Vec<Mutant> = Mutant::ALL.iter().filter(wanted).copied().collect();
    let mut caught = 0;
    for mutant in &mutants {
        let scenario = scenario(Some(*mutant));
        let limit = Duration::from_secs(24 * 60 * 60);
        let found = hunt(*mutant, scenario, from..from + seeds, threads, limit);
        let (seeds, what) = match &found.violation {
            Some(violation) => (format!("found at {}", found.seeds), violation.invariant),
            None => (format!("not found in {}", found.seeds), ""),
        };
        caught += usize::from(found.violation.is_some());
        println!("| {mutant:?} | {seeds} ({scenario:?}) | {what} |");
    }
    println!(
        "| {} | mutants | {caught} of {} found within {seeds} seeds |",
        commit(),
        mutants.len()
    );
    status(caught == mutants.len())
}

fn crash(pairs: u64) -> ExitCode {
    let report = crash_everywhere(pairs);
    for failure in &report.failures {
        println!("{failure}");
    }
    println!(
        "| {} | crash at every operation | {} | {} singles, {} pairs |",
        commit(),
        verdict(report.failures.len()),
        report.singles,
        report.pairs
    );
    status(report.failures.is_empty())
}

fn replay(seed: u64) -> ExitCode {
    let name = std::env::var("MUTANT").ok();
    let mutant = Mutant::ALL.iter().copied().find(|mutant| Some(format!("{mutant:?}")) == name);
    Mutant::set(mutant);
    let mut plan = scenario(mutant).plan(seed);
    if !flag("--whole") {
        plan = shrink(&plan, 4_000);
    }
    let outcome = run_with_log(&plan);
    for line in &outcome.log {
        println!("{line}");
    }
    println!("{plan:#?}");
    println!("{:?}, trace {:016x}, {:?}", outcome.violation, outcome.trace, outcome.counts);
    status(outcome.violation.is_none())
}
