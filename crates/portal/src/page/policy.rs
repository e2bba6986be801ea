//! Another policy for an item, which also resumes protection that was stopped.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use coffre_control::Refusal;
use coffre_control::id::ItemId;
use coffre_control::model::ItemState;
use coffre_control::usecase::{
    EnableProtection, ItemView, enable_protection, get_item_by_id, list_policies,
};
use serde::Deserialize;

use crate::az::AzCommand;
use crate::page::error::{log, status_of};
use crate::page::parse_id;
use crate::page::prelude::*;
use crate::page::protect::{PolicyChoice, policy_choices};

#[derive(Template)]
#[template(path = "policy.html")]
struct PolicyPage<'a> {
    view: &'a View,
    section: &'static str,
    id: String,
    name: &'a str,
    vault: &'a str,
    heading: String,
    refused: Option<Notice>,
    policies: Vec<PolicyChoice>,
    az: AzLines<'a>,
}

/// What the form sends.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Wish {
    #[serde(default)]
    policy: String,
}

/// `GET /portal/items/{id}/policy`.
pub(crate) async fn show(State(app): State<App>, view: View, Path(id): Path<String>) -> Answer {
    page(&app, &view, parse_id(&id)?, Wish::default(), None).await
}

/// `POST /portal/items/{id}/policy`.
pub(crate) async fn change(
    State(app): State<App>,
    view: View,
    Path(id): Path<String>,
    Form(wish): Form<Wish>,
) -> Answer {
    let id: ItemId = parse_id(&id)?;
    let policy = wish.policy.clone();
    let done = app.change("portal_policy", view.caller(), move |tx, cx| {
        let item = get_item_by_id(tx, cx, id)?.item;
        let input =
            EnableProtection { vault: item.vault, vm: item.vm, policy, disk_selection: None };
        enable_protection(tx, cx, input, "")
    });
    match done.await {
        Ok(_) => go(format!("/portal/items/{id}")),
        Err(refusal) => page(&app, &view, id, wish, Some(refusal)).await,
    }
}

async fn page(app: &App, view: &View, id: ItemId, wish: Wish, refusal: Option<Refusal>) -> Answer {
    let read = app.look("portal_policy_form", view.caller(), move |tx, cx| {
        let found = get_item_by_id(tx, cx, id)?;
        let policies = list_policies(tx, cx, found.vault.id)?;
        Ok((found, policies))
    });
    let (found, policies) = read.await?;
    let status = refusal.as_ref().map_or(StatusCode::OK, |refusal| {
        log(refusal);
        status_of(refusal)
    });
    let item = &found.item;
    let wished =
        if wish.policy.is_empty() { item.policy.as_deref().unwrap_or("") } else { &wish.policy };
    let heading = match item.state {
        ItemState::Stopped | ItemState::Suspended => "item-resume",
        ItemState::IrPending | ItemState::Protected | ItemState::SoftDeleted { .. } => {
            "item-change-policy"
        }
    };
    html_with(
        status,
        &PolicyPage {
            view,
            section: "items",
            id: id.to_string(),
            name: &item.vm_name,
            vault: &found.vault.name,
            heading: view.t(heading),
            refused: refusal.as_ref().map(|refusal| Notice::refusal(view, refusal)),
            policies: policy_choices(view, &policies, wished),
            az: az(view, [command(&found)]),
        },
    )
}

fn command(found: &ItemView) -> AzCommand {
    let verbs = match found.item.state {
        ItemState::Stopped | ItemState::Suspended => "backup protection resume",
        _ => "backup item set-policy",
    };
    let command = AzCommand::new(verbs)
        .option("--resource-group", &found.vault.group)
        .option("--vault-name", &found.vault.name)
        .option("--container-name", &found.item.vm_name);
    let command = match found.item.state {
        ItemState::Stopped | ItemState::Suspended => command
            .option("--item-name", &found.item.vm_name)
            .option("--backup-management-type", "AzureIaasVM"),
        _ => command.option("--name", &found.item.vm_name),
    };
    command.option("--policy-name", found.item.policy.as_deref().unwrap_or("DefaultPolicy"))
}
