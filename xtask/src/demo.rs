//! `cargo xtask demo`: everything the demonstration needs is set up and built here; what it shows is in `journey`.

mod journey;
mod table;

use std::path::PathBuf;

use coffre_testkit::Guests;

use crate::Flags;
use crate::az;
use crate::places::Places;
use crate::setup;
use crate::steps::{Steps, call};

/// What the journey finds ready.
struct Ready {
    /// The `coffre` program.
    coffre: PathBuf,
    /// The guests.
    guests: Guests,
    /// The Azure command line, when it is on the PATH or was asked for.
    az: Option<PathBuf>,
    /// Leave service and VM running at the end.
    keep: bool,
}

pub(crate) fn run(places: &Places, flags: &Flags) -> anyhow::Result<()> {
    let mut steps = Steps::new();
    if !flags.has("--no-setup") {
        steps.run("set-up", setup::packages)?;
    }
    let az = if flags.has("--az") || setup::on_path("az") {
        Some(steps.run("Azure command line", || az::find_or_install(places))?)
    } else {
        None
    };
    let (profile, folder) =
        if flags.has("--release") { ("release", "release") } else { ("dev", "debug") };
    let build = ["build", "--locked", "--package", "coffre-cli", "--profile", profile];
    steps.run("build", || call(&mut places.cargo(&build)))?;
    let guests = steps.run("guests", Guests::build)?;
    let ready = Ready {
        coffre: places.built(&format!("{folder}/coffre"))?,
        guests,
        az,
        keep: flags.has("--keep"),
    };
    steps.run("journey", || journey::run(&ready))?;
    println!("{}", steps.table());
    println!("demo: ok");
    Ok(())
}
