//! Images of QEMU's format, written through `qemu-nbd`.

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
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

/// Namespace of the names of folders for sockets: derived from the path of the image.
const IMAGE_NAMESPACE: Uuid = Uuid::from_u128(0x51c2_4f0e_93d7_4b1a_a6e8_2d90_7c3b_f154);

#[derive(Debug)]
pub(super) struct Qcow2Target {
    /// Keeps the server, which ends with its last client: also when we are killed.
    keeper: NbdClient,
    server: RunningServer,
    part: Part,
}

/// A server that ends with the value, and the private folder of its socket.
#[derive(Debug)]
struct RunningServer {
    server: Server,
    folder: Folder,
}

/// A folder with a short path, which the image's own folder may not have.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    /// The folder for an image. What an earlier try for the same image left is ended and removed.
    fn create(image: &Path) -> Result<Self> {
        let name = Uuid::new_v5(&IMAGE_NAMESPACE, image.as_os_str().as_encoded_bytes());
        let folder = Self(std::env::temp_dir().join(format!("coffre-{}", name.simple())));
        if let Some(server) = Server::find(&folder.pid_file(), &folder.socket())? {
            server.stop()?;
        }
        match fs::remove_dir_all(&folder.0) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(FabricError::io("removing", &folder.0)(error));
            }
            _ => {}
        }
        let made = DirBuilder::new().mode(0o700).create(&folder.0);
        made.map_err(FabricError::io("creating", &folder.0))?;
        Ok(folder)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("s")
    }

    fn pid_file(&self) -> PathBuf {
        self.0.join("pid")
    }
}

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
        // Before the file: a server that still holds it must end first.
        let folder = Folder::create(path)?;
        let part = Part::begin(path)?;
        tool::create_qcow2(&part.path, size_bytes)?;
        let server = tool::serve(&Serve {
            image: &part.path,
            format: ImageFormat::Qcow2,
            socket: &folder.socket(),
            pid_file: &folder.pid_file(),
            export: EXPORT,
            bitmap: None,
            snapshot: None,
            writable: true,
            persistent: false,
        })?;
        let server = RunningServer { server, folder };
        let keeper = connect(&server.server, &part.path)?;
        Ok(Self { keeper, server, part })
    }

    pub(super) fn writer(&self) -> Result<Qcow2Writer> {
        let client = connect(&self.server.server, &self.part.path)?;
        Ok(Qcow2Writer { client, disk: self.part.path.display().to_string() })
    }

    pub(super) fn finish(self) -> Result<()> {
        let Self { keeper, server, part } = self;
        // All writers are gone; one more flush covers the caches of all of them.
        let disk = part.path.display().to_string();
        Qcow2Writer { client: keeper, disk }.flush()?;
        server.server.stop()?;
        part.finish()
    }
}

fn connect(server: &Server, image: &Path) -> Result<NbdClient> {
    let spec = ConnectSpec {
        export: EXPORT.to_owned(),
        contexts: Vec::new(),
        timeout: IO_TIMEOUT_DEFAULT,
    };
    NbdClient::connect(&server.socket, &spec)
        .map_err(|source| FabricError::Nbd { disk: image.display().to_string(), source })
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
