//! The port's transaction, delegating to the tables.

use std::time::Duration;

use coffre_control::id::{
    ItemId, JobId, OperationId, PointId, PrincipalId, SubscriptionId, VaultId, VmId,
};
use coffre_control::model::{
    Agenda, AuditChain, AuditRecord, Job, Operation, Policy, Principal, ProtectedItem, Record,
    RecordKind, RecoveryPoint, Region, ResourceGroup, Setting, StorageAccount, Subscription, Task,
    Vault, Vm,
};
use coffre_control::port::{DueFilter, JobFilter, StoreFault, Tx};
use jiff::Timestamp;
use rusqlite::{Connection, params};
use uuid::Uuid;

use crate::row::{Row, all, delete, fault, number, one, put};
use crate::table::{
    agenda, audit, item, job, operation, place, point, policy, principal, record, setting, vault,
    vm,
};

type Result<T> = std::result::Result<T, StoreFault>;

/// A transaction on a connection.
pub(crate) struct SqliteTx<'a> {
    pub(crate) connection: &'a Connection,
}

impl<'a> SqliteTx<'a> {
    pub(crate) fn new(connection: &'a Connection) -> Self {
        Self { connection }
    }
}

fn id(uuid: Uuid) -> [String; 1] {
    [uuid.to_string()]
}

impl Tx for SqliteTx<'_> {
    fn subscriptions(&mut self) -> Result<Vec<Subscription>> {
        all(self.connection, place::SUBSCRIPTIONS, [])
    }
    fn subscription(&mut self, key: SubscriptionId) -> Result<Option<Subscription>> {
        one(self.connection, place::SUBSCRIPTION, id(key.0))
    }
    fn put_subscription(&mut self, row: &mut Subscription) -> Result<()> {
        put(self.connection, row)
    }

    fn regions(&mut self) -> Result<Vec<Region>> {
        all(self.connection, place::REGIONS, [])
    }
    fn region(&mut self, name: &str) -> Result<Option<Region>> {
        one(self.connection, place::REGION, [name])
    }
    fn put_region(&mut self, row: &mut Region) -> Result<()> {
        put(self.connection, row)
    }

    fn groups(&mut self, subscription: SubscriptionId) -> Result<Vec<ResourceGroup>> {
        all(self.connection, place::GROUPS, id(subscription.0))
    }
    fn group(&mut self, subscription: SubscriptionId, name: &str) -> Result<Option<ResourceGroup>> {
        one(self.connection, place::GROUP, params![subscription.to_string(), name])
    }
    fn put_group(&mut self, row: &mut ResourceGroup) -> Result<()> {
        put(self.connection, row)
    }
    fn delete_group(&mut self, subscription: SubscriptionId, name: &str) -> Result<()> {
        delete(self.connection, ResourceGroup::TABLE, params![subscription.to_string(), name])
    }

    fn vaults(&mut self, subscription: SubscriptionId) -> Result<Vec<Vault>> {
        all(self.connection, vault::ALL, id(subscription.0))
    }
    fn vault(&mut self, key: VaultId) -> Result<Option<Vault>> {
        one(self.connection, vault::ONE, id(key.0))
    }
    fn vault_named(&mut self, subscription: SubscriptionId, name: &str) -> Result<Option<Vault>> {
        one(self.connection, vault::NAMED, params![subscription.to_string(), name])
    }
    fn put_vault(&mut self, row: &mut Vault) -> Result<()> {
        put(self.connection, row)
    }
    fn delete_vault(&mut self, key: VaultId) -> Result<()> {
        delete(self.connection, Vault::TABLE, id(key.0))
    }

    fn policies(&mut self, vault: VaultId) -> Result<Vec<Policy>> {
        all(self.connection, policy::ALL, id(vault.0))
    }
    fn policy(&mut self, vault: VaultId, name: &str) -> Result<Option<Policy>> {
        one(self.connection, policy::ONE, params![vault.to_string(), name])
    }
    fn put_policy(&mut self, row: &mut Policy) -> Result<()> {
        put(self.connection, row)
    }
    fn delete_policy(&mut self, vault: VaultId, name: &str) -> Result<()> {
        delete(self.connection, Policy::TABLE, params![vault.to_string(), name])
    }

    fn vms(&mut self, subscription: SubscriptionId) -> Result<Vec<Vm>> {
        all(self.connection, vm::ALL, id(subscription.0))
    }
    fn vm(&mut self, key: VmId) -> Result<Option<Vm>> {
        one(self.connection, vm::ONE, id(key.0))
    }
    fn vm_named(
        &mut self,
        subscription: SubscriptionId,
        group: &str,
        name: &str,
    ) -> Result<Option<Vm>> {
        one(self.connection, vm::NAMED, params![subscription.to_string(), group, name])
    }
    fn put_vm(&mut self, row: &mut Vm) -> Result<()> {
        put(self.connection, row)
    }
    fn delete_vm(&mut self, key: VmId) -> Result<()> {
        delete(self.connection, Vm::TABLE, id(key.0))
    }

    fn storage_accounts(&mut self, subscription: SubscriptionId) -> Result<Vec<StorageAccount>> {
        all(self.connection, place::ACCOUNTS, id(subscription.0))
    }
    fn storage_account(
        &mut self,
        subscription: SubscriptionId,
        name: &str,
    ) -> Result<Option<StorageAccount>> {
        one(self.connection, place::ACCOUNT, params![subscription.to_string(), name])
    }
    fn put_storage_account(&mut self, row: &mut StorageAccount) -> Result<()> {
        put(self.connection, row)
    }

    fn items(&mut self, vault: VaultId) -> Result<Vec<ProtectedItem>> {
        all(self.connection, item::ALL, id(vault.0))
    }
    fn item(&mut self, key: ItemId) -> Result<Option<ProtectedItem>> {
        one(self.connection, item::ONE, id(key.0))
    }
    fn item_named(
        &mut self,
        vault: VaultId,
        vm_group: &str,
        vm_name: &str,
    ) -> Result<Option<ProtectedItem>> {
        one(self.connection, item::NAMED, params![vault.to_string(), vm_group, vm_name])
    }
    fn item_of_vm(&mut self, vm: VmId) -> Result<Option<ProtectedItem>> {
        one(self.connection, item::OF_VM, id(vm.0))
    }
    fn put_item(&mut self, row: &mut ProtectedItem) -> Result<()> {
        put(self.connection, row)
    }
    fn delete_item(&mut self, key: ItemId) -> Result<()> {
        delete(self.connection, ProtectedItem::TABLE, id(key.0))
    }

    fn items_of_policy(&mut self, vault: VaultId, policy: &str) -> Result<Vec<ItemId>> {
        agenda::ids(self.connection, item::OF_POLICY, params![vault.to_string(), policy])
    }
    fn count_items_of_policy(&mut self, vault: VaultId, policy: &str) -> Result<u64> {
        let count: i64 = self
            .connection
            .prepare_cached(item::COUNT_OF_POLICY)
            .and_then(|mut it| it.query_row(params![vault.to_string(), policy], |row| row.get(0)))
            .map_err(|error| fault("count items", error))?;
        Ok(u64::try_from(count).expect("a count is not negative"))
    }

    fn due(&mut self, filter: &DueFilter) -> Result<Vec<Agenda>> {
        agenda::due(self.connection, filter)
    }
    fn next_due(&mut self, task: Task) -> Result<Option<Timestamp>> {
        agenda::next(self.connection, task)
    }
    fn agenda(&mut self, task: Task, subject: Uuid) -> Result<Option<Agenda>> {
        agenda::get(self.connection, task, subject)
    }
    fn put_agenda(&mut self, row: &Agenda) -> Result<()> {
        agenda::put(self.connection, row)
    }
    fn delete_agenda(&mut self, subject: Uuid) -> Result<()> {
        agenda::delete(self.connection, subject)
    }
    fn items_without(&mut self, task: Task, limit: u32) -> Result<Vec<ItemId>> {
        agenda::items_without(self.connection, task, limit)
    }
    fn vaults_without(&mut self, task: Task, limit: u32) -> Result<Vec<VaultId>> {
        agenda::vaults_without(self.connection, task, limit)
    }

    fn points(&mut self, item: ItemId) -> Result<Vec<RecoveryPoint>> {
        all(self.connection, point::ALL, id(item.0))
    }
    fn point(&mut self, key: PointId) -> Result<Option<RecoveryPoint>> {
        one(self.connection, point::ONE, id(key.0))
    }
    fn point_numbered(&mut self, item: ItemId, name: u64) -> Result<Option<RecoveryPoint>> {
        one(self.connection, point::NUMBERED, params![item.to_string(), number(name)])
    }
    fn put_point(&mut self, row: &mut RecoveryPoint) -> Result<()> {
        put(self.connection, row)
    }
    fn delete_point(&mut self, key: PointId) -> Result<()> {
        delete(self.connection, RecoveryPoint::TABLE, id(key.0))
    }

    fn jobs(&mut self, filter: &JobFilter) -> Result<Vec<Job>> {
        job::list(self.connection, filter)
    }
    fn job(&mut self, key: JobId) -> Result<Option<Job>> {
        one(self.connection, job::ONE, id(key.0))
    }
    fn job_of_slot(&mut self, item: ItemId, slot: Timestamp) -> Result<Option<Job>> {
        one(self.connection, job::OF_SLOT, params![item.to_string(), slot.as_microsecond()])
    }
    fn running_job(&mut self, item: ItemId) -> Result<Option<Job>> {
        one(self.connection, job::RUNNING, id(item.0))
    }
    fn running_job_of_vm(&mut self, vm: VmId) -> Result<Option<Job>> {
        one(self.connection, job::RUNNING_OF_VM, id(vm.0))
    }
    fn put_job(&mut self, row: &mut Job) -> Result<()> {
        job::store(self.connection, row)
    }
    fn job_lease(&mut self, owner: Uuid, now: Timestamp, ttl: Duration) -> Result<Option<Job>> {
        job::lease(self.connection, owner, now, ttl)
    }
    fn jobs_leased_by_others(&mut self, owner: Uuid) -> Result<Vec<Job>> {
        job::of_others(self.connection, owner)
    }
    fn next_wake(&mut self) -> Result<Option<Timestamp>> {
        job::next_wake(self.connection)
    }

    fn operation(&mut self, key: OperationId) -> Result<Option<Operation>> {
        one(self.connection, operation::ONE, id(key.0))
    }
    fn put_operation(&mut self, row: &mut Operation) -> Result<()> {
        put(self.connection, row)
    }
    fn delete_operations_before(&mut self, time: Timestamp) -> Result<u64> {
        let deleted = self
            .connection
            .prepare_cached(operation::DELETE_BEFORE)
            .and_then(|mut statement| statement.execute([time.as_microsecond()]))
            .map_err(|error| fault("forget operations", error))?;
        Ok(u64::try_from(deleted).expect("a count of rows fits 64 bits"))
    }

    fn principals(&mut self) -> Result<Vec<Principal>> {
        all(self.connection, principal::ALL, [])
    }
    fn principal(&mut self, key: PrincipalId) -> Result<Option<Principal>> {
        one(self.connection, principal::ONE, id(key.0))
    }
    fn principal_named(&mut self, name: &str) -> Result<Option<Principal>> {
        one(self.connection, principal::NAMED, [name])
    }
    fn put_principal(&mut self, row: &mut Principal) -> Result<()> {
        put(self.connection, row)
    }

    fn setting(&mut self, key: &str) -> Result<Option<Setting>> {
        setting::get(self.connection, key)
    }
    fn put_setting(&mut self, row: &Setting) -> Result<()> {
        setting::put(self.connection, row)
    }

    fn records(&mut self, kind: RecordKind, scope: &str) -> Result<Vec<Record>> {
        all(self.connection, record::ALL, params![kind.name(), scope])
    }
    fn records_below(&mut self, kind: RecordKind, scope: &str) -> Result<Vec<Record>> {
        all(self.connection, record::BELOW, params![kind.name(), scope])
    }
    fn record(&mut self, kind: RecordKind, scope: &str, name: &str) -> Result<Option<Record>> {
        one(self.connection, record::ONE, params![kind.name(), scope, name])
    }
    fn put_record(&mut self, row: &mut Record) -> Result<()> {
        put(self.connection, row)
    }
    fn delete_record(&mut self, kind: RecordKind, scope: &str, name: &str) -> Result<()> {
        delete(self.connection, Record::TABLE, params![kind.name(), scope, name])
    }
    fn delete_records_below(&mut self, scope: &str) -> Result<()> {
        self.connection
            .prepare_cached(record::DELETE_BELOW)
            .and_then(|mut statement| statement.execute([scope]))
            .map_err(|error| fault("delete records", error))?;
        Ok(())
    }

    fn put_audit(&mut self, row: &AuditRecord) -> Result<()> {
        audit::add(self.connection, row)
    }
    fn audit_chain(&mut self) -> Result<AuditChain> {
        audit::chain(self.connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::migrate;

    #[test]
    fn every_statement_can_be_prepared() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let fixed = [
            agenda::STATEMENTS,
            place::STATEMENTS,
            vault::STATEMENTS,
            policy::STATEMENTS,
            vm::STATEMENTS,
            item::STATEMENTS,
            point::STATEMENTS,
            job::STATEMENTS,
            operation::STATEMENTS,
            principal::STATEMENTS,
            record::STATEMENTS,
            setting::STATEMENTS,
            audit::STATEMENTS,
        ];
        for sql in fixed.into_iter().flatten() {
            connection.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        for table in [
            Subscription::TABLE,
            Region::TABLE,
            ResourceGroup::TABLE,
            StorageAccount::TABLE,
            Vault::TABLE,
            Policy::TABLE,
            Vm::TABLE,
            ProtectedItem::TABLE,
            RecoveryPoint::TABLE,
            Job::TABLE,
            Operation::TABLE,
            Principal::TABLE,
        ] {
            for sql in [table.insert(), table.update(), table.delete()] {
                connection.prepare(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
        }
    }

    #[test]
    fn every_filter_of_jobs_can_be_prepared() {
        use coffre_control::model::JobStatus;
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let set = |bits: u32, bit: u32| bits & (1 << bit) != 0;
        for bits in 0..1024 {
            let filter = JobFilter {
                vault: set(bits, 0).then_some(VaultId(Uuid::nil())),
                of_vaults: set(bits, 8),
                item: set(bits, 1).then_some(ItemId(Uuid::nil())),
                vm: set(bits, 2).then_some(VmId(Uuid::nil())),
                statuses: if set(bits, 3) { JobStatus::ALL.to_vec() } else { Vec::new() },
                operation: set(bits, 4).then(|| "Backup".to_owned()),
                from: set(bits, 5).then_some(Timestamp::UNIX_EPOCH),
                to: set(bits, 6).then_some(Timestamp::UNIX_EPOCH),
                skip: u64::from(set(bits, 9)),
                limit: set(bits, 7).then_some(5),
            };
            assert_eq!(job::list(&connection, &filter).unwrap(), Vec::new(), "{filter:?}");
            assert_eq!(job::count(&connection, &filter).unwrap(), 0, "{filter:?}");
        }
    }
}
