//! What can be asked of a machine: the trait's verbs, each under the machine's lock.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use super::guard;
use super::machine::QemuMachine;
use super::names;
use super::note::{Mode, Note, Stage};
use super::reader::{self, Door};
use super::{launch, live, release, replace, stopped, teardown};
use crate::agent::{self, AgentClient};
use crate::extension::{ExtensionState, GuestLog};
use crate::qmp::QmpClient;
use crate::{
    FabricError, LocalCopies, Machine, MachineInfo, Release, Result, Snapshot, SnapshotReader,
    SnapshotReport, SnapshotRequest, Stop, tool,
};

/// How long the agent may take to answer before a thaw or a shutdown.
pub(super) const AGENT_SYNC_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a thaw may take.
const THAW_PATIENCE: Duration = Duration::from_secs(40);

impl Machine for QemuMachine {
    fn info(&self) -> Result<MachineInfo> {
        Ok(self.describe())
    }

    fn start(&self) -> Result<()> {
        let _operation = self.operation();
        let definition = self.managed()?;
        if self.qmp()?.is_some() {
            return Ok(());
        }
        self.give_up_stopped_points()?;
        launch::start(definition, self.paths())
    }

    fn stop(&self, how: Stop) -> Result<()> {
        let _operation = self.operation();
        self.managed()?;
        let (Some(qmp), Some(process)) = (self.qmp()?, launch::process(self.paths())?) else {
            return Ok(());
        };
        if let Stop::Graceful { timeout } = how
            && self.ask(qmp.status())?.running
        {
            if self.shut_down(&qmp, &process, timeout) {
                return Ok(());
            }
            tracing::info!(machine = self.name(), "the guest does not shut down: power is cut");
        }
        // The process may end before it answers.
        let _ = qmp.command("quit", Value::Null);
        launch::wait_for_end(&process, self.name())
    }

    fn take_snapshot(&self, request: &SnapshotRequest) -> Result<SnapshotReport> {
        let _operation = self.operation();
        for point in self.living_points()? {
            if point != request.point {
                let machine = self.name().to_owned();
                return Err(FabricError::SnapshotExists { machine, point });
            }
            self.release_point(point, Release::Abandoned)?;
        }
        match self.take_or_release(request, None) {
            // A copy in the images must cost nobody a point: once more without.
            Err(error) if request.local.is_some() && error.is_refusal() => {
                tracing::warn!(machine = self.name(), ?error, "taken again without a copy");
                self.take_or_release(request, Some(&error.in_full()))
            }
            taken => taken,
        }
    }

    fn snapshot(&self, point: Uuid) -> Result<Option<Box<dyn Snapshot>>> {
        let _operation = self.operation();
        let Some(note) = self.paths().notes().read(point)? else { return Ok(None) };
        if note.stage != Stage::Ready || note.broken.is_some() {
            return Ok(None);
        }
        let qmp = self.qmp()?;
        if let Some(reason) = self.trouble(&note, qmp.as_deref())? {
            tracing::warn!(machine = self.name(), %point, reason, "a snapshot is lost");
            return Ok(None);
        }
        let door = match &qmp {
            Some(qmp) if note.mode == Mode::Live => self.watch(qmp, &note)?,
            _ => self.door(&note),
        };
        let disks = door.changes(&note)?;
        let Some(report) = reader::report(&note, disks) else { return Ok(None) };
        Ok(Some(Box::new(OpenSnapshot { report, note, door, qmp })))
    }

    fn prepare_extension(&self) -> Result<ExtensionState> {
        let _operation = self.operation();
        let busy = !self.living_points()?.is_empty();
        let running = self.qmp()?.is_some();
        Ok(if busy || !running { self.extension_state() } else { self.install_extension() })
    }

    fn guest_logs(&self, bytes_max: usize) -> Result<Vec<GuestLog>> {
        self.read_guest_logs(bytes_max)
    }

    fn release(&self, point: Uuid, how: Release) -> Result<()> {
        let _operation = self.operation();
        self.release_point(point, how)
    }

    fn leftovers(&self) -> Result<Vec<Uuid>> {
        self.living_points().map(|points| points.into_iter().collect())
    }

    fn thaw(&self) -> Result<()> {
        self.thaw_guest(|| {
            Ok(self.paths().notes().all()?.iter().any(|note| note.freezing && note.lives()))
        })
    }

    fn resume_if_paused_by_us(&self) -> Result<bool> {
        let _operation = self.operation();
        const REASON: &str = "the machine was stopped by an error while the point was open";
        let Some(qmp) = self.qmp()? else { return Ok(false) };
        let points = self.living_points()?;
        if points.is_empty() || self.ask(qmp.status())?.status != "io-error" {
            return Ok(false);
        }
        for point in points {
            self.close(point, REASON);
            guard::note_broken(&self.paths().notes(), point, REASON)?;
            self.ask(teardown::remove_from_qemu(&qmp, point))?;
        }
        self.ask(guard::resume(&qmp))
    }

    fn replace_disks(&self, images: &[(String, PathBuf)]) -> Result<()> {
        let _operation = self.operation();
        self.must_be_off()?;
        let disks = self.managed()?.disks.as_slice();
        replace::replace(self.name(), disks, images)
    }

    fn confirm_replaced_disks(&self) -> Result<()> {
        let _operation = self.operation();
        replace::confirm(&self.managed()?.disks)
    }

    fn revert_replaced_disks(&self) -> Result<()> {
        let _operation = self.operation();
        self.must_be_off()?;
        replace::revert(&self.managed()?.disks)
    }

    fn local_copies(&self) -> Result<LocalCopies> {
        let _operation = self.operation();
        self.list_local_copies()
    }

    fn drop_local_copy(&self, point: Uuid) -> Result<()> {
        let _operation = self.operation();
        if let Some(open) = self.living_points()?.first() {
            let machine = self.name().to_owned();
            return Err(FabricError::SnapshotExists { machine, point: *open });
        }
        self.delete_snapshot(&names::local_copy(point))
    }

    fn doubt_roll_back(&self, point: Uuid, disks: &[String]) -> Result<Option<String>> {
        let _operation = self.operation();
        self.must_be_off()?;
        self.doubt_local_copy(point, disks)
    }

    fn open_disk(&self, disk: &str, point: Option<Uuid>) -> Result<Box<dyn SnapshotReader>> {
        let _operation = self.operation();
        self.must_be_off()?;
        self.open_image(disk, point)
    }

    fn roll_back(&self, point: Uuid, job: Uuid, disks: &[String]) -> Result<()> {
        let _operation = self.operation();
        self.must_be_off()?;
        self.roll_disks_back(point, job, disks)
    }

    fn short_of_room(&self) -> Result<Option<String>> {
        self.tight_images()
    }

    fn confirm_roll_back(&self, job: Uuid) -> Result<()> {
        let _operation = self.operation();
        self.delete_snapshot(&names::before(job))
    }

    fn revert_roll_back(&self, job: Uuid) -> Result<()> {
        let _operation = self.operation();
        if self.list_local_copies()?.before.contains_key(&job) {
            self.must_be_off()?;
            self.undo_roll_back(job)?;
        }
        Ok(())
    }
}

impl QemuMachine {
    /// Takes a point; what a failure leaves is released. `failed`: see [`live::take`].
    fn take_or_release(
        &self,
        request: &SnapshotRequest,
        failed: Option<&str>,
    ) -> Result<SnapshotReport> {
        let taken = match self.qmp()? {
            Some(qmp) => live::take(self, &qmp, request, failed),
            None => stopped::take(self, request),
        };
        if taken.is_err()
            && let Err(error) = self.release_point(request.point, Release::Abandoned)
        {
            // The note stays, so the next try or a release finishes it.
            tracing::warn!(machine = self.name(), ?error, "a failed snapshot left something");
        }
        taken
    }

    fn must_be_off(&self) -> Result<()> {
        match self.qmp()? {
            None => self.give_up_stopped_points(),
            Some(_) => Err(FabricError::NotStopped(self.name().to_owned())),
        }
    }

    /// Points of which anything exists: by our notes, and by the names in QEMU.
    fn living_points(&self) -> Result<BTreeSet<Uuid>> {
        let notes = self.paths().notes().all()?;
        let mut points: BTreeSet<Uuid> =
            notes.iter().filter(|note| note.lives()).map(|note| note.point).collect();
        if let Some(qmp) = self.qmp()? {
            let jobs = self.ask(qmp.jobs())?;
            points.extend(jobs.iter().filter_map(|job| names::point_of_job(&job.id)));
            let exports = self.ask(qmp.exports())?;
            points.extend(exports.iter().filter_map(|export| names::point_of_job(&export.id)));
            let nodes = self.ask(qmp.nodes())?;
            let names = nodes.iter().filter_map(|node| node.node_name.as_deref());
            points.extend(names.filter_map(names::point_of_node));
        }
        Ok(points)
    }

    fn release_point(&self, point: Uuid, how: Release) -> Result<()> {
        self.close(point, "the snapshot was released");
        let notes = self.paths().notes();
        let note = notes.read(point)?;
        if let Some(Note { stage: Stage::Kept, .. }) = note {
            return Ok(());
        }
        let freezing = note.as_ref().is_some_and(|note| note.freezing);
        if freezing {
            self.thaw_extension();
        }
        if freezing && let Err(error) = self.thaw_guest(|| Ok(true)) {
            tracing::error!(machine = self.name(), ?error, "the guest may still be frozen");
        }
        if let Some(note) = &note {
            self.stop_image_servers(note)?;
        }
        match (self.qmp()?, &note) {
            (Some(qmp), note) => {
                self.ask(teardown::remove_from_qemu(&qmp, point))?;
                if live::listens(&self.paths().nbd_socket()) {
                    self.ask(teardown::stop_idle_nbd_server(&qmp))?;
                }
                release::settle_live(self, &qmp, point, note.as_ref(), how)?;
                // Without the point nothing of ours stops the guest any more.
                if note.as_ref().is_some_and(|note| note.mode == Mode::Live) {
                    self.ask(guard::resume(&qmp))?;
                }
            }
            (None, Some(note)) => release::settle_stopped(point, note, how)?,
            (None, None) => {}
        }
        if how == Release::Abandoned {
            match self.delete_snapshot(&names::local_copy(point)) {
                // An image that cannot be read must hold nobody up; what is in it after all is found by its name later.
                Err(error) if self.qmp()?.is_none() => {
                    tracing::warn!(machine = self.name(), ?error, "a copy may be left");
                }
                deleted => deleted?,
            }
        }
        let Some(note) = note else { return Ok(()) };
        teardown::remove_scratch_files(&note.scratch, point, note.disks.len())?;
        match how {
            Release::Abandoned => notes.remove(point),
            Release::Committed => {
                notes.write(&Note { stage: Stage::Kept, freezing: false, ..note })?;
                let kept = notes.all()?.into_iter().filter(|other| !other.lives());
                kept.filter(|other| other.point != point)
                    .try_for_each(|older| notes.remove(older.point))
            }
        }
    }

    /// Thaws the guest. `frozen_by_us` says whether an agent that is silent is an error.
    fn thaw_guest(&self, frozen_by_us: impl FnOnce() -> Result<bool>) -> Result<()> {
        let Some(socket) = self.agent_socket() else { return Ok(()) };
        if self.qmp()?.is_none() {
            return Ok(());
        }
        let _channel = self.agent_channel();
        let fail = |source| FabricError::Agent { machine: self.name().to_owned(), source };
        let connected = AgentClient::connect(&socket)
            .and_then(|mut agent| agent.sync(AGENT_SYNC_TIMEOUT).map(|()| agent));
        match connected {
            Ok(mut agent) => agent::thaw_until_thawed(&mut agent, THAW_PATIENCE).map_err(fail),
            Err(error) if frozen_by_us()? => {
                let again = AgentClient::connect(&socket);
                let again =
                    again.and_then(|mut agent| agent::thaw_until_thawed(&mut agent, THAW_PATIENCE));
                again.map_err(|_| fail(error))
            }
            Err(_) => Ok(()),
        }
    }

    /// Why a noted point is not whole, as far as can be seen from outside.
    fn trouble(&self, note: &Note, qmp: Option<&QmpClient>) -> Result<Option<String>> {
        match (note.mode, qmp) {
            (Mode::Live, None) => Ok(Some("QEMU ended".to_owned())),
            (Mode::Live, Some(qmp)) => {
                let missing = guard::missing_job(qmp, note.point, note.disks.len());
                if missing.is_some() {
                    return Ok(missing);
                }
                let exports = self.ask(qmp.exports())?;
                let all = (0..note.disks.len()).all(|index| {
                    let id = names::job(note.point, index);
                    exports.iter().any(|export| export.id == id)
                });
                Ok((!all).then(|| "an export was removed by somebody".to_owned()))
            }
            (Mode::Stopped, _) => {
                for index in 0..note.disks.len() {
                    let socket = self.paths().image_socket(index);
                    let pid_file = self.paths().image_pid_file(index);
                    let server = tool::Server::find(&pid_file, &socket)?;
                    if !server.is_some_and(|server| server.process.is_alive()) {
                        return Ok(Some("the server of an image ended".to_owned()));
                    }
                }
                Ok(None)
            }
        }
    }
}

/// A point that can be read.
struct OpenSnapshot {
    report: SnapshotReport,
    note: Note,
    door: Door,
    /// Keeps the connection, and with it the way to ask whether the point is whole.
    qmp: Option<Arc<QmpClient>>,
}

impl Snapshot for OpenSnapshot {
    fn report(&self) -> &SnapshotReport {
        &self.report
    }

    fn open(&self, disk_key: &str) -> Result<Box<dyn SnapshotReader>> {
        Ok(Box::new(self.door.open(&self.note, disk_key)?))
    }

    fn check(&self) -> Result<()> {
        self.door.check()?;
        let Some(qmp) = self.qmp.as_ref().filter(|_| self.note.mode == Mode::Live) else {
            // The images of a machine that is off are locked by their servers: who reads them to
            // the end without an error read them whole.
            return Ok(());
        };
        match guard::missing_job(qmp, self.note.point, self.note.disks.len()) {
            Some(reason) => Err(self.door.lost(reason)),
            None => self.door.check(),
        }
    }
}
