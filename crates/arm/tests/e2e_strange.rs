//! Strange requests to every operation of `docs/openapi.json`, made up by schemathesis: none is answered with a fault of the
//! service, and every answer is one that the document has.
//!
//! `COFFRE_STRANGE_EXAMPLES` says how many requests for each operation (2), and `COFFRE_STRANGE_SEED` which ones (1); `cargo xtask test` installs schemathesis and says
//! where it is.

#![allow(clippy::unwrap_used)] // In a test a panic is the report.

use std::path::{Path, PathBuf};
use std::process::Command;

mod stand;
mod world;

use stand::Stand;
use world::{OWNER, SECRET, SUBSCRIPTION, TENANT};

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

fn clients() -> PathBuf {
    let folder = std::env::var_os("COFFRE_CLIENTS")
        .expect("COFFRE_CLIENTS must name the folder of the Python clients (cargo xtask setup --az installs them)");
    PathBuf::from(folder)
}

fn schemathesis(url: &str, folder: &Path) -> Command {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let examples = std::env::var("COFFRE_STRANGE_EXAMPLES").unwrap_or_else(|_| "2".to_owned());
    let seed = std::env::var("COFFRE_STRANGE_SEED").unwrap_or_else(|_| "1".to_owned());
    let mut command = Command::new(clients().join("bin/schemathesis"));
    command
        .arg("run")
        .arg(here.join("../../docs/openapi.json"))
        .args([
            "--url",
            url,
            "--checks",
            CHECKS,
            "--phases",
            "fuzzing",
            "--max-examples",
            &examples,
        ])
        .args(["--workers", "4", "--continue-on-failure", "--generation-database", "none"])
        .args([
            "--seed",
            &seed,
            "--warnings",
            "off",
            "--suppress-health-check",
            "all",
            "--no-color",
        ])
        .arg("--tls-verify")
        .arg(folder.join("ca.pem"))
        .current_dir(folder)
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", here.join("tests/stand"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("REQUESTS_CA_BUNDLE", folder.join("ca.pem"))
        .env("COFFRE_URL", url)
        .env("COFFRE_TENANT", TENANT)
        .env("COFFRE_CLIENT", OWNER)
        .env("COFFRE_SECRET", SECRET)
        .env("COFFRE_SUBSCRIPTION", SUBSCRIPTION)
        .env("COFFRE_REGION", "eastus")
        .env("COFFRE_VM_GROUP", "Lab-VMs")
        .env("COFFRE_VM", "Web-1");
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_requests_get_answers_that_the_document_has() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::open(folder.path()).await.unwrap();
    let mut command = schemathesis(&stand.url, folder.path());
    let serving = tokio::spawn(stand.serve());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
    serving.abort();
    let output = output.expect("schemathesis starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{wrong}");
    assert!(said.contains("generated"), "{said}");
    // How many, for whoever asked for many.
    println!("{said}");
}
