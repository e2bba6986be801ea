//! Commands for developers: `cargo xtask <command>`. Each sets up what it needs and says what it does.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command that talks to a person")]

mod az;
mod bench;
mod demo;
mod emulators;
mod fuzz;
mod places;
mod setup;
mod steps;
mod test;

use std::process::ExitCode;

use anyhow::bail;

use places::Places;

const HELP: &str = "\
Usage: cargo xtask COMMAND

  test      everything that CI runs: set-up, format, build, lints, documentation, guests, tests
            --no-setup     take the machine as it is
  demo      a real VM is protected, backed up while it writes, lost, restored and booted again
            --keep         leave the service and the VM running
            --az           drive it with the Azure command line; installs that into target/az when it is missing
            --release      build with optimisation
            --no-setup     take the machine as it is
  bench     what things cost, with the bars that they must keep: `cost` (the same change in
            8 GiB and 1 TiB, memory with 64 TiB), `first-byte` (of a mounted point), `lists` (a GET and a
            list page of the API and of the portal in a large installation), or `az` (the share of an
            `az` command that is spent in the service)
            --coffre FILE  this binary instead of a new release build
            --image FILE   first-byte of this image instead of a made one
  fuzz      strange bytes for every parser, 120 seconds each; installs a nightly compiler and cargo-fuzz
            TARGET         only this target (several may be named)
            --seconds N    so long for each
            --keep         take what led somewhere new into the repository, where tests replay it
  guests    build the test guests (arguments go to guests/build.sh)
  setup     install the Debian packages that the above need, and emulators of object stores
            --az           and the Azure command line, its SDK for Python, and schemathesis
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> anyhow::Result<()> {
    let Some((command, rest)) = arguments.split_first() else { bail!("which command?\n\n{HELP}") };
    let places = Places::find()?;
    match command.as_str() {
        "test" => test::run(&places, &Flags::parse(rest, &["--no-setup"])?),
        "demo" => {
            demo::run(&places, &Flags::parse(rest, &["--keep", "--az", "--release", "--no-setup"])?)
        }
        "bench" => bench::run(&places, rest),
        "fuzz" => fuzz::run(&places, rest),
        "guests" => steps::call(places.command("guests/build.sh").args(rest)),
        "setup" => {
            let flags = Flags::parse(rest, &["--az"])?;
            setup::everything(&places)?;
            if flags.has("--az") {
                println!("az: {}", az::find_or_install(&places)?.display());
                println!("clients: {}", az::clients(&places)?.display());
            }
            Ok(())
        }
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => bail!("unknown command `{other}`\n\n{HELP}"),
    }
}

/// The flags that were given to a command.
struct Flags(Vec<String>);

impl Flags {
    fn parse(arguments: &[String], known: &[&str]) -> anyhow::Result<Flags> {
        for argument in arguments {
            if !known.contains(&argument.as_str()) {
                bail!("unknown argument `{argument}`\n\n{HELP}");
            }
        }
        Ok(Flags(arguments.to_vec()))
    }

    fn has(&self, flag: &str) -> bool {
        self.0.iter().any(|given| given == flag)
    }
}
