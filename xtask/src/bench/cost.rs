//! Cost follows the change, not the size; and memory follows neither.

use std::fs::File;
use std::time::Duration;

use anyhow::ensure;

use super::tool::{Bench, write_map, write_noise};

const SMALL: u64 = 8 << 30;
const LARGE: u64 = 1 << 40;
const HUGE: u64 = 64 << 40;
/// Rounds of changes, the two sizes one after the other.
const ROUNDS: u64 = 9;
/// Changes of a round: 13 MiB.
const CHANGES: u64 = 200;
const BLOCK: usize = 64 << 10;
/// A difference that is allowed between the two sizes.
const PERCENT_MAX: u128 = 10;
/// Memory with the largest disk.
const PEAK_KIB_MAX: u64 = 256 << 10;

/// Where the changes of a round are, within the first 8 GiB.
fn places(round: u64) -> Vec<u64> {
    (0..CHANGES).map(|n| (n * 37 + round * 101) % 4096 * (2 << 20)).collect()
}

/// What one round cost.
#[derive(Clone, Copy)]
struct Cost {
    by_map: Duration,
    without_map: Duration,
    added_bytes: u64,
}

pub(super) fn run(bench: &Bench) -> anyhow::Result<()> {
    println!("image     full                         (128 MiB of data at 128 places)");
    for (name, size) in [("8 GiB", SMALL), ("1 TiB", LARGE), ("64 TiB", HUGE)] {
        let file = File::create(bench.path(name))?;
        file.set_len(size)?;
        let data: Vec<u64> = (0..128).map(|n| n * (64 << 20)).collect();
        write_noise(&file, &data, 1 << 20, 1)?;
        let (image, vault) = (bench.path(name).display().to_string(), format!("{name}.vault"));
        bench.measure(&vault, &["vault", "create"])?;
        let full = bench.measure(&vault, &["image", "backup", "--name", "x", &image])?;
        println!(
            "{name:>6}  cpu {:>7.1} ms  wall {:>7.1} ms  peak {:>4} MiB",
            full.cpu.as_secs_f64() * 1e3,
            full.wall.as_secs_f64() * 1e3,
            full.peak_kib >> 10
        );
        ensure!(full.peak_kib <= PEAK_KIB_MAX, "a full backup of {name} holds too much memory");
    }
    same_change(bench)?;
    huge(bench)
}

fn same_change(bench: &Bench) -> anyhow::Result<()> {
    let (mut small, mut large) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        small.push(one_round(bench, "8 GiB", round)?);
        large.push(one_round(bench, "1 TiB", round)?);
    }
    let micros = |costs: &[Cost], of: fn(&Cost) -> Duration| {
        // The least: what else the machine does only adds.
        costs.iter().map(|cost| of(cost).as_micros()).min().unwrap_or(u128::MAX)
    };
    let bytes = |costs: &[Cost]| costs.iter().map(|cost| u128::from(cost.added_bytes)).sum();
    let rows: [(&str, u128, u128); 3] = [
        (
            "cpu with a map, µs",
            micros(&small, |cost| cost.by_map),
            micros(&large, |cost| cost.by_map),
        ),
        (
            "cpu without a map, µs",
            micros(&small, |cost| cost.without_map),
            micros(&large, |cost| cost.without_map),
        ),
        ("bytes added", bytes(&small), bytes(&large)),
    ];
    println!("\nthe same change, least of {ROUNDS}         8 GiB        1 TiB   ratio");
    for (what, small, large) in rows {
        println!("{what:<30} {small:>12} {large:>12}   {:.3}", large as f64 / small as f64);
    }
    for (what, small, large) in rows {
        ensure!(large * 100 <= small * (100 + PERCENT_MAX), "{what}: more than 10 % apart");
    }
    Ok(())
}

fn one_round(bench: &Bench, name: &str, round: u64) -> anyhow::Result<Cost> {
    let places = places(round);
    let file = File::options().write(true).open(bench.path(name))?;
    write_noise(&file, &places, BLOCK, round * 100_000)?;
    let map = bench.path("map");
    write_map(&map, &places, BLOCK)?;
    let (image, map) = (bench.path(name).display().to_string(), map.display().to_string());
    let vault = format!("{name}.vault");
    let by_map =
        bench.measure(&vault, &["image", "backup", "--name", "x", "--changed", &map, &image])?;
    let without = bench.measure(&vault, &["image", "backup", "--name", "x", &image])?;
    ensure!(without.json["new_bytes"] == 0, "the map missed something: {}", without.json);
    Ok(Cost {
        by_map: by_map.cpu,
        without_map: without.cpu,
        added_bytes: by_map.json["stored_bytes"].as_u64().unwrap_or(u64::MAX),
    })
}

fn huge(bench: &Bench) -> anyhow::Result<()> {
    let name = "64 TiB";
    one_round(bench, name, 1)?;
    let vault = format!("{name}.vault");
    let back = bench.path("back").display().to_string();
    let restored = bench.measure(&vault, &["image", "restore", "--to", &back])?;
    let mounted = bench.mount(&vault, "point")?;
    let disk = File::open(&mounted.disk)?;
    std::io::copy(&mut std::io::Read::take(&disk, SMALL), &mut std::io::sink())?;
    let peak = mounted.peak_kib()?;
    drop(disk);
    mounted.end()?;
    println!(
        "\n64 TiB  restore: cpu {:.1} ms, peak {} MiB; mount, 8 GiB of it read: peak {} MiB",
        restored.cpu.as_secs_f64() * 1e3,
        restored.peak_kib >> 10,
        peak >> 10
    );
    ensure!(restored.peak_kib.max(peak) <= PEAK_KIB_MAX, "more than 256 MiB");
    Ok(())
}
