//! *Stop backup*: keep the recovery points, or delete them. The page says what stays and for how
//! long before anything is done.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use coffre_control::id::ItemId;
use coffre_control::model::{Immutability, ItemState, SoftDeleteState, Vault};
use coffre_control::usecase::{ItemView, delete_backup_data, get_item_by_id, stop_protection};
use coffre_control::{Action, ErrorCode, Refusal};
use serde::Deserialize;

use crate::az::AzCommand;
use crate::page::error::{log, status_of};
use crate::page::parse_id;
use crate::page::prelude::*;

#[derive(Template)]
#[template(path = "stop.html")]
struct Stop<'a> {
    view: &'a View,
    section: &'static str,
    id: String,
    name: &'a str,
    /// What the page does: an item that is stopped already has only its data to lose.
    title: String,
    refused: Option<Notice>,
    may_keep: bool,
    may_delete: bool,
    delete_chosen: bool,
    points: String,
    fate: String,
    az: AzLines<'a>,
}

/// What the form sends.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Wish {
    /// `keep` or `delete`.
    #[serde(default)]
    data: String,
    /// The item's name, typed, before data is deleted.
    #[serde(default)]
    sure: String,
}

/// `GET /portal/items/{id}/stop`.
pub(crate) async fn show(State(app): State<App>, view: View, Path(id): Path<String>) -> Answer {
    page(&app, &view, parse_id(&id)?, &Wish::default(), None).await
}

/// `POST /portal/items/{id}/stop`.
pub(crate) async fn stop(
    State(app): State<App>,
    view: View,
    Path(id): Path<String>,
    Form(wish): Form<Wish>,
) -> Answer {
    let id: ItemId = parse_id(&id)?;
    let asked = wish.clone();
    let done = app.change("portal_stop", view.caller(), move |tx, cx| {
        if asked.data != "delete" {
            stop_protection(tx, cx, id, "")?;
            return Ok(format!("/portal/items/{id}"));
        }
        if asked.sure.is_empty() {
            return Err(Refusal::new(
                ErrorCode::InvalidRequestContent,
                "Deleting backup data cannot be taken for granted. Confirm it with the tick.",
            ));
        }
        let job = delete_backup_data(tx, cx, id, "")?.job;
        // An item that goes with its last point has no page any more.
        Ok(match tx.item(id)? {
            Some(_) => format!("/portal/items/{id}"),
            None => format!("/portal/jobs/{}", job.id),
        })
    });
    match done.await {
        Ok(address) => go(address),
        Err(refusal) => page(&app, &view, id, &wish, Some(refusal)).await,
    }
}

async fn page(app: &App, view: &View, id: ItemId, wish: &Wish, refusal: Option<Refusal>) -> Answer {
    let read = app.look("portal_stop_form", view.caller(), move |tx, cx| {
        let found = get_item_by_id(tx, cx, id)?;
        Ok((found, tx.stored_of_item(id)?.points))
    });
    let (found, points) = read.await?;
    let status = refusal.as_ref().map_or(StatusCode::OK, |refusal| {
        log(refusal);
        status_of(refusal)
    });
    let item = &found.item;
    let may_keep = item.state.is_active() && view.may(Action::StopProtection);
    let deleted = matches!(item.state, ItemState::SoftDeleted { .. });
    let may_delete = !deleted
        && view.may(Action::DeleteBackupData)
        && (found.vault.immutability == Immutability::Disabled || points == 0);
    html_with(
        status,
        &Stop {
            view,
            section: "items",
            id: id.to_string(),
            name: &item.vm_name,
            title: view.t(if may_keep || !may_delete { "item-stop" } else { "item-delete" }),
            refused: refusal.as_ref().map(|refusal| Notice::refusal(view, refusal)),
            may_keep,
            may_delete,
            delete_chosen: wish.data == "delete" || !may_keep,
            points: view.t1("stop-keep-text", "count", points),
            fate: fate(view, &found.vault, points),
            az: az(view, commands(&found, may_keep, may_delete)),
        },
    )
}

/// What becomes of deleted points.
fn fate(view: &View, vault: &Vault, points: u64) -> String {
    if vault.soft_delete.state == SoftDeleteState::Disabled {
        return view.t1("stop-delete-now", "count", points);
    }
    let days = u64::from(vault.soft_delete.days);
    view.t2("stop-delete-soft", "count", points, "days", days)
}

fn commands(found: &ItemView, may_keep: bool, may_delete: bool) -> Vec<AzCommand> {
    let disable = || {
        AzCommand::new("backup protection disable")
            .option("--resource-group", &found.vault.group)
            .option("--vault-name", &found.vault.name)
            .option("--container-name", &found.item.vm_name)
            .option("--item-name", &found.item.vm_name)
            .option("--backup-management-type", "AzureIaasVM")
    };
    let mut commands = Vec::new();
    if may_keep {
        commands.push(disable());
    }
    if may_delete {
        commands.push(disable().option("--delete-backup-data", "true"));
    }
    commands
}
