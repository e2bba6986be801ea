//! Many commands of `az` in one process: loading its modules takes longer than most commands.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::commands::Refused;

/// Speaks to the modules of `az` as its own entry point does, one command a line.
const PROGRAM: &str = include_str!("az.py");

/// A process that has the modules of `az` loaded.
#[derive(Debug)]
pub(super) struct AzShell {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

#[derive(Deserialize)]
struct Answer {
    status: i32,
    out: String,
    log: String,
}

impl AzShell {
    /// Starts it with the Python that belongs to `az`, in the environment of `command`.
    pub(super) fn start(az: &Path, mut command: Command) -> anyhow::Result<AzShell> {
        command.args(["-c", PROGRAM]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process =
            command.spawn().with_context(|| format!("start the Python of {}", az.display()))?;
        let input = process.stdin.take();
        let output = process.stdout.take().context("the process has an output")?;
        Ok(AzShell { process, input, output: BufReader::new(output) })
    }

    /// Runs one command; what it printed.
    pub(super) fn run(&mut self, arguments: &[&str], words: &str) -> anyhow::Result<String> {
        let input = self.input.as_mut().context("the process has an input")?;
        writeln!(input, "{}", Value::from(arguments))?;
        input.flush()?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        ensure!(!line.is_empty(), "the Python of az ended at `{words}`");
        let answer: Answer = serde_json::from_str(&line)?;
        if answer.status == 0 {
            return Ok(answer.out);
        }
        let refused =
            Refused { command: words.to_owned(), status: answer.status, text: answer.log };
        Err(refused.into())
    }
}

impl Drop for AzShell {
    fn drop(&mut self) {
        // The end of its input is the end of its work.
        self.input = None;
        let _ = self.process.wait();
    }
}

/// The Python that has the modules of `az`: the one beside it, or that of Debian's package.
pub(super) fn python_of(az: &Path) -> anyhow::Result<PathBuf> {
    let on_path = || {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&folders).map(|folder| folder.join(az)).find(|it| it.is_file())
    };
    let az = if az.is_file() { Some(az.to_owned()) } else { on_path() };
    let az = az.context("there is no az command")?;
    let beside = az.parent().map(|folder| folder.join("python3"));
    let module = |python: &PathBuf| python.with_file_name("az").is_file();
    [beside, Some(PathBuf::from("/opt/az/bin/python3"))]
        .into_iter()
        .flatten()
        .find(|python| python.is_file() && module(python))
        .with_context(|| format!("no Python belongs to {}", az.display()))
}
