//! One machine of QEMU: who it is, how it is reached, and what of it is being worked on.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;

use super::config::MachineDefinition;
use super::discover::{self, LiveDisk};
use super::guard::{self, Guard, Watched};
use super::note::{Mode, Note};
use super::paths::Paths;
use super::reader::{self, Broken, Door};
use crate::agent::AgentClient;
use crate::extension::{Extension, ExtensionState};
use crate::qmp::{QmpClient, QmpError};
use crate::{AgentState, DiskInfo, FabricError, MachineInfo, OsType, PowerState, Result, tool};

/// How long the agent may take to answer when somebody only wants to know whether it does.
const AGENT_LOOK_TIMEOUT: Duration = Duration::from_millis(700);

/// How long an answer about the agent is good for.
const AGENT_LOOK_EVERY: Duration = Duration::from_secs(5);

/// A machine of the configuration, or one that was found by its QMP socket.
#[derive(Debug)]
pub(super) struct QemuMachine {
    id: Uuid,
    name: String,
    definition: Option<MachineDefinition>,
    qmp_socket: PathBuf,
    agent_socket: Option<PathBuf>,
    paths: Paths,
    scratch_free_bytes: u64,
    /// Held by calls that change the machine.
    operation: Mutex<()>,
    /// The connection, while anybody uses it. Not kept for longer: QEMU serves one client.
    client: Mutex<Weak<QmpClient>>,
    /// Held while the agent is talked to: its channel serves one client.
    channel: Mutex<()>,
    /// What was last seen of the agent.
    agent: Mutex<AgentLook>,
    /// The extension that this host offers, and what is known about it in the guest.
    pub(super) extension: Mutex<(Option<Arc<Extension>>, ExtensionState)>,
    /// Points that are open in this process.
    open: Mutex<HashMap<Uuid, OpenPoint>>,
}

/// What was last seen of the agent.
#[derive(Debug, Clone)]
struct AgentLook {
    state: AgentState,
    os_type: OsType,
    at: Option<Instant>,
}

/// A point that is open in this process.
#[derive(Debug, Default)]
struct OpenPoint {
    broken: Broken,
    guard: Option<Guard>,
}

/// How a machine that nobody described is reached.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) qmp_socket: PathBuf,
    pub(super) agent_socket: Option<PathBuf>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What the locks guard is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl QemuMachine {
    pub(super) fn defined(
        definition: MachineDefinition,
        paths: Paths,
        scratch_free_bytes: u64,
    ) -> Self {
        let (qmp_socket, agent_socket) = if definition.managed {
            (paths.qmp_socket(), Some(paths.agent_socket()))
        } else {
            (
                definition.qmp_socket.clone().unwrap_or_else(|| paths.qmp_socket()),
                definition.agent_socket.clone(),
            )
        };
        let found =
            Found { id: definition.id, name: definition.name.clone(), qmp_socket, agent_socket };
        Self::new(found, Some(definition), paths, scratch_free_bytes)
    }

    pub(super) fn attached(found: Found, paths: Paths, scratch_free_bytes: u64) -> Self {
        Self::new(found, None, paths, scratch_free_bytes)
    }

    fn new(
        found: Found,
        definition: Option<MachineDefinition>,
        paths: Paths,
        scratch_free_bytes: u64,
    ) -> Self {
        let Found { id, name, qmp_socket, agent_socket } = found;
        let os_type = definition.as_ref().map(|definition| definition.os_type).unwrap_or_default();
        let state = AgentState::NotConfigured;
        Self {
            id,
            name,
            definition,
            qmp_socket,
            agent_socket,
            paths,
            scratch_free_bytes,
            operation: Mutex::new(()),
            client: Mutex::new(Weak::new()),
            channel: Mutex::new(()),
            agent: Mutex::new(AgentLook { state, os_type, at: None }),
            extension: Mutex::new((None, ExtensionState::NotOffered)),
            open: Mutex::new(HashMap::new()),
        }
    }

    pub(super) fn id(&self) -> Uuid {
        self.id
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn definition(&self) -> Option<&MachineDefinition> {
        self.definition.as_ref()
    }

    pub(super) fn paths(&self) -> &Paths {
        &self.paths
    }

    pub(super) fn scratch_free_bytes(&self) -> u64 {
        self.scratch_free_bytes
    }

    pub(super) fn agent_socket(&self) -> Option<PathBuf> {
        self.agent_socket.clone()
    }

    pub(super) fn operation(&self) -> MutexGuard<'_, ()> {
        lock(&self.operation)
    }

    /// Keeps others from the agent's channel.
    pub(super) fn agent_channel(&self) -> MutexGuard<'_, ()> {
        lock(&self.channel)
    }

    pub(super) fn os_type(&self) -> OsType {
        match &self.definition {
            Some(definition) => definition.os_type,
            None => lock(&self.agent).os_type,
        }
    }

    /// The definition of a machine that Coffre starts and stops.
    pub(super) fn managed(&self) -> Result<&MachineDefinition> {
        self.definition
            .as_ref()
            .filter(|definition| definition.managed)
            .ok_or_else(|| FabricError::NotManaged(self.name.clone()))
    }

    /// Adds who was asked to an error of QEMU.
    pub(super) fn ask<T>(&self, result: Result<T, QmpError>) -> Result<T> {
        result.map_err(|source| FabricError::Qmp { machine: self.name.clone(), source })
    }

    /// The connection to QEMU, shared by all who use it now; `None` = it does not run.
    pub(super) fn qmp(&self) -> Result<Option<Arc<QmpClient>>> {
        let mut client = lock(&self.client);
        if let Some(known) = client.upgrade().filter(|known| !known.is_closed()) {
            return Ok(Some(known));
        }
        match QmpClient::connect(&self.qmp_socket) {
            Ok(new) => {
                let new = Arc::new(new);
                *client = Arc::downgrade(&new);
                Ok(Some(new))
            }
            Err(error) if error.is_absent() && !self.process_lives()? => Ok(None),
            Err(error) => self.ask(Err(error)),
        }
    }

    fn process_lives(&self) -> Result<bool> {
        let managed = self.definition.as_ref().is_some_and(|definition| definition.managed);
        Ok(managed && super::launch::process(&self.paths)?.is_some())
    }

    pub(super) fn live_disks(&self, qmp: &QmpClient) -> Result<Vec<LiveDisk>> {
        let (drives, nodes) = (self.ask(qmp.drives())?, self.ask(qmp.nodes())?);
        discover::live_disks(self.definition.as_ref(), drives, &nodes)
    }

    /// What opens the disks of a noted point.
    pub(super) fn door(&self, note: &Note) -> Door {
        let broken = lock(&self.open).entry(note.point).or_default().broken.clone();
        let exports = reader::exports(note, &self.paths);
        Door { machine: self.name.clone(), point: note.point, broken, exports }
    }

    /// Begins to guard the guest against a point that is open.
    pub(super) fn watch(&self, qmp: &Arc<QmpClient>, note: &Note) -> Result<Door> {
        let door = self.door(note);
        let mut open = lock(&self.open);
        let point = open.entry(note.point).or_default();
        if point.guard.is_none() {
            point.guard = Some(Guard::start(Watched {
                machine: self.name.clone(),
                qmp: qmp.clone(),
                point: note.point,
                disks: note.disks.len(),
                scratch: note.scratch.clone(),
                margin_bytes: self.scratch_free_bytes / 2,
                broken: door.broken.clone(),
                notes: self.paths.notes(),
            })?);
        }
        Ok(door)
    }

    /// Ends the guard of a point, and tells all its readers that it is over.
    pub(super) fn close(&self, point: Uuid, reason: &str) {
        let closed = lock(&self.open).remove(&point);
        if let Some(OpenPoint { broken, guard }) = closed {
            drop(guard);
            broken.set(reason);
        }
    }

    /// Ends the servers of the images of a point that is read from a machine that is off.
    pub(super) fn stop_image_servers(&self, note: &Note) -> Result<()> {
        if note.mode == Mode::Live {
            return Ok(());
        }
        for index in 0..note.disks.len() {
            let (socket, pid_file) =
                (self.paths.image_socket(index), self.paths.image_pid_file(index));
            if let Some(server) = tool::Server::find(&pid_file, &socket)? {
                server.stop()?;
            }
            let _ = std::fs::remove_file(&pid_file);
        }
        Ok(())
    }

    /// Ends all points that are read as of a machine that is off, because it is to start.
    pub(super) fn give_up_stopped_points(&self) -> Result<()> {
        const REASON: &str = "the machine was started";
        let notes = self.paths.notes();
        for note in notes.all()?.into_iter().filter(|note| note.lives()) {
            if note.mode == Mode::Stopped {
                self.door(&note).broken.set(REASON);
                guard::note_broken(&notes, note.point, REASON)?;
                self.stop_image_servers(&note)?;
            }
        }
        Ok(())
    }

    /// What is known about the machine now.
    pub(super) fn describe(&self) -> MachineInfo {
        match self.qmp() {
            Ok(Some(qmp)) => {
                self.describe_running(&qmp).unwrap_or_else(|error| self.describe_unknown(&error))
            }
            Ok(None) => self.describe_off(PowerState::Stopped),
            Err(error) => self.describe_unknown(&error),
        }
    }

    fn describe_unknown(&self, error: &FabricError) -> MachineInfo {
        tracing::debug!(machine = self.name, error = ?error, "a machine cannot be asked");
        self.describe_off(PowerState::Unknown)
    }

    fn describe_running(&self, qmp: &QmpClient) -> Result<MachineInfo> {
        let running = self.ask(qmp.status())?.running;
        let disks = match self.live_disks(qmp) {
            Ok(disks) => disks.into_iter().map(|disk| disk.info).collect(),
            Err(FabricError::DiskMissing { .. }) => self.defined_disks(),
            Err(error) => return Err(error),
        };
        let agent = self.look_at_agent(running);
        let power = if running { PowerState::Running } else { PowerState::Paused };
        let (cpus, memory_bytes) = match &self.definition {
            Some(definition) => (definition.cpus, definition.memory_mib << 20),
            None => (self.ask(qmp.cpu_count())?, self.ask(qmp.memory_bytes())?),
        };
        let mut info = self.describe_off(power);
        info.agent = agent.state;
        // Looking at the agent may have found it.
        info.extension = self.extension_state();
        info.os_type = agent.os_type;
        (info.cpus, info.memory_bytes, info.disks) = (cpus, memory_bytes, disks);
        Ok(info)
    }

    fn describe_off(&self, power: PowerState) -> MachineInfo {
        let definition = self.definition.as_ref();
        let disks = match power {
            PowerState::Stopped | PowerState::Unknown => self.defined_disks(),
            PowerState::Running | PowerState::Paused => Vec::new(),
        };
        let config = match definition {
            Some(definition) => json!(definition),
            None => json!({ "qmp_socket": self.qmp_socket }),
        };
        MachineInfo {
            id: self.id,
            name: self.name.clone(),
            os_type: self.os_type(),
            power,
            agent: AgentState::NotConfigured,
            extension: match self.os_type() {
                OsType::Linux => self.extension_state(),
                OsType::Windows => ExtensionState::NotOffered,
            },
            cpus: definition.map_or(0, |definition| definition.cpus),
            memory_bytes: definition.map_or(0, |definition| definition.memory_mib << 20),
            managed: definition.is_some_and(|definition| definition.managed),
            disks,
            config,
        }
    }

    /// The disks of the definition; the size is read from the image.
    pub(super) fn defined_disks(&self) -> Vec<DiskInfo> {
        let disks = self.definition.iter().flat_map(|definition| &definition.disks);
        disks
            .map(|disk| DiskInfo {
                key: disk.key.clone(),
                lun: disk.lun,
                name: disk.name.clone().unwrap_or_else(|| disk.key.clone()),
                size_bytes: tool::image_info(&disk.path, disk.format)
                    .map_or(0, |info| info.virtual_size),
                format: disk.format,
                path: disk.path.clone(),
            })
            .collect()
    }

    /// Whether the agent answers. While somebody else talks to it, what was seen last.
    fn look_at_agent(&self, running: bool) -> AgentLook {
        let unseen = |state| AgentLook { state, os_type: self.os_type(), at: None };
        let Some(socket) = &self.agent_socket else { return unseen(AgentState::NotConfigured) };
        if !running {
            return unseen(AgentState::Silent);
        }
        let before = lock(&self.agent).clone();
        let fresh = before.at.is_some_and(|at| at.elapsed() < AGENT_LOOK_EVERY);
        if fresh {
            return before;
        }
        let Ok(_channel) = self.channel.try_lock() else { return before };
        let os_type = self.definition.as_ref().map(|definition| definition.os_type);
        let seen = || -> Result<AgentLook, QmpError> {
            let mut agent = AgentClient::connect(socket)?;
            agent.sync(AGENT_LOOK_TIMEOUT)?;
            let state = AgentState::Ready { version: agent.version()? };
            self.look_at_extension(&mut agent);
            let os_type = os_type.unwrap_or_else(|| match agent.os_id().as_deref() {
                Ok("mswindows") => OsType::Windows,
                _ => OsType::Linux,
            });
            Ok(AgentLook { state, os_type, at: Some(Instant::now()) })
        };
        let at = Some(Instant::now());
        let seen = seen().unwrap_or(AgentLook { state: AgentState::Silent, at, ..before });
        *lock(&self.agent) = seen.clone();
        seen
    }
}
