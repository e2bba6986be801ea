//! What every thread of the service shares.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use coffre_control::Refusal;
use coffre_control::id::VmId;
use coffre_control::port::{self, Db, Tx};
use jiff::Timestamp;
use uuid::Uuid;

use super::hypervisors::Hypervisors;
use super::stores::Stores;

/// Pause between two looks at whether to go on waiting for room.
const SLOT_PATIENCE: Duration = Duration::from_millis(200);

/// What every thread of the service shares.
pub(crate) struct Service {
    /// The database.
    pub(crate) db: Arc<dyn Db>,
    /// Where VMs live.
    pub(crate) hypervisors: Hypervisors,
    /// Where vaults keep their blocks.
    pub(crate) stores: Stores,
    /// Folder for what guests overwrite during a backup.
    pub(crate) scratch: PathBuf,
    /// Folder for the disks of machines that a restore makes.
    pub(crate) images: PathBuf,
    /// How long a guest may stay frozen.
    pub(crate) freeze_max: Duration,
    /// The region of everything.
    pub(crate) region: String,
    /// This process, for leases: random, new with each start.
    pub(crate) owner: Uuid,
    /// Rings when there may be something to do.
    pub(crate) bell: Bell,
    /// Machines that a thread of this process works on.
    pub(crate) claims: Claims,
    /// Machines whose images may not hold the copies that we know of.
    pub(crate) suspects: Suspects,
    /// Room for jobs that move blocks.
    pub(crate) transfers: Slots,
    stopping: AtomicBool,
}

/// The parts of a [`Service`] that differ from one to the other.
pub(crate) struct Parts {
    pub(crate) db: Arc<dyn Db>,
    pub(crate) hypervisors: Hypervisors,
    pub(crate) stores: Stores,
    pub(crate) scratch: PathBuf,
    pub(crate) images: PathBuf,
    pub(crate) freeze_max: Duration,
    pub(crate) region: String,
    pub(crate) transfers: usize,
}

impl Service {
    /// Puts the parts together.
    pub(crate) fn new(parts: Parts) -> Service {
        Service {
            db: parts.db,
            hypervisors: parts.hypervisors,
            stores: parts.stores,
            scratch: parts.scratch,
            images: parts.images,
            freeze_max: parts.freeze_max,
            region: parts.region,
            owner: Uuid::new_v4(),
            bell: Bell::default(),
            claims: Claims::default(),
            suspects: Suspects::default(),
            transfers: Slots::new(parts.transfers),
            stopping: AtomicBool::new(false),
        }
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// Runs work that may change the database.
    pub(crate) fn tx<T>(
        &self,
        name: &'static str,
        work: impl FnOnce(&mut dyn Tx) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        port::tx(&*self.db, name, work)
    }

    /// Runs work that only looks.
    pub(crate) fn read<T>(
        &self,
        name: &'static str,
        work: impl FnOnce(&mut dyn Tx) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        port::read(&*self.db, name, work)
    }

    /// Whether the service is on its way out.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Asks every thread to come to its end.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.bell.ring();
    }
}

/// Machines of which somebody of this process has one.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    taken: Mutex<HashSet<Uuid>>,
}

impl Claims {
    /// Takes a machine until the claim is dropped. `None` = somebody has it.
    pub(crate) fn take(&self, machine: Uuid) -> Option<Claim<'_>> {
        // Two statements: a claim that is made and dropped would free what somebody else holds.
        let free = self.taken().insert(machine);
        free.then(|| Claim { claims: self, machine })
    }

    fn taken(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        // A set is whole after every single operation.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Machines that somebody should look at.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    named: Mutex<HashSet<VmId>>,
}

impl Suspects {
    /// Names one.
    pub(crate) fn add(&self, vm: VmId) {
        self.named.lock().unwrap_or_else(PoisonError::into_inner).insert(vm);
    }

    /// All that were named since the last call.
    pub(crate) fn take(&self) -> HashSet<VmId> {
        std::mem::take(&mut *self.named.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A machine that is ours for the moment.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    claims: &'a Claims,
    machine: Uuid,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.claims.taken().remove(&self.machine);
    }
}

/// Room for so many at once. Whoever waits can be told to give up.
#[derive(Debug)]
pub(crate) struct Slots {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Slots {
    fn new(count: usize) -> Slots {
        Slots { free: Mutex::new(count), freed: Condvar::new() }
    }

    /// Waits for room. `None` = gave up.
    pub(crate) fn take(&self, gives_up: impl Fn() -> bool) -> Option<Slot<'_>> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            if gives_up() {
                return None;
            }
            let waited = self.freed.wait_timeout(free, SLOT_PATIENCE);
            free = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *free -= 1;
        Some(Slot { slots: self })
    }
}

/// Room that is ours until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    slots: &'a Slots,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.slots.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.slots.freed.notify_one();
    }
}

/// Wakes sleepers. A ring between two looks is never lost: a sleeper says what it heard last.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Mutex<u64>,
    ring: Condvar,
}

impl Bell {
    /// How often it rang until now.
    pub(crate) fn heard(&self) -> u64 {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes everybody.
    pub(crate) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.ring.notify_all();
    }

    /// Sleeps until it rings, at most so long; at once when it rang since `heard`.
    pub(crate) fn sleep(&self, heard: u64, at_most: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.ring.wait_timeout_while(rung, at_most, |rung| *rung == heard));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_machine_has_one_holder_at_a_time() {
        let claims = Claims::default();
        let first = claims.take(Uuid::nil());
        assert!(first.is_some());
        assert!(claims.take(Uuid::nil()).is_none());
        assert!(claims.take(Uuid::nil()).is_none(), "a refused claim frees nothing");
        assert!(claims.take(Uuid::max()).is_some());
        drop(first);
        assert!(claims.take(Uuid::nil()).is_some());
    }

    #[test]
    fn room_is_given_to_one_after_the_other_and_waiting_can_end() {
        let slots = Slots::new(1);
        let first = slots.take(|| false).unwrap();
        assert!(slots.take(|| true).is_none());
        std::thread::scope(|scope| {
            let second = scope.spawn(|| slots.take(|| false).is_some());
            drop(first);
            assert!(second.join().unwrap());
        });
        assert!(slots.take(|| true).is_some(), "all room is free again");
    }

    #[test]
    fn a_ring_before_the_sleep_is_heard() {
        let bell = Bell::default();
        let heard = bell.heard();
        bell.ring();
        let begun = Instant::now();
        bell.sleep(heard, Duration::from_secs(60));
        assert!(begun.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_sleeper_wakes_when_it_rings() {
        let bell = Bell::default();
        let heard = bell.heard();
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| bell.sleep(heard, Duration::from_secs(60)));
            bell.ring();
            sleeper.join().unwrap();
        });
    }
}
