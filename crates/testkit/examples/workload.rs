//! Drives and judges the workload of a debian guest that somebody else runs; the demo uses it.
//!
//! `workload SOCKET COMMAND`, SOCKET being that of the guest agent:
//! `wait` until the agent answers, `start`, `stop`, `rows` (print the last acknowledged row), `wait-for-row NUMBER`,
//! `promise FILE` (write down what must be in every later recovery point), `check FILE` (fail unless all of that is
//! there; print the report on the database and the number of files as JSON).
#![expect(clippy::print_stdout, reason = "a command for the demo")]

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use coffre_testkit::{Promise, Shell, Workload};

/// A cold boot on a busy machine, several times over.
const PATIENCE: Duration = Duration::from_secs(180);

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [socket, command @ ..] = words.as_slice() else { bail!("usage: workload SOCKET COMMAND") };
    let shell = Shell::at(Path::new(socket));
    let workload = Workload::on(&shell);
    match command {
        ["wait"] => shell.wait_until_ready(PATIENCE),
        ["start"] => workload.start(),
        ["stop"] => workload.stop(),
        ["rows"] => {
            println!("{}", workload.acknowledged()?);
            Ok(())
        }
        ["wait-for-row", number] => workload.wait_for_row(number.parse()?),
        ["promise", path] => {
            let file = File::create(path).with_context(|| format!("create {path}"))?;
            serde_json::to_writer(file, &workload.promise()?)?;
            Ok(())
        }
        ["check", path] => {
            let file = File::open(path).with_context(|| format!("open {path}"))?;
            let promise: Promise = serde_json::from_reader(file)?;
            let report = workload.check_promise(&promise)?;
            let files = promise.files.0.len();
            println!(
                "{}",
                serde_json::json!({ "rows": report.rows, "promised_rows": promise.rows, "files": files })
            );
            Ok(())
        }
        _ => bail!("unknown command {command:?}"),
    }
}
