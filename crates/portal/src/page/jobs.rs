//! All backup jobs, narrowed by status, operation and time.

use askama::Template;
use axum::extract::{Query, State};
use coffre_control::Action;
use coffre_control::model::JobStatus;
use coffre_control::port::JobFilter;
use jiff::SignedDuration;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::az::AzCommand;
use crate::inventory::vaults_of;
use crate::page::prelude::*;
use crate::sort::skipped;
use crate::table::JobTable;
use crate::words;

/// Days that the list reaches back when nobody says.
const DAYS: &str = "7";

/// Operations that one can filter by: Azure's word and the key of ours.
const OPERATIONS: [(&str, &str); 6] = [
    ("Backup", "operation-backup"),
    ("Restore", "restore"),
    ("ConfigureBackup", "operation-configure-backup"),
    ("DisableBackup", "operation-disable-backup"),
    ("DeleteBackupData", "operation-delete-backup-data"),
    ("Undelete", "operation-undelete"),
];

#[derive(Template)]
#[template(path = "jobs.html")]
struct Jobs<'a> {
    view: &'a View,
    section: &'static str,
    statuses: Vec<Choice>,
    operations: Vec<Choice>,
    days: Vec<Choice>,
    table: JobTable<'a>,
    pager: Pager<'a>,
    none: Empty,
    az: AzLines<'a>,
}

struct Choice {
    value: &'static str,
    label: String,
    chosen: bool,
}

#[derive(Deserialize, Default)]
pub(crate) struct Filter {
    /// Azure's word for a status; empty = any.
    #[serde(default)]
    status: String,
    /// Azure's word for an operation; empty = any.
    #[serde(default)]
    operation: String,
    /// How many days back; `all` = since ever.
    #[serde(default)]
    days: String,
    /// Counted from 1.
    #[serde(default)]
    page: String,
}

/// `GET /portal/jobs`.
pub(crate) async fn show(
    State(app): State<App>,
    view: View,
    Query(mut filter): Query<Filter>,
) -> Answer {
    if filter.days.is_empty() {
        DAYS.clone_into(&mut filter.days);
    }
    // Running jobs are what Azure's "in progress" means, and those being cancelled still run.
    let statuses = match JobStatus::from_azure(&filter.status) {
        Some(JobStatus::InProgress) => vec![JobStatus::InProgress, JobStatus::Cancelling],
        Some(status) => vec![status],
        None => Vec::new(),
    };
    let narrowed = JobFilter {
        statuses,
        operation: (!filter.operation.is_empty()).then(|| filter.operation.clone()),
        from: days_of(&filter).map(|days| view.now - SignedDuration::from_hours(24 * days)),
        of_vaults: true,
        limit: Some(PAGE_ROWS as u32),
        ..JobFilter::default()
    };
    let page = filter.page.clone();
    let (jobs, count, vaults) = app
        .look("portal_jobs", view.caller(), move |tx, cx| {
            cx.may(Action::Read)?;
            let count = tx.count_jobs(&narrowed)?;
            let jobs = tx.jobs(&JobFilter { skip: skipped(&page, count), ..narrowed })?;
            let vaults = vaults_of(tx, jobs.iter().filter_map(|job| job.vault))?;
            Ok((jobs, count, vaults))
        })
        .await?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let pager = Pager::new(&view, address(&filter), &filter.page, count);
    let commands = vaults.iter().map(|vault| {
        let mut command = AzCommand::new("backup job list")
            .option("--resource-group", &vault.group)
            .option("--vault-name", &vault.name);
        if let Some(status) = JobStatus::from_azure(&filter.status) {
            command = command.option("--status", status.azure());
        }
        command.option("--output", "table")
    });
    let no_filter = filter.status.is_empty() && filter.operation.is_empty();
    html(&Jobs {
        view: &view,
        section: "jobs",
        statuses: status_choices(&view, &filter),
        operations: operation_choices(&view, &filter),
        days: day_choices(&view, &filter),
        table: JobTable::new(&view, &jobs),
        pager,
        none: if no_filter {
            empty(&view, "jobs-none", "jobs-none-text")
        } else {
            empty(&view, "nothing-found", "nothing-found-text")
        },
        az: az(&view, commands),
    })
}

/// The list as it is narrowed, ready for `page=…`.
fn address(filter: &Filter) -> String {
    let word = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    let (status, operation, days) =
        (word(&filter.status), word(&filter.operation), word(&filter.days));
    format!("/portal/jobs?status={status}&operation={operation}&days={days}&")
}

fn days_of(filter: &Filter) -> Option<i64> {
    filter.days.parse().ok().filter(|days| (1..=365).contains(days))
}

fn status_choices(view: &View, filter: &Filter) -> Vec<Choice> {
    let choice = |status: &JobStatus| Choice {
        value: status.azure(),
        label: view.t(words::job(*status).1),
        chosen: filter.status.eq_ignore_ascii_case(status.azure()),
    };
    JobStatus::ALL.iter().filter(|it| **it != JobStatus::Cancelling).map(choice).collect()
}

fn operation_choices(view: &View, filter: &Filter) -> Vec<Choice> {
    let choice = |(value, key): (&'static str, &str)| Choice {
        value,
        label: view.t(key),
        chosen: filter.operation.eq_ignore_ascii_case(value),
    };
    OPERATIONS.into_iter().map(choice).collect()
}

fn day_choices(view: &View, filter: &Filter) -> Vec<Choice> {
    let mut choices: Vec<Choice> = [("1", 1_u64), ("7", 7), ("30", 30), ("90", 90)]
        .into_iter()
        .map(|(value, count)| Choice {
            value,
            label: view.t1("filter-days", "count", count),
            chosen: filter.days == value,
        })
        .collect();
    choices.push(Choice {
        value: "all",
        label: view.t("filter-all"),
        chosen: days_of(filter).is_none(),
    });
    choices
}
