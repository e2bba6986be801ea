//! `coffre extension …`: the package of the extension that runs inside machines.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use coffre_guest::package::{self, Package, SigningKey, TrustedKey};
use serde_json::json;

use crate::say::{self, Column, Format};

/// The extension that runs inside machines: its signing key, its package.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ExtensionVerb {
    /// Makes a key that signs packages, and prints what others need to trust it.
    Key {
        /// New file for the private key; keep it safe.
        #[arg(long)]
        key_file: PathBuf,
    },
    /// Builds the signed package from the program. The same input gives the same bytes.
    Package {
        /// The static program; without it, `coffre-guest` beside this program.
        #[arg(long)]
        program: Option<PathBuf>,
        /// File with the private key that signs.
        #[arg(long)]
        key_file: PathBuf,
        /// New file for the package.
        #[arg(long)]
        to: PathBuf,
        /// Version of the package, as agents compare it.
        #[arg(long, default_value = concat!(env!("CARGO_PKG_VERSION"), ".0"))]
        extension_version: String,
        /// Publisher and type.
        #[arg(long, default_value = package::NAME)]
        name: String,
    },
    /// Checks the signature of a package; a changed or unsigned one is refused.
    Verify {
        /// The package.
        package: PathBuf,
        /// A key that is trusted, as `extension key` prints it; may be given again.
        #[arg(long, required = true)]
        trust: Vec<String>,
        /// Unpacks into this new folder.
        #[arg(long)]
        unpack: Option<PathBuf>,
    },
}

const PACKAGE: &[Column] = &[("Name", "/name"), ("Version", "/version"), ("Bytes", "/bytes")];

/// Does it.
pub(crate) fn run(verb: ExtensionVerb, format: Format) -> anyhow::Result<ExitCode> {
    match verb {
        ExtensionVerb::Key { key_file } => {
            let (key, pem) = SigningKey::generate().context("make a key")?;
            write_new(&key_file, pem.as_bytes(), 0o600)?;
            say::data(&key.trusted().to_string())?;
        }
        ExtensionVerb::Package { program, key_file, to, extension_version, name } => {
            let program = program.map_or_else(beside, Ok)?;
            let bytes = read(&program)?;
            let pem = String::from_utf8(read(&key_file)?).context("read the key")?;
            let key = SigningKey::from_pem(&pem)
                .with_context(|| format!("understand {}", key_file.display()))?;
            let built = package::build(&bytes, &name, &extension_version, &key)
                .with_context(|| format!("package {}", program.display()))?;
            write_new(&to, &built, 0o644)?;
            let told = json!({ "name": name, "version": extension_version, "bytes": built.len() });
            say::one(format, &told, PACKAGE)?;
        }
        ExtensionVerb::Verify { package, trust, unpack } => {
            let keys: Result<Vec<TrustedKey>, _> = trust.iter().map(|text| text.parse()).collect();
            let keys = keys.context("understand --trust")?;
            let bytes = read(&package)?;
            let found = Package::verify(&bytes, &keys)
                .with_context(|| format!("refused {}", package.display()))?;
            if let Some(folder) = unpack {
                found.unpack(&folder).with_context(|| format!("unpack to {}", folder.display()))?;
            }
            let (name, version) = (&found.manifest.name, &found.manifest.version);
            let told = json!({ "name": name, "version": version, "bytes": bytes.len() });
            say::one(format, &told, PACKAGE)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn beside() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("find this program")?;
    let program = own.with_file_name("coffre-guest");
    ensure!(program.exists(), "{} is not there; give --program", program.display());
    Ok(program)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("read {}", path.display()))
}

/// Overwrites nothing: a key or a package that is gone cannot be made again.
fn write_new(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(bytes))
        .with_context(|| format!("write {}", path.display()))
}
