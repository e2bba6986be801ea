//! One law over any life of a machine: the last committed copy, changed only where the map says so,
//! is the disk at the moment of the new point.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::BTreeMap;

use coffre_fabric::ImageFormat::{Qcow2, Raw};
use coffre_fabric::{Changed, Release, Snapshot, SnapshotReport};
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
    log: Vec<String>,
    mapped: u32,
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
            _ => self.check_open(),
        }
    }

    fn take(&mut self) {
        let point = Uuid::new_v4();
        let parent = self.committed.as_ref().map(|(point, _)| *point);
        let report = self.host.take(point, parent);
        self.log.push(format!("take: {:?}", report.disks));
        let snapshot = self.host.snapshot(point);
        let copies: BTreeMap<String, Vec<u8>> =
            DISKS.map(|disk| (disk.to_owned(), self.copy(&report, &*snapshot, disk))).into();
        assert_eq!(snapshot.report(), &report);
        snapshot.check().unwrap();
        for disk in DISKS {
            assert!(self.host.truth[disk] == copies[disk], "{:#?}", self.log);
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
        if how == Release::Committed {
            self.committed = Some((point, copies));
        }
    }
}

#[test]
fn no_life_of_a_machine_loses_a_change() {
    let mut mapped = 0;
    for seed in 1..7_u64 {
        let mut world = World {
            host: Host::new(&[Qcow2, if seed % 2 == 0 { Qcow2 } else { Raw }]),
            dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            running: false,
            committed: None,
            open: None,
            log: vec![format!("seed {seed}")],
            mapped: 0,
        };
        for _ in 0..30 {
            world.step();
        }
        mapped += world.mapped;
    }
    assert!(mapped > 15, "the maps were hardly used: {mapped}");
}
