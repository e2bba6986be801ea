//! The journey by the Azure SDK for Python, whose models every answer must fit.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use coffre_testkit::Guest;

use crate::world::{VM, World};

#[test]
fn the_azure_sdk_for_python_makes_the_journey_and_every_answer_fits_its_models()
-> anyhow::Result<()> {
    let clients = std::env::var_os("COFFRE_CLIENTS").map(PathBuf::from).context(
        "COFFRE_CLIENTS must name the folder of the Python clients (cargo xtask setup --az installs them)",
    )?;
    let world = World::new(Guest::Tiny, "")?;
    let info = world.service.info()?;
    let journey = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/python/journey.py");
    let output = Command::new(clients.join("bin/python3"))
        .arg(journey)
        .env("REQUESTS_CA_BUNDLE", &info.ca)
        .env("COFFRE_URL", &info.url)
        .env("COFFRE_TENANT", &info.tenant)
        .env("COFFRE_CLIENT", &info.client_id)
        .env("COFFRE_SECRET", world.service.secret()?)
        .env("COFFRE_SUBSCRIPTION", &info.subscription)
        .env("COFFRE_REGION", "local")
        .env("COFFRE_VM", VM)
        .output()
        .context("start the Python of the clients")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let why = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}{why}{}", world.service.log_tail());
    ensure!(said.contains("the journey is complete"), "{said}{why}");
    world.guest.shell().wait_until_ready(crate::world::PATIENCE)?;
    world.guest_must_write()
}
