//! Reading the image of a machine that is off: what it holds now, or the copy of a point in it.

use super::config::DiskDefinition;
use super::names;
use super::paths::Paths;
use crate::nbd::client::IO_TIMEOUT_DEFAULT;
use crate::nbd::{ConnectSpec, NbdClient};
use crate::tool::{self, Serve, Server};
use crate::{Extent, FabricError, Result, SnapshotReader};
use uuid::Uuid;

/// Name of the export; nobody else meets it.
const EXPORT: &str = "stored";

/// A reader with a server of its own, which ends with it.
#[derive(Debug)]
pub(super) struct StoredReader {
    key: String,
    client: NbdClient,
    server: Server,
}

impl StoredReader {
    pub(super) fn open(
        paths: &Paths,
        index: usize,
        disk: &DiskDefinition,
        point: Option<Uuid>,
    ) -> Result<Self> {
        paths.create_runtime_folder()?;
        let socket = paths.image_socket(index);
        let pid_file = paths.image_pid_file(index);
        // Left by a process that was killed while it read.
        if let Some(server) = Server::find(&pid_file, &socket)? {
            server.stop()?;
        }
        let snapshot = point.map(names::local_copy);
        let server = tool::serve(&Serve {
            image: &disk.path,
            format: disk.format,
            socket: &socket,
            pid_file: &pid_file,
            export: EXPORT,
            bitmap: None,
            snapshot: snapshot.as_deref(),
            writable: false,
            persistent: false,
        })?;
        let spec = ConnectSpec {
            export: EXPORT.to_owned(),
            contexts: Vec::new(),
            timeout: IO_TIMEOUT_DEFAULT,
        };
        let key = disk.key.clone();
        match NbdClient::connect(&server.socket, &spec) {
            Ok(client) => Ok(Self { key, client, server }),
            Err(source) => {
                server.stop()?;
                Err(FabricError::Nbd { disk: key, source })
            }
        }
    }
}

impl Drop for StoredReader {
    fn drop(&mut self) {
        // The image must be free when this is over: the next thing may be to change it.
        if let Err(error) = self.server.stop() {
            tracing::warn!(disk = self.key, ?error, "qemu-nbd goes on");
        }
    }
}

impl SnapshotReader for StoredReader {
    fn size_bytes(&self) -> u64 {
        self.client.size_bytes()
    }

    fn extents(&mut self, offset: u64, length: u64) -> Result<Vec<Extent>> {
        Ok(vec![Extent { offset, length, zero: false }])
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let failed = |source| FabricError::Nbd { disk: self.key.clone(), source };
        self.client.read_at(offset, buffer).map_err(failed)
    }
}
