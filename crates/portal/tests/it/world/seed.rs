//! Something of everything: machines, vaults, items in every state, points, and jobs in every
//! state, made by use-cases and by the job machine, as a worker would.

use std::time::Duration;

use coffre_control::ErrorCode;
use coffre_control::id::ItemId;
use coffre_control::job::{Event, Failure, Retry, StepFacts};
use coffre_control::model::*;
use coffre_control::usecase::*;
use uuid::Uuid;

use super::{
    BUILD, BUSY, DATABASE, FAR, GIB, GONE, MAIL, OLD, SUBSCRIPTION, WEB, World, region, vm_id,
};

impl World {
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
            freeze: None,
            taken: self.now(),
            disks: vm.disks.iter().map(disk).collect(),
            config: serde_json::json!({}),
            local: None,
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
        extension: match &agent {
            AgentState::Ready { .. } => ExtensionState::Installed { version: "1.0.0.0".to_owned() },
            AgentState::Silent | AgentState::NotConfigured => ExtensionState::Absent,
        },
        agent,
        cpus: 2,
        memory_bytes: 4 * GIB,
        managed: number == WEB,
        disks: (0..disks).map(disk).collect(),
    }
}
