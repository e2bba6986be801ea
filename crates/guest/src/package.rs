//! The package of the extension: a zip that an agent installs, with a signature over every byte of it.
//!
//! The signature stands in the comment of the zip, at the very end: a mark, the name of the key, and 64 bytes of Ed25519
//! over all that stands before them. So a package stays one file that any agent understands, and no bit of it can be
//! changed unnoticed. [`Package::verify`] looks at nothing else before the signature is known to be good.

mod content;
mod elf;
mod key;

pub use content::Content;
pub use elf::{ProgramError, check_program};
pub use key::{KeyError, SigningKey, TrustedKey};

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Cursor, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use crate::json;

/// Larger packages are refused.
pub const BYTES_MAX: usize = 32 << 20;

/// Larger contents are refused, whatever a package says of itself.
const CONTENT_MAX: u64 = 64 << 20;

/// More files are refused.
const FILES_MAX: usize = 100;

/// Where the mark begins, from the end.
const TAIL: usize = MARK.len() + key::NAME_BYTES + key::SIGNATURE_BYTES;

const MARK: &[u8; 24] = b"coffre extension sign 1\n";

/// Name of the handler, as publisher and type.
pub const NAME: &str = "Microsoft.Azure.RecoveryServices.VMSnapshotLinux";

/// Path of the program in the package.
pub const PROGRAM: &str = "bin/coffre-guest";

/// Why a package is refused.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// It is larger than a package can be.
    #[error("the package is too large")]
    TooLarge,
    /// There is no signature.
    #[error("the package is not signed")]
    Unsigned,
    /// The key that signed it is not trusted.
    #[error("the package is signed by a key that is not trusted")]
    UnknownKey,
    /// It was changed after it was signed.
    #[error("the package was changed after it was signed")]
    Changed,
    /// The content is not that of a package.
    #[error("the content of the package is wrong: {0}")]
    Content(String),
    /// The zip is broken.
    #[error("the package is no zip")]
    Zip(#[from] zip::result::ZipError),
    /// The program cannot be shipped.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// A file could not be written or read.
    #[error("write the package")]
    Io(#[from] io::Error),
}

/// `HandlerManifest.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    /// Name of the handler.
    pub name: String,
    /// Version of the extension.
    pub version: String,
    /// The commands.
    #[serde(rename = "handlerManifest")]
    pub commands: Commands,
}

/// The commands that an agent calls.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Commands {
    install_command: String,
    uninstall_command: String,
    update_command: String,
    enable_command: String,
    disable_command: String,
    reboot_after_install: bool,
    report_heartbeat: bool,
}

impl Manifest {
    /// The manifest of a version.
    #[must_use]
    pub fn new(name: &str, version: &str) -> Manifest {
        let command = |verb: &str| format!("{PROGRAM} {verb}");
        Manifest {
            name: name.to_owned(),
            version: version.to_owned(),
            commands: Commands {
                install_command: command("install"),
                uninstall_command: command("uninstall"),
                update_command: command("update"),
                enable_command: command("enable"),
                disable_command: command("disable"),
                reboot_after_install: false,
                report_heartbeat: false,
            },
        }
    }
}

/// Makes a signed package. The same program, name, version and key give the same bytes.
///
/// # Errors
/// When the program cannot be shipped, or name or version are none.
pub fn build(
    program: &[u8],
    name: &str,
    version: &str,
    key: &SigningKey,
) -> Result<Vec<u8>, PackageError> {
    check_program(program)?;
    check_version(version)?;
    let manifest = json::render(&[Manifest::new(name, version)])
        .map_err(|error| PackageError::Content(error.to_string()))?;
    let xml = publisher_manifest(name, version)?;
    let files: [(&str, &[u8], u32); 3] = [
        ("HandlerManifest.json", manifest.as_bytes(), 0o644),
        (PROGRAM, program, 0o755),
        ("manifest.xml", xml.as_bytes(), 0o644),
    ];
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes, mode) in files {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(9))
            .last_modified_time(DateTime::default())
            .unix_permissions(mode);
        zip.start_file(path, options)?;
        zip.write_all(bytes)?;
    }
    let mut comment = MARK.to_vec();
    comment.extend(key.trusted().name());
    comment.extend([0; key::SIGNATURE_BYTES]);
    zip.set_raw_comment(comment.into())?;
    let mut bytes = zip.finish()?.into_inner();
    if bytes.len() > BYTES_MAX {
        return Err(PackageError::TooLarge);
    }
    let body = bytes.len() - key::SIGNATURE_BYTES;
    let signature = key.sign(&bytes[..body]);
    bytes[body..].copy_from_slice(&signature);
    Ok(bytes)
}

fn check_version(version: &str) -> Result<(), PackageError> {
    let parts: Vec<&str> = version.split('.').collect();
    let number = |part: &&str| part.parse::<u32>().is_ok_and(|n| n.to_string() == **part);
    if (2..=4).contains(&parts.len()) && parts.iter().all(number) {
        return Ok(());
    }
    Err(PackageError::Content(format!("`{version}` is no version like 1.0.0.0")))
}

/// What publishing wants to know; no machine reads it.
fn publisher_manifest(name: &str, version: &str) -> Result<String, PackageError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
    let (publisher, kind) = name
        .rsplit_once('.')
        .filter(|(publisher, kind)| !publisher.is_empty() && !kind.is_empty())
        .filter(|_| name.chars().all(plain))
        .ok_or_else(|| PackageError::Content(format!("`{name}` is no publisher and type")))?;
    Ok(format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
         <ExtensionImage xmlns=\"http://schemas.microsoft.com/windowsazure\">\n\
         \x20 <ProviderNameSpace>{publisher}</ProviderNameSpace>\n\
         \x20 <Type>{kind}</Type>\n\
         \x20 <Version>{version}</Version>\n\
         \x20 <Label>Coffre VM snapshot extension for Linux</Label>\n\
         \x20 <HostingResources>VmRole</HostingResources>\n\
         \x20 <Description>Takes consistent points from inside a machine</Description>\n\
         \x20 <IsInternalExtension>true</IsInternalExtension>\n\
         \x20 <IsJsonExtension>true</IsJsonExtension>\n\
         \x20 <SupportedOS>Linux</SupportedOS>\n\
         \x20 <CompanyName>Coffre</CompanyName>\n\
         </ExtensionImage>\n"
    ))
}

/// A package whose signature is good.
#[derive(Debug)]
pub struct Package<'a> {
    bytes: &'a [u8],
    /// What it says of itself.
    pub manifest: Manifest,
}

impl<'a> Package<'a> {
    /// Checks the signature against the keys that are trusted, and only then looks inside.
    ///
    /// # Errors
    /// When it is unsigned, signed by somebody else, changed, or not what a package is.
    pub fn verify(bytes: &'a [u8], trusted: &[TrustedKey]) -> Result<Package<'a>, PackageError> {
        if bytes.len() > BYTES_MAX {
            return Err(PackageError::TooLarge);
        }
        let tail = bytes.len().checked_sub(TAIL).ok_or(PackageError::Unsigned)?;
        let (mark, rest) = bytes[tail..].split_at(MARK.len());
        if mark != MARK {
            return Err(PackageError::Unsigned);
        }
        let (name, signature) = rest.split_at(key::NAME_BYTES);
        let key = trusted.iter().find(|key| key.name() == name);
        let key = key.ok_or(PackageError::UnknownKey)?;
        let body = &bytes[..bytes.len() - key::SIGNATURE_BYTES];
        if !key.has_signed(body, signature) {
            return Err(PackageError::Changed);
        }
        let manifest = manifest(bytes)?;
        Ok(Package { bytes, manifest })
    }

    /// Looks inside without a look at the signature, for the fuzzer alone.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn unverified(bytes: &'a [u8]) -> Result<Package<'a>, PackageError> {
        Ok(Package { bytes, manifest: manifest(bytes)? })
    }

    /// Unpacks everything into a folder that does not exist yet.
    ///
    /// # Errors
    /// When the folder exists, a file cannot be written, or the content is more than a package can hold.
    pub fn unpack(&self, into: &Path) -> Result<(), PackageError> {
        DirBuilder::new().mode(0o700).create(into)?;
        let mut zip = ZipArchive::new(Cursor::new(self.bytes))?;
        let mut room = CONTENT_MAX;
        for index in 0..zip.len() {
            let mut entry = zip.by_index(index)?;
            let path = entry.name().to_owned();
            let normal = |part: Component<'_>| matches!(part, Component::Normal(_));
            if !entry.is_file() || !Path::new(&path).components().all(normal) {
                return Err(PackageError::Content(format!("`{path}` is no plain file")));
            }
            let target = into.join(&path);
            if let Some(folder) = target.parent() {
                DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            }
            let mode = if path == PROGRAM { 0o700 } else { 0o600 };
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(mode).open(&target)?;
            let written = io::copy(&mut entry.by_ref().take(room + 1), &mut file)?;
            room = room
                .checked_sub(written)
                .ok_or_else(|| PackageError::Content("it holds too much".to_owned()))?;
            file.sync_all()?;
        }
        Ok(())
    }
}

fn manifest(bytes: &[u8]) -> Result<Manifest, PackageError> {
    let mut zip = ZipArchive::new(Cursor::new(bytes))?;
    if zip.len() > FILES_MAX {
        return Err(PackageError::Content("it holds too many files".to_owned()));
    }
    let mut text = Vec::new();
    zip.by_name("HandlerManifest.json")?.take(1 << 20).read_to_end(&mut text)?;
    let list: Vec<Manifest> = serde_json::from_slice(&text)
        .map_err(|error| PackageError::Content(format!("HandlerManifest.json: {error}")))?;
    let first = list.into_iter().next();
    first.ok_or_else(|| PackageError::Content("HandlerManifest.json is empty".to_owned()))
}
