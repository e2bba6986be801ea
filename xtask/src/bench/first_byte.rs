//! From the start of `coffre image mount` to the first byte of the disk: a process that knows nothing yet.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;

use super::tool::{Bench, median, write_noise};

const ROUNDS: u64 = 15;
const LIMIT: Duration = Duration::from_millis(50);

pub(super) fn run(bench: &Bench, image: Option<&Path>) -> anyhow::Result<()> {
    let made = bench.path("image");
    let image = match image {
        Some(path) => path,
        None => {
            let file = File::create(&made)?;
            file.set_len(8 << 30)?;
            let data: Vec<u64> = (0..512).map(|n| n * (16 << 20)).collect();
            write_noise(&file, &data, 1 << 20, 1)?;
            &made
        }
    };
    bench.measure("vault", &["vault", "create"])?;
    let stored = bench
        .measure("vault", &["image", "backup", "--name", "x", &image.display().to_string()])?;
    println!("stored: {}", stored.json);
    let open = (0..ROUNDS)
        .map(|_| Ok(bench.measure("vault", &["vault", "key", "list"])?.wall))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let (mut first, mut ready, mut peak) = (Vec::new(), Vec::new(), 0);
    for round in 0..ROUNDS {
        let mounted = bench.mount("vault", "point")?;
        ready.push(mounted.begun.elapsed());
        let disk = File::open(&mounted.disk)?;
        // Another place each time, where there is data.
        let mut byte = [0];
        disk.read_exact_at(&mut byte, round * 37 * (16 << 20) % (8 << 30) + 1000)?;
        first.push(mounted.begun.elapsed());
        peak = peak.max(mounted.peak_kib()?);
        drop(disk);
        mounted.end()?;
    }
    let show = |what: &str, times: &[Duration]| {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let (least, most) = (times.iter().min(), times.iter().max());
        println!(
            "{what:<26} median {:>6.1} ms, least {:>6.1} ms, most {:>6.1} ms",
            ms(median(times)),
            ms(least.copied().unwrap_or_default()),
            ms(most.copied().unwrap_or_default())
        );
    };
    show("open the vault, list keys", &open);
    show("mounted", &ready);
    show("first byte", &first);
    println!("peak memory: {} MiB", peak >> 10);
    ensure!(median(&first) <= LIMIT, "more than {} ms", LIMIT.as_millis());
    Ok(())
}
