//! The statements of searches: what they give, and that an index answers them.

use coffre_control::id::SubscriptionId;
use coffre_control::model::JobStatus;
use rusqlite::Connection;
use uuid::Uuid;

use super::*;
use crate::migrate::migrate;

fn connection() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection).unwrap();
    connection
}

/// What SQLite says it will do.
fn plan(connection: &Connection, (sql, values): (String, Vec<Value>)) -> String {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let steps: Vec<String> = statement
        .query_map(params_from_iter(values), |row| row.get(3))
        .unwrap()
        .map(|step| step.unwrap())
        .collect();
    steps.join("; ")
}

fn searches() -> Vec<Search> {
    let orders = [Order::Name, Order::Group, Order::Policy, Order::Urgency];
    let set = |bits: u32, bit: u32| bits & (1 << bit) != 0;
    let mut made = Vec::new();
    for bits in 0..2048 {
        made.push(Search {
            find: if set(bits, 0) { "a%b".to_owned() } else { String::new() },
            subscription: set(bits, 1).then_some(SubscriptionId(Uuid::nil())),
            vault: set(bits, 2).then_some(VaultId(Uuid::nil())),
            group: set(bits, 3).then(|| "g".to_owned()),
            region: set(bits, 4).then(|| "r".to_owned()),
            name: set(bits, 5).then(|| "n".to_owned()),
            policy: set(bits, 6).then(|| "p".to_owned()),
            protected: set(bits, 7).then_some(set(bits, 8)),
            missing: if set(bits, 8) { Missing::IfProtected } else { Missing::LeftOut },
            deleted: set(bits, 9).then_some(false),
            need: if set(bits, 9) { Need::Look } else { Need::Alert },
            order: orders[(bits % 4) as usize],
            backwards: set(bits, 10),
            skip: 3,
            limit: 5,
        });
    }
    made
}

#[test]
fn every_search_can_be_run() {
    let connection = connection();
    let mut tx = SqliteTx::new(&connection);
    for search in searches() {
        assert_eq!(tx.search_vms(&search).unwrap(), Vec::new(), "{search:?}");
        assert_eq!(tx.search_vaults(&search).unwrap(), Vec::new(), "{search:?}");
        assert_eq!(tx.search_items(&search).unwrap(), Vec::new(), "{search:?}");
        let counts = [
            tx.count_vms(&search).unwrap(),
            tx.count_vaults(&search).unwrap(),
            tx.count_items(&search).unwrap(),
        ];
        assert_eq!(counts, [0; 3], "{search:?}");
    }
}

#[test]
fn the_lists_that_people_open_need_neither_a_whole_table_nor_a_sort() {
    let connection = connection();
    let id = Some(SubscriptionId(Uuid::nil()));
    let vault = Some(VaultId(Uuid::nil()));
    let search = |order, backwards| Search { order, backwards, limit: 5, ..Search::default() };
    for backwards in [false, true] {
        for order in [Order::Name, Order::Group, Order::Policy, Order::Urgency] {
            for listed in [&VMS, &VAULTS, &ITEMS] {
                let plan = plan(&connection, rows_of(listed, &search(order, backwards)));
                assert!(plan.contains("USING INDEX"), "{order:?}: {plan}");
                assert!(!plan.contains("TEMP B-TREE"), "{order:?}: {plan}");
            }
        }
    }
    let region = Some("local".to_owned());
    for (listed, narrowed) in [
        (&VMS, Search { subscription: id, ..search(Order::Group, false) }),
        (&VMS, Search { subscription: id, region, ..search(Order::Group, false) }),
        (&VAULTS, Search { subscription: id, ..search(Order::Name, false) }),
        (&ITEMS, Search { vault, ..search(Order::Name, false) }),
    ] {
        let plan = plan(&connection, rows_of(listed, &narrowed));
        assert!(plan.starts_with("SEARCH"), "{plan}");
        assert!(!plan.contains("ORDER BY;") && !plan.ends_with("FOR ORDER BY"), "{plan}");
    }
}

#[test]
fn jobs_and_points_come_in_the_order_of_an_index() {
    let connection = connection();
    let explain = |filter: &JobFilter| {
        // The list is asked for its plan through the statement that it prepares.
        plan(&connection, job::listing(filter))
    };
    let vault = Some(VaultId(Uuid::nil()));
    let statuses = vec![JobStatus::Failed];
    for filter in [
        JobFilter { of_vaults: true, ..JobFilter::default() },
        JobFilter { vault, ..JobFilter::default() },
        JobFilter { vault, statuses: statuses.clone(), ..JobFilter::default() },
        JobFilter { statuses, ..JobFilter::default() },
        JobFilter { operation: Some("Backup".into()), ..JobFilter::default() },
    ] {
        let plan = explain(&filter);
        assert!(plan.contains("USING INDEX"), "{filter:?}: {plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{filter:?}: {plan}");
    }
    let living = vec![JobStatus::InProgress, JobStatus::Cancelling];
    let running =
        JobFilter { operation: Some("Backup".into()), statuses: living, ..JobFilter::default() };
    let plan_of_running = explain(&running);
    assert!(plan_of_running.contains("INDEX job_status"), "{plan_of_running}");
    let item = Some(ItemId(Uuid::nil()));
    for search in [PointSearch { item, ..PointSearch::default() }, PointSearch::default()] {
        let plan = plan(&connection, points_of(&search));
        assert!(plan.contains("USING INDEX"), "{plan}");
    }
}
