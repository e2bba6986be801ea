//! The notification centre: what ended since the reader looked last, what went wrong first. What
//! was seen is kept for the reader, whichever browser they use.

use askama::Template;
use axum::extract::{Query, State};
use coffre_control::Refusal;
use coffre_control::id::PrincipalId;
use coffre_control::model::{Job, JobKind, JobStatus};
use coffre_control::port::{JobFilter, Tx};
use coffre_control::usecase::{mark_seen, seen_until};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::az::AzCommand;
use crate::page::prelude::*;
use crate::view::TimeElement;
use crate::words;

/// Newest jobs that are looked at.
const JOBS_MAX: u32 = 100;
/// What somebody who never looked has not seen.
const UNSEEN_FOR: SignedDuration = SignedDuration::from_hours(24);

#[derive(Template)]
#[template(path = "notifications.html")]
struct Notifications<'a> {
    view: &'a View,
    section: &'static str,
    alerts: bool,
    any_new: bool,
    rows: Vec<Row>,
    none: Empty,
    az: AzLines<'a>,
}

struct Row {
    id: String,
    is_new: bool,
    operation: String,
    name: String,
    status: Status,
    /// What went wrong, in a line.
    cause: Option<String>,
    time: TimeElement,
}

/// The bell alone, for pages that are told that something ended.
#[derive(Template)]
#[template(path = "component/bell.html")]
struct Bell<'a> {
    view: &'a View,
}

#[derive(Deserialize, Default)]
pub(crate) struct Asked {
    /// `alerts` = only what went wrong.
    #[serde(default)]
    show: String,
}

/// `GET /portal/notifications`.
pub(crate) async fn show(State(app): State<App>, view: View, Query(asked): Query<Asked>) -> Answer {
    let alerts = asked.show == "alerts";
    let (who, now) = (view.caller().principal, view.now);
    let (jobs, since) = app
        .look("portal_notifications", view.caller(), move |tx, _| {
            Ok((ended(tx)?, seen(tx, who, now)?))
        })
        .await?;
    let shown = jobs.iter().filter(|job| !alerts || is_alert(job));
    html(&Notifications {
        view: &view,
        section: "notifications",
        alerts,
        any_new: view.unseen_count() > 0,
        rows: shown.map(|job| row(&view, job, since)).collect(),
        none: empty(&view, "notifications-none", "notifications-none-text"),
        az: az(&view, [AzCommand::new("backup vault list").option("--output", "table")]),
    })
}

/// `GET /portal/notifications/bell`.
pub(crate) async fn bell(view: View) -> Answer {
    html(&Bell { view: &view })
}

/// `POST /portal/notifications/read`: all that there is was seen.
pub(crate) async fn read(State(app): State<App>, view: View) -> Answer {
    // A second later: what ended in this one was on the page.
    let until = view.now.saturating_add(SignedDuration::from_secs(1)).unwrap_or(view.now);
    app.change("portal_seen", view.caller(), move |tx, cx| mark_seen(tx, cx, until)).await?;
    go("/portal/notifications")
}

/// Until when somebody has seen all.
fn seen(tx: &mut dyn Tx, who: PrincipalId, now: Timestamp) -> Result<Timestamp, Refusal> {
    Ok(seen_until(tx, who)?.unwrap_or(now - UNSEEN_FOR))
}

/// How many jobs ended since somebody looked.
pub(crate) fn count_unseen(
    tx: &mut dyn Tx,
    who: PrincipalId,
    now: Timestamp,
) -> Result<usize, Refusal> {
    let since = seen(tx, who, now)?;
    Ok(ended(tx)?.iter().filter(|job| is_new(job, since)).count())
}

/// The newest jobs that ended, newest end first, without those that nobody waits for.
fn ended(tx: &mut dyn Tx) -> Result<Vec<Job>, Refusal> {
    let mut jobs = tx.jobs(&JobFilter { limit: Some(JOBS_MAX), ..JobFilter::default() })?;
    jobs.retain(|job| job.ended.is_some() && !matches!(job.kind, JobKind::RefreshContainers));
    jobs.sort_by_key(|job| std::cmp::Reverse(job.ended));
    Ok(jobs)
}

fn is_new(job: &Job, since: Timestamp) -> bool {
    job.ended.is_some_and(|ended| ended > since)
}

fn is_alert(job: &Job) -> bool {
    matches!(job.status(), JobStatus::Failed | JobStatus::CompletedWithWarnings)
}

fn row(view: &View, job: &Job, since: Timestamp) -> Row {
    let error = job.error.as_ref().map(|error| view.error(error.code).0);
    let warning = || job.warnings.first().map(|warning| view.error(warning.code).0);
    Row {
        id: job.id.to_string(),
        is_new: is_new(job, since),
        operation: view.t(words::operation(&job.kind)),
        name: job.name.clone(),
        status: status(view, words::job(job.status())),
        cause: error.or_else(warning),
        time: view.time(job.ended.unwrap_or(job.created)),
    }
}
