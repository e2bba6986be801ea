//! The program of the extension, as it goes into machines: static and small.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, ensure};

/// For programs that run on any Linux of this architecture.
const TARGET: &str = "x86_64-unknown-linux-musl";

/// The static program, built when it is not there yet; `COFFRE_GUEST_PROGRAM` names one that is.
///
/// # Errors
/// When it cannot be built; what the compiler says is on the standard error.
pub fn extension_program() -> anyhow::Result<PathBuf> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    if let Some(given) = std::env::var_os("COFFRE_GUEST_PROGRAM") {
        return Ok(given.into());
    }
    if let Some(built) = BUILT.get() {
        return Ok(built.clone());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--locked", "-p", "coffre-guest", "--profile", "guest"])
        .args(["--target", TARGET])
        .current_dir(&root)
        .status()
        .context("start cargo")?;
    ensure!(
        status.success(),
        "the extension does not build; `cargo xtask setup` installs the target {TARGET} and musl-gcc"
    );
    let program = target.join(TARGET).join("guest/coffre-guest");
    Ok(BUILT.get_or_init(|| program).clone())
}
