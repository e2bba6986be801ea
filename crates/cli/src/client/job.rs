//! `coffre job …`, and waiting for the job of another verb.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;
use ureq::http::Method;

use super::Verb;
use super::api::{Api, POLL, part};
use super::vault::find as find_vault;
use super::vm::id;
use crate::say::{self, Column, Format};

/// Jobs of a vault.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum JobVerb {
    /// Lists the jobs of a vault, newest first.
    List {
        /// The vault.
        #[arg(short = 'v', long)]
        vault: String,
    },
    /// Shows a job with its steps.
    Show {
        /// The vault.
        #[arg(short = 'v', long)]
        vault: String,
        /// The job.
        #[arg(short = 'n', long)]
        name: String,
    },
    /// Waits until a job has ended; exit status 1 when it failed or was cancelled.
    Wait {
        /// The vault.
        #[arg(short = 'v', long)]
        vault: String,
        /// The job.
        #[arg(short = 'n', long)]
        name: String,
        /// Give up after so many seconds.
        #[arg(long, default_value_t = 3600)]
        timeout: u64,
    },
    /// Does a failed or cancelled backup or restore again.
    Retry {
        /// The vault.
        #[arg(short = 'v', long)]
        vault: String,
        /// The job.
        #[arg(short = 'n', long)]
        name: String,
    },
    /// Cancels a job.
    Stop {
        /// The vault.
        #[arg(short = 'v', long)]
        vault: String,
        /// The job.
        #[arg(short = 'n', long)]
        name: String,
    },
}

/// Whether a verb waits for the job that it starts.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct WaitArgs {
    /// Return as soon as the job is accepted.
    #[arg(long)]
    no_wait: bool,
    /// Give up waiting after so many seconds; the job goes on.
    #[arg(long, default_value_t = 3600)]
    timeout: u64,
}

const COLUMNS: &[Column] = &[
    ("Job", "/name"),
    ("Operation", "/properties/operation"),
    ("VM", "/properties/entityFriendlyName"),
    ("Status", "/properties/status"),
    ("Started", "/properties/startTime"),
    ("Duration", "/properties/duration"),
    ("Error", "/properties/errorDetails/0/errorString"),
];
const STEP_COLUMNS: &[Column] = &[("Step", "/taskId"), ("Status", "/status")];

impl Verb for JobVerb {
    fn run(self, api: &Api, format: Format) -> anyhow::Result<ExitCode> {
        match self {
            JobVerb::List { vault } => {
                let vault = find_vault(api, &vault)?;
                let rows = api.list(&format!("{}/backupJobs", id(&vault)))?;
                say::list(format, &rows, COLUMNS)?;
                Ok(ExitCode::SUCCESS)
            }
            JobVerb::Show { vault, name } => {
                let vault = find_vault(api, &vault)?;
                show(format, &get(api, &vault, &name)?)?;
                Ok(ExitCode::SUCCESS)
            }
            JobVerb::Wait { vault, name, timeout } => {
                let vault = find_vault(api, &vault)?;
                wait(api, &vault, &name, Duration::from_secs(timeout), format)
            }
            JobVerb::Retry { vault, name } => {
                let vault = find_vault(api, &vault)?;
                let path = format!("{}/backupJobs/{}/retry", id(&vault), part(&name));
                let job = api.change(&Method::POST, &path, Some(&serde_json::json!({})))?;
                say::one(
                    format,
                    &job,
                    &[("Job", "/name"), ("Operation", "/properties/operation")],
                )?;
                Ok(ExitCode::SUCCESS)
            }
            JobVerb::Stop { vault, name } => {
                let vault = find_vault(api, &vault)?;
                let path = format!("{}/backupJobs/{}/cancel", id(&vault), part(&name));
                api.change(&Method::POST, &path, None)?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// Follows the job that an operation names.
pub(super) fn of_operation(
    api: &Api,
    vault: &Value,
    state: &Value,
    args: WaitArgs,
    format: Format,
) -> anyhow::Result<ExitCode> {
    let name = state["properties"]["jobId"].as_str().context("the operation names no job")?;
    if args.no_wait {
        show(format, &get(api, vault, name)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    wait(api, vault, name, Duration::from_secs(args.timeout), format)
}

fn get(api: &Api, vault: &Value, name: &str) -> anyhow::Result<Value> {
    api.get(&format!("{}/backupJobs/{}", id(vault), part(name)))
}

fn wait(
    api: &Api,
    vault: &Value,
    name: &str,
    limit: Duration,
    format: Format,
) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let mut shown = String::new();
    loop {
        let job = get(api, vault, name)?;
        let status = job["properties"]["status"].as_str().unwrap_or_default();
        match status {
            "InProgress" | "Cancelling" => {}
            _ => {
                show(format, &job)?;
                let good = matches!(status, "Completed" | "CompletedWithWarnings");
                return Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE });
            }
        }
        if begun.elapsed() > limit {
            bail!("the job {name} is still {status} after {} s", limit.as_secs());
        }
        let step = current_step(&job);
        if say::is_watched() && step != shown {
            say::note(&format!("{status}: {step}"));
            shown = step;
        }
        std::thread::sleep(POLL);
    }
}

fn current_step(job: &Value) -> String {
    let steps = job["properties"]["extendedInfo"]["tasksList"].as_array();
    let running = steps.into_iter().flatten().find(|step| step["status"] == "InProgress");
    running.and_then(|step| step["taskId"].as_str()).unwrap_or("waiting for a worker").to_owned()
}

fn show(format: Format, job: &Value) -> anyhow::Result<()> {
    say::one(format, job, COLUMNS)?;
    if format == Format::Table
        && let Some(steps) = job["properties"]["extendedInfo"]["tasksList"].as_array()
        && !steps.is_empty()
    {
        say::data("")?;
        say::list(format, steps, STEP_COLUMNS)?;
    }
    Ok(())
}
