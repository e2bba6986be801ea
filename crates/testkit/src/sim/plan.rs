//! What one simulation does: who takes part, how fast, and what goes wrong. Drawn from a seed; made smaller by
//! [`crate::sim::shrink`].

use super::Mutant;
use super::rng::Rng;
use super::store::{Fault, FaultKind};

/// What an actor does, over and over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Backs up one item, with or without a map of what changed.
    Writer {
        /// Which item. Writers of one item build on each other's points.
        item: usize,
        /// Whether it takes the same ids for its points as every other such writer of the item, as a job does that was
        /// given to a second worker while the first was only slow.
        shared: bool,
    },
    /// Collects.
    Collector {
        /// Spares packs that are younger, in milliseconds.
        spare_younger_ms: u64,
        /// Rewrites packs that are needed by less, in percent.
        repack_below_percent: u8,
        /// Gives up what was begun so long ago, in milliseconds.
        abandon_older_ms: u64,
    },
    /// Suspects writers at random, wrongly most of the time, and gives up their points.
    Janitor,
    /// Deletes points.
    Pruner,
    /// Lists and reads points.
    Reader,
    /// Verifies.
    Verifier,
    /// Holds the keys of a host that may only put, and says that it stored what others have.
    Poisoner,
}

/// Which keys an actor holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// All of them.
    All,
    /// Those of a host that may only put, and of its dedup group: 1 or 2.
    Host(u8),
}

/// What simulations are about. A seed means something else in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Everything at once: [`Plan::of`]. What the ledger counts.
    Mixed,
    /// One item whose points are deleted as fast as others build on them, and slow collectors.
    Pruned,
    /// Hosts that may only put, one of which lies.
    Hostile,
}

impl Scenario {
    /// Where a mistake in the protocol can show: lies need a host that lies.
    pub fn of(mutant: Mutant) -> Self {
        match mutant {
            Mutant::TrustEverybody | Mutant::AnyCopyIsAHome => Self::Hostile,
            _ => Self::Mixed,
        }
    }

    /// The plan of a seed.
    pub fn plan(self, seed: u64) -> Plan {
        match self {
            Self::Mixed => Plan::of(seed),
            Self::Pruned => Plan::pruned(seed),
            Self::Hostile => Plan::hostile(seed),
        }
    }
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorPlan {
    /// What it does.
    pub role: Role,
    /// How often it is chosen to go on, 1 to 64; zero: never while an actor before it is at work.
    pub speed: u64,
    /// Which keys it holds.
    pub keys: Keys,
    /// How often it does its work.
    pub rounds: u32,
    /// Keeps the vault open between rounds, so that what it knows grows old.
    pub stays_open: bool,
    /// Its own chance.
    pub seed: u64,
}

/// One simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Where it came from; also the chance of the schedule.
    pub seed: u64,
    /// Of a hundred operations on records (intents, decisions, lists of the collector), so many find their process
    /// asleep for a while before: a paused machine, a laptop that is closed.
    pub stalls: u8,
    /// The same before what is written only: a process that stops for long with its mind made up, which is where it
    /// does most harm if anybody counts on its being quick.
    pub pauses: u8,
    /// Packs cannot be deleted for so long after they were written, in milliseconds: a store with object lock.
    pub lock_ms: u64,
    /// The vault has dedup groups, and somebody lies.
    pub hostile: bool,
    /// Who takes part.
    pub actors: Vec<ActorPlan>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut chance = Rng::new(seed);
        let items = 1 + chance.index(3);
        let mut actors = Vec::new();
        let mut add = |chance: &mut Rng, role, rounds| {
            let speed = 1 << chance.below(7);
            let stays_open = chance.chance(1, 2);
            let (keys, seed) = (Keys::All, chance.next());
            actors.push(ActorPlan { role, speed, keys, rounds, stays_open, seed });
        };
        let shared = chance.chance(1, 4);
        for _ in 0..2 + chance.below(3) {
            let role = Role::Writer { item: chance.index(items), shared };
            let rounds = 1 + small(&mut chance, 4);
            add(&mut chance, role, rounds);
        }
        for _ in 0..1 + chance.below(3) {
            let spare_younger_ms = if chance.chance(1, 4) { chance.below(3000) } else { 0 };
            let repack_below_percent = [0, 50, 95, 100][chance.index(4)];
            // Now and then one that takes the living for dead.
            let suspects = chance.chance(1, 8);
            let abandon_older_ms = if suspects { chance.below(3000) } else { u64::MAX };
            let role = Role::Collector { spare_younger_ms, repack_below_percent, abandon_older_ms };
            let rounds = 2 + small(&mut chance, 3);
            add(&mut chance, role, rounds);
        }
        for (role, numerator, most) in [
            (Role::Janitor, 2, 5),
            (Role::Pruner, 3, 6),
            (Role::Reader, 2, 3),
            (Role::Verifier, 1, 1),
        ] {
            if chance.chance(numerator, 4) {
                let rounds = 1 + small(&mut chance, most);
                add(&mut chance, role, rounds);
            }
        }
        let mut faults = draw_faults(&mut chance, actors.len());
        let collects = |actor: &ActorPlan| matches!(actor.role, Role::Collector { .. });
        if !faults.is_empty()
            && chance.chance(1, 12)
            && let Some(actor) = actors.iter().position(collects)
        {
            // One listing that lies is noticed or does no harm; that several lie in the same way is for the probe of
            // the store to find.
            let changes = 1 + u16::try_from(chance.below(60)).expect("a small number");
            let operation = small(&mut chance, 120);
            faults.retain(|fault| (fault.actor, fault.operation) != (actor, operation));
            faults.push(Fault { actor, operation, kind: FaultKind::StaleList(changes) });
        }
        let stalls = [0, 5, 25][chance.index(3)];
        let pauses = [0, 0, 40][chance.index(3)];
        let lock_ms = if chance.chance(1, 6) { chance.below(20_000) } else { 0 };
        Self { seed, stalls, pauses, lock_ms, hostile: false, actors, faults }
    }

    /// Deletions that fall between a writer's look at its base and its commit, or between the listings of a collector:
    /// fast writers and pruners, slow collectors that rewrite whatever holds anything unneeded, nothing that fails.
    fn pruned(seed: u64) -> Self {
        let mut chance = Rng::new(seed ^ 0x9213);
        let mut actors = Vec::new();
        let mut add = |chance: &mut Rng, role, speed, rounds| {
            let (keys, seed, stays_open) = (Keys::All, chance.next(), chance.chance(1, 2));
            actors.push(ActorPlan { role, speed, keys, rounds, stays_open, seed });
        };
        for _ in 0..2 {
            let speed = 1 << (2 + chance.below(5));
            add(&mut chance, Role::Writer { item: 0, shared: false }, speed, 5);
        }
        for _ in 0..2 {
            let speed = 1 << (2 + chance.below(5));
            add(&mut chance, Role::Pruner, speed, 8);
        }
        for _ in 0..1 + chance.below(2) {
            let repack_below_percent = [95, 100][chance.index(2)];
            let role = Role::Collector {
                spare_younger_ms: 0,
                repack_below_percent,
                abandon_older_ms: u64::MAX,
            };
            let speed = 1 << chance.below(4);
            add(&mut chance, role, speed, 6);
        }
        let pauses = [0, 20, 40][chance.index(3)];
        let faults = Vec::new();
        Self { seed, stalls: 0, pauses, lock_ms: 0, hostile: false, actors, faults }
    }

    /// A mixed plan in a vault with two hosts that may only put: some of its writers are the first, the second lies.
    fn hostile(seed: u64) -> Self {
        let mut plan = Self::of(seed);
        let mut chance = Rng::new(seed ^ 0x11E5);
        for actor in &mut plan.actors {
            if matches!(actor.role, Role::Writer { .. }) && chance.chance(1, 2) {
                actor.keys = Keys::Host(1);
            }
        }
        for _ in 0..1 + chance.below(2) {
            plan.actors.push(ActorPlan {
                role: Role::Poisoner,
                speed: 1 << chance.below(7),
                keys: Keys::Host(2),
                rounds: 2 + small(&mut chance, 5),
                stays_open: chance.chance(1, 2),
                seed: chance.next(),
            });
        }
        // A store that lists what was true a while ago may hide that there are groups at all; the probe refuses it.
        plan.faults.retain(|fault| !matches!(fault.kind, FaultKind::StaleList(_)));
        Self { hostile: true, ..plan }
    }
}

fn small(chance: &mut Rng, bound: u64) -> u32 {
    u32::try_from(chance.below(bound)).expect("a small number")
}

fn draw_faults(chance: &mut Rng, actors: usize) -> Vec<Fault> {
    // A third of the simulations run on a store that never fails: races alone.
    if chance.chance(1, 3) {
        return Vec::new();
    }
    let mut faults = Vec::new();
    for _ in 0..chance.below(12) {
        let kind = match chance.below(10) {
            0 | 1 => FaultKind::ErrorBefore,
            2 | 3 => FaultKind::AppliedThenError,
            4 | 5 => FaultKind::AppliedLate(
                1 + u16::try_from(chance.below(400)).expect("a small number"),
            ),
            6 => FaultKind::FlippedBit,
            7 => FaultKind::CrashBefore,
            8 => FaultKind::CrashAfter,
            _ => FaultKind::Torn,
        };
        let actor = chance.index(actors);
        faults.push(Fault { actor, operation: small(chance, 220), kind });
    }
    faults.sort_unstable();
    faults.dedup_by_key(|fault| (fault.actor, fault.operation));
    faults
}
