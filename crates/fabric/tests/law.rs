//! One law over any life of a machine: the last committed copy, changed only where the map says so,
//! is the disk at the moment of the new point. Copies of points in the images, and roll-backs to them, change nothing of it.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::BTreeMap;

use coffre_fabric::ImageFormat::{Qcow2, Raw};
use coffre_fabric::{
    Changed, LocalCopy, LocalWish, Release, Snapshot, SnapshotReport, SnapshotRequest,
};
use common::host::{DISK_BYTES, Host, read_all};
use uuid::Uuid;

const DISKS: [&str; 2] = ["os", "data1"];

/// Numbers that follow from a seed (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// The machine, what the vault would hold, and the point that is open.
struct World {
    host: Host,
    dice: Dice,
    running: bool,
    committed: Option<(Uuid, BTreeMap<String, Vec<u8>>)>,
    open: Option<(Uuid, BTreeMap<String, Vec<u8>>)>,
    /// Points that have a copy in the images, when both disks can.
    kept: BTreeMap<Uuid, BTreeMap<String, Vec<u8>>>,
    log: Vec<String>,
    mapped: u32,
    rolled_back: u32,
}

impl World {
    fn write_some(&mut self) {
        for _ in 0..self.dice.below(6) {
            let disk = DISKS[self.dice.below(2) as usize];
            let length = 512 * (1 + self.dice.below(400));
            let offset = 512 * self.dice.below((DISK_BYTES - length) / 512);
            self.host.write(disk, offset, length);
        }
    }

    fn step(&mut self) {
        if self.running {
            self.write_some();
        }
        let dice = self.dice.below(20);
        match (dice, self.open.is_some()) {
            (15..20, false) if !self.running && !self.kept.is_empty() => self.roll_back(),
            (0..8, false) => self.take(),
            (0..6, true) => self.release(Release::Committed),
            (6..9, true) => self.release(Release::Abandoned),
            (9..11, _) => {
                self.log.push("service restarts".to_owned());
                self.host.restart_service();
            }
            (11..14, _) if self.running => {
                self.log.push("stop".to_owned());
                self.host.stop();
                self.running = false;
            }
            (14, _) if self.running => {
                self.log.push("crash".to_owned());
                // What a disk was not asked to keep may be lost; that is not what is tested.
                DISKS.iter().for_each(|disk| self.host.guest_io(disk, "flush"));
                self.host.kill();
                self.running = false;
            }
            (11..18, _) if !self.running => {
                self.log.push("start".to_owned());
                self.host.start();
                self.running = true;
            }
            (15, false) if !self.kept.is_empty() => {
                let point = self.any_kept();
                self.log.push(format!("drop {point}"));
                self.host.machine.drop_local_copy(point).unwrap();
                self.kept.remove(&point);
            }
            _ => self.check_open(),
        }
    }

    fn any_kept(&mut self) -> Uuid {
        let index = self.dice.below(self.kept.len() as u64);
        *self.kept.keys().nth(index as usize).unwrap()
    }

    /// Back to a copy; given up again now and then, and cut off between its parts.
    fn roll_back(&mut self) {
        let (point, job) = (self.any_kept(), Uuid::new_v4());
        let disks = DISKS.map(str::to_owned);
        let reverted = self.dice.below(4) == 0;
        self.log.push(format!("roll back to {point}, reverted: {reverted}"));
        assert_eq!(self.host.machine.doubt_roll_back(point, &disks).unwrap(), None);
        if self.dice.below(2) == 0 {
            self.host.machine.roll_back(point, job, &disks[..1]).unwrap();
            self.host.restart_service();
        }
        self.host.machine.roll_back(point, job, &disks).unwrap();
        if reverted {
            self.host.machine.revert_roll_back(job).unwrap();
        } else {
            self.host.machine.confirm_roll_back(job).unwrap();
            self.host.truth = self.kept[&point].clone();
        }
        self.rolled_back += 1;
        for disk in DISKS {
            let mut held = vec![0; DISK_BYTES as usize];
            self.host.machine.open_disk(disk, None).unwrap().read_at(0, &mut held).unwrap();
            assert!(held == self.host.truth[disk], "{:#?}", self.log);
        }
    }

    fn take(&mut self) {
        let point = Uuid::new_v4();
        let parent = self.committed.as_ref().map(|(point, _)| *point);
        let local = Some(LocalWish::default());
        let request = SnapshotRequest { local, ..self.host.request(point, parent) };
        let report = self.host.machine.take_snapshot(&request).unwrap();
        self.log.push(format!("take: {:?}", report.disks));
        let snapshot = self.host.snapshot(point);
        let copies: BTreeMap<String, Vec<u8>> =
            DISKS.map(|disk| (disk.to_owned(), self.copy(&report, &*snapshot, disk))).into();
        assert_eq!(snapshot.report(), &report);
        snapshot.check().unwrap();
        for disk in DISKS {
            assert!(self.host.truth[disk] == copies[disk], "{:#?}", self.log);
        }
        if matches!(report.local, Some(LocalCopy::Kept)) {
            let held = self.host.machine.local_copies().unwrap().points;
            assert_eq!(held[&point].len(), 2, "{:#?}", self.log);
        }
        self.open = Some((point, copies));
    }

    /// What a backup would hold: the parent's copy with the changed ranges read anew.
    fn copy(&mut self, report: &SnapshotReport, snapshot: &dyn Snapshot, disk: &str) -> Vec<u8> {
        let described = report.disks.iter().find(|one| one.key == disk).unwrap();
        let Changed::Extents(ranges) = &described.changed else {
            return read_all(snapshot, disk);
        };
        self.mapped += 1;
        let (_, before) = self.committed.as_ref().expect("a map is relative to a parent");
        let mut copy = before[disk].clone();
        let mut reader = snapshot.open(disk).unwrap();
        for range in ranges {
            let bytes = &mut copy[range.offset as usize..range.end() as usize];
            reader.read_at(range.offset, bytes).unwrap();
        }
        copy
    }

    /// A point that is still there gives the bytes of its moment.
    fn check_open(&mut self) {
        let Some((point, copies)) = &self.open else { return };
        let Some(snapshot) = self.host.machine.snapshot(*point).unwrap() else { return };
        for disk in DISKS {
            assert!(read_all(&*snapshot, disk) == copies[disk], "{:#?}", self.log);
        }
        snapshot.check().unwrap();
    }

    fn release(&mut self, how: Release) {
        self.log.push(format!("{how:?}"));
        let (point, copies) = self.open.take().unwrap();
        self.host.machine.release(point, how).unwrap();
        assert!(self.host.machine.leftovers().unwrap().is_empty());
        let held = self.host.machine.local_copies().unwrap().points;
        let copied = self.host.config.machines[0].disks.iter().all(|disk| disk.format == Qcow2);
        if how == Release::Committed && copied {
            self.kept.insert(point, copies.clone());
        }
        assert!(held.keys().eq(self.kept.keys()), "{held:?} {:#?}", self.log);
        if how == Release::Committed {
            self.committed = Some((point, copies));
        }
    }
}

/// How many lives; more on request.
fn lives() -> u64 {
    std::env::var("COFFRE_LAW_LIVES").map_or(6, |text| text.parse().expect("a number of lives"))
}

#[test]
fn no_life_of_a_machine_loses_a_change() {
    let (mut mapped, mut rolled_back) = (0, 0);
    for seed in 1..=lives() {
        let mut world = World {
            host: Host::new(&[Qcow2, if seed % 3 == 0 { Raw } else { Qcow2 }]),
            dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            running: false,
            committed: None,
            open: None,
            kept: BTreeMap::new(),
            log: vec![format!("seed {seed}")],
            mapped: 0,
            rolled_back: 0,
        };
        for _ in 0..30 {
            world.step();
        }
        mapped += world.mapped;
        rolled_back += world.rolled_back;
    }
    assert!(mapped > 10, "the maps were hardly used: {mapped}");
    assert!(rolled_back > 3, "hardly rolled back: {rolled_back}");
    println!("{mapped} maps were used, {rolled_back} roll-backs");
}
