//! What a second person has to approve: who asked for what, and the decision of who holds the guard.

use std::collections::BTreeMap;

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use coffre_control::id::VaultId;
use coffre_control::model::{Approval, ApprovalState};
use coffre_control::usecase::{self, Decision, guard_of, list_approvals};
use coffre_control::{Action, Refusal};
use serde::Deserialize;

use crate::page::parse_id;
use crate::page::prelude::*;
use crate::sentence;
use crate::view::TimeElement;

#[derive(Template)]
#[template(path = "approvals.html")]
struct Approvals<'a> {
    view: &'a View,
    section: &'static str,
    rows: Vec<Row>,
    none: Empty,
}

struct Row {
    id: String,
    vault: String,
    vault_name: String,
    what: String,
    who: String,
    asked: TimeElement,
    until: TimeElement,
    state: Status,
    may_decide: bool,
}

/// Requests that one page shows.
const SHOWN_MAX: usize = 200;

/// `GET /portal/approvals`.
pub(crate) async fn show(State(app): State<App>, view: View) -> Answer {
    let me = view.caller().principal;
    let (requests, vaults) = app
        .look("portal_approvals", view.caller(), move |tx, cx| {
            let mut requests = list_approvals(tx, cx, None)?;
            requests.truncate(SHOWN_MAX);
            let mut vaults = BTreeMap::new();
            for request in &requests {
                let id = request.ask.vault;
                if !vaults.contains_key(&id)
                    && let Some(vault) = tx.vault(id)?
                {
                    let held = guard_of(tx, cx, id)?.is_some_and(|it| it.holders.contains(&me));
                    vaults.insert(id, (vault.name, held));
                }
            }
            Ok((requests, vaults))
        })
        .await?;
    let rows = requests.iter().filter_map(|it| {
        let (vault, held) = vaults.get(&it.ask.vault)?;
        Some(row(&view, it, vault, *held && it.asked_by.id != me))
    });
    html(&Approvals {
        view: &view,
        section: "settings",
        rows: rows.collect(),
        none: empty(&view, "approvals-none", "approvals-none-text"),
    })
}

fn row(view: &View, request: &Approval, vault: &str, holds: bool) -> Row {
    let state = request.state(view.now);
    let shown = match state {
        ApprovalState::Asked => (Tone::Warn, "approval-asked"),
        ApprovalState::Granted => (Tone::Info, "approval-granted"),
        ApprovalState::Refused => (Tone::Bad, "approval-refused"),
        ApprovalState::Used => (Tone::Good, "approval-used"),
        ApprovalState::Expired => (Tone::Idle, "approval-expired"),
    };
    Row {
        id: request.id.to_string(),
        vault: request.ask.vault.to_string(),
        vault_name: vault.to_owned(),
        what: sentence::say(view.lang, &request.ask.words),
        who: request.asked_by.name.clone(),
        asked: view.time_exact(request.asked),
        until: view.time_exact(request.until),
        state: status(view, shown),
        may_decide: holds && state == ApprovalState::Asked && view.may(Action::Approve),
    }
}

/// What the buttons send.
#[derive(Debug, Deserialize)]
pub(crate) struct Said {
    /// `grant` or `refuse`.
    #[serde(default)]
    decision: String,
}

/// `POST /portal/approvals/{vault}/{id}`.
pub(crate) async fn decide(
    State(app): State<App>,
    view: View,
    Path((vault, id)): Path<(String, String)>,
    Form(said): Form<Said>,
) -> Answer {
    let vault: VaultId = parse_id(&vault)?;
    let id = id.parse().map_err(|_| Problem::NoPage)?;
    let decision = match said.decision.as_str() {
        "grant" => Decision::Grant,
        "refuse" => Decision::Refuse,
        _ => return Err(Problem::NoPage),
    };
    let done: Result<Approval, Refusal> = app
        .change("portal_decide", view.caller(), move |tx, cx| {
            usecase::decide(tx, cx, vault, id, decision)
        })
        .await;
    done?;
    go("/portal/approvals")
}
