//! Emulators of S3 and Azure Blob, which the tests of the stores talk to.

use std::process::Command;

use anyhow::Context;

use crate::az;
use crate::places::Places;
use crate::steps::call;

/// The releases that the tests were written against.
const MOTO: &str = "moto[server]==5.2.1";
const AZURITE: &str = "azurite@3.35.0";

/// Installs them into `target/emulators` when they are missing (a minute or two).
pub(crate) fn install(places: &Places) -> anyhow::Result<()> {
    let folder = places.root.join("target/emulators");
    std::fs::create_dir_all(&folder).context("make the folder of the emulators")?;
    let venv = folder.join("venv");
    if !venv.join("bin/moto_server").is_file() {
        println!("    installing {MOTO} from PyPI into {}", venv.display());
        az::make_venv(&venv)?;
        let flags = ["install", "--quiet", "--disable-pip-version-check", MOTO];
        call(Command::new(venv.join("bin/pip")).args(flags)).context("install moto")?;
    }
    if !folder.join("node_modules/azurite/dist/src/blob/main.js").is_file() {
        println!("    installing {AZURITE} from npm into {}", folder.display());
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"]).arg(&folder);
        call(npm.arg(AZURITE)).context("install azurite")?;
    }
    Ok(())
}
