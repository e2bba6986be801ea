//! `coffre restore …`.

use std::process::ExitCode;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use ureq::http::Method;

use super::Verb;
use super::api::Api;
use super::item::{find_item, points};
use super::job::{self, WaitArgs};
use super::vault::find as find_vault;
use super::vm::id;
use crate::say::Format;

/// Restores.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum RestoreVerb {
    /// Writes the disks of a recovery point as image files into a storage account.
    Disks {
        #[command(flatten)]
        from: From,
        /// Storage account; without it the first one.
        #[arg(long)]
        storage_account: Option<String>,
    },
    /// Puts the disks of a recovery point in the place of those of its virtual machine, which must
    /// be off.
    InPlace {
        #[command(flatten)]
        from: From,
    },
}

/// What is restored.
#[derive(Debug, clap::Args)]
pub(crate) struct From {
    /// The vault.
    #[arg(short = 'v', long)]
    vault: String,
    /// The virtual machine.
    #[arg(long)]
    vm: String,
    /// The recovery point, or `latest`.
    #[arg(short = 'r', long, default_value = "latest")]
    point: String,
    /// Only the disk of the operating system and data disks with these numbers (0,1).
    #[arg(long, value_delimiter = ',')]
    luns: Option<Vec<u32>>,
    #[command(flatten)]
    wait: WaitArgs,
}

impl Verb for RestoreVerb {
    fn run(self, api: &Api, format: Format) -> anyhow::Result<ExitCode> {
        let (from, kind, account) = match self {
            RestoreVerb::Disks { from, storage_account } => (from, "RestoreDisks", storage_account),
            RestoreVerb::InPlace { from } => (from, "OriginalLocation", None),
        };
        let vault = find_vault(api, &from.vault)?;
        let item = find_item(api, &vault, &from.vm)?;
        let point = find_point(api, &item, &from.point)?;
        let mut properties = json!({
            "objectType": "IaasVMRestoreRequest",
            "createNewCloudService": false,
            "recoveryPointId": point["name"],
            "recoveryType": kind,
            "region": vault["location"],
            "sourceResourceId": item["properties"]["sourceResourceId"],
            "storageAccountId": account_id(api, account.as_deref())?,
            "originalStorageAccountOption": false,
        });
        if let Some(luns) = from.luns {
            properties["restoreDiskLunList"] = json!(luns);
        }
        let path = format!("{}/restore", id(&point));
        let body = json!({ "properties": properties });
        let state = api.change(&Method::POST, &path, Some(&body))?;
        job::of_operation(api, &vault, &state, from.wait, format)
    }
}

fn find_point(api: &Api, item: &Value, name: &str) -> anyhow::Result<Value> {
    let mut found = points(api, item)?.into_iter();
    let point = if name == "latest" {
        found.next().context("there is no recovery point yet")?
    } else {
        let wanted = found.find(|row| row["name"] == name);
        wanted.with_context(|| format!("there is no recovery point {name}"))?
    };
    Ok(point)
}

fn account_id(api: &Api, name: Option<&str>) -> anyhow::Result<String> {
    let path = format!("{}/providers/Microsoft.Storage/storageAccounts", api.subscription_path());
    let mut accounts = api.list(&path)?.into_iter();
    let chosen = match name {
        None => accounts.next(),
        Some(name) => accounts.find(|row| super::vm::same(&row["name"], name)),
    };
    match chosen {
        Some(account) => Ok(id(&account).to_owned()),
        None => bail!("there is no such storage account"),
    }
}
