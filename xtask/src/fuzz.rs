//! `cargo xtask fuzz`: strange bytes for every parser, for so many seconds each.
//!
//! A crate with parsers has a folder `fuzz` with a workspace of its own; all of them are found. What was tried before and
//! led somewhere new is kept in `target/fuzz`, so that the next run goes on there; `--keep` takes the shortest of it into
//! the repository, where the ordinary tests of the crate replay it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use cargo_metadata::MetadataCommand;

use crate::places::Places;
use crate::steps::{Steps, call, output};

/// The release that was tried.
const CARGO_FUZZ: &str = "0.13.2";
/// Seconds for each target, unless somebody says otherwise.
const SECONDS: u32 = 120;
/// Longest input that is kept in the repository, in bytes.
const KEPT_BYTES_MAX: u64 = 2048;
/// Most inputs of one target in the repository.
const KEPT_MAX: usize = 64;

/// What was asked for.
struct Wanted {
    seconds: u32,
    keep: bool,
    targets: Vec<String>,
}

/// One fuzz target.
struct Target {
    /// The folder `fuzz` that it is in.
    folder: PathBuf,
    /// The name of the crate it is for.
    krate: String,
    name: String,
}

pub(crate) fn run(places: &Places, arguments: &[String]) -> anyhow::Result<()> {
    let wanted = parse(arguments)?;
    let mut steps = Steps::new();
    steps.run("set-up", setup)?;
    let all = find(places)?;
    for name in &wanted.targets {
        let known = || all.iter().map(|target| target.name.as_str()).collect::<Vec<_>>().join(", ");
        ensure!(all.iter().any(|one| one.name == *name), "no target `{name}`; known: {}", known());
    }
    let chosen: Vec<&Target> = all
        .iter()
        .filter(|one| wanted.targets.is_empty() || wanted.targets.contains(&one.name))
        .collect();
    let mut folders: Vec<&Path> = chosen.iter().map(|one| one.folder.as_path()).collect();
    folders.dedup();
    for folder in folders {
        let name = format!("build {}", folder.strip_prefix(&places.root)?.display());
        steps.run(&name, || {
            call(fuzz(places, folder, "build").args(["--target-dir"]).arg(build(places)))
        })?;
    }
    let mut found = Vec::new();
    for target in chosen {
        // A find ends its target, not the run: one night shows all of them.
        if let Err(error) = steps
            .run(&format!("{} {}", target.krate, target.name), || try_one(places, target, &wanted))
        {
            found.push(format!("{} {}: {error:#}", target.krate, target.name));
        }
    }
    println!("{}", steps.table());
    if !found.is_empty() {
        bail!(
            "{}\nThe inputs are in {}. Replay one with `cargo +nightly fuzz run TARGET FILE` in the folder of the crate, \
             mend the parser, and put the input into fuzz/corpus/TARGET: the tests of the crate replay it.",
            found.join("\n"),
            work(places).join("found").display()
        );
    }
    println!("fuzz: ok");
    Ok(())
}

fn parse(arguments: &[String]) -> anyhow::Result<Wanted> {
    let mut wanted = Wanted { seconds: SECONDS, keep: false, targets: Vec::new() };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--seconds" => {
                let number = rest.next().context("--seconds needs a number")?;
                wanted.seconds = number.parse().context("--seconds needs a whole number")?;
            }
            "--keep" => wanted.keep = true,
            other if other.starts_with('-') => {
                bail!("unknown argument `{other}`\n\n{}", crate::HELP)
            }
            target => wanted.targets.push(target.to_owned()),
        }
    }
    ensure!(wanted.seconds > 0, "--seconds 0 would run for ever");
    Ok(wanted)
}

/// A nightly compiler and cargo-fuzz, which nothing else here needs.
fn setup() -> anyhow::Result<()> {
    let toolchains = output(Command::new("rustup").args(["toolchain", "list"]))?;
    if !toolchains.lines().any(|line| line.starts_with("nightly")) {
        println!("    the nightly toolchain is missing: fuzzing needs its sanitizer");
        call(Command::new("rustup").args([
            "toolchain",
            "install",
            "nightly",
            "--profile",
            "minimal",
        ]))?;
    }
    let there = output(Command::new("cargo").args(["install", "--list"]))?;
    if !there.lines().any(|line| line.starts_with("cargo-fuzz v")) {
        println!("    cargo-fuzz is missing: it builds and runs the targets");
        call(Command::new("cargo").args([
            "install",
            "--locked",
            "--version",
            CARGO_FUZZ,
            "cargo-fuzz",
        ]))?;
    }
    Ok(())
}

/// Every target of every crate, in order.
fn find(places: &Places) -> anyhow::Result<Vec<Target>> {
    let mut targets = Vec::new();
    for package in places.metadata.workspace_packages() {
        let home = package.manifest_path.parent().context("a manifest is in a folder")?;
        let folder = home.join("fuzz").into_std_path_buf();
        if !folder.join("Cargo.toml").is_file() {
            continue;
        }
        let metadata = MetadataCommand::new()
            .current_dir(&folder)
            .no_deps()
            .exec()
            .with_context(|| format!("read {}", folder.display()))?;
        let bins = metadata.packages.iter().flat_map(|package| &package.targets);
        targets.extend(bins.filter(|target| target.is_bin()).map(|target| Target {
            folder: folder.clone(),
            krate: package.name.to_string(),
            name: target.name.clone(),
        }));
    }
    ensure!(!targets.is_empty(), "no crate has a folder fuzz");
    targets.sort_by(|one, other| (&one.krate, &one.name).cmp(&(&other.krate, &other.name)));
    Ok(targets)
}

fn work(places: &Places) -> PathBuf {
    places.target.join("fuzz")
}

fn build(places: &Places) -> PathBuf {
    work(places).join("build")
}

fn fuzz(places: &Places, folder: &Path, verb: &str) -> Command {
    let mut command = places.command("rustup");
    command.args(["run", "nightly", "cargo", "fuzz", verb, "--fuzz-dir"]).arg(folder);
    command
}

/// Runs one target on what the repository has and what earlier runs found.
fn try_one(places: &Places, target: &Target, wanted: &Wanted) -> anyhow::Result<()> {
    let seen = work(places).join("seen").join(&target.krate).join(&target.name);
    let found = work(places).join("found").join(&target.krate).join(&target.name);
    let kept = target.folder.join("corpus").join(&target.name);
    for folder in [&seen, &found, &kept] {
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    let mut command = fuzz(places, &target.folder, "run");
    command.arg("--target-dir").arg(build(places)).arg(&target.name).args([&seen, &kept]);
    command.args(["--", "-timeout=60", "-rss_limit_mb=2048", "-print_final_stats=1"]);
    command.arg(format!("-max_total_time={}", wanted.seconds));
    command.arg(format!("-artifact_prefix={}/", found.display()));
    call(&mut command)?;
    if wanted.keep { keep(places, target, &seen, &kept) } else { Ok(()) }
}

/// Takes the inputs that reach something new into the repository, short ones first.
fn keep(places: &Places, target: &Target, seen: &Path, kept: &Path) -> anyhow::Result<()> {
    let chosen = tempfile::tempdir().context("make a folder for what is chosen")?;
    let mut command = fuzz(places, &target.folder, "run");
    command.arg("--target-dir").arg(build(places)).arg(&target.name);
    command.arg(chosen.path()).arg(kept).arg(seen).args(["--", "-merge=1"]);
    call(&mut command)?;
    let mut inputs = files(chosen.path())?;
    inputs.retain(|(bytes, _)| *bytes <= KEPT_BYTES_MAX);
    inputs.sort();
    let room = KEPT_MAX.saturating_sub(files(kept)?.len());
    let mut new = 0;
    for (_, path) in inputs {
        let name = path.file_name().context("a file has a name")?;
        let bytes = std::fs::read(&path).context("read a chosen input")?;
        let known = files(kept)?
            .iter()
            .any(|(_, other)| std::fs::read(other).is_ok_and(|had| had == bytes));
        if !known && new < room {
            std::fs::write(kept.join(name), bytes).context("keep an input")?;
            new += 1;
        }
    }
    println!("    kept {new} new inputs in {}", kept.display());
    Ok(())
}

/// The files of a folder with their sizes.
fn files(folder: &Path) -> anyhow::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let entry = entry.context("read a folder")?;
        files.push((entry.metadata().context("look at a file")?.len(), entry.path()));
    }
    Ok(files)
}
