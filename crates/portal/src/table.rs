//! The tables that several pages show. Each prints itself.

use std::collections::BTreeMap;

use askama::Template;
use askama::filters::HtmlSafe;
use coffre_control::Action;
use coffre_control::id::{ItemId, VaultId, VmId};
use coffre_control::model::{ItemState, Job, ProtectedItem, RecoveryPoint, Region, Vault, Vm};

use crate::component::{Status, Tone, status};
use crate::inventory::region_label;
use crate::sort::Sort;
use crate::view::{TimeElement, View};
use crate::words;

/// VMs with their protection.
#[derive(Template)]
#[template(path = "table/vms.html")]
pub(crate) struct VmTable<'a> {
    view: &'a View,
    rows: Vec<VmRow>,
    sort: Sort,
}

struct VmRow {
    id: String,
    name: String,
    group: String,
    region: String,
    power: Status,
    agent: Status,
    protection: Status,
    item: Option<String>,
}

impl HtmlSafe for VmTable<'_> {}

impl<'a> VmTable<'a> {
    pub(crate) fn new(
        view: &'a View,
        regions: &[Region],
        items: &BTreeMap<VmId, &ProtectedItem>,
        vms: impl IntoIterator<Item = &'a Vm>,
    ) -> Self {
        let rows = vms.into_iter().map(|vm| {
            let item = items.get(&vm.id);
            VmRow {
                id: vm.id.to_string(),
                name: vm.name.clone(),
                group: vm.group.clone(),
                region: region_label(regions, &vm.region).to_owned(),
                power: power(view, vm),
                agent: agent(view, vm),
                protection: match item {
                    Some(item) => status(view, words::item(item)),
                    None => status(view, (Tone::Idle, "vm-not-protected")),
                },
                item: item.map(|item| item.id.to_string()),
            }
        });
        Self { view, rows: rows.collect(), sort: Sort::default() }
    }

    /// The same with headings that order the list.
    pub(crate) fn sorted(mut self, sort: Sort) -> Self {
        self.sort = sort;
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Power state, or why it is not known.
pub(crate) fn power(view: &View, vm: &Vm) -> Status {
    if vm.missing_since.is_some() {
        status(view, (Tone::Bad, "vm-missing"))
    } else if vm.unreachable_since.is_some() {
        status(view, (Tone::Warn, "vm-unreachable"))
    } else {
        status(view, words::power(vm.power))
    }
}

/// State of the guest agent, which nobody knows while the machine cannot be reached.
pub(crate) fn agent(view: &View, vm: &Vm) -> Status {
    if vm.missing_since.is_some() || vm.unreachable_since.is_some() {
        return status(view, (Tone::Idle, "power-unknown"));
    }
    status(view, words::agent(&vm.agent))
}

/// Backup items.
#[derive(Template)]
#[template(path = "table/items.html")]
pub(crate) struct ItemTable<'a> {
    view: &'a View,
    rows: Vec<ItemRow>,
    with_vault: bool,
    sort: Sort,
}

struct ItemRow {
    id: String,
    name: String,
    group: String,
    vault: Option<(VaultId, String)>,
    policy: String,
    state: Status,
    last_backup: Option<(Status, Option<TimeElement>)>,
    last_point: Option<TimeElement>,
    health: Status,
    menu: ItemMenu,
}

impl HtmlSafe for ItemTable<'_> {}

impl<'a> ItemTable<'a> {
    pub(crate) fn new(
        view: &'a View,
        vaults: &BTreeMap<VaultId, &str>,
        items: impl IntoIterator<Item = &'a ProtectedItem>,
    ) -> Self {
        let rows = items.into_iter().map(|item| ItemRow {
            id: item.id.to_string(),
            name: item.vm_name.clone(),
            group: item.vm_group.clone(),
            vault: vaults.get(&item.vault).map(|name| (item.vault, (*name).to_owned())),
            policy: item.policy.clone().unwrap_or_default(),
            state: status(view, words::item(item)),
            last_backup: words::last_backup(item).map(|last| {
                (status(view, last), item.last_backup.as_ref().map(|it| view.time(it.time)))
            }),
            last_point: item.last_point.map(|point| view.time(point.time)),
            health: status(view, words::health(&item.health)),
            menu: ItemMenu::new(view, item),
        });
        Self { view, rows: rows.collect(), with_vault: true, sort: Sort::default() }
    }

    /// The same with headings that order the list.
    pub(crate) fn sorted(mut self, sort: Sort) -> Self {
        self.sort = sort;
        self
    }

    /// The same without the column that would say the same in every row.
    pub(crate) fn of_one_vault(mut self) -> Self {
        self.with_vault = false;
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// What can be done with an item, behind the three dots of its row.
#[derive(Template)]
#[template(path = "component/item_menu.html")]
struct ItemMenu {
    id: String,
    csrf: String,
    label: String,
    links: Vec<(String, String)>,
    undelete: Option<String>,
}

impl HtmlSafe for ItemMenu {}

impl ItemMenu {
    fn new(view: &View, item: &ProtectedItem) -> Self {
        let may = item_may(view, item, false);
        let at = |end: &str| format!("/portal/items/{}/{end}", item.id);
        let mut links = Vec::new();
        let mut link = |when: bool, address: String, key: &str| {
            if when {
                links.push((address, view.t(key)));
            }
        };
        link(may.back_up, at("backup"), "backup-now");
        if let Some(point) = &item.last_point {
            link(may.restore, at(&format!("points/{}/restore", point.id)), "restore");
        }
        link(may.resume, at("policy"), "item-resume");
        link(may.change_policy, at("policy"), "item-change-policy");
        link(may.stop, at("stop"), "item-stop");
        link(may.delete, at("stop"), "item-delete");
        Self {
            id: item.id.to_string(),
            csrf: view.csrf.clone(),
            label: view.t1("menu-of", "name", &item.vm_name),
            links,
            undelete: may.undelete.then(|| view.t("item-undelete")),
        }
    }
}

/// What an item's state and the reader's roles allow.
pub(crate) struct ItemMay {
    pub(crate) back_up: bool,
    pub(crate) restore: bool,
    pub(crate) resume: bool,
    pub(crate) change_policy: bool,
    pub(crate) stop: bool,
    pub(crate) delete: bool,
    pub(crate) undelete: bool,
}

/// The same; a busy item waits for the end of its job.
pub(crate) fn item_may(view: &View, item: &ProtectedItem, busy: bool) -> ItemMay {
    let active = item.state.is_active();
    let stopped = matches!(item.state, ItemState::Stopped | ItemState::Suspended);
    let deleted = matches!(item.state, ItemState::SoftDeleted { .. });
    let free = |action| !busy && view.may(action);
    ItemMay {
        back_up: active && free(Action::BackupNow),
        restore: !deleted && view.may(Action::Restore),
        resume: stopped && view.may(Action::EnableProtection),
        change_policy: active && view.may(Action::EnableProtection),
        stop: active && free(Action::StopProtection),
        delete: stopped && free(Action::DeleteBackupData),
        undelete: deleted && free(Action::Undelete),
    }
}

/// Jobs.
#[derive(Template)]
#[template(path = "table/jobs.html")]
pub(crate) struct JobTable<'a> {
    view: &'a View,
    rows: Vec<JobRow>,
}

struct JobRow {
    id: String,
    name: String,
    operation: String,
    status: Status,
    started: Option<TimeElement>,
    duration: String,
    /// While it runs and the total is known.
    done: Option<String>,
}

impl HtmlSafe for JobTable<'_> {}

impl<'a> JobTable<'a> {
    pub(crate) fn new(view: &'a View, jobs: impl IntoIterator<Item = &'a Job>) -> Self {
        let rows = jobs.into_iter().map(|job| JobRow {
            id: job.id.to_string(),
            name: job.name.clone(),
            operation: view.t(words::operation(&job.kind)),
            status: status(view, words::job_now(job)),
            started: job.started.map(|time| view.time(time)),
            duration: duration(view, job),
            done: percent(job).map(|value| view.t1("percent", "value", value)),
        });
        Self { view, rows: rows.collect() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// How long a job has run; the wait before its start is no part of it.
pub(crate) fn duration(view: &View, job: &Job) -> String {
    match job.started {
        Some(_) => view.seconds(job.seconds(view.now)),
        None => "–".to_owned(),
    }
}

/// How much of a running job's bytes is done, in hundredths; none when there is nothing to tell.
pub(crate) fn percent(job: &Job) -> Option<u64> {
    let progress = &job.progress;
    if job.state.is_ended() || progress.total_bytes == 0 {
        return None;
    }
    let done = u128::from(progress.done_bytes.min(progress.total_bytes)) * 100;
    u64::try_from(done / u128::from(progress.total_bytes)).ok()
}

/// Recovery points.
#[derive(Template)]
#[template(path = "table/points.html")]
pub(crate) struct PointTable<'a> {
    view: &'a View,
    rows: Vec<PointRow>,
    with_item: bool,
    restorable: bool,
}

struct PointRow {
    id: String,
    item: ItemId,
    name: String,
    time: TimeElement,
    consistency: Status,
    reason: String,
    size: String,
    moved: String,
    freeze: String,
    expires: Option<TimeElement>,
    tiers: String,
    read_reason: Option<String>,
    validated: bool,
}

impl HtmlSafe for PointTable<'_> {}

impl<'a> PointTable<'a> {
    pub(crate) fn new(
        view: &'a View,
        names: &BTreeMap<ItemId, &str>,
        points: impl IntoIterator<Item = &'a RecoveryPoint>,
    ) -> Self {
        let rows = points.into_iter().map(|point| PointRow {
            id: point.id.to_string(),
            item: point.item,
            name: names.get(&point.item).copied().unwrap_or_default().to_owned(),
            time: view.time_exact(point.time),
            consistency: status(view, words::consistency(point.consistency)),
            reason: view.say(&point.consistency_reason),
            size: view.bytes(point.size_bytes),
            moved: view.t2(
                "point-moved",
                "read",
                &view.bytes(point.stats.read_bytes),
                "stored",
                &view.bytes(point.stats.stored_bytes),
            ),
            freeze: match point.stats.freeze_ms {
                Some(freeze) => view.millis(freeze),
                None => view.t("point-no-freeze"),
            },
            expires: point.expires.map(|time| view.time(time)),
            tiers: words::tiers(view, point),
            read_reason: point.read_reason.as_deref().map(|reason| view.say(reason)),
            validated: point.validated,
        });
        Self { view, rows: rows.collect(), with_item: true, restorable: false }
    }

    /// The same for one item, with the way to a restore when there is one.
    pub(crate) fn of_one_item(mut self, restorable: bool) -> Self {
        self.with_item = false;
        self.restorable = restorable;
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Vaults.
#[derive(Template)]
#[template(path = "table/vaults.html")]
pub(crate) struct VaultTable<'a> {
    view: &'a View,
    rows: Vec<VaultRow>,
}

struct VaultRow {
    id: String,
    name: String,
    group: String,
    region: String,
    redundancy: String,
    items: String,
}

impl HtmlSafe for VaultTable<'_> {}

impl<'a> VaultTable<'a> {
    /// Vaults, each with the number of its items.
    pub(crate) fn new(view: &'a View, regions: &[Region], vaults: &[(Vault, u64)]) -> Self {
        let row = |(vault, items): &(Vault, u64)| VaultRow {
            id: vault.id.to_string(),
            name: vault.name.clone(),
            group: vault.group.clone(),
            region: region_label(regions, &vault.region).to_owned(),
            redundancy: view.t(words::redundancy(vault.redundancy)),
            items: view.number(*items),
        };
        Self { view, rows: vaults.iter().map(row).collect() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}
