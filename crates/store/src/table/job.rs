//! Jobs and their leases.

use std::time::Duration;

use coffre_control::model::{Job, JobStatus, Lease};
use coffre_control::port::{JobFilter, StoreFault};
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use uuid::Uuid;

use crate::row::{Row, Table, all, counted, fault, maybe, number, one, put, text, time, time_up};
use crate::search::Clause;

pub(crate) const ONE: &str = "SELECT doc FROM job WHERE id = ?1";
pub(crate) const RUNNING: &str = "SELECT doc FROM job WHERE item = ?1 AND ended = 0";
pub(crate) const RUNNING_OF_VM: &str =
    "SELECT doc FROM job WHERE vm = ?1 AND ended = 0 ORDER BY created, id LIMIT 1";
pub(crate) const OF_SLOT: &str =
    "SELECT doc FROM job WHERE item = ?1 AND slot = ?2 ORDER BY created DESC LIMIT 1";
const DUE: &str = "SELECT doc FROM job WHERE ended = 0 AND due <= ?1 \
                   AND (lease_owner IS NULL OR lease_until <= ?1) \
                   ORDER BY due, id LIMIT 1";
const OF_OTHERS: &str = "SELECT doc FROM job WHERE ended = 0 AND lease_owner IS NOT NULL \
                         AND lease_owner <> ?1 ORDER BY created, id";
const NEXT_WAKE: &str = "SELECT min(due) FROM job WHERE ended = 0 AND lease_owner IS NULL";
const LEASE: &str = "UPDATE job SET lease_owner = ?2, lease_until = ?3, epoch = epoch + 1, \
                     etag = etag + 1, doc = ?4 WHERE id = ?1 AND epoch = ?5 AND etag = ?6";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] =
    &[ONE, RUNNING, RUNNING_OF_VM, OF_SLOT, DUE, OF_OTHERS, NEXT_WAKE, LEASE];

impl Row for Job {
    /// The epoch is part of the identity: a row whose lease went to somebody else in between is
    /// not replaced.
    const TABLE: &'static Table = &Table {
        name: "job",
        noun: "job",
        columns: &[
            "id",
            "epoch",
            "vault",
            "item",
            "vm",
            "operation",
            "status",
            "ended",
            "created",
            "due",
            "lease_owner",
            "lease_until",
            "slot",
        ],
        identity: 2,
    };
    fn columns(&self) -> Vec<Value> {
        vec![
            text(self.id),
            number(self.epoch),
            maybe(self.vault),
            maybe(self.item),
            maybe(self.vm),
            text(self.kind.azure()),
            text(self.status().azure()),
            Value::Integer(i64::from(self.state.is_ended())),
            time(self.created),
            time_up(self.wake_at.unwrap_or(self.created)),
            maybe(self.lease.map(|lease| lease.owner)),
            self.lease.map_or(Value::Null, |lease| time_up(lease.until)),
            self.slot.map_or(Value::Null, time),
        ]
    }
    fn etag(&mut self) -> &mut u64 {
        &mut self.etag
    }
}

/// Jobs that a filter lets through, newest first.
pub(crate) fn list(connection: &Connection, filter: &JobFilter) -> Result<Vec<Job>, StoreFault> {
    let (sql, values) = listing(filter);
    all(connection, &sql, params_from_iter(values))
}

/// The query for a filter.
pub(crate) fn listing(filter: &JobFilter) -> (String, Vec<Value>) {
    let clause = condition(filter);
    let limit = filter.limit.map_or(-1, i64::from);
    let sql = format!(
        "SELECT doc FROM job{} ORDER BY created DESC, id DESC LIMIT {limit} OFFSET {}",
        clause.text(),
        filter.skip
    );
    (sql, clause.values)
}

/// How many jobs a filter lets through, whatever its page.
pub(crate) fn count(connection: &Connection, filter: &JobFilter) -> Result<u64, StoreFault> {
    let clause = condition(filter);
    let sql = format!("SELECT count(*) FROM job{}", clause.text());
    counted(connection, &sql, params_from_iter(clause.values))
}

fn condition(filter: &JobFilter) -> Clause {
    let mut clause = Clause::default();
    if let Some(vault) = filter.vault {
        clause.add("vault =", text(vault));
    } else if filter.of_vaults {
        clause.add_plain("vault IS NOT NULL");
    }
    if let Some(item) = filter.item {
        clause.add("item =", text(item));
    }
    if let Some(vm) = filter.vm {
        clause.add("vm =", text(vm));
    }
    if let Some(operation) = &filter.operation {
        // Few jobs live at a time, and all that ever were have an operation: the index of
        // statuses leads to the former, and SQLite does not know by itself that it is better.
        let living = [JobStatus::InProgress, JobStatus::Cancelling];
        let few = !filter.statuses.is_empty()
            && filter.statuses.iter().all(|status| living.contains(status));
        clause.add(if few { "+operation =" } else { "operation =" }, text(operation));
    }
    if let Some(from) = filter.from {
        clause.add("created >=", time(from));
    }
    if let Some(to) = filter.to {
        clause.add("created <", time_up(to));
    }
    match filter.statuses.as_slice() {
        [] => {}
        [status] => clause.add("status =", text(status.azure())),
        several => {
            let marks: Vec<String> =
                several.iter().map(|status| clause.value(text(status.azure()))).collect();
            clause.add_plain(&format!("status IN ({})", marks.join(", ")));
        }
    }
    clause
}

/// Leases the job that is due longest.
pub(crate) fn lease(
    connection: &Connection,
    owner: Uuid,
    now: Timestamp,
    ttl: Duration,
) -> Result<Option<Job>, StoreFault> {
    let at = now.as_microsecond();
    let Some(mut job) = one::<Job>(connection, DUE, [at])? else {
        return Ok(None);
    };
    let (epoch, etag) = (job.epoch, job.etag);
    let until = now.saturating_add(ttl).unwrap_or(Timestamp::MAX);
    job.epoch += 1;
    job.etag += 1;
    job.lease = Some(Lease { owner, epoch: job.epoch, until });
    let doc = serde_json::to_string(&job).map_err(|source| StoreFault::BadRow {
        table: "job",
        key: job.id.to_string(),
        source: Box::new(source),
    })?;
    let values =
        [text(job.id), text(owner), time_up(until), Value::Text(doc), number(epoch), number(etag)];
    let changed = connection
        .prepare_cached(LEASE)
        .and_then(|mut statement| statement.execute(params_from_iter(values)))
        .map_err(|error| fault("lease a job", error))?;
    if changed == 0 {
        return Err(StoreFault::Stale { noun: "job", key: job.id.to_string() });
    }
    Ok(Some(job))
}

/// Jobs leased by anybody else.
pub(crate) fn of_others(connection: &Connection, owner: Uuid) -> Result<Vec<Job>, StoreFault> {
    all(connection, OF_OTHERS, [owner.to_string()])
}

/// When the next job is due that nobody has.
pub(crate) fn next_wake(connection: &Connection) -> Result<Option<Timestamp>, StoreFault> {
    let due: Option<i64> = connection
        .prepare_cached(NEXT_WAKE)
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .map_err(|error| fault("look for the next job", error))?;
    Ok(due.map(|due| Timestamp::from_microsecond(due).unwrap_or(Timestamp::MIN)))
}

/// Inserts or replaces a job.
pub(crate) fn store(connection: &Connection, row: &mut Job) -> Result<(), StoreFault> {
    put(connection, row)
}
