//! Images of QEMU's format, written through `qemu-nbd`.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::ImageWriter;
use super::part::Part;
use crate::nbd::client::IO_TIMEOUT_DEFAULT;
use crate::nbd::{ConnectSpec, NbdClient, NbdError};
use crate::tool::{self, Serve, Server};
use crate::{FabricError, ImageFormat, Result};

/// Name of the export; nobody else meets it.
const EXPORT: &str = "image";

#[derive(Debug)]
pub(super) struct Qcow2Target {
    server: RunningServer,
    part: Part,
}

/// A server that ends with the value, and the private folder of its socket: a short path, which
/// the image's own folder may not have.
#[derive(Debug)]
struct RunningServer {
    server: Server,
    folder: Folder,
}

#[derive(Debug)]
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // It holds a socket and a number; leaving it behind harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        if let Err(error) = self.server.stop() {
            tracing::warn!(folder = %self.folder.0.display(), ?error, "qemu-nbd goes on");
        }
    }
}

impl Qcow2Target {
    pub(super) fn create(path: &Path, size_bytes: u64) -> Result<Self> {
        let part = Part::begin(path)?;
        tool::create_qcow2(&part.path, size_bytes)?;
        let folder = std::env::temp_dir().join(format!("coffre-{}", Uuid::new_v4().simple()));
        let made = DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(FabricError::io("creating", &folder))?;
        let folder = Folder(folder);
        let server = tool::serve(&Serve {
            image: &part.path,
            format: ImageFormat::Qcow2,
            socket: &folder.0.join("s"),
            pid_file: &folder.0.join("pid"),
            export: EXPORT,
            bitmap: None,
            writable: true,
        })?;
        Ok(Self { server: RunningServer { server, folder }, part })
    }

    pub(super) fn writer(&self) -> Result<Qcow2Writer> {
        let spec = ConnectSpec {
            export: EXPORT.to_owned(),
            contexts: Vec::new(),
            timeout: IO_TIMEOUT_DEFAULT,
        };
        let disk = self.part.path.display().to_string();
        match NbdClient::connect(&self.server.server.socket, &spec) {
            Ok(client) => Ok(Qcow2Writer { client, disk }),
            Err(source) => Err(FabricError::Nbd { disk, source }),
        }
    }

    pub(super) fn finish(self) -> Result<()> {
        // All connections are gone; one more flush covers the caches of all of them.
        self.writer()?.flush()?;
        self.server.server.stop()?;
        self.part.finish()
    }
}

pub(super) struct Qcow2Writer {
    client: NbdClient,
    disk: String,
}

impl Qcow2Writer {
    /// A full disk keeps its kind, so that people are told what is full.
    fn explain(&self, source: NbdError) -> FabricError {
        const NO_SPACE: u32 = 28;
        match source {
            NbdError::Server { errno: NO_SPACE, .. } => {
                FabricError::io("writing", &self.disk)(std::io::ErrorKind::StorageFull.into())
            }
            source => FabricError::Nbd { disk: self.disk.clone(), source },
        }
    }
}

impl ImageWriter for Qcow2Writer {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.client.write_at(offset, bytes).map_err(|source| self.explain(source))
    }

    fn flush(&mut self) -> Result<()> {
        self.client.flush().map_err(|source| self.explain(source))
    }
}
