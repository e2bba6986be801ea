//! Making a vault. What was typed is kept when the use-case says no, and its sentence stands at
//! the field that it is about.

use std::collections::BTreeMap;

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use coffre_control::id::SubscriptionId;
use coffre_control::model::{Redundancy, ResourceGroup};
use coffre_control::usecase::{PutGroup, PutVault, VaultPatch, check_vault_name_free, put_vault};
use coffre_control::usecase::{get_subscription, list_groups, list_regions, list_subscriptions};
use coffre_control::usecase::{list_vms, put_group};
use coffre_control::{Action, ErrorCode, Refusal};
use serde::Deserialize;

use crate::az::AzCommand;
use crate::page::error::{log, status_of};
use crate::page::prelude::*;
use crate::page::vault::{RedundancyChoice, redundancy_choices};

#[derive(Template)]
#[template(path = "vault_new.html")]
struct VaultNew<'a> {
    view: &'a View,
    section: &'static str,
    form: &'a VaultForm,
    refused: Option<Notice>,
    wrong_name: Option<String>,
    wrong_group: Option<String>,
    wrong_region: Option<String>,
    subscriptions: Vec<(String, String)>,
    groups: Vec<String>,
    may_make_group: bool,
    regions: Vec<RegionChoice>,
    redundancies: Vec<RedundancyChoice>,
    az: AzLines<'a>,
}

struct RegionChoice {
    name: String,
    label: String,
    vms: String,
    chosen: bool,
}

/// What the form sends.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct VaultForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    subscription: String,
    /// An existing group; ignored when a new one is named.
    #[serde(default)]
    group: String,
    #[serde(default)]
    new_group: String,
    #[serde(default)]
    region: String,
    #[serde(default)]
    redundancy: String,
}

impl VaultForm {
    fn redundancy(&self) -> Redundancy {
        Redundancy::from_azure(&self.redundancy).unwrap_or(Redundancy::Geo)
    }

    /// The group that the vault is to be in: the new one if it is named.
    fn group(&self) -> &str {
        if self.new_group.trim().is_empty() { &self.group } else { self.new_group.trim() }
    }
}

/// `GET /portal/vaults/new`; the query may fill the form.
pub(crate) async fn show(
    State(app): State<App>,
    view: View,
    Query(form): Query<VaultForm>,
) -> Answer {
    page(&app, &view, form, None).await
}

/// `POST /portal/vaults/new`.
pub(crate) async fn create(
    State(app): State<App>,
    view: View,
    Form(form): Form<VaultForm>,
) -> Answer {
    let asked = form.clone();
    let done = app.change("portal_create_vault", view.caller(), move |tx, cx| {
        let subscription = parse_subscription(&asked)?;
        get_subscription(tx, cx, subscription)?;
        // The name first: it is the field that is most often wrong, and nothing is made for it.
        check_vault_name_free(tx, cx, subscription, asked.name.trim())?;
        let new_group = asked.new_group.trim();
        if !new_group.is_empty() && tx.group(subscription, new_group)?.is_none() {
            let group = PutGroup {
                subscription,
                name: new_group.to_owned(),
                region: asked.region.clone(),
                tags: BTreeMap::new(),
            };
            put_group(tx, cx, group)?;
        }
        let input = PutVault {
            subscription,
            group: asked.group().to_owned(),
            name: asked.name.trim().to_owned(),
            region: asked.region.clone(),
            settings: VaultPatch { redundancy: Some(asked.redundancy()), ..VaultPatch::default() },
        };
        put_vault(tx, cx, input)
    });
    match done.await {
        Ok((vault, _)) => go(format!("/portal/vaults/{}", vault.id)),
        Err(refusal) => page(&app, &view, form, Some(refusal)).await,
    }
}

fn parse_subscription(form: &VaultForm) -> Result<SubscriptionId, Refusal> {
    form.subscription.parse().map_err(|_| {
        Refusal::new(ErrorCode::SubscriptionNotFound, "Choose a subscription from the list.")
    })
}

async fn page(app: &App, view: &View, form: VaultForm, refusal: Option<Refusal>) -> Answer {
    let chosen = form.subscription.parse::<SubscriptionId>().ok();
    let read = app.look("portal_vault_form", view.caller(), move |tx, cx| {
        let subscriptions = list_subscriptions(tx, cx)?;
        let mut groups = Vec::new();
        let mut vms = Vec::new();
        for subscription in &subscriptions {
            vms.extend(list_vms(tx, cx, subscription.id, None)?);
            if chosen.is_none_or(|chosen| chosen == subscription.id) {
                groups.extend(list_groups(tx, cx, subscription.id)?);
            }
        }
        Ok((subscriptions, groups, list_regions(tx, cx)?, vms))
    });
    let (subscriptions, groups, regions, vms) = read.await?;
    let region_chosen = |name: &str| form.region == name || regions.len() == 1;
    let regions = regions
        .iter()
        .map(|region| RegionChoice {
            name: region.name.clone(),
            label: region.display_name.clone(),
            vms: view.t1(
                "count-vms",
                "count",
                vms.iter().filter(|vm| vm.region == region.name).count(),
            ),
            chosen: region_chosen(&region.name),
        })
        .collect();
    let (wrong_name, wrong_group, wrong_region) = wrong_fields(view, refusal.as_ref());
    let at_field = wrong_name.is_some() || wrong_group.is_some() || wrong_region.is_some();
    let status = refusal.as_ref().map_or(StatusCode::OK, |refusal| {
        log(refusal);
        status_of(refusal)
    });
    html_with(
        status,
        &VaultNew {
            view,
            section: "vaults",
            refused: refusal
                .as_ref()
                .filter(|_| !at_field)
                .map(|refusal| Notice::refusal(view, refusal)),
            wrong_name,
            wrong_group,
            wrong_region,
            subscriptions: subscriptions
                .into_iter()
                .map(|it| (it.id.to_string(), it.name))
                .collect(),
            groups: group_names(groups),
            may_make_group: view.may(Action::WriteGroup),
            regions,
            redundancies: redundancy_choices(view, form.redundancy()),
            az: az(view, commands(&form)),
            form: &form,
        },
    )
}

fn group_names(groups: Vec<ResourceGroup>) -> Vec<String> {
    groups.into_iter().map(|group| group.name).collect()
}

/// The sentence for the name, the group and the region: the one that the refusal is about.
fn wrong_fields(
    view: &View,
    refusal: Option<&Refusal>,
) -> (Option<String>, Option<String>, Option<String>) {
    let Some(refusal) = refusal else { return (None, None, None) };
    let sentence = Some(format!("{} ({})", view.say(&refusal.message), refusal.code));
    match refusal.code {
        ErrorCode::VaultNameAlreadyInUse => (sentence, None, None),
        ErrorCode::InvalidResourceName if refusal.message.starts_with("The vault name") => {
            (sentence, None, None)
        }
        ErrorCode::InvalidResourceName | ErrorCode::ResourceGroupNotFound => (None, sentence, None),
        ErrorCode::LocationNotAvailableForResourceType | ErrorCode::InvalidResourceLocation => {
            (None, None, sentence)
        }
        _ => (None, None, None),
    }
}

fn commands(form: &VaultForm) -> Vec<AzCommand> {
    let or = |text: &str, example: &str| {
        if text.trim().is_empty() { example.to_owned() } else { text.trim().to_owned() }
    };
    let (group, region) = (or(form.group(), "GROUP"), or(&form.region, "REGION"));
    let mut commands = Vec::new();
    if !form.new_group.trim().is_empty() {
        commands.push(
            AzCommand::new("group create").option("--name", &group).option("--location", &region),
        );
    }
    commands.push(
        AzCommand::new("backup vault create")
            .option("--resource-group", &group)
            .option("--name", &or(&form.name, "NAME"))
            .option("--location", &region),
    );
    if form.redundancy() != Redundancy::Geo {
        commands.push(
            AzCommand::new("backup vault backup-properties set")
                .option("--resource-group", &group)
                .option("--name", &or(&form.name, "NAME"))
                .option("--backup-storage-redundancy", form.redundancy().azure()),
        );
    }
    commands
}
