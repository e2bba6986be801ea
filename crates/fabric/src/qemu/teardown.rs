//! Taking away what makes a point readable: exports, jobs, nodes and scratch images. Bitmaps are
//! not touched here.
//!
//! The order is the safety: an export goes before the job that keeps its bytes old, so that
//! nobody ever reads bytes of a later time.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;

use super::names;
use crate::qmp::{QmpClient, QmpError};
use crate::{FabricError, Result};

/// How long a thing may take to go.
const GONE_TIMEOUT: Duration = Duration::from_secs(30);

/// Removes exports, jobs and nodes of a point from QEMU, whatever of them there is.
pub(super) fn remove_from_qemu(qmp: &QmpClient, point: Uuid) -> Result<(), QmpError> {
    remove_exports(qmp, point)?;
    cancel_jobs(qmp, point)?;
    for node in qmp.nodes()? {
        let Some(name) = node.node_name else { continue };
        if names::point_of_node(&name) == Some(point) {
            until_gone("blockdev-del", || {
                match qmp.command("blockdev-del", json!({ "node-name": name })) {
                    Ok(_) => Ok(true),
                    // A connection that is just closing still holds it.
                    Err(error) if error.refusal().is_some_and(|text| text.contains("in use")) => {
                        Ok(false)
                    }
                    Err(error) if vanished(&error) => Ok(true),
                    Err(error) => Err(error),
                }
            })?;
        }
    }
    Ok(())
}

fn remove_exports(qmp: &QmpClient, point: Uuid) -> Result<(), QmpError> {
    let ours = |id: &str| names::point_of_job(id) == Some(point);
    for export in qmp.exports()?.into_iter().filter(|export| ours(&export.id)) {
        forgive(
            qmp.command("block-export-del", json!({ "id": export.id, "mode": "hard" })),
            // It is on its way out already.
            |text| text.contains("not found") || text.contains("shutting down"),
        )?;
    }
    until_gone("block-export-del", || Ok(!qmp.exports()?.iter().any(|export| ours(&export.id))))
}

fn cancel_jobs(qmp: &QmpClient, point: Uuid) -> Result<(), QmpError> {
    let ours = |id: &str| names::point_of_job(id) == Some(point);
    for job in qmp.jobs()?.into_iter().filter(|job| ours(&job.id)) {
        forgive(
            qmp.command("block-job-cancel", json!({ "device": job.id, "force": true })),
            |text| text.contains("not found") || text.contains("cannot accept command"),
        )?;
    }
    until_gone("block-job-cancel", || Ok(!qmp.jobs()?.iter().any(|job| ours(&job.id))))
}

/// Stops the NBD server when nothing of anybody is exported. The caller knows that it is ours.
pub(super) fn stop_idle_nbd_server(qmp: &QmpClient) -> Result<(), QmpError> {
    if !qmp.exports()?.is_empty() {
        return Ok(());
    }
    forgive(qmp.command("nbd-server-stop", json!({})), |text| text.contains("not running"))
}

/// Removes the scratch images of a point.
pub(super) fn remove_scratch_files(scratch: &Path, point: Uuid, disks: usize) -> Result<()> {
    for index in 0..disks {
        let file = scratch.join(names::scratch_file(point, index));
        match fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(FabricError::io("removing", file)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn vanished(error: &QmpError) -> bool {
    error.refusal().is_some_and(|text| text.contains("Failed to find node"))
}

fn forgive(
    result: Result<serde_json::Value, QmpError>,
    harmless: impl Fn(&str) -> bool,
) -> Result<(), QmpError> {
    match result {
        Err(error) if error.refusal().is_some_and(harmless) => Ok(()),
        other => other.map(drop),
    }
}

fn until_gone(
    command: &str,
    mut gone: impl FnMut() -> Result<bool, QmpError>,
) -> Result<(), QmpError> {
    let end = Instant::now() + GONE_TIMEOUT;
    while !gone()? {
        if Instant::now() >= end {
            return Err(QmpError::Timeout { command: command.to_owned(), after: GONE_TIMEOUT });
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
