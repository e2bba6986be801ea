//! A small installation to play in: one subscription, two regions, three VMs.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use coffre_control::id::{ItemId, SubscriptionId, TenantId, VaultId, VmId};
use coffre_control::model::*;
use coffre_control::port::{Db, Tx, tx};
use coffre_control::usecase::{self, *};
use coffre_control::{Caller, Cx, Refusal, Role};
use coffre_store::SqliteDb;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

pub(crate) const START: &str = "2026-11-21T08:00:00Z";

/// A database with a clock and a source of ids.
pub(crate) struct Scene {
    pub(crate) db: Box<dyn Db>,
    pub(crate) now: Cell<Timestamp>,
    ids: AtomicU64,
    pub(crate) subscription: SubscriptionId,
    pub(crate) caller: Caller,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::on(Box::new(SqliteDb::memory().unwrap()))
    }

    pub(crate) fn on(db: Box<dyn Db>) -> Self {
        let scene = Self {
            db,
            now: Cell::new(START.parse().unwrap()),
            ids: AtomicU64::new(0x1000),
            subscription: SubscriptionId(Uuid::from_u128(0xabc)),
            caller: Caller {
                principal: coffre_control::id::PrincipalId(Uuid::from_u128(1)),
                name: "ann".into(),
                roles: vec![Role::Owner],
                grants: Vec::new(),
            },
        };
        scene.seed();
        scene
    }

    fn seed(&self) {
        let seed = Seed {
            subscription: Subscription {
                id: self.subscription,
                name: "Home".into(),
                tenant: TenantId(Uuid::from_u128(2)),
                etag: 0,
            },
            region: region("local"),
            group: "rg".into(),
            principals: vec![Principal {
                id: coffre_control::id::PrincipalId(Uuid::from_u128(1)),
                name: "ann".into(),
                kind: PrincipalKind::User,
                secret_hash: hash_secret("open sesame", b"0123456789abcdef"),
                roles: vec![Role::Owner],
                etag: 0,
            }],
            storage_account: StorageAccount {
                subscription: self.subscription,
                group: "rg".into(),
                name: "restores".into(),
                region: "local".into(),
                folder: "/srv/restores".into(),
                etag: 0,
            },
        };
        tx(&*self.db, "seed", |tx| {
            assert!(first_run(tx, seed, self.now.get())?);
            tx.put_region(&mut region("remote"))?;
            record_vms(tx, self.discovery("local", &[vm(1, "web"), vm(2, "db")]), self.now.get())?;
            record_vms(tx, self.discovery("remote", &[vm(3, "far")]), self.now.get())?;
            Ok(())
        })
        .unwrap();
    }

    /// What the hypervisor of a region says.
    pub(crate) fn discovery(&self, region: &str, machines: &[DiscoveredVm]) -> Discovery {
        Discovery {
            hypervisor: format!("host-{region}"),
            subscription: self.subscription,
            group: "rg".into(),
            region: region.into(),
            machines: machines.to_vec(),
        }
    }

    /// Runs something as the scene's caller, in a transaction.
    pub(crate) fn act<T>(
        &self,
        work: impl FnOnce(&mut dyn Tx, &Cx<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let ids = || self.id();
        let cx = Cx::new(&self.caller, self.now.get(), &ids);
        tx(&*self.db, "test", |tx| work(tx, &cx))
    }

    pub(crate) fn id(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.ids.fetch_add(1, Ordering::Relaxed)))
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.now.set(self.now.get() + SignedDuration::from_secs(seconds));
    }

    pub(crate) fn vault(&self, name: &str, region: &str) -> Vault {
        self.act(|tx, cx| put_vault(tx, cx, self.put_vault(name, region))).unwrap().0
    }

    pub(crate) fn put_vault(&self, name: &str, region: &str) -> PutVault {
        PutVault {
            subscription: self.subscription,
            group: "rg".into(),
            name: name.into(),
            region: region.into(),
            settings: VaultPatch::default(),
        }
    }

    pub(crate) fn protect(&self, vault: VaultId, vm: u128) -> Result<ProtectedItem, Refusal> {
        let input = EnableProtection {
            vault,
            vm: VmId(Uuid::from_u128(vm)),
            policy: "DefaultPolicy".into(),
            disk_selection: None,
        };
        self.act(|tx, cx| enable_protection(tx, cx, input, "")).map(|(item, _)| item)
    }

    pub(crate) fn item(&self, id: ItemId) -> ProtectedItem {
        self.act(|tx, cx| get_item_by_id(tx, cx, id)).unwrap().item
    }

    pub(crate) fn points(&self, id: ItemId) -> Vec<RecoveryPoint> {
        self.act(|tx, cx| list_points(tx, cx, id)).unwrap()
    }

    pub(crate) fn backup(&self, id: ItemId) -> Result<Job, Refusal> {
        self.act(|tx, cx| backup_now(tx, cx, id, None, "")).map(|accepted| accepted.job)
    }

    pub(crate) fn job(&self, id: coffre_control::id::JobId) -> Job {
        self.act(|tx, cx| usecase::get_job(tx, cx, id)).unwrap()
    }

    /// A worker that does well, until there is nothing to do.
    pub(crate) fn work(&self) -> u32 {
        let owner = self.id();
        let mut jobs = 0;
        while let Some(token) = self.lease(owner) {
            jobs += 1;
            while self.one_step(token) {}
        }
        jobs
    }

    pub(crate) fn lease(&self, owner: Uuid) -> Option<LeaseToken> {
        let ttl = std::time::Duration::from_secs(30);
        self.act(|tx, cx| lease_job(tx, owner, cx.now, ttl)).unwrap().map(|(token, _)| token)
    }

    /// Does the next step of a leased job well; says whether there was one.
    pub(crate) fn one_step(&self, token: LeaseToken) -> bool {
        let (job, next) = self.act(|tx, cx| begin_step(tx, token, cx.now)).unwrap();
        self.pass(1);
        let event = match next {
            coffre_control::job::Next::Do(step) => {
                coffre_control::job::Event::StepDone { step, facts: facts_of(step, cx_time(self)) }
            }
            coffre_control::job::Next::Undo(step) => {
                coffre_control::job::Event::StepUndone { step }
            }
            coffre_control::job::Next::Wait(_) | coffre_control::job::Next::Done => return false,
        };
        let after = self.act(|tx, cx| report_job(tx, token, event, cx.now)).unwrap();
        assert_eq!(after.id, job.id);
        !after.state.is_ended()
    }
}

fn cx_time(scene: &Scene) -> Timestamp {
    scene.now.get()
}

pub(crate) fn facts_of(step: Step, now: Timestamp) -> coffre_control::job::StepFacts {
    use coffre_control::job::StepFacts;
    match step {
        Step::TakeSnapshot => StepFacts::Snapshot(SnapshotFacts {
            consistency: Consistency::FileSystem,
            reason: "the guest froze its file systems".into(),
            freeze_ms: Some(12),
            freeze: None,
            taken: now,
            disks: vec![
                SnapshotDiskFacts {
                    key: "os".into(),
                    size_bytes: 4 << 30,
                    changed_bytes: None,
                    unknown_reason: Some("first backup".into()),
                },
                SnapshotDiskFacts {
                    key: "data".into(),
                    size_bytes: 1 << 30,
                    changed_bytes: None,
                    unknown_reason: Some("first backup".into()),
                },
            ],
            config: serde_json::json!({"machine": "q35"}),
            local: None,
        }),
        Step::TransferToVault => StepFacts::Transfer(TransferFacts {
            read_bytes: 5 << 20,
            new_bytes: 3 << 20,
            stored_bytes: 1 << 20,
            read_reason: Some("first backup".into()),
        }),
        _ => StepFacts::None,
    }
}

pub(crate) fn region(name: &str) -> Region {
    Region {
        name: name.into(),
        display_name: name.to_uppercase(),
        paired: None,
        store_url: format!("file:///srv/vaults/{name}/"),
        etag: 0,
    }
}

pub(crate) fn vm(id: u128, name: &str) -> DiscoveredVm {
    DiscoveredVm {
        id: VmId(Uuid::from_u128(id)),
        name: name.into(),
        os_type: OsType::Linux,
        power: PowerState::Running,
        agent: AgentState::Ready { version: "9.2".into() },
        extension: ExtensionState::NotOffered,
        cpus: 2,
        memory_bytes: 1 << 30,
        managed: id != 2,
        disks: vec![disk("os", None, 4 << 30), disk("data", Some(0), 1 << 30)],
    }
}

fn disk(key: &str, lun: Option<u32>, size_bytes: u64) -> VmDisk {
    VmDisk { key: key.into(), lun, name: key.into(), size_bytes, format: DiskFormat::Qcow2 }
}
