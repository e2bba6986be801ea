//! A service that nobody configured.

use std::process::{Command, Stdio};

use anyhow::ensure;
use coffre_testkit::service::{Commands, Service, Verbs};

use crate::portal::Browser;
use crate::world::program;

#[test]
fn a_first_start_makes_all_it_needs_and_says_how_to_sign_in() -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("cof").tempdir()?;
    let mut service = Service::new(program(), &folder.path().join("data"), "")?;
    service.start()?;
    let said = service.said()?;
    let info = service.info()?;
    for wanted in [
        &*info.url,
        "az cloud register",
        "az login --service-principal",
        &*info.client_id,
        &*info.tenant,
        service.secret()?,
        &*info.ca.to_string_lossy(),
    ] {
        ensure!(said.contains(wanted), "{wanted:?} is not in what the first start said:\n{said}");
    }
    ensure!(std::fs::read_to_string(&info.ca)?.contains("BEGIN CERTIFICATE"), "{:?}", info.ca);
    let log = std::fs::read_to_string(service.log())?;
    ensure!(!log.contains(service.secret()?), "the secret is in the log");

    let verbs = Verbs::new(program(), &folder.path().join("verbs"))?;
    verbs.sign_in(&service)?;
    ensure!(verbs.vms()?.is_empty(), "there is no VM yet");
    let browser = Browser::sign_in(&service, folder.path().join("cookies"))?;
    ensure!(browser.get("/portal/vms")?.contains("<h1"), "a page has a heading");

    // The secret is shown once: start() fails when a later one shows it again.
    service.stop()?;
    service.start()?;
    verbs.sign_in(&service)
}

#[test]
fn a_second_service_on_the_same_folder_is_refused() -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("cof").tempdir()?;
    let mut service = Service::new(program(), &folder.path().join("data"), "")?;
    service.start()?;
    let second = Command::new(program())
        .args(["serve", "--data"])
        .arg(service.folder())
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&second.stderr);
    ensure!(!second.status.success() && said.contains("already runs"), "{said}");
    Ok(())
}
