//! A store in memory that fails as stores do, one operation at a time.
//!
//! Every operation of an actor is one step of the simulation: the actor stops before it, the scheduler decides when it
//! goes on, the operation is applied whole, and the actor runs up to its next operation. What goes wrong is written in
//! the plan beforehand (which actor, which of its operations, how), so that a failure can be replayed and made smaller.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use coffre_vault_under_test::bucket::{Bucket, BucketError, Created, Object};

use super::rng::Rng;
use super::sys::{self, Resume};

/// How one operation goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// Nothing happens and the caller hears of an error.
    ErrorBefore,
    /// It happens and the caller hears of an error.
    AppliedThenError,
    /// The caller hears of an error; a write happens that many steps later, as a request that hung in the network.
    AppliedLate(u16),
    /// One bit of what is read arrives flipped.
    FlippedBit,
    /// The process dies before the operation.
    CrashBefore,
    /// The process dies after the operation, before the answer.
    CrashAfter,
    /// The process dies and half of the object is there under its name. Only a store that breaks its promise (a file
    /// system without barriers) does this, so it is drawn for packs only, where nothing refers to the half yet.
    Torn,
    /// The next listing of decisions is what it was that many changes ago: a store that breaks its promise.
    StaleList(u16),
}

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Whose operation.
    pub actor: usize,
    /// Which of its operations, counted from zero.
    pub operation: u32,
    /// How.
    pub kind: FaultKind,
}

/// What a step changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    Created(String),
    Deleted(String),
}

#[derive(Debug, Clone)]
struct Stored {
    data: Arc<Vec<u8>>,
    modified_unix_ms: i64,
}

#[derive(Debug)]
enum Write {
    Create(String, Vec<u8>),
    Delete(String),
}

#[derive(Debug, Default)]
struct ActorState {
    operations: u32,
    dead: bool,
    /// Not chosen to go on before this step.
    asleep_until: u64,
    /// How stale the next listing of decisions is.
    stale: u16,
    /// Since it died; a dead actor must come to its end by itself.
    refused: u32,
}

/// Lines of one page of a listing.
const PAGE: usize = 16;

/// After so many refused operations a dead actor is taken to loop for ever.
const REFUSED_MAX: u32 = 10_000;

#[derive(Debug)]
struct Inner {
    objects: BTreeMap<String, Stored>,
    actors: Vec<ActorState>,
    faults: BTreeMap<(usize, u32), FaultKind>,
    late: Vec<(u64, Write)>,
    changes: Vec<Change>,
    /// Every change so far, for stale lists.
    history: Vec<Change>,
    /// Operations so far.
    steps: u64,
    now_unix_ms: i64,
    trace: u64,
    log: Option<Vec<String>>,
    chance: Rng,
    /// Of a hundred operations on records, so many are slept before.
    stalls: u8,
    /// Of a hundred writes of records, so many are slept before for long.
    pauses: u8,
    /// Packs are locked for so long after they were written.
    lock_ms: u64,
}

/// The store of one simulation.
#[derive(Debug, Clone)]
pub(super) struct Store(Arc<Mutex<Inner>>);

impl Store {
    /// A store that holds these objects, for that many actors.
    pub(super) fn new(
        seed: u64,
        objects: &BTreeMap<String, Vec<u8>>,
        actors: usize,
        faults: &[Fault],
        (stalls, pauses, lock_ms): (u8, u8, u64),
    ) -> Self {
        let now_unix_ms = 1_700_000_000_000;
        let objects = objects.iter().map(|(key, data)| {
            (key.clone(), Stored { data: Arc::new(data.clone()), modified_unix_ms: now_unix_ms })
        });
        Self(Arc::new(Mutex::new(Inner {
            objects: objects.collect(),
            actors: (0..actors).map(|_| ActorState::default()).collect(),
            faults: faults
                .iter()
                .map(|fault| ((fault.actor, fault.operation), fault.kind))
                .collect(),
            late: Vec::new(),
            changes: Vec::new(),
            history: Vec::new(),
            steps: 0,
            now_unix_ms,
            trace: seed,
            log: None,
            chance: Rng::new(seed ^ 0x5707E),
            stalls,
            pauses,
            lock_ms,
        })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("no step panics while it holds the store")
    }

    /// The store as actor `actor` sees it.
    pub(super) fn bucket(&self, actor: usize) -> Arc<dyn Bucket> {
        Arc::new(ActorBucket { store: self.clone(), actor })
    }

    /// The store as it is: no faults, no steps. For the oracle.
    pub(super) fn truth(&self) -> Arc<dyn Bucket> {
        Arc::new(TruthBucket(self.clone()))
    }

    /// What changed since the last call.
    pub(super) fn take_changes(&self) -> Vec<Change> {
        std::mem::take(&mut self.inner().changes)
    }

    /// The keys under a prefix.
    pub(super) fn keys(&self, prefix: &str) -> Vec<String> {
        self.inner().under(prefix).map(|(key, _)| key.clone()).collect()
    }

    /// One object.
    pub(super) fn object(&self, key: &str) -> Option<Arc<Vec<u8>>> {
        self.inner().objects.get(key).map(|stored| stored.data.clone())
    }

    /// Operations so far.
    pub(super) fn steps(&self) -> u64 {
        self.inner().steps
    }

    /// Operations of each actor so far.
    pub(super) fn operations(&self) -> Vec<u32> {
        self.inner().actors.iter().map(|actor| actor.operations).collect()
    }

    /// The clock.
    pub(super) fn now_unix_ms(&self) -> i64 {
        self.inner().now_unix_ms
    }

    /// A number that two runs share only if they did the same operations with the same outcome in the same order.
    pub(super) fn trace(&self) -> u64 {
        self.inner().trace
    }

    /// Whether the actor sleeps now.
    pub(super) fn is_asleep(&self, actor: usize) -> bool {
        let inner = self.inner();
        inner.actors[actor].asleep_until > inner.steps
    }

    /// Whether the actor's process died.
    pub(super) fn is_dead(&self, actor: usize) -> bool {
        self.inner().actors[actor].dead
    }

    /// Kills an actor's process: all its operations fail from now on.
    pub(super) fn kill(&self, actor: usize) {
        self.inner().actors[actor].dead = true;
    }

    /// Keeps a line for each operation from now on.
    pub(super) fn keep_log(&self) {
        self.inner().log = Some(Vec::new());
    }

    /// The lines kept.
    pub(super) fn take_log(&self) -> Vec<String> {
        self.inner().log.take().unwrap_or_default()
    }

    /// Adds a line of an actor's own to the log.
    pub(super) fn note(&self, line: impl FnOnce() -> String) {
        if let Some(log) = self.inner().log.as_mut() {
            log.push(line());
        }
    }

    /// Applies all that hangs in the network, and lets all locks run out.
    pub(super) fn settle(&self) {
        let mut inner = self.inner();
        inner.lock_ms = 0;
        for (_, write) in std::mem::take(&mut inner.late) {
            inner.apply_late(write);
        }
    }
}

impl Inner {
    fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a String, &'a Stored)> {
        self.objects.range(prefix.to_owned()..).take_while(move |(key, _)| key.starts_with(prefix))
    }

    fn create(&mut self, key: &str, data: &[u8]) -> Created {
        if self.objects.contains_key(key) {
            return Created::Exists;
        }
        let stored = Stored { data: Arc::new(data.to_vec()), modified_unix_ms: self.now_unix_ms };
        self.objects.insert(key.to_owned(), stored);
        self.changed(Change::Created(key.to_owned()));
        Created::New
    }

    fn delete(&mut self, key: &str) {
        if self.objects.remove(key).is_some() {
            self.changed(Change::Deleted(key.to_owned()));
        }
    }

    fn changed(&mut self, change: Change) {
        self.changes.push(change.clone());
        self.history.push(change);
    }

    fn apply_late(&mut self, write: Write) {
        match write {
            Write::Create(key, data) => {
                let created = self.create(&key, &data);
                self.record(usize::MAX, "late create", &key, created as u64);
            }
            Write::Delete(key) => {
                self.delete(&key);
                self.record(usize::MAX, "late delete", &key, 0);
            }
        }
    }

    /// One more operation has been done.
    fn record(&mut self, actor: usize, verb: &str, key: &str, outcome: u64) {
        for word in [actor as u64, outcome, key.len() as u64] {
            self.mix(word);
        }
        for text in [verb, key] {
            for chunk in text.as_bytes().chunks(8) {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                self.mix(u64::from_le_bytes(word));
            }
        }
        let steps = self.steps;
        if let Some(log) = self.log.as_mut() {
            let who =
                if actor == usize::MAX { "network".to_owned() } else { format!("actor {actor}") };
            log.push(format!("{steps:5} {who}: {verb} {key} -> {outcome}"));
        }
    }

    fn mix(&mut self, word: u64) {
        self.trace = Rng::new(self.trace.rotate_left(23) ^ word).next();
    }

    /// Begins an operation of an actor: time passes, what hung in the network may arrive.
    fn begin(&mut self, actor: usize) -> Option<FaultKind> {
        self.steps += 1;
        self.now_unix_ms += 1 + i64::try_from(self.chance.below(50)).expect("below fifty");
        let due: Vec<usize> =
            (0..self.late.len()).rev().filter(|index| self.late[*index].0 <= self.steps).collect();
        for index in due {
            let (_, write) = self.late.remove(index);
            self.apply_late(write);
        }
        let state = &mut self.actors[actor];
        let operation = state.operations;
        state.operations += 1;
        let fault = self.faults.get(&(actor, operation)).copied();
        if let Some(FaultKind::StaleList(changes)) = fault {
            state.stale = changes;
        }
        fault
    }

    /// Sends an actor to sleep before an operation on a record.
    fn maybe_stall(&mut self, actor: usize, verb: &str, key: &str) {
        let record = ["rp", "pending/", "gc/"].iter().any(|folder| key.starts_with(folder));
        let write = ["create", "delete"].contains(&verb);
        if record && write && self.pauses > 0 && self.chance.chance(u64::from(self.pauses), 100) {
            let steps = 1 << (5 + self.chance.below(6));
            self.actors[actor].asleep_until = self.steps + steps;
        } else if record && self.stalls > 0 && self.chance.chance(u64::from(self.stalls), 100) {
            let steps = 1 << (1 + self.chance.below(9));
            self.actors[actor].asleep_until = self.steps + steps;
        }
    }

    /// Whether a lock protects an object from deletion.
    fn is_locked(&self, key: &str) -> bool {
        let age = |stored: &Stored| self.now_unix_ms - stored.modified_unix_ms;
        let lock = i64::try_from(self.lock_ms).unwrap_or(i64::MAX);
        key.starts_with("packs/") && self.objects.get(key).is_some_and(|stored| age(stored) < lock)
    }

    fn refuse(&mut self, actor: usize) {
        let state = &mut self.actors[actor];
        state.dead = true;
        state.refused += 1;
        assert!(state.refused < REFUSED_MAX, "actor {actor} repeats for ever against a dead store");
    }

    fn listing(&self, prefix: &str, stale: u16) -> Vec<Object> {
        let from = self.history.len().saturating_sub(usize::from(stale));
        let unseen: Vec<&String> = self.history[from..]
            .iter()
            .filter_map(|change| match change {
                Change::Created(key) => Some(key),
                Change::Deleted(_) => None,
            })
            .collect();
        let seen = self.under(prefix).filter(|(key, _)| !unseen.contains(key));
        seen.map(|(key, stored)| Object {
            key: key.clone(),
            size: stored.data.len() as u64,
            modified_unix_ms: Some(stored.modified_unix_ms),
        })
        .collect()
    }
}

/// The store as one actor sees it.
#[derive(Debug)]
struct ActorBucket {
    store: Store,
    actor: usize,
}

fn failed(verb: &'static str, key: &str) -> BucketError {
    BucketError::Io { verb, key: key.to_owned(), source: io::Error::other("simulated fault") }
}

impl ActorBucket {
    /// Stops until the scheduler lets this operation happen.
    fn step(
        &self,
        verb: &'static str,
        key: &str,
    ) -> Result<(MutexGuard<'_, Inner>, Option<FaultKind>), BucketError> {
        self.store.inner().maybe_stall(self.actor, verb, key);
        if self.store.is_dead(self.actor) || sys::suspend() == Resume::Dead {
            self.store.inner().refuse(self.actor);
            return Err(failed(verb, key));
        }
        let mut inner = self.store.inner();
        let fault = inner.begin(self.actor);
        Ok((inner, fault))
    }

    /// A write, with what may go wrong with it.
    fn write(&self, verb: &'static str, key: &str, write: Write) -> Result<Created, BucketError> {
        let (mut inner, fault) = self.step(verb, key)?;
        if matches!(write, Write::Delete(_)) && inner.is_locked(key) {
            inner.record(self.actor, verb, key, 16);
            let source = io::ErrorKind::PermissionDenied.into();
            return Err(BucketError::Io { verb, key: key.to_owned(), source });
        }
        let apply = |inner: &mut Inner, write: &Write| match write {
            Write::Create(key, data) => inner.create(key, data),
            Write::Delete(key) => {
                inner.delete(key);
                Created::New
            }
        };
        let outcome = match fault {
            None | Some(FaultKind::FlippedBit | FaultKind::StaleList(_)) => {
                let created = apply(&mut inner, &write);
                inner.record(self.actor, verb, key, created as u64);
                return Ok(created);
            }
            Some(FaultKind::ErrorBefore) => 10,
            Some(FaultKind::AppliedThenError) => {
                apply(&mut inner, &write);
                11
            }
            Some(FaultKind::AppliedLate(steps)) => {
                let due = inner.steps + u64::from(steps);
                inner.late.push((due, write));
                12
            }
            Some(FaultKind::CrashBefore) => {
                inner.refuse(self.actor);
                13
            }
            Some(FaultKind::CrashAfter) => {
                apply(&mut inner, &write);
                inner.refuse(self.actor);
                14
            }
            Some(FaultKind::Torn) => {
                if let Write::Create(key, data) = &write
                    && key.starts_with("packs/")
                {
                    inner.create(key, &data[..data.len() / 2]);
                }
                inner.refuse(self.actor);
                15
            }
        };
        inner.record(self.actor, verb, key, outcome);
        Err(failed(verb, key))
    }

    /// A read, with what may go wrong with it.
    fn read<T>(
        &self,
        verb: &'static str,
        key: &str,
        read: impl FnOnce(&mut Inner, Option<FaultKind>) -> Result<(T, u64), BucketError>,
    ) -> Result<T, BucketError> {
        let (mut inner, fault) = self.step(verb, key)?;
        match fault {
            None | Some(FaultKind::FlippedBit | FaultKind::StaleList(_)) => {}
            Some(FaultKind::CrashBefore | FaultKind::CrashAfter | FaultKind::Torn) => {
                inner.refuse(self.actor);
                inner.record(self.actor, verb, key, 13);
                return Err(failed(verb, key));
            }
            Some(
                FaultKind::ErrorBefore | FaultKind::AppliedThenError | FaultKind::AppliedLate(_),
            ) => {
                inner.record(self.actor, verb, key, 10);
                return Err(failed(verb, key));
            }
        }
        let result = read(&mut inner, fault);
        let outcome = result.as_ref().map_or(u64::MAX, |(_, outcome)| *outcome);
        inner.record(self.actor, verb, key, outcome);
        result.map(|(value, _)| value)
    }
}

fn flip(inner: &mut Inner, fault: Option<FaultKind>, data: &mut [u8]) {
    if fault == Some(FaultKind::FlippedBit) && !data.is_empty() {
        let byte = inner.chance.index(data.len());
        data[byte] ^= 1 << inner.chance.below(8);
    }
}

impl Bucket for ActorBucket {
    fn create(&self, key: &str, data: &[u8]) -> Result<Created, BucketError> {
        self.write("create", key, Write::Create(key.to_owned(), data.to_vec()))
    }

    fn get(&self, key: &str) -> Result<Vec<u8>, BucketError> {
        self.read("read", key, |inner, fault| {
            let stored = inner
                .objects
                .get(key)
                .ok_or_else(|| BucketError::NotFound { key: key.to_owned() })?;
            let mut data = stored.data.to_vec();
            flip(inner, fault, &mut data);
            let length = data.len() as u64;
            Ok((data, length))
        })
    }

    fn get_range(&self, key: &str, offset: u64, length: usize) -> Result<Vec<u8>, BucketError> {
        self.read("read", key, |inner, fault| {
            let stored = inner
                .objects
                .get(key)
                .ok_or_else(|| BucketError::NotFound { key: key.to_owned() })?;
            let outside =
                || BucketError::OutOfRange { key: key.to_owned(), offset, length: length as u64 };
            let start = usize::try_from(offset).map_err(|_| outside())?;
            let end = start.checked_add(length).ok_or_else(outside)?;
            let mut data = stored.data.get(start..end).ok_or_else(outside)?.to_vec();
            flip(inner, fault, &mut data);
            Ok((data, offset << 20 | length as u64))
        })
    }

    fn size(&self, key: &str) -> Result<Option<u64>, BucketError> {
        self.read("size", key, |inner, _| {
            let size = inner.objects.get(key).map(|stored| stored.data.len() as u64);
            Ok((size, size.unwrap_or(u64::MAX)))
        })
    }

    fn list(&self, prefix: &str) -> Result<Vec<Object>, BucketError> {
        // Page by page, as stores do: what changes meanwhile may be seen in part.
        let mut listed: Vec<Object> = Vec::new();
        loop {
            let after = listed.last().map(|object| object.key.clone());
            let page = self.read("list", prefix, |inner, _| {
                let stale = if prefix == "rp/" { inner.actors[self.actor].stale } else { 0 };
                let rest = inner.listing(prefix, stale).into_iter();
                let rest =
                    rest.filter(|object| after.as_ref().is_none_or(|after| object.key > *after));
                let page: Vec<_> = rest.take(PAGE).collect();
                if prefix == "rp/" && page.len() < PAGE {
                    inner.actors[self.actor].stale = 0;
                }
                let length = page.len() as u64;
                Ok((page, length))
            })?;
            let last = page.len() < PAGE;
            listed.extend(page);
            if last {
                return Ok(listed);
            }
        }
    }

    fn delete(&self, key: &str) -> Result<(), BucketError> {
        self.write("delete", key, Write::Delete(key.to_owned())).map(|_| ())
    }
}

/// The store as it is.
#[derive(Debug)]
struct TruthBucket(Store);

impl Bucket for TruthBucket {
    fn create(&self, key: &str, data: &[u8]) -> Result<Created, BucketError> {
        Ok(self.0.inner().create(key, data))
    }

    fn get(&self, key: &str) -> Result<Vec<u8>, BucketError> {
        let data =
            self.0.object(key).ok_or_else(|| BucketError::NotFound { key: key.to_owned() })?;
        Ok(data.to_vec())
    }

    fn get_range(&self, key: &str, offset: u64, length: usize) -> Result<Vec<u8>, BucketError> {
        let data =
            self.0.object(key).ok_or_else(|| BucketError::NotFound { key: key.to_owned() })?;
        let outside =
            || BucketError::OutOfRange { key: key.to_owned(), offset, length: length as u64 };
        let start = usize::try_from(offset).map_err(|_| outside())?;
        let end = start.checked_add(length).ok_or_else(outside)?;
        Ok(data.get(start..end).ok_or_else(outside)?.to_vec())
    }

    fn size(&self, key: &str) -> Result<Option<u64>, BucketError> {
        Ok(self.0.object(key).map(|data| data.len() as u64))
    }

    fn list(&self, prefix: &str) -> Result<Vec<Object>, BucketError> {
        Ok(self.0.inner().listing(prefix, 0))
    }

    fn delete(&self, key: &str) -> Result<(), BucketError> {
        self.0.inner().delete(key);
        Ok(())
    }
}
