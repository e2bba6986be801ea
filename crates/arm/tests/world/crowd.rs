//! A large installation for benchmarks: as many machines, vaults, items, jobs and points as asked for, made by the
//! use-cases where that is quick, and as copies of what they made where it is not.

#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)] // Each example uses a part of it.

use coffre_control::id::{ItemId, JobId, PointId, SubscriptionId, VaultId, VmId};
use coffre_control::model::{
    AgentState, Consistency, DiskFormat, Job, JobKind, JobState, OsType, PointStats, PointTier,
    PowerState, ProtectedItem, RecoveryPoint, VmDisk, VmSnapshot,
};
use coffre_control::port::{Db, Tx, tx};
use coffre_control::usecase::{
    DiscoveredVm, Discovery, EnableProtection, PutVault, VaultPatch, enable_protection, put_vault,
    record_vms,
};
use coffre_control::{Caller, Cx, Refusal};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use uuid::Uuid;

/// How much there is.
pub struct Crowd {
    pub subscription: SubscriptionId,
    pub region: &'static str,
    /// The resource group of the vaults, which is there.
    pub group: &'static str,
    pub vms: u32,
    pub vaults: u32,
    /// Items of the first vault; the other vaults share the other items.
    pub items_of_first: u32,
    pub items: u32,
    pub jobs: u32,
    /// Points of each item, and of the first one.
    pub points: u32,
    pub points_of_first: u32,
}

/// What was made.
pub struct Made {
    pub vaults: Vec<VaultId>,
    pub items: Vec<ItemId>,
    pub jobs: Vec<JobId>,
}

const HOSTS: u32 = 20;

impl Crowd {
    /// Fills a database that has had its first run.
    pub fn fill(&self, db: &dyn Db, now: Timestamp) -> Made {
        tx(db, "machines", |tx| self.machines(tx, now)).unwrap();
        let vaults = tx(db, "vaults", |tx| self.vaults(tx, now)).unwrap();
        let items = tx(db, "items", |tx| self.items(tx, &vaults, now)).unwrap();
        tx(db, "points", |tx| self.points(tx, &items, now)).unwrap();
        let jobs = tx(db, "jobs", |tx| self.jobs(tx, &items, now)).unwrap();
        Made { vaults, items: items.iter().map(|item| item.id).collect(), jobs }
    }

    fn machines(&self, tx: &mut dyn Tx, now: Timestamp) -> Result<(), Refusal> {
        for host in 0..HOSTS {
            let numbers = (0..self.vms).filter(|number| number % HOSTS == host);
            let discovery = Discovery {
                hypervisor: format!("host-{host:02}"),
                subscription: self.subscription,
                group: format!("machines-{:02}", host % 5),
                region: self.region.to_owned(),
                machines: numbers.map(machine).collect(),
            };
            record_vms(tx, discovery, now)?;
        }
        Ok(())
    }

    fn vaults(&self, tx: &mut dyn Tx, now: Timestamp) -> Result<Vec<VaultId>, Refusal> {
        let caller = Caller::system();
        let cx = Cx::new(&caller, now, &Uuid::new_v4);
        let mut vaults = Vec::new();
        for number in 0..self.vaults {
            let input = PutVault {
                subscription: self.subscription,
                group: self.group.to_owned(),
                name: format!("crowd-{number:05}"),
                region: self.region.to_owned(),
                settings: VaultPatch::default(),
            };
            vaults.push(put_vault(tx, &cx, input)?.0.id);
        }
        Ok(vaults)
    }

    fn items(
        &self,
        tx: &mut dyn Tx,
        vaults: &[VaultId],
        now: Timestamp,
    ) -> Result<Vec<ProtectedItem>, Refusal> {
        let caller = Caller::system();
        let cx = Cx::new(&caller, now, &Uuid::new_v4);
        let mut items = Vec::new();
        for number in 0..self.items {
            let others = vaults.len() - 1;
            let vault = match number.checked_sub(self.items_of_first) {
                Some(rest) if others > 0 => vaults[1 + rest as usize % others],
                _ => vaults[0],
            };
            let policy = "DefaultPolicy".to_owned();
            let vm = vm_id(number);
            let input = EnableProtection { vault, vm, policy, disk_selection: None };
            let (item, accepted) = enable_protection(tx, &cx, input, "")?;
            let mut job = tx.job(accepted.job.id)?.expect("the job was just made");
            end(&mut job, now, JobState::Completed);
            tx.put_job(&mut job)?;
            items.push(item);
        }
        Ok(items)
    }

    fn points(
        &self,
        tx: &mut dyn Tx,
        items: &[ProtectedItem],
        now: Timestamp,
    ) -> Result<(), Refusal> {
        for (at, item) in items.iter().enumerate() {
            let count = if at == 0 { self.points_of_first } else { self.points };
            for age in 0..count {
                tx.put_point(&mut point(
                    item,
                    now - SignedDuration::from_hours(24 * i64::from(age)),
                ))?;
            }
        }
        Ok(())
    }

    fn jobs(
        &self,
        tx: &mut dyn Tx,
        items: &[ProtectedItem],
        now: Timestamp,
    ) -> Result<Vec<JobId>, Refusal> {
        let filter = coffre_control::port::JobFilter { limit: Some(1), ..Default::default() };
        let pattern = tx.jobs(&filter)?.pop().expect("enabling makes a job");
        let mut ids = Vec::new();
        for number in 0..self.jobs {
            let item = &items[number as usize % items.len()];
            let created = now - SignedDuration::from_secs(60 * i64::from(number));
            let point = PointId(Uuid::new_v4());
            let mut job = Job {
                id: JobId(Uuid::new_v4()),
                vault: Some(item.vault),
                item: Some(item.id),
                vm: Some(item.vm),
                name: item.vm_name.clone(),
                kind: JobKind::Backup { point, retain_until: None, scheduled: true },
                created,
                etag: 0,
                ..pattern.clone()
            };
            let failed = number % 50 == 7;
            end(&mut job, created, if failed { JobState::Failed } else { JobState::Completed });
            tx.put_job(&mut job)?;
            ids.push(job.id);
        }
        Ok(ids)
    }
}

fn end(job: &mut Job, at: Timestamp, state: JobState) {
    job.started = Some(at);
    job.ended = Some(at + SignedDuration::from_secs(42));
    job.state = state;
    job.lease = None;
}

fn vm_id(number: u32) -> VmId {
    VmId(Uuid::from_u128((0xc0_u128 << 64) + u128::from(number)))
}

fn disks() -> Vec<VmDisk> {
    let disk = |key: &str, lun| VmDisk {
        key: key.to_owned(),
        lun,
        name: key.to_owned(),
        size_bytes: 8 << 30,
        format: DiskFormat::Qcow2,
    };
    vec![disk("os", None), disk("data0", Some(0))]
}

fn machine(number: u32) -> DiscoveredVm {
    DiscoveredVm {
        id: vm_id(number),
        name: format!("machine-{number:05}"),
        os_type: OsType::Linux,
        power: PowerState::Running,
        agent: AgentState::Ready { version: "7.2".to_owned() },
        extension: Default::default(),
        cpus: 2,
        memory_bytes: 4 << 30,
        managed: true,
        disks: disks(),
    }
}

fn point(item: &ProtectedItem, time: Timestamp) -> RecoveryPoint {
    let id = PointId(Uuid::new_v4());
    RecoveryPoint {
        id,
        number: time.as_microsecond().unsigned_abs(),
        vault: item.vault,
        item: item.id,
        time,
        consistency: Consistency::FileSystem,
        consistency_reason: "the guest froze its file systems".to_owned(),
        size_bytes: 16 << 30,
        disks: Vec::new(),
        vm: VmSnapshot {
            name: item.vm_name.clone(),
            group: item.vm_group.clone(),
            os_type: OsType::Linux,
            cpus: 2,
            memory_bytes: 4 << 30,
            disks: disks(),
            config: Value::Null,
        },
        tiers: vec![PointTier::Vault],
        local: None,
        expires: None,
        rule: "Daily".to_owned(),
        tags: Vec::new(),
        slot: None,
        retain_until: None,
        kept_from: None,
        locked_until: None,
        shortened: false,
        deletion: None,
        removing: None,
        stats: PointStats {
            read_bytes: 700 << 20,
            new_bytes: 300 << 20,
            stored_bytes: 100 << 20,
            freeze_ms: Some(12),
            seconds: 42.0,
        },
        read_reason: None,
        validated: true,
        etag: 0,
    }
}
