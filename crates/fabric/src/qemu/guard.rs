//! Watches a machine while one of its points is open, and gives the point up before it hurts the
//! guest.
//!
//! QEMU stops a guest whose write cannot be copied away because the scratch space ended. So the
//! space is watched, and a guest that was stopped by an error while a point is open is let on
//! after the point is given up: if the point was not the cause, the guest stops again by itself.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use super::live::free_bytes;
use super::names;
use super::note::{Note, Notes};
use super::reader::Broken;
use super::teardown;
use crate::qmp::{Event, EventStream, QmpClient, QmpError};
use crate::{FabricError, Result};

/// How often the space is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A thread that watches one point. Dropped, it stops.
#[derive(Debug)]
pub(super) struct Guard {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread knows.
pub(super) struct Watched {
    pub(super) machine: String,
    pub(super) qmp: Arc<QmpClient>,
    pub(super) point: Uuid,
    pub(super) disks: usize,
    pub(super) scratch: PathBuf,
    /// Room that must stay free, in bytes.
    pub(super) margin_bytes: u64,
    pub(super) broken: Broken,
    pub(super) notes: Notes,
}

impl Guard {
    pub(super) fn start(watched: Watched) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let events = watched.qmp.events();
        let thread = std::thread::Builder::new().name("coffre-guard".to_owned()).spawn({
            let stop = stop.clone();
            move || watch(&watched, &events, &stop)
        });
        let thread = thread.map_err(FabricError::io("starting a thread for", "the guard"))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of it was told by itself.
            let _ = thread.join();
        }
    }
}

fn watch(watched: &Watched, events: &EventStream, stop: &AtomicBool) {
    let mut reason = at_first(watched);
    while reason.is_none() && !stop.load(Ordering::Relaxed) {
        reason = match events.next(LOOK_EVERY) {
            Ok(Some(event)) => trouble(watched, &event),
            Ok(None) => None,
            Err(_) => Some("QEMU ended".to_owned()),
        };
        reason = reason.or_else(|| little_space(watched));
    }
    if let Some(reason) = reason {
        give_up(watched, &reason);
    }
}

/// What may have happened before the events were listened to.
fn at_first(watched: &Watched) -> Option<String> {
    match watched.qmp.status() {
        Ok(status) if status.status == "io-error" => Some(stopped_text(watched)),
        Ok(_) => missing_job(&watched.qmp, watched.point, watched.disks),
        Err(_) => Some("QEMU does not answer".to_owned()),
    }
}

/// Why the jobs that keep the point's bytes are not all at work.
pub(super) fn missing_job(qmp: &QmpClient, point: Uuid, disks: usize) -> Option<String> {
    let Ok(jobs) = qmp.jobs() else { return Some("QEMU does not answer".to_owned()) };
    (0..disks).find_map(|index| {
        let id = names::job(point, index);
        let job = jobs.iter().find(|job| job.id == id);
        match job.map(|job| job.status.as_str()) {
            Some("created" | "running" | "paused" | "ready" | "standby") => None,
            _ => Some("a job that kept the point was ended by somebody".to_owned()),
        }
    })
}

fn trouble(watched: &Watched, event: &Event) -> Option<String> {
    match event.name.as_str() {
        "STOP" => {
            let status = watched.qmp.status().ok()?;
            (status.status == "io-error").then(|| stopped_text(watched))
        }
        "JOB_STATUS_CHANGE" => {
            let ended =
                matches!(event.data["status"].as_str(), Some("aborting" | "concluded" | "null"));
            let id = event.data["id"].as_str().unwrap_or_default();
            (ended && names::point_of_job(id) == Some(watched.point))
                .then(|| "a job that kept the point was ended by somebody".to_owned())
        }
        "BLOCK_JOB_ERROR" => {
            let id = event.data["device"].as_str().unwrap_or_default();
            (names::point_of_job(id) == Some(watched.point))
                .then(|| "an old block could not be kept in the scratch space".to_owned())
        }
        _ => None,
    }
}

fn stopped_text(watched: &Watched) -> String {
    format!(
        "QEMU stopped the machine on an error of a disk or of the scratch folder {}",
        watched.scratch.display()
    )
}

fn little_space(watched: &Watched) -> Option<String> {
    let free = free_bytes(&watched.scratch).ok()?;
    (free < watched.margin_bytes).then(|| {
        format!("the scratch folder {} has only {free} bytes free", watched.scratch.display())
    })
}

/// Ends the point so that the guest is free of it. The bitmaps wait for the release.
fn give_up(watched: &Watched, reason: &str) {
    let Watched { machine, point, .. } = watched;
    tracing::warn!(machine, %point, reason, "a snapshot is given up");
    watched.broken.set(reason);
    if let Err(error) = note_broken(&watched.notes, *point, reason) {
        tracing::warn!(machine, %error, "a broken snapshot could not be noted");
    }
    if watched.qmp.is_closed() {
        return;
    }
    match teardown::remove_from_qemu(&watched.qmp, *point).and_then(|()| resume(&watched.qmp)) {
        Ok(_) => {
            let removed = teardown::remove_scratch_files(&watched.scratch, *point, watched.disks);
            if let Err(error) = removed {
                tracing::warn!(machine, %error, "scratch files remain until the release");
            }
        }
        Err(error) => tracing::warn!(machine, %error, "the snapshot remains until the release"),
    }
}

/// Notes that a point cannot be used any more.
pub(super) fn note_broken(notes: &Notes, point: Uuid, reason: &str) -> Result<()> {
    match notes.read(point)? {
        Some(note) if note.broken.is_none() => {
            notes.write(&Note { broken: Some(reason.to_owned()), ..note })
        }
        _ => Ok(()),
    }
}

/// Lets a guest on that an error stopped. Returns whether it was stopped so.
pub(super) fn resume(qmp: &QmpClient) -> Result<bool, QmpError> {
    if qmp.status()?.status != "io-error" {
        return Ok(false);
    }
    qmp.command("cont", Value::Null)?;
    Ok(true)
}
