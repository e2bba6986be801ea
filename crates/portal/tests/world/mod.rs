//! A service's database with something of everything in it, for tests and for looking at pages.
//!
//! All of it is made by use-cases and by the job machine, as a worker would.

#![allow(dead_code, clippy::unwrap_used, missing_docs, unreachable_pub)]

pub mod browser;
pub mod html;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use coffre_control::id::{ItemId, JobId, PrincipalId, SubscriptionId, TenantId, VaultId, VmId};
use coffre_control::job::{Event, Failure, Next, Retry, StepFacts};
use coffre_control::model::*;
use coffre_control::port::{Db, JobFilter, Tx, tx};
use coffre_control::usecase::*;
use coffre_control::{Caller, Cx, ErrorCode, Refusal, Role};
use coffre_portal::PortalState;
use coffre_store::SqliteDb;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

pub const CLIENT_ID: &str = "00000000-0000-4000-8000-0000000000aa";
pub const SECRET: &str = "correct horse";
pub const SUBSCRIPTION: SubscriptionId = SubscriptionId(Uuid::from_u128(0x50b));
const GIB: u64 = 1 << 30;

/// A database and its clock.
pub struct World {
    pub db: Arc<SqliteDb>,
    now: Arc<AtomicI64>,
    ids: Arc<AtomicU64>,
}

fn vm_id(number: u128) -> VmId {
    VmId(Uuid::from_u128(0x0b_0000 + number))
}

/// Identity of a machine of [`World::full`], by its place in the list.
pub const WEB: u128 = 1;
pub const DATABASE: u128 = 2;
pub const OLD: u128 = 3;
pub const BUILD: u128 = 4;
pub const MAIL: u128 = 5;
pub const GONE: u128 = 6;
pub const FAR: u128 = 7;
pub const BUSY: u128 = 8;

impl World {
    /// After the first run: somebody to sign in as, a region, a group, nothing else.
    pub fn fresh() -> Self {
        let db = Arc::new(SqliteDb::memory().unwrap());
        let now: Timestamp = "2026-11-21T22:04:05Z".parse().unwrap();
        let world = Self {
            db,
            now: Arc::new(AtomicI64::new(now.as_second())),
            ids: Arc::new(AtomicU64::new(1)),
        };
        let principal = |id: &str, name: &str, kind, roles: &[Role]| Principal {
            id: id.parse().unwrap(),
            name: name.to_owned(),
            kind,
            secret_hash: hash_secret(SECRET, &[7; 16]),
            roles: roles.to_vec(),
            etag: 0,
        };
        let seed = Seed {
            subscription: Subscription {
                id: SUBSCRIPTION,
                name: "Coffre".to_owned(),
                tenant: TenantId(Uuid::from_u128(0x7e)),
                etag: 0,
            },
            region: region("local", "This host"),
            group: "coffre".to_owned(),
            principals: vec![
                principal(
                    CLIENT_ID,
                    "coffre-admin",
                    PrincipalKind::ServicePrincipal,
                    &[Role::Owner],
                ),
                principal(
                    &Uuid::from_u128(0xbb).to_string(),
                    "ann",
                    PrincipalKind::User,
                    &[Role::Owner],
                ),
                principal(
                    &Uuid::from_u128(0xcc).to_string(),
                    "reader",
                    PrincipalKind::User,
                    &[Role::Reader],
                ),
                principal(&Uuid::from_u128(0xdd).to_string(), "nobody", PrincipalKind::User, &[]),
            ],
            storage_account: StorageAccount {
                subscription: SUBSCRIPTION,
                group: "coffre".to_owned(),
                name: "restores".to_owned(),
                region: "local".to_owned(),
                folder: "/var/lib/coffre/restores".to_owned(),
                etag: 0,
            },
        };
        world.act(|tx, cx| first_run(tx, seed, cx.now)).unwrap();
        world
    }

    /// Machines, vaults, items in every state, points, and jobs in every state.
    pub fn full() -> Self {
        let world = Self::fresh();
        world.act(|tx, _| Ok(tx.put_region(&mut region("remote", "Second site"))?)).unwrap();
        world.discover();
        let vault = world.vault("shop-vault", "local", Redundancy::Geo);
        world.vault("archive", "local", Redundancy::Local);
        world.vault("far-vault", "remote", Redundancy::Zone);
        for (vm, backups) in [(WEB, 3_u8), (DATABASE, 2), (OLD, 1), (MAIL, 2), (GONE, 1), (BUSY, 1)]
        {
            let item = world.protect(
                vault,
                vm,
                if vm == DATABASE { "EnhancedPolicy" } else { "DefaultPolicy" },
            );
            for backup in 0..backups {
                world.pass(3600);
                world.back_up(item, vm, backup);
            }
        }
        world.fail_backup(world.item(DATABASE).id);
        let (old, mail) = (world.item(OLD).id, world.item(MAIL).id);
        world.act(|tx, cx| stop_protection(tx, cx, old, "")).unwrap();
        world.act(|tx, cx| delete_backup_data(tx, cx, mail, "")).unwrap();
        world.restore_files(world.item(WEB).id);
        world.rediscover_without(GONE);
        world.pass(600);
        world.half_way(world.item(BUSY).id);
        world
    }

    /// What the service would give the portal.
    pub fn state(&self) -> PortalState {
        let (now, ids) = (self.now.clone(), self.ids.clone());
        PortalState {
            db: self.db.clone(),
            clock: Arc::new(move || Timestamp::from_second(now.load(Ordering::Relaxed)).unwrap()),
            ids: Arc::new(move || next_id(&ids)),
            poke: Arc::new(|| {}),
            public_url: "https://coffre.test:8443".to_owned(),
        }
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_second(self.now.load(Ordering::Relaxed)).unwrap()
    }

    pub fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::Relaxed);
    }

    pub fn act<T>(
        &self,
        work: impl FnOnce(&mut dyn Tx, &Cx<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let caller = Caller {
            principal: PrincipalId(Uuid::from_u128(0xbb)),
            name: "ann".to_owned(),
            roles: vec![Role::Owner],
        };
        let ids = || next_id(&self.ids);
        let cx = Cx::new(&caller, self.now(), &ids);
        tx(&*self.db as &dyn Db, "test", |tx| work(tx, &cx))
    }

    pub fn item(&self, vm: u128) -> ProtectedItem {
        self.act(|tx, _| Ok(tx.item_of_vm(vm_id(vm))?)).unwrap().unwrap()
    }

    pub fn vm(&self, vm: u128) -> Vm {
        self.act(|tx, _| Ok(tx.vm(vm_id(vm))?)).unwrap().unwrap()
    }

    pub fn vault_named(&self, name: &str) -> Option<Vault> {
        self.act(|tx, _| Ok(tx.vault_named(SUBSCRIPTION, name)?)).unwrap()
    }

    pub fn jobs(&self) -> Vec<Job> {
        self.act(|tx, _| Ok(tx.jobs(&JobFilter::default())?)).unwrap()
    }

    pub fn points(&self, item: ItemId) -> Vec<RecoveryPoint> {
        self.act(|tx, _| Ok(tx.points(item)?)).unwrap()
    }

    pub fn vault(&self, name: &str, region: &str, redundancy: Redundancy) -> VaultId {
        let input = PutVault {
            subscription: SUBSCRIPTION,
            group: "coffre".to_owned(),
            name: name.to_owned(),
            region: region.to_owned(),
            settings: VaultPatch { redundancy: Some(redundancy), ..VaultPatch::default() },
        };
        self.act(|tx, cx| put_vault(tx, cx, input)).unwrap().0.id
    }

    pub fn protect(&self, vault: VaultId, vm: u128, policy: &str) -> ItemId {
        let input = EnableProtection {
            vault,
            vm: vm_id(vm),
            policy: policy.to_owned(),
            disk_selection: None,
        };
        self.act(|tx, cx| enable_protection(tx, cx, input, "")).unwrap().0.id
    }

    fn discover(&self) {
        let running = PowerState::Running;
        let ready = || AgentState::Ready { version: "7.2.19".to_owned() };
        let machines = vec![
            machine(WEB, "web-01", running, ready(), 2),
            machine(DATABASE, "db-01", running, AgentState::Silent, 3),
            machine(OLD, "old-erp", PowerState::Stopped, AgentState::NotConfigured, 1),
            machine(BUILD, "build-07", running, ready(), 1),
            machine(MAIL, "mail", running, ready(), 1),
            machine(GONE, "wiki", running, ready(), 1),
            machine(BUSY, "files", running, ready(), 2),
        ];
        self.record("qemu-1", "local", machines);
        self.record("qemu-2", "remote", vec![machine(FAR, "edge-01", running, ready(), 1)]);
    }

    /// So many machines that nobody protects, `vm-0000` and on.
    pub fn discover_many(&self, count: u128) {
        let machines = (0..count)
            .map(|at| {
                let number = 1000 + at;
                let ready = AgentState::Ready { version: "7.2.19".to_owned() };
                machine(number, &format!("vm-{at:04}"), PowerState::Running, ready, 1)
            })
            .collect();
        self.record("qemu-3", "local", machines);
    }

    fn record(&self, hypervisor: &str, region: &str, machines: Vec<DiscoveredVm>) {
        let found = Discovery {
            hypervisor: hypervisor.to_owned(),
            subscription: SUBSCRIPTION,
            group: "machines".to_owned(),
            region: region.to_owned(),
            machines,
        };
        self.act(|tx, cx| record_vms(tx, found, cx.now)).unwrap();
    }

    fn rediscover_without(&self, gone: u128) {
        self.act(|tx, cx| {
            let mut vm = tx.vm(vm_id(gone))?.unwrap();
            vm.missing_since = Some(cx.now);
            vm.power = PowerState::Unknown;
            Ok(tx.put_vm(&mut vm)?)
        })
        .unwrap();
    }

    fn back_up(&self, item: ItemId, vm: u128, number: u8) {
        self.act(|tx, cx| backup_now(tx, cx, item, None, "")).unwrap();
        let consistency = match (vm, number) {
            (OLD, _) => Consistency::Crash,
            (DATABASE, _) => Consistency::FileSystem,
            _ => Consistency::Application,
        };
        self.work(|step, _| {
            Ok(match step {
                Step::TakeSnapshot => StepFacts::Snapshot(self.snapshot(vm, consistency)),
                Step::TransferToVault => StepFacts::Transfer(TransferFacts {
                    read_bytes: if number == 0 { 6 * GIB } else { 412_000_000 },
                    new_bytes: if number == 0 { 4 * GIB } else { 388_000_000 },
                    stored_bytes: if number == 0 { 2 * GIB } else { 141_000_000 },
                    read_reason: (number == 0).then(|| "this is the first backup".to_owned()),
                }),
                _ => StepFacts::None,
            })
        });
    }

    fn snapshot(&self, vm: u128, consistency: Consistency) -> SnapshotFacts {
        let vm = self.vm(vm);
        let disk = |disk: &VmDisk| SnapshotDiskFacts {
            key: disk.key.clone(),
            size_bytes: disk.size_bytes,
            changed_bytes: None,
            unknown_reason: Some("no earlier point".to_owned()),
        };
        SnapshotFacts {
            consistency,
            reason: match consistency {
                Consistency::Application => "file systems frozen, freeze hooks ran",
                Consistency::FileSystem => "file systems frozen, no freeze hook in the guest",
                Consistency::Crash => "the machine was off",
            }
            .to_owned(),
            freeze_ms: (consistency != Consistency::Crash).then_some(38),
            taken: self.now(),
            disks: vm.disks.iter().map(disk).collect(),
            config: serde_json::json!({}),
        }
    }

    fn fail_backup(&self, item: ItemId) {
        self.pass(3600);
        self.act(|tx, cx| backup_now(tx, cx, item, None, "")).unwrap();
        self.work(|_, _| {
            Err(Failure {
                code: ErrorCode::UserErrorFsFreezeFailed,
                message: "The guest agent could not freeze '/srv/data': read-only file system."
                    .to_owned(),
                retry: Retry::Never,
            })
        });
    }

    fn restore_files(&self, item: ItemId) {
        self.pass(1800);
        let point = self.points(item)[0].id;
        let target = RestoreWish::Disks { account: "restores".to_owned(), luns: None };
        self.act(|tx, cx| restore(tx, cx, Restore { item, point, target }, "")).unwrap();
        self.work(|step, job| {
            Ok(match (step, &job.kind) {
                (
                    Step::PublishRestore,
                    JobKind::Restore { target: RestoreTarget::Disks { folder, .. }, .. },
                ) => StepFacts::Restore(RestoreFacts {
                    files: vec![
                        RestoredFile { disk: "os".to_owned(), path: format!("{folder}/os.qcow2") },
                        RestoredFile {
                            disk: String::new(),
                            path: format!("{folder}/machine.json"),
                        },
                    ],
                    written_bytes: 7 * GIB,
                }),
                _ => StepFacts::None,
            })
        });
    }

    /// A backup whose transfer has moved two fifths.
    fn half_way(&self, item: ItemId) {
        self.act(|tx, cx| backup_now(tx, cx, item, None, "")).unwrap();
        let owner = Uuid::from_u128(0xfe);
        let ttl = Duration::from_secs(30);
        let now = self.now();
        let (token, _) = self.act(|tx, _| lease_job(tx, owner, now, ttl)).unwrap().unwrap();
        self.act(|tx, _| begin_step(tx, token, now)).unwrap();
        self.pass(2);
        let facts = StepFacts::Snapshot(self.snapshot(BUSY, Consistency::Application));
        let event = Event::StepDone { step: Step::TakeSnapshot, facts };
        self.act(|tx, cx| report_job(tx, token, event, cx.now)).unwrap();
        self.act(|tx, cx| begin_step(tx, token, cx.now)).unwrap();
        self.pass(47);
        let progress = Progress {
            done_bytes: 2 * GIB,
            total_bytes: 5 * GIB,
            read_bytes: 2 * GIB,
            new_bytes: GIB,
            stored_bytes: GIB / 2,
        };
        self.act(|tx, cx| report_job(tx, token, Event::Progress(progress), cx.now)).unwrap();
    }

    /// Moves the job that runs on by a second and 20 MiB, as its worker would report.
    pub fn tick(&self) {
        self.pass(1);
        self.act(|tx, _| {
            for mut job in tx.jobs(&JobFilter::default())? {
                if job.state == JobState::Running {
                    let progress = &mut job.progress;
                    progress.done_bytes =
                        (progress.done_bytes + (20 << 20)).min(progress.total_bytes);
                    tx.put_job(&mut job)?;
                }
            }
            Ok(())
        })
        .unwrap();
    }

    /// Does all work that is due, as a worker would.
    pub fn work(&self, perform: impl Fn(Step, &Job) -> Result<StepFacts, Failure>) {
        let owner = Uuid::from_u128(0xfe);
        let ttl = Duration::from_secs(30);
        while let Some((token, _)) = self.act(|tx, cx| lease_job(tx, owner, cx.now, ttl)).unwrap() {
            loop {
                self.pass(4);
                let (job, next) = self.act(|tx, cx| begin_step(tx, token, cx.now)).unwrap();
                let event = match next {
                    Next::Do(step) => match perform(step, &job) {
                        Ok(facts) => Event::StepDone { step, facts },
                        Err(failure) => Event::StepFailed { step, failure },
                    },
                    Next::Undo(step) => Event::StepUndone { step },
                    Next::Wait(_) | Next::Done => break,
                };
                let job = self.act(|tx, cx| report_job(tx, token, event, cx.now)).unwrap();
                if job.state.is_ended() {
                    break;
                }
            }
        }
    }

    pub fn job(&self, id: JobId) -> Job {
        self.act(|tx, _| Ok(tx.job(id)?)).unwrap().unwrap()
    }
}

fn next_id(ids: &AtomicU64) -> Uuid {
    Uuid::from_u128(
        0x0c0f_fee0_0000_4000_8000_0000_0000_0000 + u128::from(ids.fetch_add(1, Ordering::Relaxed)),
    )
}

fn region(name: &str, display_name: &str) -> Region {
    Region {
        name: name.to_owned(),
        display_name: display_name.to_owned(),
        paired: None,
        store_url: "memory:///vaults".to_owned(),
        etag: 0,
    }
}

fn machine(
    number: u128,
    name: &str,
    power: PowerState,
    agent: AgentState,
    disks: u32,
) -> DiscoveredVm {
    let disk = |at: u32| VmDisk {
        key: if at == 0 { "os".to_owned() } else { format!("data{at}") },
        lun: at.checked_sub(1),
        name: if at == 0 { format!("{name}-os") } else { format!("{name}-data-{at}") },
        size_bytes: if at == 0 { 20 * GIB } else { 100 * GIB },
        format: if at == 0 { DiskFormat::Qcow2 } else { DiskFormat::Raw },
    };
    DiscoveredVm {
        id: vm_id(number),
        name: name.to_owned(),
        os_type: OsType::Linux,
        power,
        agent,
        cpus: 2,
        memory_bytes: 4 * GIB,
        managed: number == WEB,
        disks: (0..disks).map(disk).collect(),
    }
}

/// Days as seconds.
pub fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}
