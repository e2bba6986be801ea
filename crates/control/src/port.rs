//! The port to the store: one transaction, typed by noun.
//!
//! Rules that every adapter keeps:
//! * Lookups by name ignore the case of ASCII letters; what comes back is spelt as stored.
//! * `put_*` with `etag` 0 inserts, and fails with [`StoreFault::Exists`] when the key (or a unique
//!   name) is taken. With another `etag` it replaces the row that has exactly this one, and fails
//!   with [`StoreFault::Stale`] when there is none. Either way the etag in the argument grows by
//!   one.
//! * Deletes of what is not there succeed.
//! * A transaction sees its own writes, and nobody else sees any of them before the commit.

mod filter;
mod lists;
pub use filter::{DueFilter, JobFilter, Missing, Need, Order, PointSearch, Search};
pub use lists::{HypervisorRow, Lists, Stored};

use std::error::Error;

use jiff::Timestamp;
use uuid::Uuid;

use crate::error::Refusal;
use crate::id::{ItemId, JobId, OperationId, PointId, PrincipalId, SubscriptionId, VaultId, VmId};
use crate::model::{
    Agenda, AuditChain, AuditRecord, Job, Operation, Policy, Principal, ProtectedItem, Record,
    RecordKind, RecoveryPoint, Region, ResourceGroup, Setting, StorageAccount, Subscription, Task,
    Vault, Vm,
};

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreFault {
    /// The row was changed by somebody else in between.
    #[error("{noun} {key} was changed in between")]
    Stale {
        /// What it is.
        noun: &'static str,
        /// Which one.
        key: String,
    },
    /// A row with this key or this unique name is there already.
    #[error("{noun} {key} exists already")]
    Exists {
        /// What it is.
        noun: &'static str,
        /// Which one.
        key: String,
    },
    /// Somebody else holds the store for too long.
    #[error("{attempt}: the store is busy")]
    Busy {
        /// What was attempted.
        attempt: &'static str,
    },
    /// A write in a transaction that only reads.
    #[error("{attempt}: this transaction only reads")]
    ReadOnly {
        /// What was attempted.
        attempt: &'static str,
    },
    /// A row that cannot be understood.
    #[error("row {key} of {table} cannot be read")]
    BadRow {
        /// The table.
        table: &'static str,
        /// The row.
        key: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Anything else: the disk is full, the file is damaged, the server is away.
    #[error("{attempt}: the store failed")]
    Broken {
        /// What was attempted.
        attempt: &'static str,
        /// What happened.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// The work of a transaction does not want it committed. What it wants to say it keeps itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollback;

/// One transaction.
pub trait Tx: Lists {
    /// All subscriptions, by name.
    fn subscriptions(&mut self) -> Result<Vec<Subscription>, StoreFault>;
    /// One subscription.
    fn subscription(&mut self, id: SubscriptionId) -> Result<Option<Subscription>, StoreFault>;
    /// Inserts or replaces a subscription.
    fn put_subscription(&mut self, row: &mut Subscription) -> Result<(), StoreFault>;

    /// All regions, by name.
    fn regions(&mut self) -> Result<Vec<Region>, StoreFault>;
    /// One region.
    fn region(&mut self, name: &str) -> Result<Option<Region>, StoreFault>;
    /// Inserts or replaces a region.
    fn put_region(&mut self, row: &mut Region) -> Result<(), StoreFault>;

    /// Resource groups of a subscription, by name.
    fn groups(&mut self, subscription: SubscriptionId) -> Result<Vec<ResourceGroup>, StoreFault>;
    /// One resource group.
    fn group(
        &mut self,
        subscription: SubscriptionId,
        name: &str,
    ) -> Result<Option<ResourceGroup>, StoreFault>;
    /// Inserts or replaces a resource group.
    fn put_group(&mut self, row: &mut ResourceGroup) -> Result<(), StoreFault>;
    /// Deletes a resource group.
    fn delete_group(&mut self, subscription: SubscriptionId, name: &str) -> Result<(), StoreFault>;

    /// Vaults of a subscription, by name.
    fn vaults(&mut self, subscription: SubscriptionId) -> Result<Vec<Vault>, StoreFault>;
    /// One vault by identity.
    fn vault(&mut self, id: VaultId) -> Result<Option<Vault>, StoreFault>;
    /// The vault of a subscription that has this name, in whichever group.
    fn vault_named(
        &mut self,
        subscription: SubscriptionId,
        name: &str,
    ) -> Result<Option<Vault>, StoreFault>;
    /// Inserts or replaces a vault.
    fn put_vault(&mut self, row: &mut Vault) -> Result<(), StoreFault>;
    /// Deletes a vault with its policies.
    fn delete_vault(&mut self, id: VaultId) -> Result<(), StoreFault>;

    /// Policies of a vault, by name.
    fn policies(&mut self, vault: VaultId) -> Result<Vec<Policy>, StoreFault>;
    /// One policy.
    fn policy(&mut self, vault: VaultId, name: &str) -> Result<Option<Policy>, StoreFault>;
    /// Inserts or replaces a policy.
    fn put_policy(&mut self, row: &mut Policy) -> Result<(), StoreFault>;
    /// Deletes a policy.
    fn delete_policy(&mut self, vault: VaultId, name: &str) -> Result<(), StoreFault>;

    /// VMs of a subscription, by group and name.
    fn vms(&mut self, subscription: SubscriptionId) -> Result<Vec<Vm>, StoreFault>;
    /// One VM by identity.
    fn vm(&mut self, id: VmId) -> Result<Option<Vm>, StoreFault>;
    /// One VM by name.
    fn vm_named(
        &mut self,
        subscription: SubscriptionId,
        group: &str,
        name: &str,
    ) -> Result<Option<Vm>, StoreFault>;
    /// Inserts or replaces a VM.
    fn put_vm(&mut self, row: &mut Vm) -> Result<(), StoreFault>;
    /// Deletes a VM.
    fn delete_vm(&mut self, id: VmId) -> Result<(), StoreFault>;

    /// Storage accounts of a subscription, by name.
    fn storage_accounts(
        &mut self,
        subscription: SubscriptionId,
    ) -> Result<Vec<StorageAccount>, StoreFault>;
    /// The storage account of a subscription that has this name, in whichever group.
    fn storage_account(
        &mut self,
        subscription: SubscriptionId,
        name: &str,
    ) -> Result<Option<StorageAccount>, StoreFault>;
    /// Inserts or replaces a storage account.
    fn put_storage_account(&mut self, row: &mut StorageAccount) -> Result<(), StoreFault>;

    /// Items of a vault, by the VM's name; deleted ones that can be brought back are among them.
    fn items(&mut self, vault: VaultId) -> Result<Vec<ProtectedItem>, StoreFault>;
    /// One item by identity.
    fn item(&mut self, id: ItemId) -> Result<Option<ProtectedItem>, StoreFault>;
    /// The item of a vault that carries this name.
    fn item_named(
        &mut self,
        vault: VaultId,
        vm_group: &str,
        vm_name: &str,
    ) -> Result<Option<ProtectedItem>, StoreFault>;
    /// The item that protects a VM, in whichever vault.
    fn item_of_vm(&mut self, vm: VmId) -> Result<Option<ProtectedItem>, StoreFault>;
    /// Inserts or replaces an item. A second item for the VM is [`StoreFault::Exists`].
    fn put_item(&mut self, row: &mut ProtectedItem) -> Result<(), StoreFault>;
    /// Deletes an item.
    fn delete_item(&mut self, id: ItemId) -> Result<(), StoreFault>;

    /// Identities of the items under a policy.
    fn items_of_policy(&mut self, vault: VaultId, policy: &str) -> Result<Vec<ItemId>, StoreFault>;
    /// How many items are under a policy.
    fn count_items_of_policy(&mut self, vault: VaultId, policy: &str) -> Result<u64, StoreFault>;

    /// What is due, longest first.
    fn due(&mut self, filter: &DueFilter) -> Result<Vec<Agenda>, StoreFault>;
    /// When the next entry of a task is due; none when there is none.
    fn next_due(&mut self, task: Task) -> Result<Option<Timestamp>, StoreFault>;
    /// One entry.
    fn agenda(&mut self, task: Task, subject: Uuid) -> Result<Option<Agenda>, StoreFault>;
    /// Writes an entry; the last write wins.
    fn put_agenda(&mut self, row: &Agenda) -> Result<(), StoreFault>;
    /// Deletes all entries of a subject.
    fn delete_agenda(&mut self, subject: Uuid) -> Result<(), StoreFault>;
    /// Items with a policy that have no entry for a task, at most so many.
    fn items_without(&mut self, task: Task, limit: u32) -> Result<Vec<ItemId>, StoreFault>;
    /// Vaults with items that have no entry for a task, at most so many.
    fn vaults_without(&mut self, task: Task, limit: u32) -> Result<Vec<VaultId>, StoreFault>;

    /// Recovery points of an item, newest first.
    fn points(&mut self, item: ItemId) -> Result<Vec<RecoveryPoint>, StoreFault>;
    /// One recovery point by identity.
    fn point(&mut self, id: PointId) -> Result<Option<RecoveryPoint>, StoreFault>;
    /// One recovery point by the number that names it.
    fn point_numbered(
        &mut self,
        item: ItemId,
        number: u64,
    ) -> Result<Option<RecoveryPoint>, StoreFault>;
    /// Inserts or replaces a recovery point. A second one of the item for a slot is
    /// [`StoreFault::Exists`].
    fn put_point(&mut self, row: &mut RecoveryPoint) -> Result<(), StoreFault>;
    /// Deletes a recovery point.
    fn delete_point(&mut self, id: PointId) -> Result<(), StoreFault>;

    /// Jobs, newest first.
    fn jobs(&mut self, filter: &JobFilter) -> Result<Vec<Job>, StoreFault>;
    /// One job.
    fn job(&mut self, id: JobId) -> Result<Option<Job>, StoreFault>;
    /// The newest job of an item for a slot.
    fn job_of_slot(&mut self, item: ItemId, slot: Timestamp) -> Result<Option<Job>, StoreFault>;
    /// The job on an item that has not ended; there is at most one.
    fn running_job(&mut self, item: ItemId) -> Result<Option<Job>, StoreFault>;
    /// The job on a VM that has not ended, on an item or not; the oldest when there are several.
    fn running_job_of_vm(&mut self, vm: VmId) -> Result<Option<Job>, StoreFault>;
    /// Inserts or replaces a job. A second one on an item that has not ended is
    /// [`StoreFault::Exists`]. The row is replaced only when etag and lease epoch are those that
    /// were read.
    fn put_job(&mut self, row: &mut Job) -> Result<(), StoreFault>;
    /// Leases the job that is due longest, has not ended, and is not leased, or by a lease that
    /// has run out: sets owner, end (`now + ttl`) and the next epoch. One owner may hold many.
    fn job_lease(
        &mut self,
        owner: Uuid,
        now: Timestamp,
        ttl: std::time::Duration,
    ) -> Result<Option<Job>, StoreFault>;
    /// Jobs that have not ended and are leased by anybody but `owner`.
    fn jobs_leased_by_others(&mut self, owner: Uuid) -> Result<Vec<Job>, StoreFault>;
    /// When the next job that is not leased is due: its `wake_at`, or its time of creation.
    fn next_wake(&mut self) -> Result<Option<Timestamp>, StoreFault>;

    /// One operation.
    fn operation(&mut self, id: OperationId) -> Result<Option<Operation>, StoreFault>;
    /// Inserts or replaces an operation.
    fn put_operation(&mut self, row: &mut Operation) -> Result<(), StoreFault>;
    /// Forgets operations made before a time; says how many.
    fn delete_operations_before(&mut self, time: Timestamp) -> Result<u64, StoreFault>;

    /// All principals, by name.
    fn principals(&mut self) -> Result<Vec<Principal>, StoreFault>;
    /// One principal by identity.
    fn principal(&mut self, id: PrincipalId) -> Result<Option<Principal>, StoreFault>;
    /// One principal by name.
    fn principal_named(&mut self, name: &str) -> Result<Option<Principal>, StoreFault>;
    /// Inserts or replaces a principal.
    fn put_principal(&mut self, row: &mut Principal) -> Result<(), StoreFault>;

    /// One setting.
    fn setting(&mut self, key: &str) -> Result<Option<Setting>, StoreFault>;
    /// Writes a setting; the last write wins.
    fn put_setting(&mut self, row: &Setting) -> Result<(), StoreFault>;

    /// Records of a kind at exactly this scope, by name.
    fn records(&mut self, kind: RecordKind, scope: &str) -> Result<Vec<Record>, StoreFault>;
    /// Records of a kind at this scope and at all scopes below it, by scope and name.
    fn records_below(&mut self, kind: RecordKind, scope: &str) -> Result<Vec<Record>, StoreFault>;
    /// One record.
    fn record(
        &mut self,
        kind: RecordKind,
        scope: &str,
        name: &str,
    ) -> Result<Option<Record>, StoreFault>;
    /// Inserts or replaces a record.
    fn put_record(&mut self, row: &mut Record) -> Result<(), StoreFault>;
    /// Deletes a record.
    fn delete_record(
        &mut self,
        kind: RecordKind,
        scope: &str,
        name: &str,
    ) -> Result<(), StoreFault>;
    /// Deletes the records of all kinds at a scope and below it.
    fn delete_records_below(&mut self, scope: &str) -> Result<(), StoreFault>;

    /// Appends to the audit.
    fn put_audit(&mut self, row: &AuditRecord) -> Result<(), StoreFault>;
    /// Follows the chain of the audit.
    fn audit_chain(&mut self) -> Result<AuditChain, StoreFault>;
}

/// A store.
pub trait Db: Send + Sync {
    /// Runs `work` once in a transaction that may write, and commits when it returns `Ok`.
    /// Writers run one after the other. `name` is for logs.
    fn run(
        &self,
        name: &'static str,
        work: &mut dyn FnMut(&mut dyn Tx) -> Result<(), Rollback>,
    ) -> Result<(), StoreFault>;

    /// Runs `work` once in a transaction that only reads; it sees one state and waits for no
    /// writer. Writes in it fail with [`StoreFault::ReadOnly`].
    fn run_reading(
        &self,
        name: &'static str,
        work: &mut dyn FnMut(&mut dyn Tx) -> Result<(), Rollback>,
    ) -> Result<(), StoreFault>;
}

/// Runs a use-case in a transaction: commits what it did when it returns `Ok`, else nothing.
pub fn tx<T>(
    db: &dyn Db,
    name: &'static str,
    work: impl FnOnce(&mut dyn Tx) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    once(work, |each| db.run(name, each))
}

/// Runs a use-case that only looks.
pub fn read<T>(
    db: &dyn Db,
    name: &'static str,
    work: impl FnOnce(&mut dyn Tx) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    once(work, |each| db.run_reading(name, each))
}

fn once<T>(
    work: impl FnOnce(&mut dyn Tx) -> Result<T, Refusal>,
    run: impl FnOnce(&mut dyn FnMut(&mut dyn Tx) -> Result<(), Rollback>) -> Result<(), StoreFault>,
) -> Result<T, Refusal> {
    let mut work = Some(work);
    let mut answer = None;
    let ran = run(&mut |tx| {
        let work = work.take().expect("a store runs the work once");
        let result = work(tx);
        let end = if result.is_ok() { Ok(()) } else { Err(Rollback) };
        answer = Some(result);
        end
    });
    match (ran, answer) {
        // The use-case's own refusal says more than "rolled back".
        (_, Some(Err(refusal))) => Err(refusal),
        (Err(fault), _) => Err(fault.into()),
        (Ok(()), Some(Ok(value))) => Ok(value),
        (Ok(()), None) => unreachable!("a store that answers Ok has run the work"),
    }
}
