//! A service's database with something of everything in it, for tests and for looking at pages.
//!
//! All of it is made by use-cases and by the job machine, as a worker would.

#![allow(dead_code, clippy::unwrap_used, missing_docs, unreachable_pub)]

pub mod browser;
pub mod html;
mod seed;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use coffre_control::id::{ItemId, JobId, PrincipalId, SubscriptionId, TenantId, VaultId, VmId};
use coffre_control::job::{Event, Failure, Next, StepFacts};
use coffre_control::model::*;
use coffre_control::port::{Db, JobFilter, Tx, tx};
use coffre_control::usecase::*;
use coffre_control::{Caller, Cx, Refusal, Role};
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
    pub devices: Arc<coffre_control::device::DeviceCodes>,
    pub attempts: Arc<coffre_control::attempts::Attempts>,
}

/// The machine [`WEB`] has a log with everything in it that a guest could send, [`DATABASE`] a
/// long one, [`OLD`] cannot be read, and all others have none.
fn guest_logs(vm: VmId) -> Result<Vec<coffre_portal::GuestLog>, String> {
    let log = |path: &str, text: String| coffre_portal::GuestLog { path: path.to_owned(), text };
    match vm.0.as_u128() - 0x0b_0000 {
        WEB => Ok(vec![
            log(
                "/var/log/azure/VMSnapshotLinux/extension.log",
                "08:00:01 freeze: 2 file systems\r\n<img src=x onerror=alert(1)>\u{1b}[31m\u{202e}txt\0\n"
                    .to_owned(),
            ),
            log("/var/log/<b>empty</b>", String::new()),
        ]),
        DATABASE => Ok(vec![log("/var/log/long", "a line of a log\n".repeat(20_000))]),
        OLD => Err("the guest agent did not answer <within> 5 s".to_owned()),
        _ => Ok(Vec::new()),
    }
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
        Self::fresh_on(SqliteDb::memory().unwrap())
    }

    /// The same on a database of its own.
    pub fn fresh_on(db: SqliteDb) -> Self {
        let db = Arc::new(db);
        let now: Timestamp = "2026-11-21T22:04:05Z".parse().unwrap();
        let world = Self {
            db,
            now: Arc::new(AtomicI64::new(now.as_second())),
            ids: Arc::new(AtomicU64::new(1)),
            devices: Arc::default(),
            attempts: Arc::default(),
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

    /// What the service would give the portal.
    pub fn state(&self) -> PortalState {
        let (now, ids) = (self.now.clone(), self.ids.clone());
        PortalState {
            db: self.db.clone(),
            clock: Arc::new(move || Timestamp::from_second(now.load(Ordering::Relaxed)).unwrap()),
            ids: Arc::new(move || next_id(&ids)),
            guest_logs: Arc::new(guest_logs),
            poke: Arc::new(|| {}),
            devices: self.devices.clone(),
            attempts: self.attempts.clone(),
            provider: None,
            factor_key: coffre_control::factor::FactorKey::new(&[5; 32]),
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
            grants: Vec::new(),
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

/// Days as seconds.
pub fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

/// All that a form could change, to compare.
pub fn digest(world: &World) -> String {
    world
        .act(|tx, _| {
            let mut all = format!("{:?}", tx.vms(SUBSCRIPTION)?);
            for vault in tx.vaults(SUBSCRIPTION)? {
                all.push_str(&format!("{vault:?}{:?}", tx.items(vault.id)?));
            }
            all.push_str(&format!("{:?}", tx.jobs(&Default::default())?));
            Ok(all)
        })
        .unwrap()
}
