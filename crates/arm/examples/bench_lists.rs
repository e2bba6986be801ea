//! How long the surface takes for a `GET` of one resource and of a page of a list, in a large
//! installation: 1,000 VMs, 100 vaults, 100,000 jobs.
//!
//! `cargo run --release -p coffre-arm --example bench_lists` fills a database in a temporary folder,
//! serves it over HTTP on a port of this machine, asks each address one after the other, and
//! prints the median and the 99th of a hundred in milliseconds, as a client sees them (without
//! TLS). It fails when a 99th is over its bar: 5 ms for one resource, 20 ms for a page.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program that talks to a person")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use coffre_store::SqliteDb;

#[path = "../tests/world/crowd.rs"]
mod crowd;
#[path = "../tests/world/mod.rs"]
mod world;

use crowd::Crowd;
use world::{SUBSCRIPTION, World, sub};

/// Requests of each address: `COFFRE_BENCH_REQUESTS`, or 1000.
fn requests() -> usize {
    std::env::var("COFFRE_BENCH_REQUESTS").map_or(1000, |text| text.parse().unwrap())
}

const ONE: Duration = Duration::from_millis(5);
const PAGE: Duration = Duration::from_millis(20);

/// A client that keeps its connection.
struct Client {
    stream: BufReader<TcpStream>,
    token: String,
}

impl Client {
    fn get(&mut self, path: &str) -> (u16, Vec<u8>) {
        let joint = if path.contains('?') { '&' } else { '?' };
        let path = path.replace(' ', "%20").replace('\'', "%27");
        let head = format!(
            "GET {path}{joint}api-version=2026-08-01 HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {}\r\n\r\n",
            self.token
        );
        self.stream.get_mut().write_all(head.as_bytes()).unwrap();
        let (mut status, mut length) = (0, 0);
        for number in 0.. {
            let mut line = String::new();
            self.stream.read_line(&mut line).unwrap();
            let line = line.trim_end();
            if number == 0 {
                status = line.split(' ').nth(1).unwrap().parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        (status, body)
    }
}

fn addresses(made: &crowd::Made) -> Vec<(&'static str, String, Duration)> {
    let group = sub("/resourceGroups/lab");
    let vault = format!("{group}/providers/Microsoft.RecoveryServices/vaults/crowd-00001");
    let compute = "providers/Microsoft.Compute/virtualMachines";
    // What the crowd puts into the second vault, in the group of its host.
    let (number, vm) = (495, "machine-00495");
    let part = format!("iaasvmcontainerv2;machines-00;{vm}");
    let container =
        format!("{vault}/backupFabrics/Azure/protectionContainers/IaasVMContainer;{part}");
    let item = format!("{container}/protectedItems/VM;{part}");
    let job = made.jobs[number];
    let filter = "$filter=backupManagementType eq 'AzureIaasVM'";
    vec![
        ("one VM", sub(&format!("/resourceGroups/machines-00/{compute}/{vm}")), ONE),
        ("one vault", vault.clone(), ONE),
        ("one policy", format!("{vault}/backupPolicies/DefaultPolicy"), ONE),
        ("one container", container, ONE),
        ("one item", item.clone(), ONE),
        ("one job", format!("{vault}/backupJobs/{job}"), ONE),
        ("VMs", sub(&format!("/{compute}")), PAGE),
        ("VMs of a group", sub(&format!("/resourceGroups/machines-01/{compute}")), PAGE),
        ("vaults", sub("/providers/Microsoft.RecoveryServices/vaults"), PAGE),
        ("policies", format!("{vault}/backupPolicies"), PAGE),
        ("items", format!("{vault}/backupProtectedItems?{filter}"), PAGE),
        ("containers", format!("{vault}/backupProtectionContainers?{filter}"), PAGE),
        ("protectable items", format!("{vault}/backupProtectableItems?{filter}"), PAGE),
        ("recovery points", format!("{item}/recoveryPoints"), PAGE),
        ("jobs", format!("{vault}/backupJobs?{filter}"), PAGE),
        ("failed jobs", format!("{vault}/backupJobs?{filter} and status eq 'Failed'"), PAGE),
        ("usages", format!("{vault}/usages"), PAGE),
        ("all resources", sub("/resources"), PAGE),
        ("groups", sub("/resourcegroups"), PAGE),
    ]
}

fn measure(client: &mut Client, name: &str, path: &str, bar: Duration) -> bool {
    let (status, body) = client.get(path);
    assert_eq!(status, 200, "{name}: {path}: {}", String::from_utf8_lossy(&body));
    let rows = serde_json::from_slice::<serde_json::Value>(&body).unwrap()["value"]
        .as_array()
        .map_or(1, Vec::len);
    let mut times: Vec<Duration> = (0..requests())
        .map(|_| {
            let began = Instant::now();
            assert_eq!(client.get(path).0, 200);
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    let share = |hundredths: usize| times[(times.len() * hundredths).div_ceil(100) - 1];
    let (median, p99) = (share(50), share(99));
    let kept = p99 <= bar;
    println!(
        "{name:<20} {rows:>5} rows  p50 {:>7.2} ms  p99 {:>7.2} ms  bar {:>3} ms  {}",
        median.as_secs_f64() * 1e3,
        p99.as_secs_f64() * 1e3,
        bar.as_millis(),
        if kept { "kept" } else { "MISSED" }
    );
    kept
}

/// The last page of a list, by its links.
fn last_page(client: &mut Client, path: &str) -> String {
    let mut path = path.to_owned();
    loop {
        let (_, body) = client.get(&path);
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let Some(link) = body["nextLink"].as_str() else { return path };
        let link = link.split_once("//bench").unwrap().1;
        path = link.replace("api-version=2026%2D08%2D01&", "");
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let folder = tempfile::tempdir().unwrap();
    let db = Arc::new(SqliteDb::open(&folder.path().join("coffre.db")).unwrap());
    let world = World::on("https://bench", db.clone());
    let began = Instant::now();
    let crowd = Crowd {
        subscription: SUBSCRIPTION.parse().unwrap(),
        region: "eastus",
        group: "lab",
        vms: 1000,
        vaults: 100,
        items_of_first: 0,
        items: 700,
        jobs: 100_000,
        points: 30,
        points_of_first: 3000,
    };
    let made = crowd.fill(&*db, jiff::Timestamp::now());
    println!(
        "{} VMs, {} vaults, {} items, {} jobs; filled in {:.0} s; load {}",
        crowd.vms,
        crowd.vaults,
        crowd.items,
        crowd.jobs,
        began.elapsed().as_secs_f64(),
        std::fs::read_to_string("/proc/loadavg").unwrap().trim()
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = coffre_arm::router(world.state.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let measured = tokio::task::spawn_blocking(move || {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut client =
            Client { stream: BufReader::new(stream), token: world.token_of(world::OWNER, 0) };
        let mut all = true;
        for (name, path, bar) in addresses(&made) {
            // Nobody may ask more than so often; the limit refills while we wait.
            std::thread::sleep(Duration::from_secs(3));
            all &= measure(&mut client, name, &path, bar);
        }
        let jobs = sub(
            "/resourceGroups/lab/providers/Microsoft.RecoveryServices/vaults/crowd-00001/backupJobs",
        );
        let last = last_page(&mut client, &jobs);
        std::thread::sleep(Duration::from_secs(3));
        all & measure(&mut client, "jobs, last page", &last, PAGE)
    });
    if measured.await.unwrap() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
