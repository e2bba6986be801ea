//! The processes: each uses the vault as the product does, through its public verbs alone.

use coffre_vault_under_test::{
    CollectOptions, DiskSpec, NoProgress, PointSpec, ReadPlan, Vault, VaultError, VerifyScope,
};
use uuid::Uuid;

use super::plan::{ActorPlan, Role};
use super::rng::Rng;
use super::world::{Disks, Hands, Image, Target, changed};

/// How often a writer tries one point.
const ATTEMPTS: usize = 4;

/// Does the work of one actor from its start to its end or its death.
pub(super) fn act(hands: &Hands, plan: &ActorPlan) {
    let mut chance = Rng::new(plan.seed);
    let mut open = None;
    for round in 0..plan.rounds {
        if hands.store.is_dead(hands.actor) {
            return;
        }
        if !plan.stays_open {
            open = None;
        }
        let vault = match open.clone().map_or_else(|| hands.open(), Ok) {
            Ok(vault) => vault,
            Err(error) => {
                hands.judge("open", &error, false);
                continue;
            }
        };
        match plan.role {
            Role::Writer { item, shared } => {
                hands.back_up(&vault, item, shared, round, &mut chance)
            }
            Role::Collector { spare_younger_ms, repack_below_percent, abandon_older_ms } => {
                let options = CollectOptions {
                    spare_younger_ms,
                    repack_below_percent,
                    abandon_older_ms,
                    ..CollectOptions::at(hands.store.now_unix_ms())
                };
                hands.collect(&vault, &options);
            }
            Role::Janitor => hands.suspect(&vault, &mut chance),
            Role::Pruner => hands.prune(&vault, &mut chance),
            Role::Reader => hands.read(&vault, &mut chance),
            Role::Verifier => hands.verify(&vault),
            Role::Poisoner => hands.poison(&vault, &mut chance),
        }
        open = Some(vault);
    }
}

impl Hands {
    pub(super) fn open(&self) -> Result<Vault, VaultError> {
        Vault::open(self.bucket.clone(), &self.unlock)?.with_threads(1)
    }

    fn note(&self, line: impl FnOnce() -> String) {
        self.store.note(|| format!("      actor {}: {}", self.actor, line()));
    }

    fn complain(&self, invariant: &'static str, what: String) {
        self.world.borrow_mut().complaints.push((invariant, what));
    }

    /// Takes note of a failure. One that says that stored data is wrong is a violation if nothing corrupted it;
    /// `excused` if a deletion may explain it.
    fn judge(&self, verb: &str, error: &VaultError, excused: bool) {
        self.note(|| format!("{verb} failed: {error}"));
        let dead = self.store.is_dead(self.actor);
        if error.is_damage() && self.reads_are_sound && !excused && !dead {
            self.complain(
                "I13 no reader meets damage",
                format!("actor {} {verb}: {error}", self.actor),
            );
        }
    }

    fn back_up(&self, vault: &Vault, item: usize, shared: bool, round: u32, chance: &mut Rng) {
        let mut id = self.next_id(item, shared, chance);
        let mut disks = self.current(item, chance);
        for _ in 0..ATTEMPTS {
            if self.store.is_dead(self.actor) {
                return;
            }
            let result = self.attempt(vault, id, item, &disks, chance);
            match &result {
                Ok(()) => return,
                Err(VaultError::AlreadyCommitted(_)) => return,
                Err(VaultError::Aborted(_)) => {
                    self.world.borrow_mut().done.aborted += 1;
                    id = Uuid::from_u64_pair(chance.next(), chance.next());
                }
                Err(VaultError::Overtaken) => self.world.borrow_mut().done.overtaken += 1,
                Err(_) => {}
            }
            if let Err(error) = &result {
                // A base that is deleted meanwhile may be gone in the middle of the transfer.
                self.judge("back up", error, true);
            }
            // A second attempt may find other data: the snapshot was lost with the process.
            if chance.chance(1, 3) {
                disks = self.current(item, chance);
            }
        }
        self.note(|| format!("gives up round {round}"));
    }

    fn next_id(&self, item: usize, shared: bool, chance: &mut Rng) -> Uuid {
        if !shared {
            return Uuid::from_u64_pair(chance.next(), chance.next());
        }
        let mut world = self.world.borrow_mut();
        let used = world.shared_used.entry(item).or_default();
        // The job of another worker, or the next one.
        let number = if chance.chance(1, 2) && *used > 0 { *used } else { *used + 1 };
        *used = number;
        Uuid::from_u64_pair(0xC0FF_4E00 + item as u64, number)
    }

    fn current(&self, item: usize, chance: &mut Rng) -> Disks {
        let mut world = self.world.borrow_mut();
        world.scribble(item, chance);
        world.disks(item).clone()
    }

    fn attempt(
        &self,
        vault: &Vault,
        id: Uuid,
        item: usize,
        disks: &Disks,
        chance: &mut Rng,
    ) -> Result<(), VaultError> {
        let base = if chance.chance(2, 3) { self.world.borrow().base(item, chance) } else { None };
        self.note(|| {
            format!("backs up item {item} as {id}, base {:?}", base.as_ref().map(|(id, _)| id))
        });
        if let Some((point, _)) = &base {
            let mut world = self.world.borrow_mut();
            world.bases_in_use.push(*point);
            let old = world.bases_in_use.len().saturating_sub(3);
            world.bases_in_use.drain(..old);
        }
        let time_unix_ms = self.store.now_unix_ms();
        let mut writer =
            vault.begin_point(PointSpec { id, name: format!("item{item}"), time_unix_ms })?;
        for (key, data) in disks {
            let from = base.as_ref().and_then(|(point, before)| Some((*point, before.get(key)?)));
            let map = from.map(|(_, before)| changed(before, data));
            let plan = map.as_ref().map_or(ReadPlan::Everything, |map| ReadPlan::Changed(map));
            let spec = DiskSpec {
                key: key.clone(),
                size_bytes: data.len() as u64,
                base: from.map(|(point, _)| (point, key.clone())),
            };
            let image = Image(data);
            match writer.add_disk(spec.clone(), &image, plan, &NoProgress) {
                Err(VaultError::BaseUnusable { .. }) => {
                    writer.add_disk(
                        DiskSpec { base: None, ..spec },
                        &image,
                        ReadPlan::Everything,
                        &NoProgress,
                    )?;
                }
                other => {
                    other?;
                }
            }
        }
        {
            let mut world = self.world.borrow_mut();
            let point = world.points.entry(id).or_default();
            point.item = item;
            point.attempts.push(disks.clone());
        }
        let info = writer.commit(serde_json::json!({ "item": item }))?;
        let mut world = self.world.borrow_mut();
        world.done.commits += 1;
        let acknowledged = &mut world.points.entry(id).or_default().acknowledged;
        if acknowledged.is_some() {
            drop(world);
            self.complain("I6 one commit per point", format!("{id} was acknowledged twice"));
            return Ok(());
        }
        *acknowledged = Some(disks.clone());
        drop(world);
        self.note(|| format!("has {id} acknowledged"));
        if info.id != id || info.disks.len() != disks.len() {
            self.complain("I3 a commit is what was asked for", format!("{id}: {info:?}"));
        }
        Ok(())
    }

    fn collect(&self, vault: &Vault, options: &CollectOptions) {
        self.note(|| "collects".to_owned());
        match vault.collect(options) {
            Ok(report) => {
                self.note(|| format!("collected {report:?}"));
                let mut world = self.world.borrow_mut();
                world.done.collections += 1;
                world.done.packs_deleted += report.packs_deleted;
                world.done.bytes_rescued += report.bytes_rescued;
            }
            Err(VaultError::GcStopped { reason }) if self.reads_are_sound => {
                self.complain("I11 collection goes on", format!("actor {}: {reason}", self.actor));
            }
            Err(error) => self.judge("collect", &error, false),
        }
    }

    fn suspect(&self, vault: &Vault, chance: &mut Rng) {
        let result = vault.unfinished().and_then(|unfinished| match chance.pick(&unfinished) {
            Some(one) => {
                self.note(|| format!("gives up {}", one.point));
                vault.abandon_point(one.point)
            }
            None => Ok(()),
        });
        if let Err(error) = result {
            self.judge("suspect", &error, false);
        }
    }

    fn prune(&self, vault: &Vault, chance: &mut Rng) {
        let known: Vec<Uuid> = {
            let world = self.world.borrow();
            // Half of the time what hurts most: a point that somebody builds on now.
            if !world.bases_in_use.is_empty() && chance.chance(1, 2) {
                world.bases_in_use.clone()
            } else {
                world
                    .points
                    .iter()
                    .filter(|(_, point)| point.acknowledged.is_some())
                    .map(|(id, _)| *id)
                    .collect()
            }
        };
        let Some(id) = chance.pick(&known).copied() else {
            // Something to wait for: nothing is committed yet.
            let _ = vault.points();
            return;
        };
        self.note(|| format!("deletes {id}"));
        self.world.borrow_mut().points.entry(id).or_default().deletion_asked = true;
        match vault.delete_point(id) {
            Ok(()) => self.world.borrow_mut().done.deletions += 1,
            Err(error) => self.judge("delete", &error, false),
        }
    }

    fn read(&self, vault: &Vault, chance: &mut Rng) {
        let points = match vault.points() {
            Ok(points) => points,
            Err(error) => return self.judge("list", &error, false),
        };
        let Some(point) = chance.pick(&points) else { return };
        let Some(disk) = chance.pick(&point.disks) else { return };
        self.note(|| format!("reads {} {}", point.id, disk.key));
        let result =
            self.read_disk(vault, point.id, &disk.key, disk.size_bytes, chance.chance(1, 2));
        let deleted =
            |id| self.world.borrow().points.get(&id).is_some_and(|point| point.deletion_asked);
        match result {
            Ok(data) => {
                let world = self.world.borrow();
                let known = world.points.get(&point.id);
                let right = known.is_some_and(|known| {
                    let said = known.acknowledged.iter().chain(&known.attempts);
                    said.into_iter().any(|disks| disks.get(&disk.key) == Some(&data))
                });
                drop(world);
                if !right {
                    self.complain(
                        "I1 no wrong byte",
                        format!("{} {} reads otherwise", point.id, disk.key),
                    );
                }
                self.world.borrow_mut().done.reads += 1;
            }
            Err(error) => self.judge("read", &error, deleted(point.id)),
        }
    }

    /// Reads a whole disk, at random or by a restore.
    pub(super) fn read_disk(
        &self,
        vault: &Vault,
        point: Uuid,
        key: &str,
        size: u64,
        restore: bool,
    ) -> Result<Vec<u8>, VaultError> {
        let size = usize::try_from(size).expect("a small disk");
        if restore {
            let target = Target::new(size);
            vault.restore_disk(point, key, &target, &NoProgress)?;
            return Ok(target.into_bytes());
        }
        let mut data = vec![0xEE; size];
        vault.disk(point, key)?.read_at(0, &mut data)?;
        Ok(data)
    }

    fn poison(&self, vault: &Vault, chance: &mut Rng) {
        let disk: Vec<u8> = {
            let mut world = self.world.borrow_mut();
            let items: Vec<usize> = world.items.keys().copied().collect();
            let item = chance.pick(&items).copied().unwrap_or(0);
            world.disks(item).values().flatten().copied().collect()
        };
        self.note(|| "lies".to_owned());
        if let Err(error) = vault.poison(&disk, chance.next()) {
            self.judge("lie", &error, true);
        }
    }

    fn verify(&self, vault: &Vault) {
        self.note(|| "verifies".to_owned());
        match vault.verify(VerifyScope::All, &NoProgress) {
            Ok(report) => {
                let deleted = |id: &Uuid| {
                    self.world.borrow().points.get(id).is_some_and(|point| point.deletion_asked)
                };
                for damage in report.damage {
                    let real = damage.points.iter().any(|id| !deleted(id));
                    if real && self.reads_are_sound && !self.store.is_dead(self.actor) {
                        self.complain("I13 no reader meets damage", format!("verify: {damage:?}"));
                    }
                }
            }
            Err(error) => self.judge("verify", &error, false),
        }
    }
}
