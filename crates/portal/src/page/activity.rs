//! The activity log: who changed what, and when. Nothing in the portal can change it.

use askama::Template;
use axum::extract::{Query, State};
use coffre_control::Action;
use coffre_control::model::AuditRecord;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::az::AzCommand;
use crate::page::prelude::*;
use crate::sentence;
use crate::view::TimeElement;
use crate::words;

/// Newest records that are looked at.
const RECORDS_MAX: u32 = 5000;

#[derive(Template)]
#[template(path = "activity.html")]
struct Activity<'a> {
    view: &'a View,
    section: &'static str,
    find: &'a str,
    rows: Vec<Row<'a>>,
    pager: Pager<'a>,
    none: Empty,
    az: AzLines<'a>,
}

struct Row<'a> {
    time: TimeElement,
    who: &'a str,
    what: String,
    target: String,
}

#[derive(Deserialize, Default)]
pub(crate) struct Filter {
    /// Part of a name or of a target.
    #[serde(default)]
    find: String,
    /// Counted from 1.
    #[serde(default)]
    page: String,
}

/// `GET /portal/activity`.
pub(crate) async fn show(
    State(app): State<App>,
    view: View,
    Query(filter): Query<Filter>,
) -> Answer {
    let records = app
        .look("portal_activity", view.caller(), |tx, cx| {
            cx.may(Action::Read)?;
            Ok(tx.audit(RECORDS_MAX)?)
        })
        .await?;
    let needle = filter.find.trim().to_lowercase();
    let found = |it: &&AuditRecord| {
        it.name.to_lowercase().contains(&needle) || it.target.to_lowercase().contains(&needle)
    };
    let found: Vec<&AuditRecord> = records.iter().filter(found).collect();
    let find = utf8_percent_encode(&filter.find, NON_ALPHANUMERIC);
    let pager =
        Pager::new(&view, format!("/portal/activity?find={find}&"), &filter.page, found.len());
    let shown = found.into_iter().skip(pager.skipped()).take(PAGE_ROWS);
    let none = if records.is_empty() {
        empty(&view, "activity-none", "activity-none-text")
    } else {
        empty(&view, "nothing-found", "nothing-found-text")
    };
    html(&Activity {
        view: &view,
        section: "activity",
        find: &filter.find,
        rows: shown
            .map(|it| Row {
                time: view.time_exact(it.time),
                who: &it.name,
                what: view.t(words::action(it.action)),
                target: sentence::target(view.lang, &it.target),
            })
            .collect(),
        pager,
        none,
        az: az(&view, [AzCommand::new("backup job list").option("--output", "table")]),
    })
}
