//! The verbs of the program that have to do with freezing.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use super::recover::{Recovery, recover};
use super::result::{FreezeFailure, Stamp};
use super::spec::{FreezeSpec, STATE_FOLDER};
use super::worker::Freezer;

/// The freezing process. Started by [`Freezer`] only.
pub(super) const FREEZER: &str = "freezer";
/// For administrators: thaw what a freeze left.
const THAW: &str = "thaw";
/// For administrators: freeze, hold for a moment, thaw, and tell how long it took.
const TRY: &str = "try-freeze";

/// Whether a verb of the command line is one of ours.
pub fn is_verb(verb: &str) -> bool {
    matches!(verb, FREEZER | THAW | TRY)
}

/// Runs one of our verbs. `words` is what follows the name of the program.
pub fn run(words: &[String]) -> ExitCode {
    let (verb, options) = words.split_first().map_or(("", words), |(verb, rest)| (verb, rest));
    match verb {
        FREEZER => super::freezer::main(),
        THAW => options_of(options).map_or_else(usage, |(spec, _)| thaw(&spec)),
        TRY => options_of(options).map_or_else(usage, |(spec, hold)| try_freeze(spec, hold)),
        _ => usage(format!("{verb} is unknown")),
    }
}

fn options_of(words: &[String]) -> Result<(FreezeSpec, Duration), String> {
    let mut spec = FreezeSpec::default();
    let mut hold = Duration::from_millis(100);
    for pair in words.chunks(2) {
        let [name, value] = pair else { return Err(format!("{} needs a value", pair[0])) };
        let millis = || {
            let number = value.parse().map_err(|_| format!("{value} is no number"));
            number.map(Duration::from_millis)
        };
        match name.as_str() {
            "--hold-ms" => hold = millis()?,
            "--ceiling-ms" => spec.ceiling = millis()?,
            "--prepare-ms" => spec.prepare = millis()?,
            "--skip" => spec.skip.push(PathBuf::from(value)),
            "--only" => spec.only = Some(PathBuf::from(value)),
            "--state" => spec.state = PathBuf::from(value),
            _ => return Err(format!("{name} is unknown")),
        }
    }
    Ok((spec, hold))
}

fn usage(why: String) -> ExitCode {
    tell(&json!({
        "error": why,
        "usage": format!(
            "{THAW} [--state FOLDER] | {TRY} [--hold-ms 100] [--ceiling-ms 10000] [--prepare-ms 60000] \
             [--skip MOUNT]... [--only FOLDER] [--state {STATE_FOLDER}]"
        ),
    }));
    ExitCode::from(2)
}

/// One line of JSON. Nobody is there to tell it to when it fails.
fn tell(value: &serde_json::Value) {
    let _ = writeln!(std::io::stdout(), "{value}");
}

fn thaw(spec: &FreezeSpec) -> ExitCode {
    let (value, good) = match recover(&spec.state) {
        Ok(Recovery::Nothing) => (json!({ "result": "nothing was frozen" }), true),
        Ok(Recovery::InProgress) => (json!({ "result": "a freeze is in progress" }), false),
        Ok(Recovery::Thawed { thawed }) => (json!({ "result": "thawed", "mounts": thawed }), true),
        Ok(Recovery::Incomplete { frozen }) => {
            (json!({ "result": "still frozen", "mounts": frozen }), false)
        }
        Err(failure) => (json!({ "error": failure.to_string() }), false),
    };
    tell(&value);
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn try_freeze(spec: FreezeSpec, hold: Duration) -> ExitCode {
    match freeze_for(spec, hold) {
        Ok(report) => {
            tell(&report);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            tell(&json!({ "error": failure.what, "code": failure.code, "cause": failure.cause }));
            ExitCode::FAILURE
        }
    }
}

fn freeze_for(spec: FreezeSpec, hold: Duration) -> Result<serde_json::Value, FreezeFailure> {
    let begun = Stamp::now();
    let freezer = Freezer::start(spec)?;
    let prepared = Stamp::now();
    let (file_systems, left_out) = (freezer.file_systems().to_vec(), freezer.left_out().to_vec());
    let frozen = freezer.freeze()?;
    std::thread::sleep(hold);
    let (started, all_frozen) = (frozen.started, frozen.frozen);
    // Nothing is written before this returns: the output may go to a frozen file system.
    let thawed = frozen.thaw();
    let millis = |later: &Stamp, earlier: &Stamp| later.since(earlier).as_secs_f64() * 1e3;
    Ok(json!({
        "fileSystems": file_systems,
        "leftOut": left_out,
        "held": thawed.held,
        "why": thawed.why,
        "prepareMs": millis(&prepared, &begun),
        "settleMs": millis(&started, &prepared),
        "freezeMs": millis(&all_frozen, &started),
        "thawMs": millis(&thawed.thawed_at, &thawed.began),
        "windowMs": thawed.window.as_secs_f64() * 1e3,
    }))
}
