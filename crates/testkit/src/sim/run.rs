//! Running one plan.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use coffre_vault_under_test::bucket::{Bucket, MemoryBucket};
use coffre_vault_under_test::{
    Capability, CollectOptions, Passphrase, RecoveryKey, Unlock, Vault, VaultError, seed_chance,
};

use super::actors::act;
use super::oracle::{Oracle, Violation};
use super::plan::{Keys, Plan, Role};
use super::rng::Rng;
use super::store::{FaultKind, Store};
use super::sys::{Fiber, Resume};
use super::world::{Counts, Hands, World};

/// What came of a plan.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The first promise that did not hold.
    pub violation: Option<Violation>,
    /// Equal for two runs that did the same.
    pub trace: u64,
    /// What was done.
    pub counts: Counts,
    /// Operations of each actor.
    pub operations: Vec<u32>,
    /// One line per step, if asked for.
    pub log: Vec<String>,
}

/// A vault as it is after its creation, to start every simulation from.
struct Template {
    objects: BTreeMap<String, Vec<u8>>,
    recovery: RecoveryKey,
}

thread_local! {
    static TEMPLATE: Template = make_template(false);
    static HOSTILE: Template = make_template(true);
}

/// What opens the vault as an actor does.
fn unlock(keys: Keys, recovery: &RecoveryKey) -> Unlock {
    match keys {
        Keys::All => Unlock::RecoveryKey(recovery.clone()),
        Keys::Host(number) => Unlock::Passphrase(Passphrase::new(format!("host {number}"))),
    }
}

fn make_template(hostile: bool) -> Template {
    seed_chance(0x7E37);
    let bucket = std::sync::Arc::new(MemoryBucket::new());
    let passphrase = Passphrase::new("simulated");
    let (vault, recovery) =
        Vault::create(bucket.clone(), &passphrase).expect("an empty store takes a vault");
    for number in (1..=2u8).filter(|_| hostile) {
        let unlock = unlock(Keys::Host(number), &recovery);
        let added = vault.add_key_in_group(&unlock, &[Capability::Put], Some(number.into()));
        added.expect("the owner adds a key");
    }
    let listed = bucket.list("").expect("a store in memory lists");
    let read = |key: &String| bucket.get(key).expect("what was listed is there");
    let objects =
        listed.into_iter().map(|object| (object.key.clone(), read(&object.key))).collect();
    Template { objects, recovery }
}

/// The most steps of one simulation; more is a livelock.
const STEPS_MAX: u64 = 60_000;

/// Runs a plan to its end or to the first promise that does not hold.
pub fn run(plan: &Plan) -> Outcome {
    simulate(plan, false)
}

/// Runs a plan and keeps a line for each step.
pub fn run_with_log(plan: &Plan) -> Outcome {
    simulate(plan, true)
}

fn simulate(plan: &Plan, log: bool) -> Outcome {
    let template = if plan.hostile { &HOSTILE } else { &TEMPLATE };
    let (objects, recovery) =
        template.with(|template| (template.objects.clone(), template.recovery.clone()));
    let mut chance = Rng::new(plan.seed ^ 0x5C4ED);
    seed_chance(chance.next());
    // One more actor cleans up in the end.
    let store = Store::new(
        plan.seed,
        &objects,
        plan.actors.len() + 1,
        &plan.faults,
        (plan.stalls, plan.pauses, plan.lock_ms),
    );
    if log {
        store.keep_log();
    }
    let world = Rc::new(RefCell::new(World::new()));
    world.borrow_mut().done.faults = plan.faults.len() as u64;
    let hands = |actor: usize| Hands {
        actor,
        store: store.clone(),
        bucket: store.bucket(actor),
        world: world.clone(),
        unlock: unlock(plan.actors.get(actor).map_or(Keys::All, |plan| plan.keys), &recovery),
        // A pack that was torn by somebody else is damage that is really there, but nothing refers to it.
        reads_are_sound: !plan.faults.iter().any(|fault| {
            fault.actor == actor && fault.kind == FaultKind::FlippedBit
                || matches!(fault.kind, FaultKind::StaleList(_))
        }),
    };
    let judge = Vault::open(store.truth(), &unlock(Keys::All, &recovery));
    let mut oracle = Oracle::new(store.clone(), judge.expect("the template opens"), plan.hostile);
    let mut fibers: Vec<Option<Fiber>> = plan
        .actors
        .iter()
        .enumerate()
        .map(|(actor, actor_plan)| {
            let (hands, actor_plan) = (hands(actor), actor_plan.clone());
            Some(Fiber::new(move || act(&hands, &actor_plan)))
        })
        .collect();
    let mut violation = race(plan, &store, &world, &mut oracle, &mut fibers, &mut chance).err();
    // Nobody may stay suspended: a process that is left ends as one that died.
    for (actor, fiber) in fibers.iter_mut().enumerate() {
        if let Some(fiber) = fiber {
            store.kill(actor);
            while !fiber.resume(Resume::Dead) {}
        }
    }
    if violation.is_none() {
        let cleaner = hands(plan.actors.len());
        violation = settle(&cleaner, &store, &world, &mut oracle, plan.hostile).err();
    }
    let mut counts = world.borrow().done;
    counts.operations = store.steps();
    let operations = store.operations();
    Outcome { operations, violation, trace: store.trace(), counts, log: store.take_log() }
}

/// Lets everybody run, one operation at a time, until all have come to an end.
fn race(
    plan: &Plan,
    store: &Store,
    world: &RefCell<World>,
    oracle: &mut Oracle,
    fibers: &mut [Option<Fiber>],
    chance: &mut Rng,
) -> Result<(), Violation> {
    loop {
        let running = |fibers: &[Option<Fiber>]| -> Vec<usize> {
            fibers
                .iter()
                .enumerate()
                .filter_map(|(actor, fiber)| fiber.is_some().then_some(actor))
                .collect()
        };
        let running = running(fibers);
        if running.is_empty() {
            return Ok(());
        }
        // When all sleep, time passes until somebody wakes.
        let awake: Vec<usize> =
            running.iter().copied().filter(|actor| !store.is_asleep(*actor)).collect();
        let running = if awake.is_empty() { running } else { awake };
        let total: u64 = running.iter().map(|actor| plan.actors[*actor].speed).sum();
        let mut at = if total == 0 { 0 } else { chance.below(total) };
        let mut chosen = running[0];
        for actor in running {
            let speed = plan.actors[actor].speed;
            if at < speed {
                chosen = actor;
                break;
            }
            at -= speed;
        }
        if let Some(fiber) = fibers[chosen].as_mut()
            && fiber.resume(Resume::Go)
        {
            fibers[chosen] = None;
        }
        oracle.check(&store.take_changes(), &mut world.borrow_mut())?;
        if store.steps() > STEPS_MAX {
            let what = format!("more than {STEPS_MAX} operations");
            return Err(Violation { invariant: "I11 everybody comes to an end", what });
        }
    }
}

/// Everybody has ended. What hangs in the network arrives, abandoned writers are given up, and collectors run until
/// there is nothing to do: the ordinary verbs, no repair.
fn settle(
    hands: &Hands,
    store: &Store,
    world: &RefCell<World>,
    oracle: &mut Oracle,
    hostile: bool,
) -> Result<(), Violation> {
    store.settle();
    oracle.check(&store.take_changes(), &mut world.borrow_mut())?;
    let stuck = |error: VaultError| Violation {
        invariant: "I11 no repair is needed",
        what: error.to_string(),
    };
    let vault = hands.open().map_err(stuck)?;
    for one in vault.unfinished().map_err(stuck)? {
        vault.abandon_point(one.point).map_err(stuck)?;
        oracle.check(&store.take_changes(), &mut world.borrow_mut())?;
    }
    for _ in 0..4 {
        let options = CollectOptions {
            spare_younger_ms: 0,
            repack_below_percent: 100,
            ..CollectOptions::at(store.now_unix_ms())
        };
        let report = hands.open().and_then(|vault| vault.collect(&options)).map_err(stuck)?;
        store.note(|| format!("      at rest: {report:?}"));
        oracle.check(&store.take_changes(), &mut world.borrow_mut())?;
    }
    oracle.check_quiet(&world.borrow())?;
    let report = hands.open().and_then(|vault| {
        vault
            .verify(coffre_vault_under_test::VerifyScope::All, &coffre_vault_under_test::NoProgress)
    });
    let report = report.map_err(stuck)?;
    // A lie is damage, but no point may need it.
    match report.damage.iter().find(|damage| !hostile || !damage.points.is_empty()) {
        Some(damage) => {
            Err(Violation { invariant: "I13 no reader meets damage", what: format!("{damage:?}") })
        }
        None => Ok(()),
    }
}

/// Makes a plan that fails smaller: fewer faults, fewer actors, fewer rounds, as long as the same promise breaks.
/// After each cut a few other schedules are tried, because a cut moves all that follows.
pub fn shrink(plan: &Plan, budget: usize) -> Plan {
    let Some(wanted) = run(plan).violation else { return plan.clone() };
    let mut best = plan.clone();
    let mut left = budget;
    let mut again = true;
    while again {
        again = false;
        for candidate in cuts(&best) {
            let tries = (0..12)
                .map(|shift| Plan { seed: best.seed.wrapping_add(shift), ..candidate.clone() });
            let found = tries.into_iter().find(|plan| {
                left = left.saturating_sub(1);
                left > 0
                    && run(plan).violation.is_some_and(|found| found.invariant == wanted.invariant)
            });
            if let Some(smaller) = found {
                best = smaller;
                again = true;
                break;
            }
        }
    }
    best
}

/// All plans that are one step smaller.
fn cuts(plan: &Plan) -> Vec<Plan> {
    let mut cuts = Vec::new();
    for actor in 0..plan.actors.len() {
        let mut cut = plan.clone();
        cut.actors.remove(actor);
        cut.faults.retain(|fault| fault.actor != actor);
        for fault in &mut cut.faults {
            if fault.actor > actor {
                fault.actor -= 1;
            }
        }
        cuts.push(cut);
    }
    for fault in 0..plan.faults.len() {
        let mut cut = plan.clone();
        cut.faults.remove(fault);
        cuts.push(cut);
    }
    if plan.stalls > 0 {
        cuts.push(Plan { stalls: 0, ..plan.clone() });
    }
    if plan.pauses > 0 {
        cuts.push(Plan { pauses: 0, ..plan.clone() });
    }
    if plan.lock_ms > 0 {
        cuts.push(Plan { lock_ms: 0, ..plan.clone() });
    }
    for actor in 0..plan.actors.len() {
        if plan.actors[actor].rounds > 1 {
            let mut cut = plan.clone();
            cut.actors[actor].rounds -= 1;
            cuts.push(cut);
        }
        if let Role::Writer { item, shared: true } = plan.actors[actor].role {
            let mut cut = plan.clone();
            cut.actors[actor].role = Role::Writer { item, shared: false };
            cuts.push(cut);
        }
    }
    cuts
}
