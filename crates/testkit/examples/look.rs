//! Starts a guest, runs the given scripts in it, and shows what they and the serial console said:
//! `cargo run -p coffre-testkit --example look -- debian warm 'systemctl --failed'`
#![expect(clippy::print_stdout, reason = "a command for developers")]

use anyhow::{Context, bail};
use coffre_testkit::{Guest, Machine};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let guest = match arguments.next().as_deref() {
        Some("tiny") => Guest::Tiny,
        Some("debian") => Guest::Debian,
        Some("postgres") => Guest::Postgres,
        _ => bail!("usage: look tiny|debian warm|cold [SCRIPT]..."),
    };
    let machine = match arguments.next().context("warm or cold?")?.as_str() {
        "warm" => Machine::warm(guest)?,
        _ => Machine::cold(guest)?,
    };
    println!("{} answers after {:?}", guest.name(), machine.boot_time());
    for script in arguments {
        let output = machine.shell().run(&script)?;
        println!("$ {script}\n{}{}(exit code {:?})", output.stdout, output.stderr, output.code);
    }
    println!("serial console:\n{}", machine.serial_log());
    Ok(())
}
