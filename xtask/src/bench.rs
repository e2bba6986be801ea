//! `cargo xtask bench`: what the store verbs and the service cost, by the released binary, with the bars that they must keep.

mod az;
mod cost;
mod first_byte;
mod tool;

use std::path::PathBuf;

use anyhow::bail;

use crate::places::Places;
use crate::steps::call;

/// A program beside a crate, built with optimisation and run.
fn example(package: &'static str, name: &'static str) -> [&'static str; 7] {
    ["run", "--release", "--locked", "-p", package, "--example", name]
}

/// Runs one benchmark; fails when a bar is not kept.
pub(crate) fn run(places: &Places, arguments: &[String]) -> anyhow::Result<()> {
    let Some((what, rest)) = arguments.split_first() else {
        bail!("which benchmark: cost, first-byte, lists or az?");
    };
    if what == "lists" {
        // Each fails by itself when a bar is not kept.
        call(&mut places.cargo(&example("coffre-arm", "bench_lists")))?;
        return call(&mut places.cargo(&example("coffre-portal", "bench_pages")));
    }
    let mut image: Option<PathBuf> = None;
    let mut coffre: Option<PathBuf> = None;
    let mut rest = rest.iter();
    while let Some(option) = rest.next() {
        let value = rest.next().map(PathBuf::from);
        match (option.as_str(), value) {
            ("--image", Some(path)) => image = Some(path),
            ("--coffre", Some(path)) => coffre = Some(path),
            _ => bail!("unknown argument `{option}`"),
        }
    }
    let coffre = match coffre {
        Some(path) => path,
        None => {
            call(&mut places.cargo(&["build", "--release", "--locked", "-p", "coffre-cli"]))?;
            places.target.join("release/coffre")
        }
    };
    if what == "az" {
        let program = crate::az::find_or_install(places)?;
        return az::run(places, &coffre, &program);
    }
    let bench = tool::Bench::new(coffre)?;
    match what.as_str() {
        "cost" => cost::run(&bench),
        "first-byte" => first_byte::run(&bench, image.as_deref()),
        other => bail!("unknown benchmark `{other}`"),
    }
}
