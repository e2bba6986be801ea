//! All machines of this host that are known: described ones and found ones.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::config::{MachineDefinition, QemuConfig};
use super::machine::{Found, QemuMachine};
use super::paths::Paths;
use crate::extension::Extension;
use crate::qmp::QmpClient;
use crate::{Fabric, FabricError, Machine, MachineInfo, Result};

/// Longest runtime folder in bytes: a socket's path has less than 108 with what comes after it.
const RUNTIME_FOLDER_BYTES_MAX: usize = 60;

/// Longest key of a disk in bytes: names of QEMU's nodes have at most 31, ours begin with `disk-`.
const DISK_KEY_BYTES_MAX: usize = 24;

/// Namespace of the ids of machines that have none: derived from the path of their socket.
const SOCKET_NAMESPACE: Uuid = Uuid::from_u128(0x9f0c_7d5e_4a3b_4c21_8d6f_0b2e_71a9_c3d4);

/// The machines of QEMU on this host.
#[derive(Debug)]
pub struct QemuFabric {
    config: QemuConfig,
    defined: Mutex<BTreeMap<Uuid, Arc<QemuMachine>>>,
    /// The extension that is offered to guests.
    extension: Mutex<Option<Arc<Extension>>>,
    /// Machines found by their sockets: path of the QMP socket → machine.
    found: Mutex<BTreeMap<PathBuf, Arc<QemuMachine>>>,
}

impl QemuFabric {
    /// Checks the configuration. No machine is asked anything.
    pub fn new(mut config: QemuConfig) -> Result<Self> {
        check(&config)?;
        let machines = std::mem::take(&mut config.machines);
        let fabric = Self {
            config,
            defined: Mutex::default(),
            extension: Mutex::default(),
            found: Mutex::default(),
        };
        fabric.set_machines(machines)?;
        Ok(fabric)
    }

    /// Offers an extension to the guests of all machines; backups put it there.
    pub fn offer_extension(&self, extension: Arc<Extension>) {
        *lock(&self.extension) = Some(extension);
        let (defined, found) = (lock(&self.defined), lock(&self.found));
        for machine in defined.values().chain(found.values()) {
            machine.offer(lock(&self.extension).clone());
        }
    }

    /// Replaces the descriptions of machines. One that did not change keeps what is open of it;
    /// one that is left out is no longer known, and runs on if it runs.
    pub fn set_machines(&self, machines: Vec<MachineDefinition>) -> Result<()> {
        check_machines(&machines)?;
        let mut defined = lock(&self.defined);
        let mut before = std::mem::take(&mut *defined);
        for definition in machines {
            let id = definition.id;
            let known = before.remove(&id).filter(|known| known.definition() == Some(&definition));
            let machine = known.unwrap_or_else(|| {
                let margin = self.config.scratch_free_bytes;
                let new = QemuMachine::defined(definition, self.paths(id), margin);
                new.offer(lock(&self.extension).clone());
                Arc::new(new)
            });
            defined.insert(id, machine);
        }
        Ok(())
    }

    fn paths(&self, machine: Uuid) -> Paths {
        Paths::new(&self.config.runtime_folder, &self.config.state_folder, machine)
    }

    /// Looks into the folders of sockets; gives all machines that are known then.
    fn all(&self) -> Vec<Arc<QemuMachine>> {
        let mut known = lock(&self.found);
        let defined = lock(&self.defined).clone();
        let sockets: Vec<PathBuf> =
            self.config.socket_folders.iter().flat_map(|folder| qmp_sockets(folder)).collect();
        known.retain(|socket, _| sockets.contains(socket));
        for socket in sockets {
            if known.contains_key(&socket) {
                continue;
            }
            match self.attach(&socket) {
                Ok(machine) => drop(known.insert(socket, Arc::new(machine))),
                Err(error) => {
                    tracing::debug!(socket = %socket.display(), ?error, "nobody to attach to");
                }
            }
        }
        let mut ids: HashSet<Uuid> = defined.keys().copied().collect();
        let found = known.values().filter(|machine| ids.insert(machine.id()));
        defined.values().chain(found).cloned().collect()
    }

    fn attach(&self, socket: &Path) -> Result<QemuMachine> {
        let stem = socket.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let ask = |source| FabricError::Qmp { machine: stem.clone(), source };
        let qmp = QmpClient::connect(socket).map_err(ask)?;
        let id = match qmp.machine_uuid().map_err(ask)? {
            id if id.is_nil() => {
                Uuid::new_v5(&SOCKET_NAMESPACE, socket.as_os_str().as_encoded_bytes())
            }
            id => id,
        };
        let name = qmp.machine_name().map_err(ask)?;
        let agent_socket = socket.with_extension("qga");
        let found = Found {
            id,
            name: name.filter(|name| !name.is_empty()).unwrap_or(stem.clone()),
            qmp_socket: socket.to_owned(),
            agent_socket: agent_socket.exists().then_some(agent_socket),
        };
        let machine = QemuMachine::attached(found, self.paths(id), self.config.scratch_free_bytes);
        machine.offer(lock(&self.extension).clone());
        Ok(machine)
    }
}

impl Fabric for QemuFabric {
    fn machines(&self) -> Result<Vec<MachineInfo>> {
        let mut infos: Vec<MachineInfo> =
            self.all().iter().map(|machine| machine.describe()).collect();
        infos.sort_by(|one, other| (&one.name, one.id).cmp(&(&other.name, other.id)));
        Ok(infos)
    }

    fn machine(&self, id: Uuid) -> Result<Arc<dyn Machine>> {
        let defined = lock(&self.defined).get(&id).cloned();
        if let Some(machine) = defined {
            return Ok(machine);
        }
        let found = self.all().into_iter().find(|machine| machine.id() == id);
        found.map(|machine| machine as Arc<dyn Machine>).ok_or(FabricError::UnknownMachine(id))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What the locks guard is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn qmp_sockets(folder: &Path) -> Vec<PathBuf> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            tracing::warn!(folder = %folder.display(), %error, "no sockets can be looked for");
            return Vec::new();
        }
    };
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "qmp")).collect()
}

fn check(config: &QemuConfig) -> Result<()> {
    let wrong = |text: String| Err(FabricError::Config(text));
    let runtime = config.runtime_folder.as_os_str().as_encoded_bytes();
    if runtime.len() > RUNTIME_FOLDER_BYTES_MAX || runtime.contains(&b',') {
        return wrong(format!(
            "the runtime folder {} must have at most {RUNTIME_FOLDER_BYTES_MAX} bytes, no comma",
            config.runtime_folder.display()
        ));
    }
    let folders = [&config.runtime_folder, &config.state_folder];
    if let Some(path) = folders.iter().copied().chain(&config.socket_folders).find(relative) {
        return wrong(format!("the folder {} must be an absolute path", path.display()));
    }
    Ok(())
}

fn check_machines(machines: &[MachineDefinition]) -> Result<()> {
    let (mut ids, mut names) = (HashSet::new(), HashSet::new());
    for machine in machines {
        if !ids.insert(machine.id) || !names.insert(&machine.name) {
            let text = format!("the id or the name of {} is there twice", machine.name);
            return Err(FabricError::Config(text));
        }
        machine.check()?;
    }
    Ok(())
}

fn relative(path: &&PathBuf) -> bool {
    !path.is_absolute()
}

pub(super) fn check_machine(machine: &MachineDefinition) -> Result<(), String> {
    if machine.name.is_empty() || machine.name.chars().any(char::is_control) {
        return Err("the name is empty or has control characters".to_owned());
    }
    if machine.cpus == 0 || machine.memory_mib == 0 {
        return Err("cpus and memory_mib must not be 0".to_owned());
    }
    if !machine.managed && machine.qmp_socket.is_none() {
        return Err("a machine that is not managed needs qmp_socket".to_owned());
    }
    if machine.disks.is_empty() {
        return Err("it has no disk".to_owned());
    }
    let (mut keys, mut luns) = (HashSet::new(), HashSet::new());
    for disk in &machine.disks {
        if !is_disk_key(&disk.key) {
            return Err(format!(
                "the disk key {:?} must be a letter, then letters, digits, - or _, at most \
                 {DISK_KEY_BYTES_MAX}",
                disk.key
            ));
        }
        if !keys.insert(&disk.key) || !luns.insert(disk.lun) {
            return Err(format!(
                "the key or the lun of the disk {} is there twice (one disk may have no lun)",
                disk.key
            ));
        }
        if !disk.path.is_absolute() {
            return Err(format!("the path of the disk {} must be absolute", disk.key));
        }
    }
    Ok(())
}

fn is_disk_key(key: &str) -> bool {
    key.starts_with(|first: char| first.is_ascii_alphabetic())
        && key.len() <= DISK_KEY_BYTES_MAX
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(disks: &str, extra: &str) -> Result<QemuFabric> {
        let text = format!(
            r#"{{ "state_folder": "/s", "runtime_folder": "/r", "machines": [{{
                "id": "00000000-0000-0000-0000-000000000001", "name": "vm", "disks": [{disks}]
                {extra} }}] }}"#
        );
        let config = serde_json::from_str(&text);
        QemuFabric::new(
            config.map_err(|error: serde_json::Error| FabricError::Config(error.to_string()))?,
        )
    }

    #[test]
    fn a_short_definition_is_enough() {
        let disk = r#"{ "key": "os", "format": "qcow2", "path": "/os" }"#;
        parse(disk, "").unwrap();
    }

    #[test]
    fn what_cannot_work_is_refused_with_words() {
        let os = r#"{ "key": "os", "format": "qcow2", "path": "/os" }"#;
        let cases = [
            ("", "", "no disk"),
            (r#"{ "key": "a,b", "format": "raw", "path": "/x" }"#, "", "disk key"),
            (r#"{ "key": "os", "format": "raw", "path": "x" }"#, "", "absolute"),
            (r#"{ "key": "os", "format": "vmdk", "path": "/x" }"#, "", "unknown variant"),
            (&[os, os].join(","), "", "twice"),
            (os, r#", "managed": false"#, "qmp_socket"),
            (os, r#", "cpus": 0"#, "cpus"),
            (os, r#", "colour": 1"#, "unknown field"),
        ];
        for (disks, extra, expected) in cases {
            let error = parse(disks, extra).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
