//! Steps with their seconds, and the table of them at the end.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};

/// The steps of one command, in the order they ran.
pub(crate) struct Steps {
    started: Instant,
    done: Vec<(String, Duration)>,
}

impl Steps {
    pub(crate) fn new() -> Steps {
        Steps { started: Instant::now(), done: Vec::new() }
    }

    /// Runs a step. When it fails, the table is printed with the failed step last.
    pub(crate) fn run<T>(
        &mut self,
        name: &str,
        step: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        println!("==> {name}");
        let started = Instant::now();
        let result = step();
        self.ended(name, started.elapsed(), result)
    }

    /// Takes a step that ran aside into the table.
    pub(crate) fn take(&mut self, aside: Aside) -> anyhow::Result<()> {
        println!("==> {} (ran beside others)", aside.name);
        println!("    $ {}", aside.words);
        self.ended(aside.name, aside.seconds, aside.result)
    }

    fn ended<T>(
        &mut self,
        name: &str,
        seconds: Duration,
        result: anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        println!("    {name}: {:.1} s\n", seconds.as_secs_f64());
        let failed = if result.is_ok() { "" } else { " (FAILED)" };
        self.done.push((format!("{name}{failed}"), seconds));
        result.map_err(|error| {
            println!("{}", self.table());
            error.context(format!("step `{name}` failed"))
        })
    }

    /// Time since the first step began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Seconds of each step and of all.
    pub(crate) fn table(&self) -> String {
        let total = ("total".to_owned(), self.elapsed());
        let rows = self.done.iter().chain(std::iter::once(&total));
        let width = rows.clone().map(|(name, _)| name.len()).max().unwrap_or_default();
        let mut text = String::new();
        for (name, duration) in rows {
            let _ = writeln!(text, "{name:width$}  {:>8.1} s", duration.as_secs_f64());
        }
        text
    }
}

/// A step that ran beside others. What it said is kept until it ended, and shown only when it failed.
pub(crate) struct Aside {
    name: &'static str,
    words: String,
    seconds: Duration,
    result: anyhow::Result<()>,
}

impl Aside {
    /// Runs a command behind all others, and waits for its end.
    pub(crate) fn run(name: &'static str, command: &Command) -> Aside {
        let (started, words) = (Instant::now(), words(command));
        let output = behind_others(command).stdin(Stdio::null()).output();
        let result = match output {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => {
                let said = [output.stdout, output.stderr].concat();
                let said = String::from_utf8_lossy(&said);
                println!("{said}");
                Err(anyhow!("`{words}` ended with {}; what it said is above", output.status))
            }
            Err(error) => Err(error).with_context(|| format!("start `{words}`")),
        };
        Aside { name, words, seconds: started.elapsed(), result }
    }
}

/// The same command at a lower priority.
fn behind_others(command: &Command) -> Command {
    let mut nice = Command::new("nice");
    nice.args(["-n", "10"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => nice.env(name, value),
            None => nice.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        nice.current_dir(folder);
    }
    nice
}

/// Shows a command, runs it with our own output, and fails when it does.
pub(crate) fn call(command: &mut Command) -> anyhow::Result<()> {
    println!("    $ {}", words(command));
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("start `{}`", words(command)))?;
    if !status.success() {
        bail!("`{}` ended with {status}", words(command));
    }
    Ok(())
}

/// Runs a command and gives its standard output; what it says on the standard error is shown.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    command.stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().with_context(|| format!("start `{}`", words(command)))?;
    if !output.status.success() {
        bail!("`{}` ended with {}", words(command), output.status);
    }
    String::from_utf8(output.stdout).context("read its output as UTF-8")
}

/// A command as a person would type it.
pub(crate) fn words(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}
