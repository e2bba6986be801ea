//! The life of a protected VM by the unmodified `az` command: from the template that protects it to the deletion of its
//! data, with all that is asked, tagged, locked and granted in between.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use coffre_testkit::Guest;
use coffre_testkit::service::{Az, Commands, Refused, RestoreTo};
use serde_json::{Value, json};

use crate::az::{az_of, names};
use crate::az_more::{deleted_and_back, guarded, what_if};
use crate::world::{GROUP, PATIENCE, VM, World, files_below};

/// The vault that the template makes.
const VAULT: &str = "made";
/// The template of the quickstart "101-recovery-services-backup-vms" in its shape.
const TEMPLATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../arm/tests/data/backup-vms.json");
const ITEM: [&str; 12] = [
    "-g",
    GROUP,
    "-v",
    VAULT,
    "-c",
    VM,
    "-i",
    VM,
    "--backup-management-type",
    "AzureIaasVM",
    "--workload-type",
    "VM",
];

/// A VM that nothing but commands of `az` changes.
pub(crate) struct Life {
    pub(crate) az: Az,
    vm: String,
}

impl Life {
    pub(crate) fn run(&self, words: &str, more: &[&str]) -> anyhow::Result<Value> {
        let words: Vec<&str> = words.split(' ').collect();
        self.az.run(&[&words[..], more].concat())
    }

    /// A change of the item; its job must be complete when the command ends.
    fn change(&self, words: &str, more: &[&str]) -> anyhow::Result<()> {
        let job = self.run(words, &[&ITEM[..], more].concat())?;
        ensure!(job["properties"]["status"] == "Completed", "{words}: {job}");
        Ok(())
    }

    /// Fails unless the item is in this state.
    fn must_be(&self, state: &str) -> anyhow::Result<Value> {
        let item = self.az.item(GROUP, VAULT, VM)?;
        ensure!(item["properties"]["protectionState"] == state, "not {state}: {item}");
        Ok(item)
    }

    /// The command must say no, with this word.
    pub(crate) fn must_refuse(&self, words: &str, more: &[&str], word: &str) -> anyhow::Result<()> {
        match self.run(words, more) {
            Ok(answer) => bail!("`{words}` was not refused: {answer}"),
            Err(error) => {
                let refused = error.downcast::<Refused>()?;
                ensure!(refused.text.contains(word), "{word:?} is not in: {}", refused.text);
                Ok(())
            }
        }
    }
}

#[test]
fn the_unmodified_az_leads_a_machine_through_its_whole_life() -> anyhow::Result<()> {
    let world = World::new(Guest::Tiny, "")?;
    let az = az_of(&world)?;
    az.create_group(GROUP)?;
    let vm = world.vm["id"].as_str().context("the VM has an id")?.to_owned();
    let life = Life { az, vm };
    deploy(&life, &world.path("parameters.json"))?;
    policies(&life)?;
    back_up_and_restore(&world, &life)?;
    let vault = surroundings(&life)?;
    guarded(&life)?;
    deleted_and_back(&life)?;
    locks(&world, &life, &vault)?;
    end(&life)
}

/// The template makes the vault and the policy, and protects the machine.
fn deploy(life: &Life, parameters: &Path) -> anyhow::Result<()> {
    let unprotected = life.run("backup protection check-vm --vm", &[&life.vm])?;
    ensure!(unprotected.is_null() || unprotected == "", "{unprotected}");
    let group = life.vm.split('/').nth(4).context("an id has a group")?;
    let values = json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {
            "vaultName": { "value": VAULT },
            "existingVirtualMachinesResourceGroup": { "value": group },
            "existingVirtualMachines": { "value": [VM] },
        },
    });
    std::fs::write(parameters, values.to_string())?;
    let parameters = format!("@{}", parameters.display());
    let template = ["-g", GROUP, "-n", "quickstart", "-f", TEMPLATE, "-p", &parameters];
    life.run("deployment group validate", &template)?;
    what_if(life, &template, "Create")?;
    let made = life.run("deployment group create", &template)?;
    ensure!(made["properties"]["provisioningState"] == "Succeeded", "{made}");
    ensure!(made["properties"]["outputs"]["protected"]["value"] == 1, "{made}");
    let here = ["-g", GROUP, "-n", "quickstart"];
    let shown = life.run("deployment group show", &here)?;
    ensure!(shown["properties"]["outputResources"].as_array().map(Vec::len) == Some(3), "{shown}");
    let steps = life.run("deployment operation group list", &here)?;
    ensure!(steps.as_array().map(Vec::len) == Some(3), "{steps}");
    what_if(life, &template, "NoChange")?;
    life.must_be("IRPending")?;
    let vault = life.run("backup protection check-vm --vm", &[&life.vm])?;
    ensure!(vault.as_str().is_some_and(|it| it.ends_with(VAULT)), "{vault}");
    Ok(())
}

fn policies(life: &Life) -> anyhow::Result<()> {
    let here = ["-g", GROUP, "-v", VAULT];
    let mut policy =
        life.run("backup policy show", &[&here[..], &["-n", "DefaultPolicy"]].concat())?;
    policy["name"] = json!("longer");
    policy["properties"]["retentionPolicy"]["dailySchedule"]["retentionDuration"]["count"] =
        json!(60);
    let text = policy.to_string();
    let kind = ["--backup-management-type", "AzureIaasVM"];
    let wish = [&here[..], &["-n", "longer", "--policy", &text], &kind].concat();
    life.run("backup policy create", &wish)?;
    let on = ["-n", VM, "-p", "longer", "-c", VM, "--workload-type", "VM", "--yes"];
    life.run("backup item set-policy", &[&here[..], &on, &kind].concat())?;
    let named = [&here[..], &["-n", "longer"], &kind].concat();
    let under = life.run("backup policy list-associated-items", &named)?;
    ensure!(under.as_array().map(Vec::len) == Some(1), "{under}");
    life.must_refuse("backup policy delete", &[&here[..], &["-n", "longer"]].concat(), VM)?;

    let vault = ["-g", GROUP, "-n", VAULT];
    let set = [&vault[..], &["--soft-delete-feature-state", "Enable"]].concat();
    life.run("backup vault backup-properties set", &set)?;
    let shown = life.run("backup vault backup-properties show", &vault)?.to_string();
    ensure!(shown.contains("softDeleteFeatureState"), "{shown}");
    let others = life.run("backup container list", &[&here[..], &kind].concat())?;
    ensure!(others.as_array().map(Vec::len) == Some(1), "{others}");
    Ok(())
}

/// One point; from it a machine beside the first, the disks, and the files.
fn back_up_and_restore(world: &World, life: &Life) -> anyhow::Result<()> {
    let az = &life.az;
    world.guest.shell().check("echo kept >/mnt/vda/before-the-point && sync")?;
    let job = az.backup_now(GROUP, VAULT, VM)?;
    az.wait_for_job(GROUP, VAULT, &job, PATIENCE)?
        .must_be_completed()
        .with_context(|| world.service.log_tail())?;
    let points = az.points(GROUP, VAULT, VM)?;
    ensure!(points.len() == 1, "{points:?}");
    let net = ["-g", GROUP, "-n", "net", "-l", "local", "--address-prefix", "10.0.0.0/16"];
    let subnet = ["--subnet-name", "one", "--subnet-prefix", "10.0.0.0/24"];
    life.run("network vnet create", &[&net[..], &subnet].concat())?;
    let accounts =
        life.run("resource list --resource-type", &["Microsoft.Storage/storageAccounts"])?;
    let account = accounts[0]["id"].as_str().context("there is a storage account")?;
    let from = ["-g", GROUP, "-v", VAULT, "-c", VM, "-i", VM, "-r", &points[0].name];
    let to = ["--storage-account", account, "-t", GROUP, "--target-vm-name", "beside"];
    let net = ["--target-vnet-name", "net", "--target-vnet-resource-group", GROUP];
    let subnet = ["--target-subnet-name", "one"];
    let wish = [&from[..], &to, &net, &subnet].concat();
    let job = life.run("backup restore restore-disks", &wish)?;
    let job = job["name"].as_str().context("a restore has a job")?;
    az.wait_for_job(GROUP, VAULT, job, PATIENCE)?
        .must_be_completed()
        .with_context(|| world.service.log_tail())?;
    let beside = az.find_vm("beside", PATIENCE)?;
    // Not started: it would take the serial line of the first away from the test.
    let beside = beside["id"].as_str().context("the VM has an id")?;
    let group = format!("/resourceGroups/{GROUP}/");
    ensure!(beside.contains(&group), "it is not in the group that was asked for: {beside}");
    let shown = life.run("vm show -d --ids", &[beside])?;
    ensure!(shown["powerState"].is_string(), "{shown}");
    // The disks alone, into a folder; the machine goes on running.
    let job = az.restore(GROUP, VAULT, VM, &points[0].name, RestoreTo::Disks)?;
    az.wait_for_job(GROUP, VAULT, &job, PATIENCE)?.must_be_completed()?;
    show_files(world, life, &points[0].name)?;
    world.guest_must_write()
}

/// The script that `az` downloads shows what the guest had written.
fn show_files(world: &World, life: &Life, point: &str) -> anyhow::Result<()> {
    let of = ["-g", GROUP, "-v", VAULT, "-c", VM, "-i", VM, "-r", point];
    life.run("backup restore files mount-rp", &of)?;
    let found = |folder: &Path, ending: &str| -> anyhow::Result<PathBuf> {
        let mut files = files_below(folder)?.into_iter();
        files
            .find(|it| it.to_string_lossy().ends_with(ending))
            .with_context(|| format!("no {ending} in {}", folder.display()))
    };
    let script = found(&world.path("az"), ".sh")?;
    let key = found(&world.service.folder().join("keys/vaults"), ".key")?;
    let mut shown = Command::new("bash")
        .args([&script, Path::new("--passphrase-file"), &key, &world.path("point")])
        .env("COFFRE", crate::world::program())
        .stdout(Stdio::piped())
        .spawn()?;
    let said = BufReader::new(shown.stdout.take().context("the script speaks")?).lines();
    let ready = said.map_while(Result::ok).any(|line| line.starts_with("ready: "));
    let seen = found(&world.path("point/files"), "/before-the-point");
    // It tidies up at the end of its work.
    let pid = rustix::process::Pid::from_child(&shown);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
    shown.wait()?;
    ensure!(ready, "the script did not show the files");
    ensure!(std::fs::read_to_string(seen?).is_err(), "the files are still mounted");
    life.run("backup restore files unmount-rp", &of).map(drop)
}

/// What stands around the machine and its vault: lists, tags, roles. The id of the vault.
fn surroundings(life: &Life) -> anyhow::Result<String> {
    let table = life.az.table(&["vm", "list", "-d"])?;
    ensure!(table.contains(VM) && table.contains("VM running"), "{table}");
    let extensions = ["vm", "extension", "list", "--ids", &life.vm];
    life.az.table(&extensions)?;
    let machine = life.run("resource show --ids", &[&life.vm])?;
    ensure!(machine["type"] == "Microsoft.Compute/virtualMachines", "{machine}");
    let all = life.run("resource list", &[])?;
    ensure!(names(&all).contains(&VAULT) && names(&all).contains(&VM), "{all}");
    let vault = life.run("backup vault show", &["-g", GROUP, "-n", VAULT])?;
    let vault = vault["id"].as_str().context("a vault has an id")?.to_owned();

    life.run("tag create --tags", &["team=storage", "--resource-id", &vault])?;
    life.run("tag update --operation merge --tags", &["cost=7", "--resource-id", &vault])?;
    let tagged = life.run("resource list --tag", &["team=storage"])?;
    ensure!(names(&tagged) == [VAULT], "{tagged}");
    let tags = life.run("tag list --resource-id", &[&vault])?;
    ensure!(tags["properties"]["tags"] == json!({ "team": "storage", "cost": "7" }), "{tags}");

    let somebody = "aaaaaaaa-0000-4000-8000-0000000000aa";
    let role = ["--role", "Backup Operator", "--scope", &vault];
    let whom = ["--assignee-object-id", somebody, "--assignee-principal-type", "ServicePrincipal"];
    life.run("role assignment create", &[&role[..], &whom].concat())?;
    let granted = life.run("role assignment list --scope", &[&vault])?;
    let to = |it: &Value| it["principalId"] == somebody;
    ensure!(granted.as_array().into_iter().flatten().any(to), "{granted}");
    life.run("role assignment delete", &[&role[..], &["--assignee", somebody]].concat())?;
    Ok(vault)
}

/// A lock binds `az` and every other way alike.
fn locks(world: &World, life: &Life, vault: &str) -> anyhow::Result<()> {
    life.run("lock create -n keep -t ReadOnly --resource", &[vault])?;
    let locks = life.run("lock list", &[])?;
    ensure!(names(&locks) == ["keep"], "{locks}");
    life.must_refuse("backup protection backup-now", &ITEM, "ScopeLocked")?;
    life.must_refuse("tag delete --yes --resource-id", &[vault], "ScopeLocked")?;
    let Err(error) = world.verbs.backup_now(GROUP, VAULT, VM) else { bail!("was not refused") };
    let refused = error.downcast::<Refused>()?;
    ensure!(refused.text.contains("locked"), "{}", refused.text);
    life.run("lock delete -n keep --resource", &[vault]).map(drop)
}

/// Stopped, resumed, deleted, brought back, resumed, deleted.
fn end(life: &Life) -> anyhow::Result<()> {
    life.change("backup protection disable --yes", &[])?;
    life.must_be("ProtectionStopped")?;
    life.change("backup protection resume -p DefaultPolicy", &[])?;
    life.must_be("Protected")?;
    let delete = "backup protection disable --yes --delete-backup-data true";
    life.change(delete, &[])?;
    let gone = life.must_be("ProtectionStopped")?;
    ensure!(gone["properties"]["isScheduledForDeferredDelete"] == true, "{gone}");
    life.change("backup protection undelete", &[])?;
    let back = life.must_be("ProtectionStopped")?;
    ensure!(back["properties"]["isScheduledForDeferredDelete"] != true, "{back}");
    life.change("backup protection resume -p DefaultPolicy", &[])?;
    ensure!(life.az.points(GROUP, VAULT, VM)?.len() == 1, "the point came back with its item");
    life.change(delete, &[])?;
    let vault = ["-g", GROUP, "-n", VAULT, "--yes"];
    life.must_refuse("backup vault delete", &vault, "existing resources within the vault")?;
    life.must_refuse("group delete --yes -n", &[GROUP], "holds")
}
