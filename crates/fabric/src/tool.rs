//! QEMU's tools as processes: images, bitmaps of machines that are off, and their export.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::process::ProcessId;
use crate::{FabricError, ImageFormat, Result};

/// Longest text of a tool that goes into an error, in characters.
const OUTPUT_CHARS_MAX: usize = 600;

/// What `qemu-img info` says about an image.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ImageInfo {
    pub(crate) virtual_size: u64,
    /// Snapshots inside the image, of whomever.
    #[serde(default)]
    pub(crate) snapshots: Vec<StoredSnapshot>,
    #[serde(default)]
    format_specific: Option<FormatSpecific>,
}

/// A snapshot inside an image.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct StoredSnapshot {
    pub(crate) name: String,
}

#[derive(Debug, Deserialize)]
struct FormatSpecific {
    #[serde(default)]
    data: FormatData,
}

#[derive(Debug, Default, Deserialize)]
struct FormatData {
    #[serde(default)]
    bitmaps: Vec<StoredBitmap>,
}

/// A bitmap that is stored in an image.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct StoredBitmap {
    pub(crate) name: String,
    /// `auto` = records when the image is used; `in-use` = was not stored at the end.
    flags: Vec<String>,
}

impl StoredBitmap {
    pub(crate) fn recording(&self) -> bool {
        self.flags.iter().any(|flag| flag == "auto")
    }

    pub(crate) fn inconsistent(&self) -> bool {
        self.flags.iter().any(|flag| flag == "in-use")
    }
}

impl ImageInfo {
    pub(crate) fn bitmaps(&self) -> &[StoredBitmap] {
        self.format_specific.as_ref().map_or(&[], |specific| &specific.data.bitmaps)
    }
}

/// Describes an image, also one that a running machine uses.
pub(crate) fn image_info(path: &Path, format: ImageFormat) -> Result<ImageInfo> {
    let output = run(
        "qemu-img",
        Command::new("qemu-img")
            .args(["info", "-U", "--output=json", "-f", format.as_str()])
            .arg(path),
    )?;
    serde_json::from_str(&output).map_err(|error| FabricError::Tool {
        program: "qemu-img",
        output: format!("its description of {} is not understood: {error}", path.display()),
    })
}

/// Creates an empty qcow2 image that only its owner may read: it will hold a guest's data.
pub(crate) fn create_qcow2(path: &Path, size_bytes: u64) -> Result<()> {
    let mut command = Command::new("qemu-img");
    command.args(["create", "-q", "-f", "qcow2"]).arg(path).arg(size_bytes.to_string());
    run("qemu-img", &mut command)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))
        .map_err(FabricError::io("protecting", path))
}

/// What to do to a bitmap of an image that no machine uses.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BitmapChange<'a> {
    Add,
    Disable,
    Remove,
    /// Take in what another bitmap recorded, and record again.
    MergeAndEnable(&'a str),
}

/// Changes a bitmap of a qcow2 image that no machine uses.
pub(crate) fn change_bitmap(path: &Path, bitmap: &str, change: BitmapChange<'_>) -> Result<()> {
    let mut command = Command::new("qemu-img");
    command.args(["bitmap", "-f", "qcow2"]);
    match change {
        BitmapChange::Add => command.arg("--add"),
        BitmapChange::Disable => command.arg("--disable"),
        BitmapChange::Remove => command.arg("--remove"),
        BitmapChange::MergeAndEnable(source) => command.args(["--merge", source, "--enable"]),
    };
    run("qemu-img", command.arg(path).arg(bitmap)).map(drop)
}

/// What to do to a snapshot inside an image that no machine uses.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SnapshotChange {
    Create,
    /// The image holds again what it held then.
    Apply,
    Delete,
}

/// Changes a snapshot inside a qcow2 image that no machine uses.
pub(crate) fn change_snapshot(path: &Path, name: &str, change: SnapshotChange) -> Result<()> {
    let option = match change {
        SnapshotChange::Create => "-c",
        SnapshotChange::Apply => "-a",
        SnapshotChange::Delete => "-d",
    };
    let mut command = Command::new("qemu-img");
    run("qemu-img", command.args(["snapshot", "-q", option, name]).arg(path)).map(drop)
}

/// Looks whether the tables of a qcow2 image that no machine uses are whole; says what is wrong with them. Space that is
/// lost is nothing wrong.
pub(crate) fn check_image(path: &Path) -> Result<Option<String>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Found {
        check_errors: u64,
        #[serde(default)]
        corruptions: u64,
    }
    let mut command = Command::new("qemu-img");
    command.args(["check", "-f", "qcow2", "--output=json"]).arg(path).stdin(Stdio::null());
    let output = command
        .output()
        .map_err(|error| FabricError::Tool { program: "qemu-img", output: error.to_string() })?;
    // It fails when it finds something, and tells all the same.
    match serde_json::from_slice::<Found>(&output.stdout) {
        Ok(Found { check_errors: 0, corruptions: 0 }) => Ok(None),
        Ok(found) => Ok(Some(format!(
            "{} tables are wrong, {} cannot be read",
            found.corruptions, found.check_errors
        ))),
        Err(_) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Ok(Some(said.trim().chars().take(OUTPUT_CHARS_MAX).collect()))
        }
    }
}

/// What `qemu-nbd` shall serve.
#[derive(Debug)]
pub(crate) struct Serve<'a> {
    pub(crate) image: &'a Path,
    pub(crate) format: ImageFormat,
    pub(crate) socket: &'a Path,
    pub(crate) pid_file: &'a Path,
    pub(crate) export: &'a str,
    pub(crate) bitmap: Option<&'a str>,
    /// The snapshot inside the image that is served; `None` = what it holds now.
    pub(crate) snapshot: Option<&'a str>,
    pub(crate) writable: bool,
    /// Goes on when nobody is connected; else it ends with its last client.
    pub(crate) persistent: bool,
}

/// A `qemu-nbd` that runs in the background, also when we end.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) process: ProcessId,
    pub(crate) socket: PathBuf,
}

/// Starts `qemu-nbd`; it listens when this returns.
pub(crate) fn serve(what: &Serve<'_>) -> Result<Server> {
    // One connection for each thread; far more than there are.
    const CONNECTIONS_MAX: &str = "256";
    let _ = fs::remove_file(what.socket);
    let mut command = Command::new("qemu-nbd");
    command.args(["--fork", "--shared", CONNECTIONS_MAX]);
    if what.persistent {
        command.arg("--persistent");
    }
    command.args(["-f", what.format.as_str(), "-x", what.export]);
    command.arg("--pid-file").arg(what.pid_file).arg("-k").arg(what.socket);
    if !what.writable {
        command.arg("-r");
    }
    if let Some(snapshot) = what.snapshot {
        command.args(["-l", &format!("snapshot.name={snapshot}")]);
    }
    if let Some(bitmap) = what.bitmap {
        command.args(["-B", bitmap]);
    }
    run("qemu-nbd", command.arg(what.image))?;
    let process = ProcessId::read(what.pid_file)?.ok_or_else(|| FabricError::Tool {
        program: "qemu-nbd",
        output: "it ended at once".to_owned(),
    })?;
    Ok(Server { process, socket: what.socket.to_owned() })
}

impl Server {
    /// The server whose process id is in the file, if it runs and serves this socket.
    pub(crate) fn find(pid_file: &Path, socket: &Path) -> Result<Option<Self>> {
        let process = ProcessId::read(pid_file)?;
        let process = process.filter(|process| process.command_has(socket.as_os_str()));
        Ok(process.map(|process| Self { process, socket: socket.to_owned() }))
    }

    /// Ends the server and waits until the image is closed.
    pub(crate) fn stop(&self) -> Result<()> {
        const STOP_TIMEOUT: Duration = Duration::from_secs(60);
        self.process.terminate();
        if !self.process.wait(STOP_TIMEOUT) {
            return Err(FabricError::Timeout {
                doing: "stopping qemu-nbd".to_owned(),
                after: STOP_TIMEOUT,
            });
        }
        let _ = fs::remove_file(&self.socket);
        Ok(())
    }
}

/// Runs a tool to its end and gives what it printed.
pub(crate) fn run(program: &'static str, command: &mut Command) -> Result<String> {
    let started = Instant::now();
    let output = command.stdin(Stdio::null()).output().map_err(|error| FabricError::Tool {
        program,
        output: match error.kind() {
            std::io::ErrorKind::NotFound => "it is not installed".to_owned(),
            _ => error.to_string(),
        },
    })?;
    tracing::debug!(program, elapsed_ms = started.elapsed().as_millis() as u64, "tool ended");
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: String = said.trim().chars().take(OUTPUT_CHARS_MAX).collect();
    Err(FabricError::Tool { program, output: said })
}
