//! What the life of a machine by `az` touches besides: what a deployment would change, a guard over a vault, a vault that
//! is deleted and comes back.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::az::names;
use crate::az_life::Life;
use crate::world::GROUP;

/// `az` prints the changes for people and for programs; all three resources of the template change in this way.
pub(crate) fn what_if(life: &Life, template: &[&str], kind: &str) -> anyhow::Result<()> {
    let plain = [template, &["--no-pretty-print"]].concat();
    let found = life.run("deployment group what-if", &plain)?;
    let changes = found["changes"].as_array().context("there are changes")?;
    let of = |it: &&Value| it["changeType"] == kind;
    ensure!(changes.iter().filter(of).count() == 3, "{found:#}");
    let words = [&["deployment", "group", "what-if"], template].concat();
    let text = life.az.text(&words)?;
    let count = match kind {
        "Create" => "3 to create",
        _ => "3 no change",
    };
    ensure!(text.contains("Resource changes: ") && text.contains(count), "{text}");
    Ok(())
}

/// A vault under a guard: `az` shows it, and one person alone cannot take it away.
pub(crate) fn guarded(life: &Life) -> anyhow::Result<()> {
    let vault = ["-g", GROUP, "-n", "watched"];
    life.run("backup vault create", &[&vault[..], &["-l", "local"]].concat())?;
    let kind = "Microsoft.DataProtection/resourceGuards";
    let whole = json!({ "location": "local", "properties": {} }).to_string();
    let wish = ["-g", GROUP, "-n", "watch", "--is-full-object", "-p", &whole];
    let guard = life.run(&format!("resource create --resource-type {kind}"), &wish)?;
    let guard = guard["id"].as_str().context("a guard has an id")?;
    let mapping = "backup vault resource-guard-mapping";
    let bound = life
        .run(&format!("{mapping} update --resource-guard-id"), &[&[guard], &vault[..]].concat())?;
    ensure!(bound["properties"]["resourceGuardResourceId"] == guard, "{bound}");
    let shown = life.run(&format!("{mapping} show"), &vault)?;
    ensure!(shown["name"] == "VaultProxy", "{shown}");
    life.must_refuse(&format!("{mapping} delete --yes"), &vault, "is filed")
}

/// A vault that was deleted is seen, and comes back with its policies.
pub(crate) fn deleted_and_back(life: &Life) -> anyhow::Result<()> {
    let vault = ["-g", GROUP, "-n", "spare"];
    life.run("backup vault create", &[&vault[..], &["-l", "local"]].concat())?;
    life.run("backup vault delete --yes", &vault)?;
    let deleted = life.run("backup deleted-vault list -l local", &[])?;
    let name =
        names(&deleted).first().copied().context("the vault is among the deleted")?.to_owned();
    let one = ["-l", "local", "-n", &name];
    let kept = life.run("backup deleted-vault get", &one)?;
    ensure!(kept["properties"]["purgeAt"].is_string(), "{kept}");
    life.run("backup deleted-vault undelete", &one)?;
    let policies = life.run("backup policy list", &["-g", GROUP, "-v", "spare"])?;
    ensure!(names(&policies).contains(&"EnhancedPolicy"), "{policies}");
    let left = life.run("backup deleted-vault list -l local", &[])?;
    ensure!(left == json!([]), "{left}");
    life.run("backup vault delete --yes", &vault).map(drop)
}
