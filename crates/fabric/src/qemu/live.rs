//! Taking a point in time of a machine that runs.
//!
//! Everything slow is made before the guest is frozen: the note, the scratch images and their
//! nodes, the NBD server. Inside the frozen moment there is one QMP transaction over all disks:
//! a new bitmap begins to record, the parent's stops, and a job begins to copy what the guest is
//! about to overwrite into the scratch image. Then the guest thaws and the scratch nodes, which
//! read through to the disks, are exported.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::bitmap::{self, ParentFacts};
use super::discover::LiveDisk;
use super::local;
use super::machine::QemuMachine;
use super::names;
use super::note::{DiskNote, Mode, Note, Stage, Taken};
use super::reader;
use super::window::Window;
use crate::local::LocalCopy;
use crate::qmp::{QmpClient, QmpError};
use crate::{DiskInfo, FabricError, FreezeWish, Result, SnapshotReport, SnapshotRequest, tool};

/// How long the guest stays frozen for a transaction that does not end. It takes milliseconds
/// unless the storage under a disk hangs.
const TRANSACTION_FROZEN_MAX: Duration = Duration::from_secs(5);

/// How long a transaction may take altogether.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);

/// Takes the point. What a failure leaves is for the caller to release. `failed` says why an earlier try was refused with a
/// copy in the images.
pub(super) fn take(
    machine: &QemuMachine,
    qmp: &Arc<QmpClient>,
    request: &SnapshotRequest,
    failed: Option<&str>,
) -> Result<SnapshotReport> {
    let disks = machine.live_disks(qmp)?;
    let local = plan_local(machine, qmp, request, failed, &disks)?;
    let mut note = new_note(machine, qmp, request, &disks)?;
    check_scratch(&request.scratch, machine.scratch_free_bytes())?;
    let notes = machine.paths().notes();
    notes.write(&note)?;
    prepare(machine, qmp, &note, (&disks, &local))?;
    let actions = actions(machine, qmp, &note, (&disks, &local))?;
    let taken = point_in_time(machine, qmp, &mut note, actions, request.freeze);
    note.taken = taken.as_ref().ok().cloned().map(|it| Taken { local: local.answer.clone(), ..it });
    notes.write(&note)?;
    taken?;
    back_overlays(machine, qmp, &note, (&disks, &local))?;
    let door = machine.watch(qmp, &note)?;
    for (index, (disk, live)) in note.disks.iter().zip(&disks).enumerate() {
        let parent = note.parent.filter(|_| disk.unknown.is_none()).map(names::bitmap);
        let bitmap = parent.as_deref().map(|bitmap| (live.node.as_str(), bitmap));
        let (export, node) = (names::job(note.point, index), names::node(note.point, index));
        machine.ask(qmp.add_export(&export, &node, bitmap))?;
    }
    note.stage = Stage::Ready;
    notes.write(&note)?;
    let report = reader::report(&note, door.changes(&note)?);
    Ok(report.expect("the note says what was taken since a few lines"))
}

fn new_note(
    machine: &QemuMachine,
    qmp: &QmpClient,
    request: &SnapshotRequest,
    disks: &[LiveDisk],
) -> Result<Note> {
    let nodes = machine.ask(qmp.nodes())?;
    let parent_note = match request.parent {
        Some(parent) => machine.paths().notes().read(parent)?,
        None => None,
    };
    let elsewhere =
        request.parent.is_some_and(|parent| bitmap::on_passive_node(&nodes, disks, parent));
    let describe = |disk: &LiveDisk| {
        let on = |parent| bitmap::on_node(&nodes, &disk.node, parent);
        let facts = ParentFacts {
            parent: request.parent,
            note: parent_note.as_ref(),
            bitmap: request.parent.and_then(on),
            elsewhere,
        };
        DiskNote {
            key: disk.info.key.clone(),
            path: disk.info.path.clone(),
            format: disk.info.format,
            size_bytes: disk.info.size_bytes,
            unknown: bitmap::doubt(&disk.info, &facts),
        }
    };
    Ok(Note {
        point: request.point,
        parent: request.parent,
        stage: Stage::Preparing,
        mode: Mode::Live,
        freezing: false,
        scratch: request.scratch.clone(),
        disks: disks.iter().map(describe).collect(),
        taken: None,
        broken: None,
    })
}

/// Refuses to begin with little room for what the guest overwrites.
fn check_scratch(folder: &Path, need_bytes: u64) -> Result<()> {
    let free_bytes = free_bytes(folder)?;
    if free_bytes < need_bytes {
        return Err(FabricError::ScratchFull { folder: folder.to_owned(), free_bytes, need_bytes });
    }
    Ok(())
}

/// Bytes that are free in the file system of a folder.
pub(super) fn free_bytes(folder: &Path) -> Result<u64> {
    let stat = rustix::fs::statvfs(folder)
        .map_err(|error| FabricError::io("looking at", folder)(error.into()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// What becomes of the wish for a copy in the images.
fn plan_local(
    machine: &QemuMachine,
    qmp: &QmpClient,
    request: &SnapshotRequest,
    failed: Option<&str>,
    disks: &[LiveDisk],
) -> Result<local::Plan> {
    let infos: Vec<&DiskInfo> = disks.iter().map(|disk| &disk.info).collect();
    let mut plan = local::Plan::new(machine, request.local.as_ref(), failed, &infos);
    if !plan.is_empty() && !machine.ask(qmp.has_argument("blockdev-reopen", "options"))? {
        plan.give_up(LocalCopy::cannot("this QEMU is older than 6.1"));
    }
    Ok(plan)
}

/// QEMU takes a copy only in a node that no other reads through to. So the scratch node of such a disk stands alone until
/// the copy is taken; nobody has read from it before.
fn back_overlays(
    machine: &QemuMachine,
    qmp: &QmpClient,
    note: &Note,
    (disks, local): (&[LiveDisk], &local::Plan),
) -> Result<()> {
    for (index, live) in disks.iter().enumerate().filter(|(_, live)| local.has(&live.info.key)) {
        let file = note.scratch.join(names::scratch_file(note.point, index));
        let node = names::node(note.point, index);
        machine.ask(qmp.back_overlay(&node, &file, &live.node))?;
    }
    Ok(())
}

fn prepare(
    machine: &QemuMachine,
    qmp: &QmpClient,
    note: &Note,
    (disks, local): (&[LiveDisk], &local::Plan),
) -> Result<()> {
    for (index, live) in disks.iter().enumerate() {
        let file = note.scratch.join(names::scratch_file(note.point, index));
        if file.exists() {
            fs::remove_file(&file).map_err(FabricError::io("removing", &file))?;
        }
        tool::create_qcow2(&file, live.info.size_bytes)?;
        let node = names::node(note.point, index);
        let backing = (!local.has(&live.info.key)).then_some(live.node.as_str());
        machine.ask(qmp.add_overlay(&node, &file, backing))?;
    }
    start_nbd_server(machine, qmp)
}

/// Starts the NBD server of QEMU, or goes on with ours that runs already. There is one for each
/// process, and QEMU does not tell where it listens: it is ours if somebody listens at our place.
fn start_nbd_server(machine: &QemuMachine, qmp: &QmpClient) -> Result<()> {
    machine.paths().create_runtime_folder()?;
    let socket = machine.paths().nbd_socket();
    if listens(&socket) {
        return Ok(());
    }
    let _ = fs::remove_file(&socket);
    match qmp.start_nbd_server(&socket) {
        Err(error) if error.refusal().is_some_and(|text| text.contains("already running")) => {
            Err(FabricError::NbdServerBusy(machine.name().to_owned()))
        }
        other => machine.ask(other),
    }
}

/// Whether somebody accepts connections on a socket.
pub(super) fn listens(socket: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(socket).is_ok()
}

/// The transaction: all disks at one moment, or none.
fn actions(
    machine: &QemuMachine,
    qmp: &QmpClient,
    note: &Note,
    (disks, local): (&[LiveDisk], &local::Plan),
) -> Result<Vec<Value>> {
    // A QEMU that can shall give up the copy and not the guest when the scratch space ends.
    let break_copy = machine.ask(qmp.has_argument("blockdev-backup", "on-cbw-error"))?;
    // First the copies: the jobs put a filter above the disks, and then none can be taken.
    let copied = disks.iter().filter(|live| local.has(&live.info.key));
    let mut actions: Vec<Value> =
        copied.map(|live| local::action(note.point, &live.node)).collect();
    for (index, (disk, live)) in note.disks.iter().zip(disks).enumerate() {
        let mut action = |kind: &str, data: Value| {
            actions.push(json!({ "type": kind, "data": data }));
        };
        action(
            "block-dirty-bitmap-add",
            json!({
                "node": live.node, "name": names::bitmap(note.point), "persistent": live.stores_bitmaps,
            }),
        );
        if let (Some(parent), None) = (note.parent, &disk.unknown) {
            let data = json!({ "node": live.node, "name": names::bitmap(parent) });
            action("block-dirty-bitmap-disable", data);
        }
        let mut data = json!({
            "job-id": names::job(note.point, index), "device": live.node,
            "target": names::node(note.point, index), "sync": "none",
        });
        if break_copy {
            data["on-cbw-error"] = json!("break-snapshot");
        }
        action("blockdev-backup", data);
    }
    Ok(actions)
}

/// Freezes, runs the transaction, thaws. The note says that the guest may be frozen from before it
/// is until it surely is not.
fn point_in_time(
    machine: &QemuMachine,
    qmp: &QmpClient,
    note: &mut Note,
    actions: Vec<Value>,
    wish: FreezeWish,
) -> Result<Taken> {
    let running = machine.ask(qmp.status())?.running;
    let _channel = machine.agent_channel();
    let window = if running {
        let offer = machine.ready_extension(wish.ask);
        note.freezing = wish.ask && machine.agent_socket().is_some();
        machine.paths().notes().write(note)?;
        Window::open(machine, wish, offer)
    } else {
        Window::none("the machine is paused")
    };
    // If this fails, the frozen guest is thawed as the value goes.
    note.freezing = false;
    let pending = machine.ask(qmp.begin("transaction", json!({ "actions": actions })))?;
    let taken_unix_ms = unix_ms();
    let mut result = pending.wait(TRANSACTION_FROZEN_MAX);
    let ended = match &result {
        Err(QmpError::Timeout { .. }) => None,
        Err(error) => Some(Err(error.to_string())),
        Ok(_) => Some(Ok(())),
    };
    let late = ended.is_none();
    let closed = window.close(ended, machine.os_type());
    note.freezing = !closed.thawed;
    if late {
        result = pending.wait(TRANSACTION_TIMEOUT);
    }
    machine.ask(result)?;
    Ok(Taken {
        consistency: closed.consistency,
        reason: closed.reason,
        freeze_window: closed.window,
        freeze: closed.record,
        taken_unix_ms,
        local: None,
    })
}

/// This host's clock.
pub(super) fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
