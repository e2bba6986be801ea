//! `coffre vm …` and `coffre group …`.

use std::process::ExitCode;

use anyhow::bail;
use serde_json::{Value, json};
use ureq::http::Method;

use super::Verb;
use super::api::{Api, empty};
use crate::say::{self, Column, Format};

/// Virtual machines.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum VmVerb {
    /// Lists the virtual machines that the service knows.
    List {
        /// Resource group.
        #[arg(short = 'g', long)]
        group: Option<String>,
    },
    /// Shows the logs of the extension and of the agent of Azure in a virtual machine, as they are now.
    Log {
        /// Name.
        #[arg(short = 'n', long)]
        name: String,
    },
    /// Starts a virtual machine that the service manages.
    Start {
        /// Name.
        #[arg(short = 'n', long)]
        name: String,
    },
    /// Stops a virtual machine that the service manages.
    Stop {
        /// Name.
        #[arg(short = 'n', long)]
        name: String,
        /// Cut the power; the guest is not asked.
        #[arg(long)]
        now: bool,
    },
}

/// Resource groups.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum GroupVerb {
    /// Lists the resource groups.
    List,
    /// Makes a resource group.
    Create {
        /// Name.
        #[arg(short = 'n', long)]
        name: String,
        /// Region.
        #[arg(short = 'l', long, default_value = "local")]
        location: String,
    },
}

const VM_COLUMNS: &[Column] = &[
    ("Name", "/name"),
    ("Group", "/group"),
    ("Power", "/power"),
    ("OS", "/properties/storageProfile/osDisk/osType"),
    ("Region", "/location"),
    ("Id", "/properties/vmId"),
];
const GROUP_COLUMNS: &[Column] = &[("Name", "/name"), ("Region", "/location")];

impl Verb for VmVerb {
    fn run(self, api: &Api, format: Format) -> anyhow::Result<ExitCode> {
        match self {
            VmVerb::List { group } => {
                let mut rows = list(api)?;
                if let Some(group) = group {
                    rows.retain(|row| same(&row["group"], &group));
                }
                say::list(format, &rows, VM_COLUMNS)?;
            }
            VmVerb::Log { name } => {
                let vm = find(api, &name)?;
                let path = format!("{}/extensions/VMSnapshotLinux/logs", id(&vm));
                let logs = api.list(&path)?;
                match format {
                    Format::Json => say::json(&Value::Array(logs))?,
                    Format::Table if logs.is_empty() => say::note("(none)"),
                    Format::Table => {
                        for log in &logs {
                            let text = |name: &str| log[name].as_str().unwrap_or_default();
                            say::data(&format!("==> {} <==\n{}", text("path"), text("text")))?;
                        }
                    }
                }
            }
            VmVerb::Start { name } => {
                let vm = find(api, &name)?;
                api.change(&Method::POST, &format!("{}/start", id(&vm)), Some(&empty()))?;
            }
            VmVerb::Stop { name, now } => {
                let vm = find(api, &name)?;
                let path = format!("{}/powerOff?skipShutdown={now}", id(&vm));
                api.change(&Method::POST, &path, Some(&empty()))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Verb for GroupVerb {
    fn run(self, api: &Api, format: Format) -> anyhow::Result<ExitCode> {
        match self {
            GroupVerb::List => {
                let rows = api.list(&format!("{}/resourcegroups", api.subscription_path()))?;
                say::list(format, &rows, GROUP_COLUMNS)?;
            }
            GroupVerb::Create { name, location } => {
                let body = json!({ "location": location });
                let group = api.change(&Method::PUT, &api.group_path(&name), Some(&body))?;
                say::one(format, &group, GROUP_COLUMNS)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// All VMs, each with its group and power state as people know them.
fn list(api: &Api) -> anyhow::Result<Vec<Value>> {
    let path = format!(
        "{}/providers/Microsoft.Compute/virtualMachines?$expand=instanceView",
        api.subscription_path()
    );
    let mut rows = api.list(&path)?;
    for row in &mut rows {
        row["group"] = group_of(id(row)).into();
        let statuses = row["properties"]["instanceView"]["statuses"].as_array();
        let power = statuses
            .into_iter()
            .flatten()
            .filter_map(|status| status["code"].as_str()?.strip_prefix("PowerState/"))
            .next();
        row["power"] = power.unwrap_or("unknown").to_owned().into();
    }
    Ok(rows)
}

/// The VM with this name.
pub(super) fn find(api: &Api, name: &str) -> anyhow::Result<Value> {
    let mut found: Vec<Value> =
        list(api)?.into_iter().filter(|row| same(&row["name"], name)).collect();
    match found.len() {
        0 => bail!("there is no virtual machine named {name}; see `coffre vm list`"),
        1 => Ok(found.remove(0)),
        _ => bail!("several virtual machines are named {name}"),
    }
}

/// The resource id of an answer.
pub(super) fn id(resource: &Value) -> &str {
    resource["id"].as_str().unwrap_or_default()
}

/// The resource group in a resource id.
pub(super) fn group_of(id: &str) -> String {
    let mut parts = id.split('/').skip_while(|part| !part.eq_ignore_ascii_case("resourceGroups"));
    parts.nth(1).unwrap_or_default().to_owned()
}

/// Names are the same whatever their case.
pub(super) fn same(value: &Value, name: &str) -> bool {
    value.as_str().is_some_and(|text| text.eq_ignore_ascii_case(name))
}
