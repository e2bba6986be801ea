//! *Restore* from a recovery point: disks as files into a folder, in place over the disks of the
//! virtual machine, or as a machine of its own.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use coffre_control::id::{ItemId, PointId};
use coffre_control::model::{RecoveryPoint, StorageAccount};
use coffre_control::usecase::{
    ItemView, Restore, RestoreWish, get_item_by_id, get_point_by_id, list_groups,
    list_storage_accounts, restore,
};
use coffre_control::{ErrorCode, Refusal};

use crate::az::AzCommand;
use crate::form::{Fields, all, first, ticked};
use crate::page::error::{log, status_of};
use crate::page::parse_id;
use crate::page::prelude::*;
use crate::view::TimeElement;
use crate::words;

#[derive(Template)]
#[template(path = "restore.html")]
struct RestorePage<'a> {
    view: &'a View,
    section: &'static str,
    item: String,
    point: String,
    name: &'a str,
    time: TimeElement,
    consistency: Status,
    reason: String,
    size: String,
    refused: Option<Notice>,
    accounts: Vec<AccountChoice>,
    disks: Vec<DiskChoice>,
    target: &'a str,
    groups: Vec<GroupChoice>,
    new_name: String,
    vm_present: bool,
    vm_notice: Option<Notice>,
    az: AzLines<'a>,
}

struct AccountChoice {
    name: String,
    label: String,
    chosen: bool,
}

struct GroupChoice {
    name: String,
    chosen: bool,
}

struct DiskChoice {
    /// None for the OS disk, which always comes.
    lun: Option<u32>,
    label: String,
    ticked: bool,
}

/// `GET /portal/items/{item}/points/{point}/restore`.
pub(crate) async fn show(
    State(app): State<App>,
    view: View,
    Path((item, point)): Path<(String, String)>,
) -> Answer {
    page(&app, &view, parse_id(&item)?, parse_id(&point)?, None, None).await
}

/// `POST /portal/items/{item}/points/{point}/restore`.
pub(crate) async fn start(
    State(app): State<App>,
    view: View,
    Path((item, point)): Path<(String, String)>,
    Form(fields): Fields,
) -> Answer {
    let (item, point): (ItemId, PointId) = (parse_id(&item)?, parse_id(&point)?);
    let started = match wish(&fields) {
        Ok(target) => {
            app.change("portal_restore", view.caller(), move |tx, cx| {
                restore(tx, cx, Restore { item, point, target }, "")
            })
            .await
        }
        Err(refusal) => Err(refusal),
    };
    match started {
        Ok(accepted) => go(format!("/portal/jobs/{}", accepted.job.id)),
        Err(refusal) => page(&app, &view, item, point, Some(&fields), Some(refusal)).await,
    }
}

fn wish(fields: &[(String, String)]) -> Result<RestoreWish, Refusal> {
    let luns = Some(all(fields, "lun").filter_map(|lun| lun.parse().ok()).collect());
    match first(fields, "target") {
        "folder" => Ok(RestoreWish::Disks { account: first(fields, "account").to_owned(), luns }),
        "new-vm" => Ok(RestoreWish::NewVm {
            name: first(fields, "vm_name").to_owned(),
            group: first(fields, "vm_group").to_owned(),
        }),
        "in-place" if ticked(fields, "sure") => Ok(RestoreWish::InPlace { luns }),
        "in-place" => Err(Refusal::new(
            ErrorCode::InvalidRequestContent,
            "A restore in place replaces the disks of the virtual machine. Confirm it with the \
             tick beneath, or restore into a folder.",
        )),
        _ => Err(Refusal::new(
            ErrorCode::InvalidRequestContent,
            "Choose where to restore: into a folder, in place, or as a new machine.",
        )),
    }
}

async fn page(
    app: &App,
    view: &View,
    item: ItemId,
    point: PointId,
    fields: Option<&[(String, String)]>,
    refusal: Option<Refusal>,
) -> Answer {
    let read = app.look("portal_restore_form", view.caller(), move |tx, cx| {
        let found = get_item_by_id(tx, cx, item)?;
        let point = get_point_by_id(tx, cx, point)?;
        let accounts = list_storage_accounts(tx, cx, found.vault.subscription)?;
        let groups = list_groups(tx, cx, found.vault.subscription)?;
        Ok((found, point, accounts, groups))
    });
    let (found, point, accounts, groups) = read.await?;
    if point.item != item {
        return Err(Problem::NoPage);
    }
    let status_code = refusal.as_ref().map_or(StatusCode::OK, |refusal| {
        log(refusal);
        status_of(refusal)
    });
    let groups = groups.into_iter().map(|group| group.name).collect();
    let accounts: Vec<StorageAccount> =
        accounts.into_iter().filter(|it| it.region == found.vault.region).collect();
    let asked = Asked { fields, refused: refusal.as_ref().map(|it| Notice::refusal(view, it)) };
    html_with(status_code, &filled(view, &found, &point, &accounts, groups, asked))
}

/// What the form held when it was sent, and why it came back.
struct Asked<'a> {
    fields: Option<&'a [(String, String)]>,
    refused: Option<Notice>,
}

fn filled<'a>(
    view: &'a View,
    found: &'a ItemView,
    point: &'a RecoveryPoint,
    accounts: &[StorageAccount],
    groups: Vec<String>,
    asked: Asked<'a>,
) -> RestorePage<'a> {
    let sent = |name| asked.fields.map_or("", |fields| first(fields, name));
    let account = |account: &StorageAccount| AccountChoice {
        name: account.name.clone(),
        label: format!("{} – {}", account.name, account.folder),
        chosen: account.name == sent("account"),
    };
    let group = |name: String| GroupChoice {
        chosen: match sent("vm_group") {
            "" => name.eq_ignore_ascii_case(&found.item.vm_group),
            wished => name == wished,
        },
        name,
    };
    RestorePage {
        view,
        section: "items",
        item: found.item.id.to_string(),
        point: point.id.to_string(),
        name: &found.item.vm_name,
        time: view.time_exact(point.time),
        consistency: status(view, words::consistency(point.consistency)),
        reason: view.say(&point.consistency_reason),
        size: view.bytes(point.size_bytes),
        accounts: accounts.iter().map(account).collect(),
        disks: disks(view, point, asked.fields),
        target: match sent("target") {
            "" if accounts.is_empty() => "new-vm",
            "" => "folder",
            target => target,
        },
        groups: groups.into_iter().map(group).collect(),
        new_name: match sent("vm_name") {
            "" => format!("{}-restored", found.item.vm_name),
            wished => wished.to_owned(),
        },
        vm_present: found.vm.as_ref().is_some_and(|vm| vm.missing_since.is_none()),
        vm_notice: vm_notice(view, found),
        az: az(view, commands(found, point, accounts.first())),
        refused: asked.refused,
    }
}

fn disks(
    view: &View,
    point: &RecoveryPoint,
    fields: Option<&[(String, String)]>,
) -> Vec<DiskChoice> {
    let choice = |disk: &coffre_control::model::PointDisk| DiskChoice {
        lun: disk.lun,
        label: match disk.lun {
            None => {
                format!("{} – {}, {}", disk.name, view.t("disk-os"), view.bytes(disk.size_bytes))
            }
            Some(lun) => format!(
                "{} – {}, {}",
                disk.name,
                view.t1("disk-lun", "lun", u64::from(lun)),
                view.bytes(disk.size_bytes)
            ),
        },
        ticked: match (disk.lun, fields) {
            (None, _) | (_, None) => true,
            (Some(lun), Some(fields)) => all(fields, "lun").any(|it| it == lun.to_string()),
        },
    };
    point.disks.iter().map(choice).collect()
}

/// What a restore in place does to the machine.
fn vm_notice(view: &View, found: &ItemView) -> Option<Notice> {
    let vm = found.vm.as_ref()?;
    let key = if vm.managed { "restore-stops-vm" } else { "restore-vm-must-be-off" };
    Some(Notice::new(Tone::Info, [view.t1(key, "hypervisor", &vm.hypervisor)]))
}

fn commands(
    found: &ItemView,
    point: &RecoveryPoint,
    account: Option<&StorageAccount>,
) -> Vec<AzCommand> {
    let Some(account) = account else { return Vec::new() };
    let restore = || {
        AzCommand::new("backup restore restore-disks")
            .option("--resource-group", &found.vault.group)
            .option("--vault-name", &found.vault.name)
            .option("--container-name", &found.item.vm_name)
            .option("--item-name", &found.item.vm_name)
            .option("--rp-name", &point.number.to_string())
            .option("--storage-account", &account.name)
    };
    vec![restore(), restore().option("--restore-mode", "OriginalLocation")]
}
