//! The first run: who signs in, where backups go, which machines there are, and the first of them
//! protected, on one page.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use coffre_control::id::VmId;
use coffre_control::model::{PrincipalKind, Vm};
use coffre_control::port::{Missing, Order, Search};
use coffre_control::usecase::{NewPrincipal, create_principal, hash_password};
use coffre_control::{Action, ErrorCode, Refusal, Role};

use crate::az::AzCommand;
use crate::form::{Fields, first, ticked};
use crate::page::access::salt;
use crate::page::error::{log, status_of};
use crate::page::prelude::*;
use crate::page::protect::{self, Wish};
use crate::preflight::{Preflight, preflight};

/// Machines that are proposed; the list of all is a click away.
const PROPOSED_MAX: u32 = 20;

#[derive(Template)]
#[template(path = "welcome.html")]
struct Welcome<'a> {
    view: &'a View,
    section: &'static str,
    refused: Option<Notice>,
    wrong_name: bool,
    wrong_password: bool,
    may_access: bool,
    user: &'a str,
    regions: Vec<(String, String)>,
    machines: Vec<Machine>,
    none: Empty,
    vault: String,
    az: AzLines<'a>,
}

struct Machine {
    id: String,
    name: String,
    hypervisor: String,
    checks: Preflight,
    chosen: bool,
}

/// `GET /portal/welcome`.
pub(crate) async fn show(State(app): State<App>, view: View) -> Answer {
    page(&app, &view, &[], None).await
}

/// `POST /portal/welcome`: makes the user if one is named, the vault, and protects the machine.
pub(crate) async fn finish(State(app): State<App>, view: View, Form(fields): Fields) -> Answer {
    let (user, password) =
        (first(&fields, "user").to_owned(), first(&fields, "password").to_owned());
    let vm: Option<VmId> = first(&fields, "vm").parse().ok();
    let wish = Wish::new_vault(first(&fields, "vault"), !ticked(&fields, "start"));
    let done = app.blocking_change(
        "portal_welcome",
        view.caller(),
        move || {
            if user.is_empty() {
                return Ok(None);
            }
            let secret_hash = hash_password(&password, &salt())?;
            let (kind, roles) = (PrincipalKind::User, vec![Role::Owner]);
            Ok(Some(NewPrincipal { name: user, kind, roles, secret_hash }))
        },
        move |tx, cx, user| {
            if let Some(user) = user {
                create_principal(tx, cx, user)?;
            }
            let vm = vm.ok_or_else(|| {
                Refusal::new(ErrorCode::InvalidRequestContent, "Choose a machine from the list.")
            })?;
            protect::protect(tx, cx, vm, &wish)
        },
    );
    match done.await {
        Ok(address) => go(address),
        Err(refusal) => page(&app, &view, &fields, Some(refusal)).await,
    }
}

/// What protects a machine in a new vault.
fn commands(vm: &Vm, vault: &str) -> Vec<AzCommand> {
    vec![
        AzCommand::new("backup vault create")
            .option("--resource-group", &vm.group)
            .option("--name", vault)
            .option("--location", &vm.region),
        protect::enable_command(&vm.group, vault, vm),
    ]
}

async fn page(
    app: &App,
    view: &View,
    fields: &[(String, String)],
    refusal: Option<Refusal>,
) -> Answer {
    let (free, none, regions, suggestion) = app
        .look("portal_welcome", view.caller(), |tx, cx| {
            let free = tx.search_vms(&Search {
                protected: Some(false),
                missing: Missing::LeftOut,
                order: Order::Group,
                limit: PROPOSED_MAX,
                ..Search::default()
            })?;
            let suggestion = match free.first() {
                Some(vm) => protect::suggestion(tx, cx, vm)?,
                None => String::new(),
            };
            let none = tx.count_vms(&Search::default())? == 0;
            Ok((free, none, tx.regions()?, suggestion))
        })
        .await?;
    let status = refusal.as_ref().map_or(StatusCode::OK, |refusal| {
        log(refusal);
        status_of(refusal)
    });
    let target = refusal.as_ref().and_then(|it| it.target.as_deref());
    let (wrong_name, wrong_password) = (target == Some("name"), target == Some("password"));
    let chosen = first(fields, "vm");
    let machine = |(at, vm): (usize, &Vm)| Machine {
        id: vm.id.to_string(),
        name: vm.name.clone(),
        hypervisor: vm.hypervisor.clone(),
        checks: preflight(view, vm),
        chosen: if chosen.is_empty() { at == 0 } else { chosen == vm.id.to_string() },
    };
    let vault = match first(fields, "vault") {
        "" => suggestion,
        vault => vault.to_owned(),
    };
    html_with(
        status,
        &Welcome {
            view,
            section: "overview",
            refused: refusal
                .as_ref()
                .filter(|_| !wrong_password)
                .map(|refusal| Notice::refusal(view, refusal)),
            wrong_name,
            wrong_password,
            may_access: view.may(Action::WriteAccess),
            user: first(fields, "user"),
            regions: regions
                .iter()
                .map(|it| (it.display_name.clone(), it.store_url.clone()))
                .collect(),
            machines: free.iter().enumerate().map(machine).collect(),
            none: if none {
                empty(view, "vms-none", "vms-none-text")
            } else {
                empty(view, "welcome-all", "welcome-all-text")
                    .leading_to("/portal/items", view.t("items"))
            },
            az: az(view, free.first().map_or_else(Vec::new, |vm| commands(vm, &vault))),
            vault,
        },
    )
}
