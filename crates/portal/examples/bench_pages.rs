//! What a list page costs the service in processor time when there are 10,000 items: machines,
//! items in one vault, jobs, records, points of one item.
//!
//! `cargo run --release -p coffre-portal --example bench_pages` fills a database in a temporary folder,
//! asks for each page by the portal's own router as a browser would, and prints the median and the
//! 99th of a hundred of the processor time of the whole process in milliseconds. It fails when a
//! 99th is over 50 ms.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program that talks to a person")]

#[path = "../../arm/tests/world/crowd.rs"]
mod crowd;
#[path = "../tests/it/world/mod.rs"]
mod world;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use coffre_store::SqliteDb;
use crowd::Crowd;
use jiff::Timestamp;
use world::World;
use world::browser::Browser;

const BAR: Duration = Duration::from_millis(50);

/// Requests of each page: `COFFRE_BENCH_REQUESTS`, or 200.
fn requests() -> usize {
    std::env::var("COFFRE_BENCH_REQUESTS").map_or(200, |text| text.parse().unwrap())
}

/// Processor time of this process, all its threads.
fn cpu() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec.try_into().unwrap(), spent.tv_nsec.try_into().unwrap())
}

fn pages(made: &crowd::Made) -> Vec<(&'static str, String)> {
    let vault = made.vaults[0];
    let page = |name, address: &str| (name, format!("/portal/{address}"));
    vec![
        page("overview", ""),
        page("VMs", "vms"),
        page("VMs, last page", "vms?page=100000"),
        page("VMs, found", "vms?find=0999"),
        page("VMs, not protected", "vms?protected=no"),
        page("VMs by group, from Z", "vms?sort=-group"),
        page("items", "items"),
        page("items, last page", "items?page=100000"),
        page("items, found", "items?find=e-09"),
        page("items by policy", "items?sort=policy"),
        page("vaults", "vaults"),
        page("one vault", &format!("vaults/{vault}")),
        page("one vault, last page", &format!("vaults/{vault}?page=100000")),
        page("choose VMs for a vault", &format!("vaults/{vault}/protect")),
        page("cost of a vault", &format!("vaults/{vault}/costs?price=0.02")),
        page("one item", &format!("items/{}", made.items[0])),
        page("jobs", "jobs"),
        page("jobs, all, last page", "jobs?days=all&page=100000"),
        page("jobs, failed", "jobs?days=all&status=Failed"),
        page("jobs, backups", "jobs?days=all&operation=Backup"),
        page("activity", "activity"),
        page("activity, found", "activity?find=machine-099"),
        page("settings", "settings"),
    ]
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let folder = tempfile::tempdir().unwrap();
    let world = World::fresh_on(SqliteDb::open(&folder.path().join("coffre.db")).unwrap());
    let began = Instant::now();
    let crowd = Crowd {
        subscription: world::SUBSCRIPTION,
        region: "local",
        group: "coffre",
        vms: 12_000,
        vaults: 1000,
        items_of_first: 10_000,
        items: 11_000,
        jobs: 20_000,
        points: 3,
        points_of_first: 10_000,
    };
    let now: Timestamp = "2026-11-21T22:04:05Z".parse().unwrap();
    let made = crowd.fill(&*world.db, now);
    println!(
        "{} VMs, {} vaults, {} items ({} in one vault), {} jobs, {} points of one item; filled in {:.0} s; load {}",
        crowd.vms,
        crowd.vaults,
        crowd.items,
        crowd.items_of_first,
        crowd.jobs + crowd.items,
        crowd.points_of_first,
        began.elapsed().as_secs_f64(),
        std::fs::read_to_string("/proc/loadavg").unwrap().trim()
    );
    let mut browser = Browser::signed_in(&world).await;
    let mut all = true;
    for (name, address) in pages(&made) {
        let size = browser.get(&address).await.is(200).body.len();
        let mut times = Vec::new();
        for _ in 0..requests() {
            let began = cpu();
            browser.get(&address).await;
            times.push(cpu() - began);
        }
        times.sort_unstable();
        let share = |hundredths: usize| times[(times.len() * hundredths).div_ceil(100) - 1];
        let (median, p99) = (share(50).as_secs_f64() * 1e3, share(99).as_secs_f64() * 1e3);
        let kept = share(99) <= BAR;
        println!(
            "{name:<24} {:>4} KiB  p50 {median:>6.2} ms  p99 {p99:>6.2} ms  bar 50 ms  {}",
            size / 1024,
            if kept { "kept" } else { "MISSED" }
        );
        all &= kept;
    }
    if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
