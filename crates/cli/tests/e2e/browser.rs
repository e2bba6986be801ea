//! People in front of a real browser: both journeys, a restore and an undelete in three languages against the service,
//! with a real VM; pictures of every screen; clicks counted; axe; names that try to be markup.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use coffre_testkit::service::{Commands, HostedGuest};
use coffre_testkit::{Guest, Guests};
use serde_json::json;

use crate::world::{PATIENCE, VM, World};

/// The driver and the journeys, beside this file.
fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser")
}

/// The words of the screens whose pictures the guides show, as they were when these were taken.
fn labels() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../portal/static/guide/labels.json")
}

/// Where the pictures go: kept after the test, to be looked at.
fn pictures() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("portal-pictures")
}

/// A log such as the extension writes, for the page that shows it: this guest has no extension.
const LOG: &str = "mkdir -p /var/log && cat >/var/log/waagent.log <<E
2026-11-22 14:01:03.120417 ****** 1. Starting the freezer
2026-11-22 14:01:03.121902 To be frozen: / (ext4), /mnt/vda (ext4)
2026-11-22 14:01:03.122210 ****** 2. Freezing
2026-11-22 14:01:03.131654 ****** 3. 2 file systems were frozen
2026-11-22 14:01:03.170388 ****** 9. Thawed after 39 ms
E";

#[test]
fn e2e_browser_journeys_in_three_languages() -> anyhow::Result<()> {
    for program in ["chromium", "node", "npm"] {
        let found = Command::new(program).arg("--version").output();
        ensure!(
            found.is_ok_and(|it| it.status.success()),
            "{program} is missing; `cargo xtask setup` installs it"
        );
    }
    let world = World::new(Guest::Tiny, "")?;
    let others = others(&world)?;
    world.guest.shell().check(LOG)?;
    let axe = axe(&world.folder.path().join("npm"))?;
    let info = world.service.info()?;
    let output = pictures();
    std::fs::create_dir_all(&output)?;
    let wishes = json!({
        "url": info.url,
        "name": "admin",
        "secret": world.service.secret()?,
        "machines": {
            "en": [VM, &*others[0], &*others[1]],
            "es": [&*others[2], &*others[3], &*others[4]],
            "fr": [&*others[5], &*others[6], &*others[7]],
        },
        "logs": VM,
        "pictures": output,
        "axe": axe,
        "labels": labels(),
        "guide": std::env::var_os("COFFRE_GUIDE_PICTURES").map(PathBuf::from),
    });
    let done = Command::new("node")
        .arg(scripts().join("journeys.mjs"))
        .arg(wishes.to_string())
        .output()
        .context("start node")?;
    let said = String::from_utf8_lossy(&done.stdout);
    println!("{said}");
    ensure!(
        done.status.success(),
        "{}\nthe service said:\n{}",
        String::from_utf8_lossy(&done.stderr),
        world.service.log_tail()
    );
    world.guest_must_write()
}

/// Machines that are off: each journey needs some that nobody protects.
fn others(world: &World) -> anyhow::Result<Vec<String>> {
    let guests = Guests::build()?;
    let names: Vec<String> = (1..=8).map(|number| format!("wiki-{number}")).collect();
    for name in &names {
        let folder = world.path(name);
        HostedGuest::install(&guests, Guest::Tiny, name, &folder, world.service.folder())?;
        world.verbs.find_vm(name, PATIENCE)?;
    }
    Ok(names)
}

/// The accessibility checker, from npm, at the version that the lock file names.
fn axe(folder: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    for file in ["package.json", "package-lock.json"] {
        std::fs::copy(scripts().join(file), folder.join(file))?;
    }
    let installed = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"])
        .current_dir(folder)
        .output()
        .context("start npm")?;
    ensure!(installed.status.success(), "npm ci: {}", String::from_utf8_lossy(&installed.stderr));
    Ok(folder.join("node_modules/axe-core/axe.min.js"))
}
