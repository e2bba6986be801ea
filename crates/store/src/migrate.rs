//! Numbered changes of the schema, each applied once and never edited afterwards.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::open::OpenError;

/// One change of the schema.
struct Migration {
    number: i64,
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, name: "start", sql: include_str!("../migration/0001_start.sql") },
    Migration { number: 2, name: "agenda", sql: include_str!("../migration/0002_agenda.sql") },
    Migration { number: 3, name: "record", sql: include_str!("../migration/0003_record.sql") },
    Migration { number: 4, name: "chain", sql: include_str!("../migration/0004_chain.sql") },
    Migration { number: 5, name: "lists", sql: include_str!("../migration/0005_lists.sql") },
    Migration { number: 6, name: "running", sql: include_str!("../migration/0006_running.sql") },
];

const BOOK: &str = "CREATE TABLE IF NOT EXISTS migration (
    number INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL
) STRICT";

/// Brings the schema up to date. Refuses a database of a later version, and one whose past
/// differs from ours.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    apply(connection, MIGRATIONS)
}

fn apply(connection: &mut Connection, migrations: &[Migration]) -> Result<(), OpenError> {
    let broken = |source| OpenError::Broken { attempt: "migrate the database", source };
    connection.execute_batch(BOOK).map_err(broken)?;
    let newest: i64 = connection
        .query_row("SELECT coalesce(max(number), 0) FROM migration", [], |row| row.get(0))
        .map_err(broken)?;
    let known = migrations.last().map_or(0, |migration| migration.number);
    if newest > known {
        return Err(OpenError::TooNew { found: newest, known });
    }
    for migration in migrations {
        let checksum = blake3::hash(migration.sql.as_bytes()).to_hex().to_string();
        let tx =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(broken)?;
        let applied: Option<String> = tx
            .query_row(
                "SELECT checksum FROM migration WHERE number = ?1",
                [migration.number],
                |row| row.get(0),
            )
            .optional()
            .map_err(broken)?;
        match applied {
            Some(applied) if applied == checksum => {}
            Some(_) => {
                return Err(OpenError::OtherPast {
                    number: migration.number,
                    name: migration.name,
                });
            }
            None => {
                tx.execute_batch(migration.sql).map_err(broken)?;
                tx.execute(
                    "INSERT INTO migration (number, name, checksum) VALUES (?1, ?2, ?3)",
                    params![migration.number, migration.name, checksum],
                )
                .map_err(broken)?;
            }
        }
        tx.commit().map_err(broken)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(connection: &Connection) -> String {
        let mut statement = connection
            .prepare(
                "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' \
                 ORDER BY tbl_name, type DESC, name",
            )
            .unwrap();
        let parts: Vec<String> = statement
            .query_map([], |row| row.get::<_, String>(0))
            .unwrap()
            .map(|sql| format!("{};\n", sql.unwrap()))
            .collect();
        parts.join("\n")
    }

    #[test]
    fn the_sum_of_the_migrations_is_the_schema() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.sql");
        let expected = std::fs::read_to_string(path).unwrap_or_default();
        let found = schema(&connection);
        assert!(found == expected, "schema.sql should read:\n{found}");
    }

    #[test]
    fn numbers_count_from_one_without_a_gap() {
        for (at, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(migration.number, i64::try_from(at).unwrap() + 1, "{}", migration.name);
        }
    }

    #[test]
    fn migrating_twice_is_migrating_once() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let once = schema(&connection);
        migrate(&mut connection).unwrap();
        assert_eq!(schema(&connection), once);
    }

    #[test]
    fn a_later_version_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        connection.execute("INSERT INTO migration VALUES (99, 'future', '')", []).unwrap();
        let error = migrate(&mut connection).unwrap_err();
        assert!(matches!(error, OpenError::TooNew { found: 99, .. }), "{error}");
    }

    #[test]
    fn another_past_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        connection.execute("UPDATE migration SET checksum = 'x' WHERE number = 1", []).unwrap();
        let error = migrate(&mut connection).unwrap_err();
        assert!(matches!(error, OpenError::OtherPast { number: 1, .. }), "{error}");
    }

    #[test]
    fn columns_of_lists_are_filled_from_the_documents_that_are_there() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "foreign_keys", false).unwrap();
        apply(&mut connection, &MIGRATIONS[..4]).unwrap();
        connection
            .execute_batch(
                r#"INSERT INTO vm (id, subscription, resource_group, name, etag, doc) VALUES
                     ('1', 's', 'g', 'n', 1, '{"region":"here","hypervisor":"h",
                       "seen":"1970-01-01T00:00:07.5Z","missing_since":null,
                       "unreachable_since":"2026-01-01T00:00:00Z"}');
                   INSERT INTO vault (id, subscription, resource_group, name, etag, doc) VALUES
                     ('v', 's', 'g', 'n', 1, '{"region":"here"}');
                   INSERT INTO item (id, vault, vm, vm_group, vm_name, etag, doc) VALUES
                     ('a', 'v', '1', 'g', 'a', 1, '{"state":"IrPending","health":"Passed"}'),
                     ('b', 'v', '2', 'g', 'b', 1, '{"state":"Protected","health":"Passed",
                       "last_backup":{"outcome":"Failed"}}'),
                     ('c', 'v', '3', 'g', 'c', 1, '{"state":{"SoftDeleted":{"since":1}},
                       "health":{"ActionRequired":[]},"last_backup":null}');
                   INSERT INTO point (id, item, number, time, etag, doc) VALUES
                     ('p', 'b', 1, 1, 1, '{"stats":{"stored_bytes":5}}'),
                     ('q', 'b', 2, 2, 1, '{"stats":{"stored_bytes":6}}');
                   INSERT INTO audit (id, time, doc) VALUES
                     ('r', 1, '{"name":"ann","target":"vault x"}');"#,
            )
            .unwrap();
        migrate(&mut connection).unwrap();
        let row = |sql: &str| -> Vec<String> {
            let mut statement = connection.prepare(sql).unwrap();
            let rows = statement.query_map([], |row| row.get(0)).unwrap();
            rows.map(|it| it.unwrap()).collect()
        };
        let vm = "SELECT concat_ws(',', region, hypervisor, missing, away, seen) FROM vm";
        assert_eq!(row(vm), ["here,h,0,1,7000000"]);
        assert_eq!(row("SELECT region FROM vault"), ["here"]);
        let item = "SELECT concat_ws(',', urgency, alert, deleted, points, stored) FROM item \
                    ORDER BY id";
        assert_eq!(row(item), ["1,0,0,0,0", "0,1,0,2,11", "2,1,1,0,0"]);
        assert_eq!(row("SELECT concat_ws(',', who, target) FROM audit"), ["ann,vault x"]);
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        let bad = Migration { number: 1, name: "bad", sql: "CREATE TABLE a (x); SELECT nonsense;" };
        assert!(apply(&mut connection, &[bad]).is_err());
        let good = Migration { number: 1, name: "good", sql: "CREATE TABLE a (x);" };
        apply(&mut connection, &[good]).unwrap();
    }
}
