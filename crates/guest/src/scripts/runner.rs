//! The process that runs a script, and that outlives the extension if it must.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use rustix::process::setsid;
use serde::{Deserialize, Serialize};

use super::config::{Script, check};
use super::execute::{End, describe, execute, kill};
use super::owed::{Debt, Ledger, recover};
use super::{Phase, Ran, ScriptFault, ScriptFiles};

const VERB: &str = "run-script";

/// Whether a verb of the command line is ours.
pub fn is_verb(verb: &str) -> bool {
    verb == VERB
}

/// What the runner is told.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    script: Script,
    state: PathBuf,
    /// What is owed as soon as the script before the point starts, or what is paid by the one after it.
    debt: Debt,
}

type Answer = Result<Ran, ScriptFault>;

/// Runs a script by way of a runner, and waits for it.
pub(super) fn run_apart(files: &ScriptFiles, script: &Script, debt: Debt) -> Answer {
    let order = Order { script: script.clone(), state: files.state.clone(), debt };
    let talk = || -> io::Result<Answer> {
        let mut runner = Command::new(&files.program)
            .arg(VERB)
            // For whoever looks at the list of processes.
            .arg(&script.path)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        if let Some(mut input) = runner.stdin.take() {
            input.write_all(&serde_json::to_vec(&order)?)?;
        }
        let mut answer = Vec::new();
        if let Some(mut output) = runner.stdout.take() {
            output.read_to_end(&mut answer)?;
        }
        runner.wait()?;
        Ok(serde_json::from_slice(&answer)?)
    };
    talk().unwrap_or_else(|failure| {
        let what = format!("the runner of {} failed: {failure}", script.path.display());
        Err(ScriptFault::new(script.phase.code(300, 301), what))
    })
}

/// The runner itself. `words` is what follows the name of the program.
pub fn run(_words: &[String]) -> ExitCode {
    let mut order = Vec::new();
    // Whoever ends the extension with its whole group must not end the script halfway.
    let _ = setsid();
    if io::stdin().read_to_end(&mut order).is_err() {
        return ExitCode::from(2);
    }
    let Ok(order) = serde_json::from_slice::<Order>(&order) else { return ExitCode::from(2) };
    let answer = carry_out(&order);
    if order.script.phase == Phase::Pre && !order.debt.owner_lives() {
        // Nobody is left who would take the point, or pay.
        let files = ScriptFiles { state: order.state, ..ScriptFiles::default() };
        recover(&files);
    }
    // The extension may be gone; what counts then is in the ledger.
    let told = serde_json::to_vec(&answer).map(|answer| io::stdout().write_all(&answer));
    if matches!(told, Ok(Ok(()))) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn carry_out(order: &Order) -> Answer {
    let script = &order.script;
    let failed = |failure: io::Error| {
        let what = format!("{} cannot be run: {failure}", script.path.display());
        ScriptFault::new(script.phase.code(300, 301), what)
    };
    let ledger = Ledger::open(&order.state).map_err(failed)?;
    // Nobody pays the same debt at the same time.
    let _lock = ledger.lock(Duration::from_secs(1)).map_err(failed)?;
    if script.phase == Phase::Pre {
        ledger.owe(&order.debt).map_err(failed)?;
    } else if !ledger.is_paying(&order.debt) {
        return Err(failed(io::Error::other("somebody else has paid")));
    }
    let mut starts = 0;
    loop {
        starts += 1;
        // Checked at every start: it is this file that runs, whatever was there before.
        let outcome = check(script).and_then(|file| once(script, &file, starts, &ledger));
        if outcome.is_ok() || starts > script.retries {
            ledger.ended(script.phase);
            return outcome;
        }
        std::thread::sleep(script.pause);
    }
}

fn once(script: &Script, file: &File, starts: u32, ledger: &Ledger) -> Answer {
    let mut group = None;
    let (end, output) = execute(script, file, |pid| {
        group = Some(pid);
        ledger.runs(pid);
    });
    let (code, what) = match end {
        End::Exited(status) if status.success() => return Ok(Ran { output, starts }),
        End::Exited(status) => (script.code_of(status.code()), describe(status)),
        End::TimedOut => {
            let seconds = script.timeout.as_secs_f64();
            (script.phase.code(308, 309), format!("was killed after {seconds} s"))
        }
        End::NotStarted(failure) => {
            (script.phase.code(300, 301), format!("cannot be started: {failure}"))
        }
    };
    // What a failed script has left behind must not go on into the point.
    group.into_iter().for_each(kill);
    let last = output.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let what = format!("{} {what}. {}", script.path.display(), last.trim());
    Err(ScriptFault { code, what: what.trim_end().to_owned(), output })
}
