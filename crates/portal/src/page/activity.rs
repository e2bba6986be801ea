//! The activity log: who changed what, and when. Nothing in the portal can change it.

use askama::Template;
use axum::extract::{Query, State};
use coffre_control::Action;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::az::AzCommand;
use crate::page::prelude::*;
use crate::sentence;
use crate::sort::skipped;
use crate::view::TimeElement;
use crate::words;

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
    let (needle, page) = (filter.find.trim().to_owned(), filter.page.clone());
    let (records, count) = app
        .look("portal_activity", view.caller(), move |tx, cx| {
            cx.may(Action::Read)?;
            let count = tx.count_audit(&needle)?;
            let skip = skipped(&page, count);
            Ok((tx.search_audit(&needle, skip, PAGE_ROWS as u32)?, count))
        })
        .await?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let find = utf8_percent_encode(&filter.find, NON_ALPHANUMERIC);
    let pager = Pager::new(&view, format!("/portal/activity?find={find}&"), &filter.page, count);
    let none = if filter.find.trim().is_empty() {
        empty(&view, "activity-none", "activity-none-text")
    } else {
        empty(&view, "nothing-found", "nothing-found-text")
    };
    html(&Activity {
        view: &view,
        section: "activity",
        find: &filter.find,
        rows: records
            .iter()
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
