//! `cargo xtask bench`: what the store verbs cost, by the released binary, with the bars that they must keep.

mod cost;
mod first_byte;
mod tool;

use std::path::PathBuf;

use anyhow::bail;

use crate::places::Places;
use crate::steps::call;

/// Runs one benchmark; fails when a bar is not kept.
pub(crate) fn run(places: &Places, arguments: &[String]) -> anyhow::Result<()> {
    let Some((what, rest)) = arguments.split_first() else {
        bail!("which benchmark: cost or first-byte?");
    };
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
    let bench = tool::Bench::new(coffre)?;
    match what.as_str() {
        "cost" => cost::run(&bench),
        "first-byte" => first_byte::run(&bench, image.as_deref()),
        other => bail!("unknown benchmark `{other}`"),
    }
}
