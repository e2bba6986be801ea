//! The places where VMs live, as the configuration names them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use coffre_fabric::qemu::{MachineDefinition, QemuConfig, QemuFabric};
use coffre_fabric::{Fabric, FabricError, Machine, MachineInfo};
use tracing::warn;
use uuid::Uuid;

use super::config::{Config, Hypervisor};
use super::data_dir::{DataDir, private_dir};

/// Name of the hypervisor that exists without any configuration.
const DEFAULT_NAME: &str = "local";
/// A socket's path has less than 108 bytes; this leaves room for names below the folder.
const RUNTIME_PATH_BYTES_MAX: usize = 60;

/// All places where VMs live.
pub(crate) struct Hypervisors {
    all: Vec<Place>,
    /// Version of the extension that is offered to guests.
    offered: Option<String>,
}

struct Place {
    name: String,
    machines: Option<PathBuf>,
    fabric: QemuFabric,
}

impl Hypervisors {
    /// Opens what the configuration names; without any, the folder `machines` of the data folder.
    pub(crate) fn open(config: &Config, data: &DataDir) -> anyhow::Result<Hypervisors> {
        let default = Hypervisor {
            name: DEFAULT_NAME.to_owned(),
            machines: Some(data.root().join("machines")),
            sockets: None,
        };
        let wanted = if config.hypervisor.is_empty() {
            private_dir(&data.root().join("machines"))?;
            vec![default]
        } else {
            config.hypervisor.clone()
        };
        let all: Vec<Place> = wanted
            .into_iter()
            .map(|wanted| {
                let name = wanted.name.clone();
                Place::open(wanted, data).with_context(|| format!("open hypervisor {name}"))
            })
            .collect::<Result<_, _>>()?;
        let extension = config.extension.as_ref().map(super::extension::load).transpose()?;
        for place in &all {
            if let Some(extension) = &extension {
                place.fabric.offer_extension(Arc::clone(extension));
            }
        }
        Ok(Hypervisors { all, offered: extension.map(|extension| extension.version.clone()) })
    }

    /// Version of the extension that is offered to guests; `None` = none is.
    pub(crate) fn offered(&self) -> Option<String> {
        self.offered.clone()
    }

    /// Name of each place, and its machines now.
    pub(crate) fn machines(
        &self,
    ) -> impl Iterator<Item = (&str, Result<Vec<MachineInfo>, FabricError>)> {
        self.all.iter().map(|place| (place.name.as_str(), place.list()))
    }

    /// The machine with this id, wherever it lives.
    pub(crate) fn machine(&self, id: Uuid) -> Result<Arc<dyn Machine>, FabricError> {
        for place in &self.all {
            match place.fabric.machine(id) {
                Err(FabricError::UnknownMachine(_)) => {}
                other => return other,
            }
        }
        Err(FabricError::UnknownMachine(id))
    }

    /// Where a restore may define a new machine.
    pub(crate) fn definitions(&self) -> Option<&Path> {
        self.all.iter().find_map(|place| place.machines.as_deref())
    }
}

impl Place {
    fn open(wanted: Hypervisor, data: &DataDir) -> anyhow::Result<Place> {
        let state = data.root().join("hypervisors").join(&wanted.name);
        private_dir(&state)?;
        let mut config = QemuConfig::new(state, runtime_folder(data, &wanted.name)?);
        if let Some(folder) = &wanted.machines {
            config.machines = definitions(folder);
        }
        config.socket_folders.extend(wanted.sockets);
        let fabric = QemuFabric::new(config)?;
        Ok(Place { name: wanted.name, machines: wanted.machines, fabric })
    }

    /// Reads the definitions again, so that a machine whose file was just written is among them.
    fn list(&self) -> Result<Vec<MachineInfo>, FabricError> {
        if let Some(folder) = &self.machines {
            self.fabric.set_machines(definitions(folder))?;
        }
        self.fabric.machines()
    }
}

/// The definitions in a folder, by name. One that cannot be read is left out and said.
fn definitions(folder: &Path) -> Vec<MachineDefinition> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            warn!(folder = %folder.display(), %error, "cannot read the folder of machines");
            return Vec::new();
        }
    };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        match definition(&path) {
            Ok(machine) => found.push(machine),
            Err(error) => warn!(file = %path.display(), "machine left out: {error:#}"),
        }
    }
    found
}

fn definition(path: &Path) -> anyhow::Result<MachineDefinition> {
    let text = std::fs::read_to_string(path).context("read the file")?;
    let document = toml::Deserializer::parse(&text).context("understand the file")?;
    let mut machine: MachineDefinition = serde_path_to_error::deserialize(document)
        .map_err(|error| anyhow::anyhow!("{}: {}", error.path(), error.inner().message()))?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    for disk in &mut machine.disks {
        // Absolute paths stay as they are.
        disk.path = folder.join(&disk.path);
    }
    Ok(machine)
}

/// A folder for sockets whose path is short and the same after a restart.
fn runtime_folder(data: &DataDir, name: &str) -> anyhow::Result<PathBuf> {
    let folder = data.root().join("run").join(name);
    if folder.as_os_str().len() <= RUNTIME_PATH_BYTES_MAX {
        private_dir(&folder)?;
        return Ok(folder);
    }
    let digest = blake3::hash(folder.as_os_str().as_encoded_bytes()).to_hex();
    let base = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|base| base.is_dir());
    let base = base.unwrap_or_else(|| PathBuf::from("/tmp"));
    let folder = base.join(format!("coffre-{}", &digest[..16]));
    private_dir(&folder)?;
    owned_by_us(&folder)?;
    Ok(folder)
}

/// In a folder that everybody writes to, somebody else may have been first.
fn owned_by_us(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::symlink_metadata(folder)
        .with_context(|| format!("look at {}", folder.display()))?;
    let ours = found.is_dir()
        && found.uid() == rustix::process::geteuid().as_raw()
        && found.mode() & 0o077 == 0;
    anyhow::ensure!(ours, "{} belongs to somebody else; remove it", folder.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_read_and_wrong_ones_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write(
            "b.toml",
            "id = \"6a1c3d3e-0000-4000-8000-000000000001\"\nname = \"web\"\n\
             [[disks]]\nkey = \"os\"\nformat = \"raw\"\npath = \"web.raw\"\n",
        );
        write("a.toml", "name = 1");
        write("notes.txt", "");
        let found = definitions(folder.path());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].disks[0].path, folder.path().join("web.raw"));
        let error = definition(&folder.path().join("a.toml")).unwrap_err().to_string();
        assert!(error.contains("name"), "{error}");
        assert!(definitions(Path::new("/nowhere/at/all")).is_empty());
    }
}
