//! The ways in of the unmodified `az` command besides a secret: a certificate, and a code that somebody types elsewhere.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use coffre_control::factor::code_at;
use coffre_testkit::service::{Az, Refused, Service};
use jiff::{SignedDuration, Timestamp};

use crate::portal::Browser;
use crate::world::program;

/// What a program says must have succeeded; its standard output.
fn output_of(mut command: Command, input: &str) -> anyhow::Result<Vec<u8>> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().context("it reads")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{command:?} ended with {}", output.status);
    Ok(output.stdout)
}

/// A certificate with its key in one file, as `az` wants it; the certificate alone.
fn certificate(folder: &Path) -> anyhow::Result<(PathBuf, String)> {
    let (key, public, both) =
        (folder.join("deploy.key"), folder.join("deploy.crt"), folder.join("deploy.pem"));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]);
    // It draws its search for primes.
    openssl.stderr(Stdio::null());
    openssl.args(["-subj", "/CN=deploy", "-keyout"]).arg(&key).arg("-out").arg(&public);
    output_of(openssl, "").context("openssl makes a certificate")?;
    let public = std::fs::read_to_string(public)?;
    std::fs::write(&both, format!("{}{public}", std::fs::read_to_string(key)?))?;
    Ok((both, public))
}

/// Turns codes on for whoever is signed in; their secret.
fn enrol(browser: &Browser) -> anyhow::Result<Vec<u8>> {
    let page = "/portal/settings/codes";
    let begun = browser.send(page, page, &[("do", "begin")])?;
    let (_, text) = begun.split_once("id=\"codes-secret\">").context("the page has a secret")?;
    let mut decode = Command::new("base32");
    decode.arg("-d");
    let secret = output_of(decode, text.split('<').next().unwrap_or_default())?;
    let code = code_at(&secret, Timestamp::now());
    let done = browser.send(page, page, &[("do", "confirm"), ("code", &code)])?;
    ensure!(done.contains("recovery-codes"), "codes were not turned on: {done}");
    Ok(secret)
}

/// `az login --use-device-code`, let in by somebody who shows the next code of theirs.
fn let_in(az: &Az, browser: &Browser, secret: &[u8]) -> anyhow::Result<()> {
    let mut login = az.start(&["login", "--use-device-code"])?;
    let mut said = BufReader::new(login.stderr.take().context("it speaks")?);
    let shown = said.by_ref().lines().map_while(Result::ok).find_map(|line| {
        let (_, rest) = line.split_once("enter the code ")?;
        Some(rest.trim().trim_end_matches('.').to_owned())
    });
    let code = shown.context("az shows no code")?;
    // The code of now was used when codes were turned on.
    let own = code_at(secret, Timestamp::now() + SignedDuration::from_secs(30));
    let fields = [("code", &*code), ("own", &*own), ("answer", "allow")];
    let page = browser.send("/portal/device", "/portal/device", &fields)?;
    ensure!(page.contains("is signed in now"), "{page}");
    let status = login.wait()?;
    let mut rest = String::new();
    said.read_to_string(&mut rest)?;
    ensure!(status.success(), "az login ended with {status}: {rest}");
    Ok(())
}

#[test]
fn az_signs_in_with_a_certificate_and_with_a_code() -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("cof").tempdir()?;
    let mut service = Service::new(program(), &folder.path().join("data"), "")?;
    service.start()?;
    let info = service.info()?;
    let az = std::env::var_os("COFFRE_AZ")
        .context("COFFRE_AZ must name the az command (cargo xtask setup --az installs it)")?;
    let az = Az::new(Path::new(&az), &folder.path().join("az"), &info.ca)?;
    let shell = az.in_one_process()?;
    shell.run(&["cloud", "register", "-n", "Coffre", "--endpoint-resource-manager", &info.url])?;
    shell.run(&["cloud", "set", "-n", "Coffre"])?;

    let (pem, public) = certificate(folder.path())?;
    let browser = Browser::sign_in(&service, folder.path().join("program"))?;
    let access = "/portal/settings/access";
    let form = format!("{access}/{}/certificate", info.client_id);
    browser.send(access, &form, &[("certificate", &public)])?;
    let login = ["login", "--service-principal", "-u", &info.client_id, "--tenant", &info.tenant];
    az.run(&[&login[..], &["--certificate", &pem.to_string_lossy()]].concat())?;
    let groups = az.run(&["group", "list"])?;
    ensure!(groups.as_array().is_some_and(|it| !it.is_empty()), "{groups}");

    let admin = Browser::sign_in_as("admin", &service, folder.path().join("admin"))?;
    let secret = enrol(&admin)?;
    let_in(&az, &admin, &secret)?;
    let account = az.run(&["account", "show"])?;
    ensure!(account["user"]["name"] == "admin", "{account}");
    az.run(&["group", "list"])?;

    let password = ["login", "-u", "admin", "-p", service.secret()?];
    let Err(error) = az.run(&password) else { bail!("a password alone was enough") };
    let refused = error.downcast::<Refused>()?;
    ensure!(refused.text.contains("AADSTS50076"), "{}", refused.text);

    service.stop()?;
    let mut off = Command::new(program());
    off.args(["user", "codes-off", "admin", "--data"]).arg(service.folder());
    output_of(off, "")?;
    service.start()?;
    Browser::sign_in_as("admin", &service, folder.path().join("again")).map(drop)
}
