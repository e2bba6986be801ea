//! A service that nobody configured.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::ensure;
use coffre_testkit::service::{Commands, Service, Verbs};

use crate::portal::Browser;
use crate::world::{PATIENCE, program};

#[test]
fn a_first_start_makes_all_it_needs_and_says_how_to_sign_in() -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("cof").tempdir()?;
    let mut service = Service::new(program(), &folder.path().join("data"), "")?;
    service.start()?;
    let info = service.info()?;
    let log = std::fs::read_to_string(service.log())?;
    let said = format!("{}{log}", service.said()?);
    for wanted in [
        &*info.url,
        "az cloud register",
        "az login --service-principal",
        &*info.client_id,
        &*info.tenant,
        &*info.ca.to_string_lossy(),
    ] {
        ensure!(said.contains(wanted), "{wanted:?} is not in what the first start said:\n{said}");
    }
    ensure!(std::fs::read_to_string(&info.ca)?.contains("BEGIN CERTIFICATE"), "{:?}", info.ca);
    ensure!(!said.contains(service.secret()?), "the secret is in the log, though it has a file");

    let verbs = Verbs::new(program(), &folder.path().join("verbs"))?;
    verbs.sign_in(&service)?;
    ensure!(verbs.vms()?.is_empty(), "there is no VM yet");
    let browser = Browser::sign_in(&service, folder.path().join("cookies"))?;
    ensure!(browser.get("/portal/vms")?.contains("<h1"), "a page has a heading");

    service.stop()?;
    service.start()?;
    verbs.sign_in(&service)
}

/// Without a file the secret is shown on the terminal, at the first start and never again, and not in the log.
#[test]
fn the_secret_is_shown_once() -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("cof").tempdir()?;
    let mut shown = Vec::new();
    for _ in 0..2 {
        let mut process = Command::new(program())
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let pid = process.id();
        let deadline = Instant::now() + PATIENCE;
        let answers = || {
            let text = std::fs::read_to_string(folder.path().join("service.json"));
            text.is_ok_and(|text| text.contains(&format!("\"pid\": {pid}")))
        };
        while !answers() {
            ensure!(Instant::now() < deadline, "the service does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        process.kill()?;
        let output = process.wait_with_output()?;
        shown.push((String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?));
    }
    let [(first, log), (second, _)] = &shown[..] else { anyhow::bail!("two starts") };
    let mut lines = first.lines().skip_while(|line| !line.contains("shown only now"));
    let secret = lines.nth(2).map(str::trim).unwrap_or_default();
    ensure!(secret.len() >= 32, "the first start shows no secret: {first}");
    ensure!(!log.contains(secret), "the secret is in the log");
    ensure!(!second.contains("shown only now"), "a later start shows a secret: {second}");
    Ok(())
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
