//! The long lists: a search becomes one statement that the indexes answer. The text of a statement
//! is made of words of ours only; what people search for is always a value beside it.

use coffre_control::id::{ItemId, VaultId};
use coffre_control::model::{AuditRecord, Policy, ProtectedItem, RecoveryPoint, Vault, Vm};
use coffre_control::port::{
    HypervisorRow, JobFilter, Lists, Missing, Need, Order, PointSearch, Search, StoreFault, Stored,
};
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Params, params, params_from_iter};

use crate::row::{Row, all, counted, fault, text, time, time_up};
use crate::table::{audit, item, job, point, policy, vm};
use crate::tx::SqliteTx;

type Result<T> = std::result::Result<T, StoreFault>;

/// The condition of a query, with its values.
#[derive(Default)]
pub(crate) struct Clause {
    conditions: Vec<String>,
    pub(crate) values: Vec<Value>,
}

impl Clause {
    /// The mark of one more value.
    pub(crate) fn value(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("?{}", self.values.len())
    }

    /// One more condition that ends with a value.
    pub(crate) fn add(&mut self, condition: &str, value: Value) {
        let mark = self.value(value);
        self.conditions.push(format!("{condition} {mark}"));
    }

    /// One more condition.
    pub(crate) fn add_plain(&mut self, condition: &str) {
        self.conditions.push(condition.to_owned());
    }

    /// All conditions, after the name of the table.
    pub(crate) fn text(&self) -> String {
        if self.conditions.is_empty() {
            return String::new();
        }
        format!(" WHERE {}", self.conditions.join(" AND "))
    }
}

/// What a table calls the columns that lists share.
struct Listed {
    table: &'static str,
    name: &'static str,
    group: &'static str,
}

const VMS: Listed = Listed { table: "vm", name: "name", group: "resource_group" };
const VAULTS: Listed = Listed { table: "vault", name: "name", group: "resource_group" };
const ITEMS: Listed = Listed { table: "item", name: "vm_name", group: "vm_group" };

fn condition(listed: &Listed, search: &Search) -> Clause {
    let mut clause = Clause::default();
    let is_item = listed.table == ITEMS.table;
    if let Some(subscription) = search.subscription.filter(|_| !is_item) {
        clause.add("subscription =", text(subscription));
    }
    if let Some(region) = search.region.as_ref().filter(|_| !is_item) {
        clause.add("region =", text(region));
    }
    if let Some(vault) = search.vault.filter(|_| is_item) {
        clause.add("vault =", text(vault));
    }
    if let Some(group) = &search.group {
        clause.add(&format!("{} =", listed.group), text(group));
    }
    if let Some(name) = &search.name {
        clause.add(&format!("{} =", listed.name), text(name));
    }
    if !search.find.is_empty() {
        let mark = clause.value(text(search.find.to_ascii_lowercase()));
        clause.add_plain(&format!(
            "(instr(lower({}), {mark}) OR instr(lower({}), {mark}))",
            listed.name, listed.group
        ));
    }
    if is_item {
        narrow_items(&mut clause, search);
    }
    if listed.table == VMS.table {
        narrow_vms(&mut clause, search);
    }
    clause
}

fn narrow_items(clause: &mut Clause, search: &Search) {
    match search.policy.as_deref() {
        None => {}
        Some("") => clause.add_plain("policy IS NULL"),
        Some(policy) => clause.add("policy =", text(policy)),
    }
    if let Some(deleted) = search.deleted {
        clause.add("deleted =", Value::from(deleted));
    }
    match search.need {
        Need::Any => {}
        Need::Look => clause.add_plain("urgency < 2"),
        Need::Alert => clause.add_plain("alert = 1"),
    }
}

fn narrow_vms(clause: &mut Clause, search: &Search) {
    const PROTECTED: &str = "EXISTS (SELECT 1 FROM item WHERE item.vm = vm.id)";
    match search.missing {
        Missing::Listed => {}
        Missing::IfProtected => clause.add_plain(&format!("(missing = 0 OR {PROTECTED})")),
        Missing::LeftOut => clause.add_plain("missing = 0"),
    }
    match search.protected {
        None => {}
        Some(true) => clause.add_plain(PROTECTED),
        Some(false) => clause.add_plain(&format!("NOT {PROTECTED}")),
    }
}

fn order(listed: &Listed, search: &Search) -> String {
    let way = if search.backwards { "DESC" } else { "ASC" };
    let (name, group) = (listed.name, listed.group);
    let is_item = listed.table == ITEMS.table;
    match search.order {
        Order::Policy if is_item => format!("policy {way}, {name} {way}, id {way}"),
        Order::Urgency if is_item => format!("urgency {way}, {name} {way}, id {way}"),
        Order::Group => format!("{group} {way}, {name} {way}, id {way}"),
        Order::Name | Order::Policy | Order::Urgency => {
            format!("{name} {way}, {group} {way}, id {way}")
        }
    }
}

fn rows_of(listed: &Listed, search: &Search) -> (String, Vec<Value>) {
    let clause = condition(listed, search);
    let sql = format!(
        "SELECT doc FROM {}{} ORDER BY {} LIMIT {} OFFSET {}",
        listed.table,
        clause.text(),
        order(listed, search),
        search.limit,
        search.skip
    );
    (sql, clause.values)
}

fn count_of(listed: &Listed, search: &Search) -> (String, Vec<Value>) {
    let clause = condition(listed, search);
    (format!("SELECT count(*) FROM {}{}", listed.table, clause.text()), clause.values)
}

fn points_of(search: &PointSearch) -> (String, Vec<Value>) {
    let mut clause = Clause::default();
    if let Some(item) = search.item {
        clause.add("item =", text(item));
    }
    if let Some(from) = search.from {
        clause.add("time >=", time_up(from));
    }
    if let Some(to) = search.to {
        clause.add("time <=", time(to));
    }
    let sql = format!(
        "SELECT doc FROM point{} ORDER BY time DESC, id DESC LIMIT {} OFFSET {}",
        clause.text(),
        search.limit,
        search.skip
    );
    (sql, clause.values)
}

impl SqliteTx<'_> {
    fn rows<T: Row>(&self, listed: &Listed, search: &Search) -> Result<Vec<T>> {
        let (sql, values) = rows_of(listed, search);
        all(self.connection, &sql, params_from_iter(values))
    }

    fn count(&self, listed: &Listed, search: &Search) -> Result<u64> {
        let (sql, values) = count_of(listed, search);
        counted(self.connection, &sql, params_from_iter(values))
    }

    fn sum(&self, sql: &str, parameters: impl Params) -> Result<Stored> {
        let found: Option<(i64, i64)> = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut it| {
                it.query_row(parameters, |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })
            .map_err(|error| fault("sum up recovery points", error))?;
        let (points, bytes) = found.unwrap_or_default();
        Ok(Stored {
            points: u64::try_from(points).unwrap_or(0),
            bytes: u64::try_from(bytes).unwrap_or(0),
        })
    }
}

impl Lists for SqliteTx<'_> {
    fn search_vms(&mut self, search: &Search) -> Result<Vec<Vm>> {
        self.rows(&VMS, search)
    }
    fn count_vms(&mut self, search: &Search) -> Result<u64> {
        self.count(&VMS, search)
    }
    fn search_vaults(&mut self, search: &Search) -> Result<Vec<Vault>> {
        self.rows(&VAULTS, search)
    }
    fn count_vaults(&mut self, search: &Search) -> Result<u64> {
        self.count(&VAULTS, search)
    }
    fn search_items(&mut self, search: &Search) -> Result<Vec<ProtectedItem>> {
        self.rows(&ITEMS, search)
    }
    fn count_items(&mut self, search: &Search) -> Result<u64> {
        self.count(&ITEMS, search)
    }
    fn search_policies(&mut self, vault: VaultId, skip: u64, limit: u32) -> Result<Vec<Policy>> {
        let skip = i64::try_from(skip).unwrap_or(i64::MAX);
        all(self.connection, policy::PAGE, params![vault.to_string(), limit, skip])
    }
    fn search_points(&mut self, search: &PointSearch) -> Result<Vec<RecoveryPoint>> {
        let (sql, values) = points_of(search);
        all(self.connection, &sql, params_from_iter(values))
    }
    fn oldest_point(&mut self, item: ItemId) -> Result<Option<Timestamp>> {
        let oldest: Option<i64> = self
            .connection
            .prepare_cached(point::OLDEST)
            .and_then(|mut it| it.query_row([item.to_string()], |row| row.get(0)))
            .map_err(|error| fault("look for the oldest point", error))?;
        Ok(oldest.map(|time| Timestamp::from_microsecond(time).unwrap_or(Timestamp::MIN)))
    }
    fn stored_of_item(&mut self, item: ItemId) -> Result<Stored> {
        self.sum(item::STORED_OF_ITEM, [item.to_string()])
    }
    fn stored(&mut self, vault: Option<VaultId>) -> Result<Stored> {
        match vault {
            Some(vault) => self.sum(item::STORED_OF_VAULT, [vault.to_string()]),
            None => self.sum(item::STORED, []),
        }
    }
    fn count_jobs(&mut self, filter: &JobFilter) -> Result<u64> {
        job::count(self.connection, filter)
    }
    fn search_audit(&mut self, find: &str, skip: u64, limit: u32) -> Result<Vec<AuditRecord>> {
        audit::search(self.connection, find, skip, limit)
    }
    fn count_audit(&mut self, find: &str) -> Result<u64> {
        audit::count(self.connection, find)
    }
    fn hypervisors(&mut self) -> Result<Vec<HypervisorRow>> {
        let broken = |error| fault("list hypervisors", error);
        let mut statement = self.connection.prepare_cached(vm::HYPERVISORS).map_err(broken)?;
        let rows = statement
            .query_map([], |row| {
                Ok(HypervisorRow {
                    name: row.get(0)?,
                    region: row.get(1)?,
                    vms: u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0),
                    away: row.get::<_, i64>(3)? != 0,
                    seen: Timestamp::from_microsecond(row.get(4)?).unwrap_or(Timestamp::MIN),
                })
            })
            .map_err(broken)?;
        rows.map(|row| row.map_err(broken)).collect()
    }
}

#[cfg(test)]
mod tests;
