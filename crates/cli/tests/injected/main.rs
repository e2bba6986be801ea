//! The real program is killed, or the kernel fails it, at one system call after the other: nothing acknowledged is
//! lost, the next run goes on with no help, and the next collection leaves no rubbish.
//!
//! On one processor a run makes the same calls each time, so "the n-th call of this name" names one place, and all
//! places together are every boundary of the run. `COFFRE_INJECTIONS` is how many places are tried for each test:
//! a number, or `all`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod case;
mod strace;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use case::{Case, Scenario};
use strace::{Injection, calls_of};

/// Places that are tried for each test unless the environment says otherwise.
const SHARE: usize = 120;

/// Calls by which a write can fail, all that are made for the store.
const WRITING: &[&str] =
    &["write", "pwrite64", "fdatasync", "fsync", "linkat", "openat", "mkdir", "unlink", "unlinkat"];

/// So many of all places, spread evenly.
fn share(places: Vec<(usize, Injection)>) -> Vec<(usize, Injection)> {
    let wanted = match std::env::var("COFFRE_INJECTIONS") {
        Ok(text) if text == "all" => usize::MAX,
        Ok(text) => text.parse().expect("COFFRE_INJECTIONS is a number or all"),
        Err(_) => SHARE,
    };
    let all = places.len();
    if wanted >= all {
        return places;
    }
    // Not a plain stride, which would meet the same calls of every scenario.
    let mut chosen: Vec<_> =
        places.into_iter().enumerate().map(|(at, place)| (at * 7919 % all, place)).collect();
    chosen.sort_by_key(|(order, _)| *order);
    chosen.into_iter().take(wanted).map(|(_, place)| place).collect()
}

/// Tries these places on all cores. Gives how many of the runs ended otherwise than they would have.
#[allow(clippy::print_stderr, reason = "a campaign says how much it tried")]
fn each(scenarios: &[Scenario], places: Vec<(usize, Injection)>) -> usize {
    let places = share(places);
    let next = AtomicUsize::new(0);
    let hit = AtomicUsize::new(0);
    let wrong: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some((number, injection)) =
                    places.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let scenario = &scenarios[*number];
                    match Case::new(scenario).run(injection) {
                        Ok(was_hit) => {
                            hit.fetch_add(usize::from(was_hit), Ordering::Relaxed);
                        }
                        Err(what) => {
                            let name = scenario.name;
                            wrong.lock().unwrap().push(format!("{name}, {injection}: {what}"));
                        }
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), places.len());
    let hit = hit.into_inner();
    eprintln!("{} places tried, {hit} of them ended the run", places.len());
    hit
}

#[test]
fn killed_at_every_system_call() {
    let scenarios = Scenario::all();
    let mut places = Vec::new();
    for (number, scenario) in scenarios.iter().enumerate() {
        for (call, count) in calls_of(&Case::new(scenario).command()) {
            let kills = (1..=count).map(|nth| (number, Injection::kill(&call, nth)));
            places.extend(kills);
        }
    }
    assert!(places.len() > 500, "only {} places to be killed at", places.len());
    let tried = share(places.clone()).len();
    assert!(each(&scenarios, places) > tried / 2, "too few of the kills came through");
}

#[test]
fn the_kernel_fails_every_write() {
    let scenarios = Scenario::all();
    let mut places = Vec::new();
    for (number, scenario) in scenarios.iter().enumerate() {
        let calls = calls_of(&Case::new(scenario).command());
        for (call, count) in calls.into_iter().filter(|(call, _)| WRITING.contains(&&**call)) {
            for nth in 1..=count {
                for error in ["ENOSPC", "EIO"] {
                    places.push((number, Injection::error(&call, error, nth, false)));
                    places.push((number, Injection::error(&call, error, nth, true)));
                }
            }
        }
    }
    assert!(each(&scenarios, places) > 10);
}
