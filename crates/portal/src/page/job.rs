//! One job: its steps, how far it is, and what became of it. The part that changes is a fragment
//! of its own, which the page asks for again until the job has ended.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::{Path, State};
use coffre_control::Action;
use coffre_control::id::{ItemId, JobId, VmId};
use coffre_control::job::is_cancellable;
use coffre_control::model::{
    Consistency, Job, JobKind, JobState, RestoreTarget, StepRecord, StepStatus, Vault,
};
use coffre_control::usecase::{cancel_job, get_job};
use jiff::Timestamp;

use crate::az::AzCommand;
use crate::page::parse_id;
use crate::page::prelude::*;
use crate::sentence::capitalised;
use crate::table::{duration, percent};
use crate::view::TimeElement;
use crate::words;

#[derive(Template)]
#[template(path = "job.html")]
struct JobPage<'a> {
    view: &'a View,
    section: &'static str,
    job: &'a Job,
    operation: String,
    ended: bool,
    live: Live<'a>,
    az: AzLines<'a>,
}

/// The part of the page that changes.
#[derive(Template)]
#[template(path = "job_live.html")]
struct Live<'a> {
    view: &'a View,
    id: String,
    ended: bool,
    status: Status,
    may_cancel: bool,
    notices: Vec<Notice>,
    facts: Vec<(String, String)>,
    links: Vec<(String, String, String)>,
    meter: Option<Meter>,
    steps: Vec<StepRow>,
    files: Vec<String>,
    started: Option<TimeElement>,
    finished: Option<TimeElement>,
    duration: String,
}

impl HtmlSafe for Live<'_> {}

struct Meter {
    done: u64,
    total: u64,
    percent: String,
    bytes: String,
    left: Option<String>,
}

struct StepRow {
    name: String,
    status: Status,
    duration: String,
}

/// `GET /portal/jobs/{id}`.
pub(crate) async fn show(State(app): State<App>, view: View, Path(id): Path<String>) -> Answer {
    let found = read(&app, &view, &id).await?;
    let Found { job, vault, .. } = &found;
    html(&JobPage {
        view: &view,
        section: "jobs",
        job,
        operation: view.t(words::operation(&job.kind)),
        ended: job.state.is_ended(),
        live: live(&view, &found),
        az: az(&view, commands(job, vault.as_ref())),
    })
}

/// `GET /portal/jobs/{id}/live`: the part that changes, alone.
pub(crate) async fn fragment(State(app): State<App>, view: View, Path(id): Path<String>) -> Answer {
    let found = read(&app, &view, &id).await?;
    html(&live(&view, &found))
}

/// `POST /portal/jobs/{id}/cancel`.
pub(crate) async fn cancel(State(app): State<App>, view: View, Path(id): Path<String>) -> Answer {
    let id: JobId = parse_id(&id)?;
    app.change("portal_cancel_job", view.caller(), move |tx, cx| cancel_job(tx, cx, id)).await?;
    go(format!("/portal/jobs/{id}"))
}

/// A job and what there is still of what it is about.
struct Found {
    job: Job,
    vault: Option<Vault>,
    item: Option<ItemId>,
    vm: Option<VmId>,
}

async fn read(app: &App, view: &View, id: &str) -> Result<Found, Problem> {
    let id: JobId = parse_id(id)?;
    let found = app.look("portal_job", view.caller(), move |tx, cx| {
        let job = get_job(tx, cx, id)?;
        let vault = match job.vault {
            Some(vault) => tx.vault(vault)?,
            None => None,
        };
        let item = match job.item {
            Some(item) => tx.item(item)?.map(|item| item.id),
            None => None,
        };
        let vm = match job.vm {
            Some(vm) => tx.vm(vm)?.map(|vm| vm.id),
            None => None,
        };
        Ok(Found { job, vault, item, vm })
    });
    Ok(found.await?)
}

fn live<'a>(view: &'a View, found: &Found) -> Live<'a> {
    let job = &found.job;
    Live {
        view,
        id: job.id.to_string(),
        ended: job.state.is_ended(),
        status: status(view, words::job_now(job)),
        may_cancel: is_cancellable(job) && view.may(Action::CancelJob),
        notices: notices(view, job),
        facts: facts(view, job),
        links: links(view, found),
        meter: meter(view, job),
        steps: job.steps.iter().map(|record| step_row(view, record)).collect(),
        files: job
            .facts
            .restore
            .iter()
            .flat_map(|it| &it.files)
            .map(|it| it.path.clone())
            .collect(),
        started: job.started.map(|time| view.time_exact(time)),
        finished: job.ended.map(|time| view.time_exact(time)),
        duration: duration(view, job),
    }
}

fn notices(view: &View, job: &Job) -> Vec<Notice> {
    let mut notices: Vec<Notice> =
        job.error.iter().map(|error| Notice::job_error(view, error)).collect();
    for warning in &job.warnings {
        let (title, action) = view.error(warning.code);
        notices.push(
            Notice::new(Tone::Warn, [view.say(&warning.message), action])
                .titled(title)
                .coded(warning.code),
        );
    }
    if !job.state.is_ended() && job.attempt > 0 {
        let attempt = u64::from(job.attempt);
        notices.push(Notice::new(Tone::Warn, [view.t1("job-retrying", "count", attempt)]));
    }
    notices
}

fn meter(view: &View, job: &Job) -> Option<Meter> {
    let percent = percent(job)?;
    let progress = &job.progress;
    let (done, total) = (progress.done_bytes, progress.total_bytes);
    Some(Meter {
        done: done.min(total),
        total,
        percent: view.t1("percent", "value", percent),
        bytes: view.t2("job-bytes", "done", &view.bytes(done), "total", &view.bytes(total)),
        left: seconds_left(job, view.now)
            .map(|left| view.t1("job-left", "time", &view.seconds(left))),
    })
}

/// How long the step that runs still takes at the speed it had so far, in seconds. None before
/// there is enough to tell: two seconds and a hundredth of the bytes.
fn seconds_left(job: &Job, now: Timestamp) -> Option<f64> {
    let step = job.steps.iter().find(|step| step.status == StepStatus::InProgress)?;
    let elapsed = now.duration_since(step.started?).as_secs_f64();
    let (done, total) = (job.progress.done_bytes as f64, job.progress.total_bytes as f64);
    (elapsed >= 2.0 && done * 100.0 >= total && done < total)
        .then(|| elapsed / done * (total - done))
}

fn step_row(view: &View, record: &StepRecord) -> StepRow {
    let end = record.ended.unwrap_or(view.now);
    StepRow {
        name: view.t(words::step(record.step)),
        status: status(view, words::step_status(record.status)),
        duration: record.started.map_or_else(String::new, |started| {
            view.seconds(end.duration_since(started).as_secs_f64())
        }),
    }
}

fn came_to_nothing(job: &Job) -> bool {
    matches!(job.state, JobState::Failed | JobState::Cancelled | JobState::Unwinding { .. })
}

/// What the steps found out, each with its label.
fn facts(view: &View, job: &Job) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut add = |key: &str, value: String| facts.push((view.t(key), value));
    match &job.kind {
        JobKind::Backup { retain_until: Some(until), .. } if !came_to_nothing(job) => {
            add("kept-until", view.time(*until).text().to_owned());
        }
        JobKind::ConfigureBackup { policy } => add("policy", policy.clone()),
        JobKind::Restore { target: RestoreTarget::Disks { account, folder, .. }, .. } => {
            add("storage-account", account.clone());
            add("restore-folder", folder.clone());
        }
        _ => {}
    }
    if let Some(snapshot) = &job.facts.snapshot {
        let (_, key) = words::consistency(snapshot.consistency);
        add("consistency", view.t(key));
        if snapshot.consistency != Consistency::Application || !snapshot.reason.is_empty() {
            add("consistency-reason", capitalised(&view.say(&snapshot.reason)));
        }
        add(
            "freeze",
            match snapshot.freeze_ms {
                Some(freeze) => view.millis(freeze),
                None => view.t("point-no-freeze"),
            },
        );
    }
    if let Some(transfer) = &job.facts.transfer {
        add("bytes-read", view.bytes(transfer.read_bytes));
        add("bytes-new", view.bytes(transfer.new_bytes));
        add("bytes-stored", view.bytes(transfer.stored_bytes));
        if let Some(reason) = &transfer.read_reason {
            add("read-whole-because", view.say(reason));
        }
    }
    if let Some(prepared) = &job.facts.prepared {
        let tier = view.t(if prepared.from_copy { "tier-instant" } else { "tier-vault" });
        let doubt = prepared.doubt.as_ref().map(|doubt| format!(". {}", view.say(doubt)));
        add("tier", tier + &doubt.unwrap_or_default());
    }
    if let Some(restore) = &job.facts.restore {
        add("bytes-written", view.bytes(restore.written_bytes));
    }
    facts
}

/// What the job is about, as far as it is still there: label, address, name.
fn links(view: &View, found: &Found) -> Vec<(String, String, String)> {
    let name = &found.job.name;
    let mut links = Vec::new();
    match (found.item, found.vm) {
        (Some(item), _) => {
            links.push((view.t("item"), format!("/portal/items/{item}"), name.clone()));
        }
        (None, Some(vm)) => {
            links.push((view.t("vm"), format!("/portal/vms/{vm}"), name.clone()));
        }
        (None, None) => {}
    }
    let went_wrong = found.job.error.is_some() || !found.job.warnings.is_empty();
    if let Some(vm) = found.vm.filter(|_| went_wrong) {
        let address = format!("/portal/vms/{vm}/log");
        links.push((view.t("guest-log"), address, view.t("guest-log-show")));
    }
    if let Some(vault) = &found.vault {
        let address = format!("/portal/vaults/{}", vault.id);
        links.push((view.t("vault"), address, vault.name.clone()));
    }
    links
}

fn commands(job: &Job, vault: Option<&Vault>) -> Vec<AzCommand> {
    let Some(vault) = vault else { return Vec::new() };
    let of_job = |verbs| {
        AzCommand::new(verbs)
            .option("--resource-group", &vault.group)
            .option("--vault-name", &vault.name)
            .option("--name", &job.id.to_string())
    };
    let mut commands = vec![of_job("backup job show")];
    if !job.state.is_ended() {
        commands.push(of_job("backup job wait"));
    }
    if is_cancellable(job) {
        commands.push(of_job("backup job stop"));
    }
    commands
}

#[cfg(test)]
mod tests {
    use coffre_control::id::PointId;
    use coffre_control::job::{NewJob, create};
    use coffre_control::model::Progress;
    use jiff::SignedDuration;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_forecast_waits_until_it_knows_something() {
        let begun = Timestamp::UNIX_EPOCH;
        let kind =
            JobKind::Backup { point: PointId(Uuid::nil()), retain_until: None, scheduled: false };
        let new = NewJob {
            id: JobId(Uuid::nil()),
            kind,
            vault: None,
            item: None,
            vm: None,
            name: String::new(),
            user_triggered: true,
        };
        let mut job = create(new, begun);
        job.steps[1].status = StepStatus::InProgress;
        job.steps[1].started = Some(begun);
        let mut left = |seconds, done_bytes| {
            job.progress = Progress { done_bytes, total_bytes: 1000, ..Progress::default() };
            seconds_left(&job, begun + SignedDuration::from_secs(seconds))
        };
        assert_eq!(left(1, 500), None);
        assert_eq!(left(60, 9), None);
        assert_eq!(left(0, 0), None);
        assert_eq!(left(10, 250), Some(30.0));
        assert_eq!(left(10, 1000), None);
    }
}
