//! *Back up now*: one field, the last day on which the point is kept.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use coffre_control::id::ItemId;
use coffre_control::usecase::backup_now::DEFAULT_RETENTION_DAYS;
use coffre_control::usecase::{ItemView, backup_now, get_item_by_id};
use coffre_control::{ErrorCode, Refusal};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::az::AzCommand;
use crate::format::{end_of_day, iso_day};
use crate::page::error::{log, status_of};
use crate::page::parse_id;
use crate::page::prelude::*;

#[derive(Template)]
#[template(path = "backup.html")]
struct BackupNow<'a> {
    view: &'a View,
    section: &'static str,
    id: String,
    name: &'a str,
    vault: &'a str,
    refused: Option<Notice>,
    wrong_date: Option<String>,
    until: String,
    earliest: String,
    az: AzLines<'a>,
}

/// What the form sends.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Wish {
    #[serde(default)]
    until: String,
}

/// `GET /portal/items/{id}/backup`.
pub(crate) async fn show(State(app): State<App>, view: View, Path(id): Path<String>) -> Answer {
    let until = iso_day(view.now + SignedDuration::from_hours(24 * DEFAULT_RETENTION_DAYS));
    page(&app, &view, parse_id(&id)?, until, None).await
}

/// `POST /portal/items/{id}/backup`.
pub(crate) async fn start(
    State(app): State<App>,
    view: View,
    Path(id): Path<String>,
    Form(wish): Form<Wish>,
) -> Answer {
    let id: ItemId = parse_id(&id)?;
    let started = match retain_until(&wish.until) {
        Ok(until) => {
            app.change("portal_backup_now", view.caller(), move |tx, cx| {
                backup_now(tx, cx, id, Some(until), "")
            })
            .await
        }
        Err(refusal) => Err(refusal),
    };
    match started {
        Ok(accepted) => go(format!("/portal/jobs/{}", accepted.job.id)),
        Err(refusal) => page(&app, &view, id, wish.until, Some(refusal)).await,
    }
}

fn retain_until(field: &str) -> Result<Timestamp, Refusal> {
    end_of_day(field).ok_or_else(|| {
        Refusal::new(
            ErrorCode::BMSUserErrorInvalidRecoveryPointExpiryTime,
            format!("'{field}' is not a date. Write it as year-month-day, as in 2027-01-31."),
        )
    })
}

async fn page(
    app: &App,
    view: &View,
    id: ItemId,
    until: String,
    refusal: Option<Refusal>,
) -> Answer {
    let read = app
        .look("portal_backup_form", view.caller(), move |tx, cx| get_item_by_id(tx, cx, id))
        .await?;
    let about_date = refusal.as_ref().is_some_and(|refusal| {
        refusal.code == ErrorCode::BMSUserErrorInvalidRecoveryPointExpiryTime
    });
    let status = refusal.as_ref().map_or(StatusCode::OK, |refusal| {
        log(refusal);
        status_of(refusal)
    });
    html_with(
        status,
        &BackupNow {
            view,
            section: "items",
            id: id.to_string(),
            name: &read.item.vm_name,
            vault: &read.vault.name,
            refused: refusal
                .as_ref()
                .filter(|_| !about_date)
                .map(|refusal| Notice::refusal(view, refusal)),
            wrong_date: refusal
                .as_ref()
                .filter(|_| about_date)
                .map(|refusal| format!("{} ({})", view.say(&refusal.message), refusal.code)),
            earliest: iso_day(view.now),
            az: az(view, [command(&read, &until)]),
            until,
        },
    )
}

fn command(found: &ItemView, until: &str) -> AzCommand {
    let command = AzCommand::new("backup protection backup-now")
        .option("--resource-group", &found.vault.group)
        .option("--vault-name", &found.vault.name)
        .option("--container-name", &found.item.vm_name)
        .option("--item-name", &found.item.vm_name)
        .option("--backup-management-type", "AzureIaasVM");
    match end_of_day(until) {
        // The day as az wants it: 31-12-2026.
        Some(time) => {
            let parts: Vec<_> = iso_day(time).split('-').rev().map(str::to_owned).collect();
            command.option("--retain-until", &parts.join("-"))
        }
        None => command,
    }
}
