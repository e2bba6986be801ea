//! What is to be done by itself, and when.

use coffre_control::id::{ItemId, VaultId};
use coffre_control::model::{Agenda, Task};
use coffre_control::port::{DueFilter, StoreFault};
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Params, Row as SqlRow, params, params_from_iter};
use uuid::Uuid;

use crate::row::{fault, text, time_up};

const COLUMNS: &str = "task, subject, due, slot, vault, host";
const ONE: &str =
    "SELECT task, subject, due, slot, vault, host FROM agenda WHERE task = ?1 AND subject = ?2";
const PUT: &str = "INSERT INTO agenda (task, subject, due, slot, vault, host) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (task, subject) DO UPDATE SET \
                   due = excluded.due, slot = excluded.slot, vault = excluded.vault, \
                   host = excluded.host";
const DELETE: &str = "DELETE FROM agenda WHERE task = ?1 AND subject = ?2";
const NEXT: &str = "SELECT min(due) FROM agenda WHERE task = ?1 AND due IS NOT NULL";
const ITEMS_WITHOUT: &str = "SELECT id FROM item WHERE policy IS NOT NULL AND NOT EXISTS \
                             (SELECT 1 FROM agenda WHERE task = ?1 AND subject = item.id) LIMIT ?2";
const VAULTS_WITHOUT: &str = "SELECT id FROM vault WHERE EXISTS (SELECT 1 FROM item WHERE item.vault = vault.id) \
     AND NOT EXISTS (SELECT 1 FROM agenda WHERE task = ?1 AND subject = vault.id) LIMIT ?2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[ONE, PUT, DELETE, NEXT, ITEMS_WITHOUT, VAULTS_WITHOUT];

fn broken(attempt: &'static str) -> impl Fn(rusqlite::Error) -> StoreFault {
    move |error| fault(attempt, error)
}

fn entry(row: &SqlRow<'_>) -> rusqlite::Result<Agenda> {
    let bad = |at: usize, what: String| {
        rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, what.into())
    };
    let uuid = |at: usize| -> rusqlite::Result<Uuid> {
        let text: String = row.get(at)?;
        Uuid::parse_str(&text).map_err(|error| bad(at, error.to_string()))
    };
    let time = |at: usize| -> rusqlite::Result<Option<Timestamp>> {
        let value: Option<i64> = row.get(at)?;
        Ok(value.map(|value| Timestamp::from_microsecond(value).unwrap_or(Timestamp::MIN)))
    };
    let name: String = row.get(0)?;
    let task = Task::from_name(&name).ok_or_else(|| bad(0, format!("unknown task {name}")))?;
    Ok(Agenda {
        task,
        subject: uuid(1)?,
        due: time(2)?,
        slot: time(3)?,
        vault: VaultId(uuid(4)?),
        host: row.get(5)?,
    })
}

fn maybe_time(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, time_up)
}

/// One entry.
pub(crate) fn get(
    connection: &Connection,
    task: Task,
    subject: Uuid,
) -> Result<Option<Agenda>, StoreFault> {
    connection
        .prepare_cached(ONE)
        .and_then(|mut it| {
            it.query_row(params![task.name(), subject.to_string()], entry).optional()
        })
        .map_err(broken("read the agenda"))
}

/// Writes an entry.
pub(crate) fn put(connection: &Connection, row: &Agenda) -> Result<(), StoreFault> {
    let values = [
        text(row.task.name()),
        text(row.subject),
        maybe_time(row.due),
        maybe_time(row.slot),
        text(row.vault),
        text(&row.host),
    ];
    connection
        .prepare_cached(PUT)
        .and_then(|mut it| it.execute(params_from_iter(values)))
        .map_err(broken("write the agenda"))?;
    Ok(())
}

/// Deletes all entries of a subject.
pub(crate) fn delete(connection: &Connection, subject: Uuid) -> Result<(), StoreFault> {
    for task in Task::ALL {
        connection
            .prepare_cached(DELETE)
            .and_then(|mut it| it.execute(params![task.name(), subject.to_string()]))
            .map_err(broken("delete from the agenda"))?;
    }
    Ok(())
}

/// When the next entry of a task is due.
pub(crate) fn next(connection: &Connection, task: Task) -> Result<Option<Timestamp>, StoreFault> {
    let due: Option<i64> = connection
        .prepare_cached(NEXT)
        .and_then(|mut it| it.query_row([task.name()], |row| row.get(0)))
        .map_err(broken("look for what is due next"))?;
    Ok(due.map(|due| Timestamp::from_microsecond(due).unwrap_or(Timestamp::MIN)))
}

/// The query for what is due.
pub(crate) fn due_query(filter: &DueFilter) -> (String, Vec<Value>) {
    let mut values = vec![text(filter.task.name()), Value::Integer(filter.now.as_microsecond())];
    let mut sql =
        format!("SELECT {COLUMNS} FROM agenda WHERE task = ?1 AND due IS NOT NULL AND due <= ?2");
    let mut leave_out = |column: &str, names: Vec<Value>| {
        if names.is_empty() {
            return;
        }
        let marks: Vec<String> = names
            .into_iter()
            .map(|name| {
                values.push(name);
                format!("?{}", values.len())
            })
            .collect();
        sql += &format!(" AND {column} NOT IN ({})", marks.join(", "));
    };
    leave_out("host", filter.not_hosts.iter().map(text).collect());
    leave_out("vault", filter.not_vaults.iter().map(text).collect());
    sql += &format!(" ORDER BY due LIMIT {}", filter.limit);
    (sql, values)
}

/// What is due, longest first.
pub(crate) fn due(connection: &Connection, filter: &DueFilter) -> Result<Vec<Agenda>, StoreFault> {
    let (sql, values) = due_query(filter);
    let mut statement = connection.prepare_cached(&sql).map_err(broken("prepare a query"))?;
    let rows = statement
        .query_map(params_from_iter(values), entry)
        .map_err(broken("look for what is due"))?;
    rows.collect::<Result<_, _>>().map_err(broken("read the agenda"))
}

/// Items under a policy that have no entry.
pub(crate) fn items_without(
    connection: &Connection,
    task: Task,
    limit: u32,
) -> Result<Vec<ItemId>, StoreFault> {
    ids(connection, ITEMS_WITHOUT, params![task.name(), limit])
}

/// Vaults with items that have no entry.
pub(crate) fn vaults_without(
    connection: &Connection,
    task: Task,
    limit: u32,
) -> Result<Vec<VaultId>, StoreFault> {
    ids(connection, VAULTS_WITHOUT, params![task.name(), limit])
}

/// Identities that a query yields.
pub(crate) fn ids<T: From<Uuid>>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
) -> Result<Vec<T>, StoreFault> {
    let mut statement = connection.prepare_cached(sql).map_err(broken("prepare a query"))?;
    let rows = statement
        .query_map(parameters, |row| row.get::<_, String>(0))
        .map_err(broken("look for items"))?;
    let mut found = Vec::new();
    for row in rows {
        let text = row.map_err(broken("read an id"))?;
        let uuid = Uuid::parse_str(&text).map_err(|source| StoreFault::BadRow {
            table: "item",
            key: text.clone(),
            source: Box::new(source),
        })?;
        found.push(T::from(uuid));
    }
    Ok(found)
}
