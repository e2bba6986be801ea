//! Fills the database of a service that has had its first start and does not run, for benchmarks: 1,000 VMs,
//! 100 vaults, 700 items, 100,000 jobs in the region and the resource group `local`.
//!
//! `cargo run -p coffre-arm --example crowd -- DATABASE SUBSCRIPTION`, both as the service names them.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program that talks to a person")]

use std::path::PathBuf;

use coffre_store::SqliteDb;

#[path = "../tests/world/crowd.rs"]
mod crowd;

use crowd::Crowd;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let database = PathBuf::from(arguments.next().expect("name the database"));
    let subscription = arguments.next().expect("name the subscription").parse().unwrap();
    let db = SqliteDb::open(&database).unwrap();
    let crowd = Crowd {
        subscription,
        region: "local",
        group: "local",
        vms: 1000,
        vaults: 100,
        items_of_first: 0,
        items: 700,
        jobs: 100_000,
        // Fewer than the policy keeps: nothing expires while somebody measures.
        points: 25,
        points_of_first: 25,
    };
    crowd.fill(&db, jiff::Timestamp::now());
    println!(
        "{} VMs, {} vaults, {} items, {} jobs, {} recovery points",
        crowd.vms,
        crowd.vaults,
        crowd.items,
        crowd.jobs,
        crowd.items * crowd.points
    );
}
