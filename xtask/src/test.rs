//! `cargo xtask test`: everything that must hold, what fails soonest first, and it stops at the first thing that does not.

use std::process::Command;
use std::time::Duration;

use anyhow::ensure;

use crate::Flags;
use crate::az;
use crate::places::Places;
use crate::setup;
use crate::steps::{Aside, Steps, call, output};

/// Tests in targets with this prefix run a whole journey on a real machine. They run last and one at a time.
const JOURNEYS: &str = "e2e";

/// Simulations of the vault: minutes of processor time, and nothing to wait for.
const SIMULATIONS: &str = "sim";

/// What is built besides the default: the simulator of the vault.
const FEATURES: [&str; 2] = ["--features", "coffre-testkit/simulator"];

/// What all of it may take from a clean clone on two cores.
const BUDGET: Duration = Duration::from_secs(30 * 60);

pub(crate) fn run(places: &Places, flags: &Flags) -> anyhow::Result<()> {
    let mut steps = Steps::new();
    let (journeys, others) = test_targets(places);
    let before = tree(places)?;

    if !flags.has("--no-setup") {
        steps.run("set-up", || setup::everything(places))?;
    }
    steps.run("format", || call(&mut places.cargo(&["fmt", "--all", "--check"])))?;
    let build = ["build", "--workspace", "--all-targets", "--locked"];
    steps.run("build", || call(places.cargo(&build).args(FEATURES)))?;
    steps.run("guests", || call(places.command("guests/build.sh").arg("--warm")))?;
    steps.run("rules", || {
        let rules = [
            "test",
            "--locked",
            "--package",
            "coffre-testkit",
            "--test",
            "tidy",
            "--test",
            "edges",
        ];
        call(&mut places.cargo(&rules))
    })?;
    steps.run("tests", || {
        let mut cargo = tests(places);
        cargo.args(["--lib", "--bins"]);
        let elsewhere = ["tidy", "edges", SIMULATIONS];
        for name in others.iter().filter(|name| !elsewhere.contains(&name.as_str())) {
            cargo.args(["--test", name]);
        }
        call(&mut cargo)
    })?;
    if journeys.is_empty() {
        run_aside(places).into_iter().try_for_each(|check| steps.take(check))?;
    } else {
        let az = steps.run("Azure command line", || az::find_or_install(places))?;
        let clients = steps.run("clients of the API", || az::clients(places))?;
        // The journeys wait for machines half of the time: what only computes takes what they leave.
        std::thread::scope(|scope| {
            let checks = scope.spawn(|| run_aside(places));
            let journeyed = steps.run("journeys", || {
                let mut cargo = tests(places);
                cargo.env("COFFRE_AZ", &az).env("COFFRE_CLIENTS", &clients);
                for name in &journeys {
                    cargo.args(["--test", name]);
                }
                call(cargo.args(["--", "--test-threads=1"]))
            });
            let checks = checks.join().expect("the checks do not panic");
            checks.into_iter().try_for_each(|check| steps.take(check))?;
            journeyed
        })?;
    }
    steps.run("clean tree", || {
        let after = tree(places)?;
        ensure!(before == after, "the tests changed files of the repository:\n{after}");
        Ok(())
    })?;

    println!("{}", steps.table());
    if steps.elapsed() > BUDGET {
        println!("note: that is more than the {} minutes it should take", BUDGET.as_secs() / 60);
    }
    println!("test: ok");
    Ok(())
}

/// The documentation, its examples, the lints and the simulations.
fn run_aside(places: &Places) -> Vec<Aside> {
    let mut documentation = places.cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    documentation.env("RUSTDOCFLAGS", "-D warnings");
    let mut examples = tests(places);
    examples.arg("--doc");
    let mut lints = places.cargo(&["clippy", "--workspace", "--all-targets", "--locked"]);
    lints.args(FEATURES).args(["--", "-D", "warnings"]);
    let mut simulations = tests(places);
    simulations.args(["--test", SIMULATIONS]);
    [
        ("documentation", documentation),
        ("examples in the documentation", examples),
        ("lints", lints),
        ("simulations", simulations),
    ]
    .into_iter()
    .map(|(name, command)| Aside::run(name, &command))
    .collect()
}

fn tests(places: &Places) -> Command {
    let mut cargo = places.cargo(&["test", "--workspace", "--locked", "--quiet"]);
    // The sources of the vault under the simulator's geometry: their unit tests run in the vault itself.
    cargo.args(["--exclude", "coffre-vault-under-test"]).args(FEATURES);
    cargo
}

/// Names of the journeys, and of all other integration tests.
fn test_targets(places: &Places) -> (Vec<String>, Vec<String>) {
    let mut names: Vec<String> = places
        .metadata
        .workspace_packages()
        .iter()
        .flat_map(|package| &package.targets)
        .filter(|target| target.is_test())
        .map(|target| target.name.clone())
        .collect();
    names.sort();
    names.dedup();
    names.into_iter().partition(|name| name.starts_with(JOURNEYS))
}

/// What git says of the files; a test that writes into the repository shows here.
fn tree(places: &Places) -> anyhow::Result<String> {
    output(places.command("git").args(["status", "--porcelain"]))
}
