//! The answers of QEMU that we read, and the commands that need more than one line.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{QmpClient, QmpError};

/// `query-status`.
#[derive(Debug, Deserialize)]
pub(crate) struct Status {
    /// Such as `running`, `paused`, `io-error`.
    pub(crate) status: String,
    pub(crate) running: bool,
}

/// One drive of `query-block`.
#[derive(Debug, Deserialize)]
pub(crate) struct Drive {
    /// Name of a drive made the old way; empty for others.
    #[serde(default)]
    pub(crate) device: String,
    /// Path or id of the device that the guest sees.
    pub(crate) qdev: Option<String>,
    #[serde(default)]
    pub(crate) removable: bool,
    pub(crate) inserted: Option<Medium>,
}

/// What is in a drive.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Medium {
    pub(crate) node_name: Option<String>,
    pub(crate) drv: String,
    pub(crate) ro: bool,
    pub(crate) image: Image,
}

/// The image under a node.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Image {
    pub(crate) filename: String,
    pub(crate) virtual_size: u64,
    /// Snapshots inside the image, of whomever.
    #[serde(default)]
    pub(crate) snapshots: Vec<StoredSnapshot>,
}

/// A snapshot inside an image.
#[derive(Debug, Deserialize)]
pub(crate) struct StoredSnapshot {
    pub(crate) name: String,
}

/// One node of `query-named-block-nodes`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Node {
    pub(crate) node_name: Option<String>,
    pub(crate) drv: String,
    pub(crate) image: Image,
    #[serde(default)]
    pub(crate) dirty_bitmaps: Vec<Bitmap>,
}

/// One dirty bitmap of a node.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Bitmap {
    /// Internal ones of QEMU have none.
    pub(crate) name: Option<String>,
    pub(crate) recording: bool,
    #[serde(default)]
    pub(crate) busy: bool,
    #[serde(default)]
    pub(crate) inconsistent: bool,
}

/// One job of `query-jobs`.
#[derive(Debug, Deserialize)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) status: String,
}

/// One export of `query-block-exports`.
#[derive(Debug, Deserialize)]
pub(crate) struct BlockExport {
    pub(crate) id: String,
}

#[derive(Deserialize)]
struct Name {
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
struct Uuid {
    uuid: uuid::Uuid,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Memory {
    base_memory: u64,
    #[serde(default)]
    plugged_memory: u64,
}

impl QmpClient {
    pub(crate) fn status(&self) -> Result<Status, QmpError> {
        self.query("query-status", Value::Null)
    }

    pub(crate) fn machine_name(&self) -> Result<Option<String>, QmpError> {
        Ok(self.query::<Name>("query-name", Value::Null)?.name)
    }

    pub(crate) fn machine_uuid(&self) -> Result<uuid::Uuid, QmpError> {
        Ok(self.query::<Uuid>("query-uuid", Value::Null)?.uuid)
    }

    pub(crate) fn memory_bytes(&self) -> Result<u64, QmpError> {
        let memory: Memory = self.query("query-memory-size-summary", Value::Null)?;
        Ok(memory.base_memory + memory.plugged_memory)
    }

    pub(crate) fn cpu_count(&self) -> Result<u32, QmpError> {
        let cpus: Vec<Value> = self.query("query-cpus-fast", Value::Null)?;
        Ok(u32::try_from(cpus.len()).unwrap_or(u32::MAX))
    }

    pub(crate) fn drives(&self) -> Result<Vec<Drive>, QmpError> {
        self.query("query-block", Value::Null)
    }

    pub(crate) fn nodes(&self) -> Result<Vec<Node>, QmpError> {
        self.query("query-named-block-nodes", json!({ "flat": true }))
    }

    pub(crate) fn jobs(&self) -> Result<Vec<Job>, QmpError> {
        self.query("query-jobs", Value::Null)
    }

    pub(crate) fn exports(&self) -> Result<Vec<BlockExport>, QmpError> {
        self.query("query-block-exports", Value::Null)
    }

    /// Whether the command takes an argument of this name.
    pub(crate) fn has_argument(&self, command: &str, argument: &str) -> Result<bool, QmpError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct Entity {
            name: String,
            arg_type: Option<String>,
            #[serde(default)]
            members: Vec<Value>,
        }
        let schema: Vec<Entity> = self.query("query-qmp-schema", Value::Null)?;
        let find = |name: &str| schema.iter().find(|entity| entity.name == name);
        let arguments = find(command).and_then(|entity| entity.arg_type.as_deref()).and_then(find);
        Ok(arguments
            .is_some_and(|object| object.members.iter().any(|member| member["name"] == argument)))
    }

    /// Adds a qcow2 image as a node that reads what it does not hold from `backing`; `None` = as zeros, until
    /// [`QmpClient::back_overlay`].
    pub(crate) fn add_overlay(
        &self,
        node: &str,
        file: &Path,
        backing: Option<&str>,
    ) -> Result<(), QmpError> {
        self.command("blockdev-add", overlay(node, file, backing)).map(drop)
    }

    /// Gives a node of [`QmpClient::add_overlay`] what it reads through to.
    pub(crate) fn back_overlay(
        &self,
        node: &str,
        file: &Path,
        backing: &str,
    ) -> Result<(), QmpError> {
        let options = json!({ "options": [overlay(node, file, Some(backing))] });
        self.command("blockdev-reopen", options).map(drop)
    }

    pub(crate) fn start_nbd_server(&self, socket: &Path) -> Result<(), QmpError> {
        // One connection for each reading thread; far more than there are.
        const CONNECTIONS_MAX: u32 = 256;
        let arguments = json!({
            "addr": { "type": "unix", "data": { "path": socket } },
            "max-connections": CONNECTIONS_MAX,
        });
        self.command("nbd-server-start", arguments).map(drop)
    }

    /// Exports a node read-only under its export id, with bitmaps of another node.
    pub(crate) fn add_export(
        &self,
        id: &str,
        node: &str,
        bitmap: Option<(&str, &str)>,
    ) -> Result<(), QmpError> {
        let mut arguments = json!({
            "type": "nbd", "id": id, "node-name": node, "name": id, "writable": false,
        });
        if let Some((node, bitmap)) = bitmap {
            arguments["bitmaps"] = json!([{ "node": node, "name": bitmap }]);
        }
        self.command("block-export-add", arguments).map(drop)
    }
}

fn overlay(node: &str, file: &Path, backing: Option<&str>) -> Value {
    json!({
        "driver": "qcow2", "node-name": node, "backing": backing,
        "file": { "driver": "file", "filename": file },
    })
}
