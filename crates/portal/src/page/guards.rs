//! Resource guards: who holds each, which vaults it protects, and what it stands before.

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use coffre_control::id::{SubscriptionId, VaultId};
use coffre_control::model::{Critical, GuardRef, ResourceGuard, Vault};
use coffre_control::usecase::{
    PutGuard, bind_guard, delete_guard, guard_holders, list_groups, list_guards,
    list_subscriptions, list_vaults, put_guard, unbind_guard,
};
use coffre_control::{Action, ErrorCode, Refusal};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::az::AzCommand;
use crate::form::{Fields, all, first};
use crate::page::error::{log, status_of};
use crate::page::prelude::*;
use crate::words;

#[derive(Template)]
#[template(path = "guards.html")]
struct Guards<'a> {
    view: &'a View,
    section: &'static str,
    refused: Option<Notice>,
    rows: Vec<Row>,
    none: Empty,
    may_make: bool,
    groups: Vec<(String, String, bool)>,
    form: GuardForm,
    always: Vec<String>,
    choices: Vec<Choice>,
    az: AzLines<'a>,
}

struct Row {
    group: String,
    name: String,
    /// Id of its resource group.
    scope: String,
    address: String,
    holders: Vec<String>,
    is_mine: bool,
    /// What one person may do all the same.
    left_out: Vec<String>,
    vaults: Vec<(String, String)>,
    /// Vaults that could come under it.
    free: Vec<(String, String)>,
    may_bind: bool,
    may_delete: bool,
}

struct Choice {
    value: &'static str,
    label: String,
    chosen: bool,
}

/// What the form holds.
#[derive(Default)]
struct GuardForm {
    group: String,
    name: String,
    holders: String,
    /// None: the form is new, everything is chosen.
    covered: Option<Vec<Critical>>,
    /// The guard is there and is changed.
    is_change: bool,
}

/// A guard whose values the form begins with.
#[derive(Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    change: String,
}

/// `GET /portal/guards`.
pub(crate) async fn show(State(app): State<App>, view: View, Query(asked): Query<Asked>) -> Answer {
    page(&app, &view, &asked.change, None, None).await
}

/// `POST /portal/guards`: a new guard, or one that the reader holds, changed.
pub(crate) async fn put(State(app): State<App>, view: View, Form(fields): Fields) -> Answer {
    let holders = split_names(first(&fields, "holders"));
    let covered: Vec<Critical> = all(&fields, "covers").filter_map(Critical::from_azure).collect();
    let left_out = |it: &Critical| it.is_optional() && !covered.contains(it);
    let excluded: Vec<Critical> = Critical::ALL.iter().copied().filter(left_out).collect();
    let form = GuardForm {
        group: first(&fields, "group").to_owned(),
        name: first(&fields, "name").to_owned(),
        holders: first(&fields, "holders").to_owned(),
        covered: Some(covered),
        is_change: !first(&fields, "is_change").is_empty(),
    };
    let (place, name) = (form.group.clone(), form.name.clone());
    let done = app.change("portal_put_guard", view.caller(), move |tx, cx| {
        let (subscription, group) = parse_group(&place)?;
        let holders = (!holders.is_empty()).then_some(holders);
        put_guard(tx, cx, PutGuard { subscription, group, name, region: None, holders, excluded })
    });
    match done.await {
        Ok(_) => go("/portal/guards"),
        Err(refusal) => page(&app, &view, "", Some(form), Some(refusal)).await,
    }
}

/// `POST /portal/guards/delete`.
pub(crate) async fn delete(State(app): State<App>, view: View, Form(fields): Fields) -> Answer {
    let (place, name) = (first(&fields, "group").to_owned(), first(&fields, "name").to_owned());
    let done = app.change("portal_delete_guard", view.caller(), move |tx, cx| {
        let (subscription, group) = parse_group(&place)?;
        delete_guard(tx, cx, subscription, &group, &name)
    });
    after(&app, &view, done.await).await
}

/// `POST /portal/guards/bind`: a vault comes under a guard, or (with no name) from under it.
pub(crate) async fn bind(State(app): State<App>, view: View, Form(fields): Fields) -> Answer {
    let vault: Result<VaultId, _> = first(&fields, "vault").parse();
    let at = GuardRef {
        scope: first(&fields, "scope").to_owned(),
        name: first(&fields, "name").to_owned(),
    };
    let done = app.change("portal_bind_guard", view.caller(), move |tx, cx| {
        let vault = vault.map_err(|_| {
            Refusal::new(ErrorCode::InvalidParameter, "Choose a vault from the list.")
        })?;
        if at.name.is_empty() {
            unbind_guard(tx, cx, vault).map(|_| ())
        } else {
            bind_guard(tx, cx, vault, &at).map(|_| ())
        }
    });
    after(&app, &view, done.await).await
}

async fn after(app: &App, view: &View, done: Result<(), Refusal>) -> Answer {
    match done {
        Ok(()) => go("/portal/guards"),
        Err(refusal) => page(app, view, "", None, Some(refusal)).await,
    }
}

/// Names between commas or spaces.
fn split_names(text: &str) -> Vec<String> {
    let parts = text.split([',', ';', ' ', '\n']).map(str::trim);
    parts.filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

/// A group as the form names it: the subscription, a slash, the group.
fn parse_group(text: &str) -> Result<(SubscriptionId, String), Refusal> {
    let parsed = text.split_once('/').and_then(|(subscription, group)| {
        subscription.parse().ok().map(|subscription| (subscription, group.to_owned()))
    });
    parsed.ok_or_else(|| {
        let message = "Choose a resource group from the list.";
        Refusal::new(ErrorCode::InvalidParameter, message).about("group")
    })
}

/// A guard with all that its row shows.
struct Found {
    guard: ResourceGuard,
    group: String,
    holders: Vec<String>,
    vaults: Vec<Vault>,
    free: Vec<Vault>,
}

async fn page(
    app: &App,
    view: &View,
    change: &str,
    form: Option<GuardForm>,
    refusal: Option<Refusal>,
) -> Answer {
    let (found, groups) = read(app, view).await?;
    let changed = found.iter().find(|it| address(it) == change);
    let form = form.or_else(|| changed.map(form_of)).unwrap_or_default();
    let status = refusal.as_ref().map_or(StatusCode::OK, |refusal| {
        log(refusal);
        status_of(refusal)
    });
    let covers = |it: &Critical| form.covered.as_ref().is_none_or(|chosen| chosen.contains(it));
    let optional = Critical::ALL.iter().filter(|it| it.is_optional());
    let always = Critical::ALL.iter().filter(|it| !it.is_optional());
    html_with(
        status,
        &Guards {
            view,
            section: "settings",
            refused: refusal.as_ref().map(|refusal| Notice::refusal(view, refusal)),
            rows: found.iter().map(|it| row(view, it)).collect(),
            none: empty(view, "guards-none", "guards-none-text"),
            may_make: view.may(Action::WriteGuard),
            groups: groups
                .into_iter()
                .map(|(value, label)| {
                    let chosen = value == form.group;
                    (value, label, chosen)
                })
                .collect(),
            always: always.map(|it| view.t(words::critical(*it))).collect(),
            choices: optional
                .map(|it| Choice {
                    value: it.azure(),
                    label: view.t(words::critical(*it)),
                    chosen: covers(it),
                })
                .collect(),
            az: az(view, commands(&found)),
            form,
        },
    )
}

/// All guards, and the groups in which one could be made, each with its name.
async fn read(app: &App, view: &View) -> Result<(Vec<Found>, Vec<(String, String)>), Problem> {
    let read = app.look("portal_guards", view.caller(), |tx, cx| {
        let (mut found, mut groups) = (Vec::new(), Vec::new());
        for subscription in list_subscriptions(tx, cx)? {
            let vaults = list_vaults(tx, cx, subscription.id, None)?;
            let (bound, free): (Vec<_>, Vec<_>) =
                vaults.into_iter().partition(|it| it.guard.is_some());
            for guard in list_guards(tx, cx, subscription.id, None)? {
                let is_of = |it: &&Vault| it.guard.as_ref().is_some_and(|at| is_same(at, &guard));
                let group = guard.scope.rsplit('/').next().unwrap_or_default().to_owned();
                found.push(Found {
                    holders: guard_holders(tx, &guard)?,
                    vaults: bound.iter().filter(is_of).cloned().collect(),
                    free: free.clone(),
                    group: format!("{}/{group}", subscription.id),
                    guard,
                });
            }
            let names = list_groups(tx, cx, subscription.id)?.into_iter();
            groups.extend(names.map(|it| (format!("{}/{}", subscription.id, it.name), it.name)));
        }
        Ok((found, groups))
    });
    Ok(read.await?)
}

fn is_same(at: &GuardRef, guard: &ResourceGuard) -> bool {
    at.scope.eq_ignore_ascii_case(&guard.scope) && at.name.eq_ignore_ascii_case(&guard.name)
}

/// What names a guard in the query of this page.
fn address(found: &Found) -> String {
    format!("{}/{}", found.group, found.guard.name)
}

fn form_of(found: &Found) -> GuardForm {
    let covered = Critical::ALL.iter().copied().filter(|it| found.guard.covers(*it));
    GuardForm {
        group: found.group.clone(),
        name: found.guard.name.clone(),
        holders: found.holders.join(", "),
        covered: Some(covered.collect()),
        is_change: true,
    }
}

fn row(view: &View, found: &Found) -> Row {
    let guard = &found.guard;
    let is_mine = guard.holders.contains(&view.caller().principal);
    let may_write = view.may(Action::WriteGuard) && is_mine;
    let named = |vaults: &[Vault]| -> Vec<(String, String)> {
        vaults.iter().map(|it| (it.id.to_string(), it.name.clone())).collect()
    };
    let address = utf8_percent_encode(&address(found), NON_ALPHANUMERIC).to_string();
    Row {
        group: found.group.clone(),
        name: guard.name.clone(),
        scope: guard.scope.clone(),
        address: format!("/portal/guards?change={address}#guard-form"),
        holders: found.holders.clone(),
        is_mine: may_write,
        left_out: guard.excluded.iter().map(|it| view.t(words::critical(*it))).collect(),
        vaults: named(&found.vaults),
        free: named(&found.free),
        may_bind: view.may(Action::WriteVault),
        may_delete: may_write && found.vaults.is_empty(),
    }
}

fn commands(found: &[Found]) -> Vec<AzCommand> {
    let scope = found.first().map_or("GROUP-ID", |it| it.guard.scope.as_str());
    let name = found.first().map_or("NAME", |it| it.guard.name.as_str());
    let id = format!("{scope}/providers/Microsoft.DataProtection/resourceGuards/{name}");
    let url = format!("{id}?api-version=2023-05-01");
    vec![
        AzCommand::new("rest --method put")
            .option("--url", &url)
            .option("--body", r#"{"location": "local", "properties": {"holders": ["NAME"]}}"#),
        AzCommand::new("backup vault resource-guard-mapping update")
            .option("--resource-group", "GROUP")
            .option("--name", "VAULT")
            .option("--resource-guard-id", &id),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_between_commas_or_spaces() {
        assert_eq!(split_names(" ann, bob;carol\n dave ,"), ["ann", "bob", "carol", "dave"]);
        assert!(split_names(" , ").is_empty());
    }

    #[test]
    fn a_group_is_named_with_its_subscription() {
        let (subscription, group) =
            parse_group("00000000-0000-4000-8000-000000000001/rg 1").unwrap();
        assert_eq!(subscription.to_string(), "00000000-0000-4000-8000-000000000001");
        assert_eq!(group, "rg 1");
        assert!(parse_group("rg").is_err());
    }
}
