//! The Azure command line, which the tests of the API drive unchanged.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::places::Places;
use crate::setup::{as_root, on_path};
use crate::steps::call;

/// The release that the tests were written against.
const VERSION: &str = "2.91.0";

/// `az` on the PATH, or the one in `target/az`, installed there from PyPI when it is missing (a minute or two).
pub(crate) fn find_or_install(places: &Places) -> anyhow::Result<PathBuf> {
    if on_path("az") {
        return Ok(PathBuf::from("az"));
    }
    let folder = places.root.join("target/az");
    let az = folder.join("bin/az");
    if az.is_file() {
        return Ok(az);
    }
    println!(
        "    az is not on the PATH: installing azure-cli {VERSION} from PyPI into {}",
        folder.display()
    );
    make_venv(&folder)?;
    let package = format!("azure-cli=={VERSION}");
    call(Command::new(folder.join("bin/pip")).args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        &package,
    ]))
    .context("install the Azure command line")?;
    Ok(az)
}

/// Clients that the tests of the API drive besides `az`, each in the release that the tests were written against.
const CLIENTS: &[&str] = &[
    "azure-identity==1.27.0",
    "azure-mgmt-compute==39.0.0",
    "azure-mgmt-recoveryservices==4.3.0",
    "azure-mgmt-recoveryservicesbackup==11.2.0",
    "azure-mgmt-resource==26.0.0",
    "azure-mgmt-resource-deployments==2.0.0",
    "schemathesis==4.32.5",
];

/// The folder of the Azure SDK for Python and of schemathesis, installed into `target/clients` when they are missing.
pub(crate) fn clients(places: &Places) -> anyhow::Result<PathBuf> {
    let folder = places.root.join("target/clients");
    let mark = folder.join("installed");
    let wanted = CLIENTS.join("\n");
    if std::fs::read_to_string(&mark).is_ok_and(|it| it == wanted) {
        return Ok(folder);
    }
    println!("    installing {} from PyPI into {}", CLIENTS.join(", "), folder.display());
    make_venv(&folder)?;
    let flags = ["install", "--quiet", "--disable-pip-version-check"];
    call(Command::new(folder.join("bin/pip")).args(flags).args(CLIENTS))
        .context("install the Python clients")?;
    std::fs::write(mark, wanted).context("note what was installed")?;
    Ok(folder)
}

/// A virtual environment of Python in a folder, in place of one that is there.
pub(crate) fn make_venv(folder: &Path) -> anyhow::Result<()> {
    let venv =
        |folder: &Path| call(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder));
    if venv(folder).is_err() {
        println!(
            "    python3 cannot make a virtual environment: installing the Debian package python3-venv"
        );
        call(as_root("apt-get").args([
            "install",
            "-y",
            "-qq",
            "--no-install-recommends",
            "python3-venv",
        ]))?;
        venv(folder)?;
    }
    Ok(())
}
