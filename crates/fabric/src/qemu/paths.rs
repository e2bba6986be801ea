//! Where things of one machine are.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::note::Notes;
use crate::{FabricError, Result};

/// The folders of one machine.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    runtime: PathBuf,
    state: PathBuf,
}

impl Paths {
    pub(crate) fn new(runtime_folder: &Path, state_folder: &Path, machine: Uuid) -> Self {
        let name = machine.simple().to_string();
        Self {
            runtime: runtime_folder.join(&name),
            state: state_folder.join("machines").join(&name),
        }
    }

    /// Makes the folder for sockets; nobody else may enter, for they ask for no password.
    pub(crate) fn create_runtime_folder(&self) -> Result<()> {
        let fail = |path: &Path| FabricError::io("creating", path.to_owned());
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.runtime)
            .map_err(fail(&self.runtime))?;
        fs::set_permissions(&self.runtime, fs::Permissions::from_mode(0o700))
            .map_err(fail(&self.runtime))
    }

    pub(crate) fn notes(&self) -> Notes {
        Notes::new(self.state.join("points"))
    }

    pub(crate) fn qmp_socket(&self) -> PathBuf {
        self.runtime.join("qmp.sock")
    }

    pub(crate) fn agent_socket(&self) -> PathBuf {
        self.runtime.join("qga.sock")
    }

    pub(crate) fn pid_file(&self) -> PathBuf {
        self.runtime.join("qemu.pid")
    }

    /// Socket of the NBD server in the machine's QEMU.
    pub(crate) fn nbd_socket(&self) -> PathBuf {
        self.runtime.join("nbd.sock")
    }

    /// Socket of the NBD server of one disk of a machine that is off.
    pub(crate) fn image_socket(&self, index: usize) -> PathBuf {
        self.runtime.join(format!("i{index}.sock"))
    }

    /// Process id of that server.
    pub(crate) fn image_pid_file(&self, index: usize) -> PathBuf {
        self.runtime.join(format!("i{index}.pid"))
    }
}
