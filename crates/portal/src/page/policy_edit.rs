//! The policy editor: one page that reads like a sentence, and beside it what the policy will do.

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _};
use coffre_control::id::VaultId;
use coffre_control::model::{Month, Policy, RecoveryPoint, Vault};
use coffre_control::port::{Search, Tx};
use coffre_control::usecase::vault::get_vault_by_id;
use coffre_control::usecase::{PutPolicy, delete_policy, get_policy, put_policy};
use coffre_control::{Action, Refusal};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::form::{Fields, first, ticked};
use crate::page::error::{log, status_of};
use crate::page::parse_id;
use crate::page::policy_parts::{
    MONTHLY, OnTicks, Rule, Ticks, YEARLY, ZONES, commands, tick, weekdays,
};
use crate::page::prelude::*;
use crate::policy::forecast::{Sizes, look_ahead};
use crate::policy::form::{Frequency, PolicyForm};
use crate::policy::preview::Preview;
use crate::policy::wrong::Field;
use crate::policy_text;
use crate::words;

/// The policy that a new one begins as.
const BEGIN_WITH: &str = "DefaultPolicy";
/// Items whose points are looked at for the forecast.
const MEASURED_MAX: usize = 20;
#[derive(Template)]
#[template(path = "policy_edit.html")]
struct PolicyEdit<'a> {
    view: &'a View,
    section: &'static str,
    vault: &'a Vault,
    /// The stored policy; none for a new one.
    old: Option<&'a Old>,
    address: String,
    form: &'a PolicyForm,
    refused: Option<Notice>,
    wrong: Option<Field>,
    times: Vec<String>,
    frequencies: Vec<(Frequency, String)>,
    run_days: Ticks,
    weekly_days: Ticks,
    monthly_on: OnTicks,
    yearly_on: OnTicks,
    yearly_in: Ticks,
    may_delete: bool,
    preview: Option<Preview<'a>>,
    az: AzLines<'a>,
}

struct Old {
    policy: Policy,
    items: u32,
}

impl PolicyEdit<'_> {
    fn rule(&self, field: Field) -> Rule {
        let text = (self.wrong == Some(field)).then(|| self.view.t(field.rule()));
        Rule { word: field.word(), text }
    }

    fn is_wrong(&self, field: Field) -> bool {
        self.wrong == Some(field)
    }
}

/// What the address of the editor may say.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    /// Where to go after it was saved.
    #[serde(default)]
    next: String,
    /// The policy that a new one begins as.
    #[serde(default)]
    like: String,
}

/// What the editor needs to know.
struct Read {
    vault: Vault,
    old: Option<Old>,
    begin: Option<Policy>,
    measured: Vec<Vec<RecoveryPoint>>,
}

fn read(
    tx: &mut dyn Tx,
    cx: &coffre_control::Cx<'_>,
    id: VaultId,
    name: Option<&str>,
    like: &str,
) -> Result<Read, Refusal> {
    let vault = get_vault_by_id(tx, cx, id)?;
    let old = match name {
        None => None,
        Some(name) => {
            let found = get_policy(tx, cx, id, name)?;
            Some(Old { policy: found.policy, items: found.items })
        }
    };
    let begin = match tx.policy(id, like)? {
        Some(policy) => Some(policy),
        None => tx.policy(id, BEGIN_WITH)?,
    };
    let followed = old.as_ref().filter(|old| old.items > 0);
    let items = tx.search_items(&Search {
        vault: Some(id),
        policy: followed.map(|old| old.policy.name.clone()),
        limit: 10 * MEASURED_MAX as u32,
        ..Search::default()
    })?;
    let mut measured = Vec::new();
    for item in items.iter().filter(|item| item.last_point.is_some()).take(MEASURED_MAX) {
        measured.push(tx.points(item.id)?);
    }
    Ok(Read { vault, old, begin, measured })
}

/// `GET /portal/vaults/{id}/policy-new`.
pub(crate) async fn new(
    State(app): State<App>,
    view: View,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Answer {
    show(&app, &view, parse_id(&id)?, None, asked).await
}

/// `GET /portal/vaults/{id}/policies/{name}`.
pub(crate) async fn edit(
    State(app): State<App>,
    view: View,
    Path((id, name)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Answer {
    show(&app, &view, parse_id(&id)?, Some(name), asked).await
}

async fn show(app: &App, view: &View, id: VaultId, name: Option<String>, asked: Asked) -> Answer {
    let like = asked.like.clone();
    let read = app
        .look("portal_policy_edit", view.caller(), move |tx, cx| {
            read(tx, cx, id, name.as_deref(), &like)
        })
        .await?;
    let from = read.old.as_ref().map(|old| &old.policy).or(read.begin.as_ref());
    let mut form = from.map(PolicyForm::of).unwrap_or_default();
    if read.old.is_none() {
        form.name = String::new();
    }
    form.next = asked.next;
    page(view, &read, &form, None, None)
}

/// `POST /portal/vaults/{id}/policy-new`.
pub(crate) async fn create(
    State(app): State<App>,
    view: View,
    Path(id): Path<String>,
    Form(fields): Fields,
) -> Answer {
    save(&app, &view, parse_id(&id)?, None, &fields).await
}

/// `POST /portal/vaults/{id}/policies/{name}`.
pub(crate) async fn change(
    State(app): State<App>,
    view: View,
    Path((id, name)): Path<(String, String)>,
    Form(fields): Fields,
) -> Answer {
    save(&app, &view, parse_id(&id)?, Some(name), &fields).await
}

async fn save(
    app: &App,
    view: &View,
    id: VaultId,
    name: Option<String>,
    fields: &[(String, String)],
) -> Answer {
    let mut form = PolicyForm::read(fields);
    let asked = name.clone();
    let read = app
        .look("portal_policy_edit", view.caller(), move |tx, cx| {
            read(tx, cx, id, asked.as_deref(), "")
        })
        .await?;
    if let Some(old) = &read.old {
        form.name.clone_from(&old.policy.name);
    }
    let put = match form.to_put(read.old.as_ref().and_then(|old| old.policy.tiering)) {
        Ok(put) => put,
        Err(field) => return page(view, &read, &form, Some(field), None),
    };
    if ticked(fields, "preview") {
        return page(view, &read, &form, None, None);
    }
    let is_new = read.old.is_none();
    let done = app
        .change("portal_put_policy", view.caller(), move |tx, cx| {
            if is_new && let Some(taken) = tx.policy(id, &put.name)? {
                return Err(taken_name(&taken.name));
            }
            put_policy(tx, cx, id, put)
        })
        .await;
    match done {
        Ok((saved, _)) => go(after(&form.next, id, &saved.policy.name)),
        Err(refusal) => {
            let field = Field::of(&refusal);
            page(view, &read, &form, field, Some(refusal))
        }
    }
}

fn taken_name(name: &str) -> Refusal {
    Refusal::new(
        coffre_control::ErrorCode::Conflict,
        format!("The vault has a policy '{name}' already. Choose another name, or edit that one."),
    )
}

/// Where to go with a saved policy: back to the form that wanted it, or to its vault.
fn after(next: &str, vault: VaultId, policy: &str) -> String {
    if next.is_empty() {
        return format!("/portal/vaults/{vault}");
    }
    let next = safe_next(next);
    let mark = if next.contains('?') { '&' } else { '?' };
    format!("{next}{mark}policy={}", utf8_percent_encode(policy, NON_ALPHANUMERIC))
}

/// `POST /portal/vaults/{id}/policies/{name}/delete`.
pub(crate) async fn delete(
    State(app): State<App>,
    view: View,
    Path((id, name)): Path<(String, String)>,
) -> Answer {
    let id: VaultId = parse_id(&id)?;
    let asked = name.clone();
    let done = app.change("portal_delete_policy", view.caller(), move |tx, cx| {
        delete_policy(tx, cx, id, &asked)
    });
    let Err(refusal) = done.await else { return go(format!("/portal/vaults/{id}")) };
    let read = app
        .look("portal_policy_edit", view.caller(), move |tx, cx| read(tx, cx, id, Some(&name), ""))
        .await?;
    let form = read.old.as_ref().map(|old| PolicyForm::of(&old.policy)).unwrap_or_default();
    page(&view, &read, &form, None, Some(refusal))
}

/// `POST /portal/vaults/{id}/policy-preview`: the part of the page that says what the policy does.
pub(crate) async fn preview(
    State(app): State<App>,
    view: View,
    Path(id): Path<String>,
    Form(fields): Fields,
) -> Answer {
    let id: VaultId = parse_id(&id)?;
    let form = PolicyForm::read(&fields);
    let name = Some(first(&fields, "name").to_owned());
    let read = app
        .look("portal_policy_preview", view.caller(), move |tx, cx| {
            let known = match &name {
                Some(name) => tx.policy(id, name)?.is_some(),
                None => false,
            };
            read(tx, cx, id, name.as_deref().filter(|_| known), "")
        })
        .await?;
    match look(&view, &read, &form) {
        Some(preview) => html(&preview),
        // An answer that is no HTML a browser shows as a fault, with a style that the policy forbids.
        None => Ok(Html("").into_response()),
    }
}

fn look<'a>(view: &'a View, read: &Read, form: &PolicyForm) -> Option<Preview<'a>> {
    let put = form.to_put(None).ok()?;
    let sizes = Sizes::measured(&read.measured);
    let forecast = look_ahead(&stored(read.vault.id, &put), sizes, view.now)?;
    (!forecast.runs.is_empty()).then(|| Preview::new(view, &put.time_zone, &forecast, sizes))
}

/// The policy as it would be stored.
fn stored(vault: VaultId, put: &PutPolicy) -> Policy {
    Policy {
        vault,
        name: put.name.clone(),
        kind: put.kind,
        schedule: put.schedule.clone(),
        retention: put.retention.clone(),
        instant_days: put.instant_days,
        time_zone: put.time_zone.clone(),
        tiering: put.tiering,
        consistency: put.consistency,
        daylight_saving: put.daylight_saving,
        short_retention: put.short_retention,
        etag: 0,
    }
}

fn page(
    view: &View,
    read: &Read,
    form: &PolicyForm,
    wrong: Option<Field>,
    refusal: Option<Refusal>,
) -> Answer {
    let status = match (&refusal, wrong) {
        (Some(refusal), _) => {
            log(refusal);
            status_of(refusal)
        }
        (None, Some(_)) => StatusCode::BAD_REQUEST,
        (None, None) => StatusCode::OK,
    };
    let vault = &read.vault;
    let address = match &read.old {
        Some(old) => policy_text::address(vault.id, &old.policy.name),
        None => format!("/portal/vaults/{}/policy-new", vault.id),
    };
    let frequency = |it: Frequency| match it {
        Frequency::Daily => (it, view.t("every-day")),
        Frequency::Weekly => (it, view.t("every-week")),
        Frequency::Hourly => (it, view.t("every-hours")),
    };
    html_with(
        status,
        &PolicyEdit {
            view,
            section: "vaults",
            vault,
            old: read.old.as_ref(),
            address,
            form,
            refused: refusal
                .as_ref()
                .filter(|_| wrong.is_none())
                .map(|refusal| Notice::refusal(view, refusal)),
            wrong,
            times: (0..48).map(|half| format!("{:02}:{:02}", half / 2, half % 2 * 30)).collect(),
            frequencies: Frequency::ALL.map(frequency).to_vec(),
            run_days: weekdays(view, "run_day", &form.run_days),
            weekly_days: weekdays(view, "weekly_day", &form.weekly_days),
            monthly_on: OnTicks::new(view, MONTHLY, &form.monthly_on),
            yearly_on: OnTicks::new(view, YEARLY, &form.yearly_on),
            yearly_in: Ticks {
                name: "yearly_month",
                label: view.t("months"),
                ticks: Month::ALL
                    .iter()
                    .map(|it| {
                        tick(it.azure(), view.t(words::month(*it)), form.yearly_in.contains(it))
                    })
                    .collect(),
            },
            may_delete: view.may(Action::DeletePolicy)
                && read.old.as_ref().is_some_and(|old| old.items == 0),
            preview: look(view, read, form),
            az: az(view, commands(vault, read.old.is_some(), form)),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_policy_goes_back_to_the_form_that_wanted_it() {
        let id = VaultId(uuid::Uuid::nil());
        assert_eq!(after("", id, "Gold"), format!("/portal/vaults/{id}"));
        assert_eq!(
            after("/portal/vms/1/protect?vault=2", id, "Gold"),
            "/portal/vms/1/protect?vault=2&policy=Gold"
        );
        assert_eq!(after("https://example.org/", id, "G"), "/portal/?policy=G");
    }
}
