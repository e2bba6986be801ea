//! The `coffre-guest` binary: the verbs of the extension handler, and the processes it splits into.

use std::path::Path;
use std::process::ExitCode;

use coffre_guest::enable::{self, VerbError};
use coffre_guest::{adopt, freeze, scripts, supervise};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let verb = arguments.first().map(String::as_str).unwrap_or_default();
    if freeze::is_verb(verb) {
        return freeze::run(&arguments);
    }
    if scripts::is_verb(verb) {
        return scripts::run(&arguments);
    }
    // The agent calls every verb in the folder of the extension.
    let home = std::env::current_dir().unwrap_or_else(|_| Path::new("/").to_owned());
    let sequence = std::env::var("ConfigSequenceNumber").ok();
    let result = match verb {
        "enable" => {
            // The agent takes any failure for an extension that cannot be used at all; what went wrong with one command
            // is in its status.
            tell(&enable::enable(&home, sequence.as_deref()));
            return ExitCode::SUCCESS;
        }
        "adopt" => return adopted(adopt::adopt(std::io::stdin().lock())),
        "install" => enable::install(&home),
        "uninstall" | "disable" | "update" => enable::note(&home, verb),
        "supervise" => match arguments.get(1).and_then(|text| text.parse().ok()) {
            Some(sequence) => supervise::supervise(&home, sequence),
            None => return usage(),
        },
        "worker" => supervise::worker(&home),
        _ => return usage(),
    };
    tell(&result);
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The service reads what is said here.
#[allow(clippy::print_stdout, reason = "the answer to whoever called")]
fn adopted(result: Result<adopt::Adopted, adopt::AdoptError>) -> ExitCode {
    match result {
        Ok(adopted) => {
            println!("{}", adopted.to_json());
            ExitCode::SUCCESS
        }
        Err(error) => {
            let source = std::error::Error::source(&error);
            let why = source.map(|source| format!(": {source}")).unwrap_or_default();
            say(&format!("coffre-guest: {error}{why}"));
            ExitCode::FAILURE
        }
    }
}

fn tell(result: &Result<(), VerbError>) {
    if let Err(error) = result {
        let source = std::error::Error::source(error);
        let why = source.map(|source| format!(": {source}")).unwrap_or_default();
        say(&format!("coffre-guest: {error}{why}"));
    }
}

fn usage() -> ExitCode {
    say(
        "usage: coffre-guest install|enable|disable|update|uninstall, in the folder of the extension",
    );
    ExitCode::from(2)
}

/// The agent keeps what is said here in its log.
#[allow(clippy::print_stderr, reason = "the one place that speaks to whoever called")]
fn say(text: &str) {
    eprintln!("{text}");
}
