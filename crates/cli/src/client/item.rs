//! `coffre protection …`, `coffre item …` and `coffre recoverypoint …`.

use std::process::ExitCode;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use ureq::http::Method;

use super::Verb;
use super::api::{Api, part};
use super::job::{self, WaitArgs};
use super::vault::find as find_vault;
use super::vm::{find as find_vm, group_of, id, same};
use crate::say::{self, Column, Format};

/// Protection of virtual machines.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ProtectionVerb {
    /// Puts a virtual machine under a policy of a vault. Makes no recovery point by itself.
    Enable {
        /// The vault.
        #[arg(short = 'v', long)]
        vault: String,
        /// The virtual machine.
        #[arg(long)]
        vm: String,
        /// The policy.
        #[arg(short = 'p', long, default_value = "DefaultPolicy")]
        policy: String,
    },
    /// Makes a recovery point now.
    BackupNow {
        /// The vault.
        #[arg(short = 'v', long)]
        vault: String,
        /// The virtual machine.
        #[arg(long)]
        vm: String,
        /// Keep the point until this day (2026-12-31) or moment; without it 30 days.
        #[arg(long)]
        retain_until: Option<String>,
        #[command(flatten)]
        wait: WaitArgs,
    },
}

/// Protected items.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ItemVerb {
    /// Lists what a vault protects.
    List {
        /// The vault.
        #[arg(short = 'v', long)]
        vault: String,
    },
    /// Lists what the items of a vault cost: size, band, storage.
    Cost {
        /// The vault.
        #[arg(short = 'v', long)]
        vault: String,
    },
    /// Shows one protected item.
    Show {
        /// The vault.
        #[arg(short = 'v', long)]
        vault: String,
        /// The virtual machine.
        #[arg(long)]
        vm: String,
    },
}

/// Recovery points.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum PointVerb {
    /// Deletes a recovery point; it can be brought back as long as the vault keeps deleted data.
    Delete(PointArgs),
    /// Brings a deleted recovery point back.
    Undelete(PointArgs),
    /// Lists the recovery points of a virtual machine, newest first.
    List {
        /// The vault.
        #[arg(short = 'v', long)]
        vault: String,
        /// The virtual machine.
        #[arg(long)]
        vm: String,
    },
}

/// One recovery point.
#[derive(Debug, clap::Args)]
pub(crate) struct PointArgs {
    /// The vault.
    #[arg(short = 'v', long)]
    vault: String,
    /// The virtual machine.
    #[arg(long)]
    vm: String,
    /// Name of the recovery point, as the list shows it.
    #[arg(short = 'n', long)]
    name: String,
}

const ITEM_COLUMNS: &[Column] = &[
    ("VM", "/properties/friendlyName"),
    ("State", "/properties/protectionState"),
    ("Health", "/properties/healthStatus"),
    ("Policy", "/properties/policyName"),
    ("Last backup", "/properties/lastBackupStatus"),
    ("Newest point", "/properties/lastRecoveryPoint"),
];
const COST_COLUMNS: &[Column] = &[
    ("VM", "/name"),
    ("Size in bytes", "/properties/protectedInstanceBytes"),
    ("Measured as", "/properties/sizeBasis"),
    ("Band", "/properties/sizeBand"),
    ("Points", "/properties/recoveryPointCount"),
    ("Stored bytes", "/properties/storedBytes"),
];
const POINT_COLUMNS: &[Column] = &[
    ("Name", "/name"),
    ("Time", "/properties/recoveryPointTime"),
    ("Consistency", "/properties/recoveryPointType"),
    ("Expires", "/properties/recoveryPointProperties/expiryTime"),
    ("Kept as", "/properties/recoveryPointProperties/ruleName"),
    ("Deleted", "/properties/recoveryPointProperties/isSoftDeleted"),
];

impl Verb for ProtectionVerb {
    fn run(self, api: &Api, format: Format) -> anyhow::Result<ExitCode> {
        match self {
            ProtectionVerb::Enable { vault, vm, policy } => enable(api, &vault, &vm, &policy),
            ProtectionVerb::BackupNow { vault, vm, retain_until, wait } => {
                let vault = find_vault(api, &vault)?;
                let item = find_item(api, &vault, &vm)?;
                let expiry = match retain_until {
                    Some(text) => moment(&text)?,
                    None => jiff::Timestamp::now() + jiff::SignedDuration::from_hours(30 * 24),
                };
                let body = json!({ "properties": {
                    "objectType": "IaasVMBackupRequest",
                    "recoveryPointExpiryTimeInUTC": expiry.to_string(),
                }});
                let path = format!("{}/backup", id(&item));
                let state = api.change(&Method::POST, &path, Some(&body))?;
                job::of_operation(api, &vault, &state, wait, format)
            }
        }
    }
}

impl Verb for ItemVerb {
    fn run(self, api: &Api, format: Format) -> anyhow::Result<ExitCode> {
        match self {
            ItemVerb::List { vault } => {
                let vault = find_vault(api, &vault)?;
                say::list(format, &items(api, &vault)?, ITEM_COLUMNS)?;
            }
            ItemVerb::Cost { vault } => {
                let vault = find_vault(api, &vault)?;
                let rows = api.list(&format!("{}/backupCostReport", id(&vault)))?;
                say::list(format, &rows, COST_COLUMNS)?;
            }
            ItemVerb::Show { vault, vm } => {
                let vault = find_vault(api, &vault)?;
                let item = find_item(api, &vault, &vm)?;
                say::one(format, &api.get(id(&item))?, ITEM_COLUMNS)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Verb for PointVerb {
    fn run(self, api: &Api, format: Format) -> anyhow::Result<ExitCode> {
        match self {
            PointVerb::List { vault, vm } => {
                let vault = find_vault(api, &vault)?;
                let item = find_item(api, &vault, &vm)?;
                say::list(format, &points(api, &item)?, POINT_COLUMNS)?;
            }
            PointVerb::Delete(point) => {
                let done = api.change(&Method::DELETE, &point_path(api, &point)?, None)?;
                say::one(format, &done, POINT_COLUMNS)?;
            }
            PointVerb::Undelete(point) => {
                let path = format!("{}/undelete", point_path(api, &point)?);
                let done = api.change(&Method::POST, &path, Some(&json!({})))?;
                say::one(format, &done, POINT_COLUMNS)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn point_path(api: &Api, point: &PointArgs) -> anyhow::Result<String> {
    let vault = find_vault(api, &point.vault)?;
    let item = find_item(api, &vault, &point.vm)?;
    Ok(format!("{}/recoveryPoints/{}", id(&item), part(&point.name)))
}

fn enable(api: &Api, vault: &str, vm: &str, policy: &str) -> anyhow::Result<ExitCode> {
    let vault = find_vault(api, vault)?;
    let vm = find_vm(api, vm)?;
    let name = vm["name"].as_str().context("the service gave a machine without a name")?;
    let tail =
        format!("iaasvmcontainerv2;{};{}", group_of(id(&vm)).to_lowercase(), name.to_lowercase());
    let path = format!(
        "{}/backupFabrics/Azure/protectionContainers/{}/protectedItems/{}",
        id(&vault),
        part(&format!("IaasVMContainer;{tail}")),
        part(&format!("VM;{tail}")),
    );
    let body = json!({ "properties": {
        "protectedItemType": "Microsoft.Compute/virtualMachines",
        "sourceResourceId": id(&vm),
        "policyId": format!("{}/backupPolicies/{}", id(&vault), part(policy)),
    }});
    api.change(&Method::PUT, &path, Some(&body))?;
    say::note(&format!("{name} is under {policy}; its first backup is pending"));
    Ok(ExitCode::SUCCESS)
}

fn items(api: &Api, vault: &Value) -> anyhow::Result<Vec<Value>> {
    api.list(&format!("{}/backupProtectedItems", id(vault)))
}

/// The item of a vault that protects the VM with this name.
pub(super) fn find_item(api: &Api, vault: &Value, vm: &str) -> anyhow::Result<Value> {
    let found = items(api, vault)?;
    match found.into_iter().find(|row| same(&row["properties"]["friendlyName"], vm)) {
        Some(item) => Ok(item),
        None => bail!("the vault does not protect a virtual machine named {vm}"),
    }
}

/// Recovery points of an item, newest first.
pub(super) fn points(api: &Api, item: &Value) -> anyhow::Result<Vec<Value>> {
    api.list(&format!("{}/recoveryPoints", id(item)))
}

fn moment(text: &str) -> anyhow::Result<jiff::Timestamp> {
    if let Ok(day) = text.parse::<jiff::civil::Date>() {
        return Ok(day.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp());
    }
    text.parse().with_context(|| format!("\"{text}\" is no day like 2026-12-31"))
}
