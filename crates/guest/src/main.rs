//! The `coffre-guest` binary: the verbs of the extension handler, and the processes it splits into.

use std::process::ExitCode;

fn main() -> ExitCode {
    let verb = std::env::args().nth(1).unwrap_or_default();
    match verb.as_str() {
        "install" | "uninstall" | "disable" | "update" | "enable" => ExitCode::SUCCESS,
        _ => ExitCode::from(2),
    }
}
