//! Times the vault on real images: `throughput FOLDER IMAGE [CHANGED-IMAGE MAP] [--restore TO]`.
//!
//! Each line is one operation with wall and CPU seconds, so that a change of the pipeline is judged by numbers. `MAP` is
//! a JSON array of `{"offset":bytes,"length":bytes}`, or the numbers of 64 KiB blocks, one a line.
#![allow(clippy::print_stdout, reason = "a tool that reports to its caller")]

use std::error::Error;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use coffre_vault::bucket::{Bucket, FolderBucket};
use coffre_vault::{
    BlockReader, BlockSink, BlockSource, BlockWriter, DiskSpec, Extent, NoProgress, Passphrase,
    PointSpec, ReadPlan, SourceExtent, Unlock, Vault, VerifyScope,
};
use rustix::fs::SeekFrom;
use uuid::Uuid;

struct FileSource(PathBuf, u64);

impl BlockSource for FileSource {
    fn size_bytes(&self) -> u64 {
        self.1
    }
    fn reader(&self) -> io::Result<Box<dyn BlockReader + '_>> {
        Ok(Box::new(FileReader(File::open(&self.0)?)))
    }
}

struct FileReader(File);

impl BlockReader for FileReader {
    fn extents(&mut self, range: Extent) -> io::Result<Vec<SourceExtent>> {
        let mut extents = Vec::new();
        let mut at = range.offset;
        while at < range.end() && extents.len() < 1024 {
            let data = match rustix::fs::seek(&self.0, SeekFrom::Data(at)) {
                Ok(data) => data.min(range.end()),
                Err(rustix::io::Errno::NXIO) => range.end(),
                Err(error) => return Err(error.into()),
            };
            if data > at {
                extents.push(SourceExtent { offset: at, length: data - at, zero: true });
            }
            if data < range.end() {
                let hole = rustix::fs::seek(&self.0, SeekFrom::Hole(data))?.min(range.end());
                extents.push(SourceExtent { offset: data, length: hole - data, zero: false });
                at = hole;
            } else {
                at = data;
            }
        }
        Ok(extents)
    }
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }
}

struct FileSink(File);

impl BlockSink for FileSink {
    fn writer(&self) -> io::Result<Box<dyn BlockWriter + '_>> {
        Ok(Box::new(FileWriter(&self.0)))
    }
}

struct FileWriter<'a>(&'a File);

impl BlockWriter for FileWriter<'_> {
    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// User and system seconds of this process so far, and its largest memory in MiB.
fn usage() -> Result<(f64, u64), Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak_kib: u64 =
        peak.and_then(|text| text.split_whitespace().next()).unwrap_or("0").parse()?;
    Ok((ticks / 100.0, peak_kib / 1024))
}

fn timed<T>(
    name: &str,
    work: impl FnOnce() -> Result<T, Box<dyn Error>>,
) -> Result<T, Box<dyn Error>> {
    let (before, started) = (usage()?.0, Instant::now());
    let done = work()?;
    let (after, peak_mib) = usage()?;
    println!(
        "{name:<22} wall {:7.3} s  cpu {:7.2} s  peak {peak_mib} MiB",
        started.elapsed().as_secs_f64(),
        after - before
    );
    Ok(done)
}

fn backup(
    vault: &Vault,
    image: &Path,
    base: Option<(Uuid, &[Extent])>,
    time_unix_ms: i64,
) -> Result<Uuid, Box<dyn Error>> {
    let source = FileSource(image.to_owned(), std::fs::metadata(image)?.len());
    let id = Uuid::new_v4();
    let mut writer = vault.begin_point(PointSpec { id, name: "image".to_owned(), time_unix_ms })?;
    let spec = DiskSpec {
        key: "disk".to_owned(),
        size_bytes: source.size_bytes(),
        base: base.map(|(point, _)| (point, "disk".to_owned())),
    };
    let plan = base.map_or(ReadPlan::Everything, |(_, changed)| ReadPlan::Changed(changed));
    let stats = writer.add_disk(spec, &source, plan, &NoProgress)?;
    writer.commit(serde_json::Value::Null)?;
    println!("{stats:?}");
    Ok(id)
}

fn read_map(path: &str) -> Result<Vec<Extent>, Box<dyn Error>> {
    let text = std::fs::read_to_string(path)?;
    let mut map = Vec::new();
    if text.trim_start().starts_with('[') {
        for entry in serde_json::from_str::<Vec<serde_json::Value>>(&text)? {
            let field = |name: &str| entry[name].as_u64().ok_or("a map entry without numbers");
            map.push(Extent { offset: field("offset")?, length: field("length")? });
        }
    } else {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let numbers: Vec<u64> =
                line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
            map.push(Extent {
                offset: numbers[0],
                length: numbers.get(1).copied().unwrap_or(65_536),
            });
        }
    }
    Ok(map)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, image, rest @ ..] = arguments.as_slice() else {
        return Err("usage: throughput FOLDER IMAGE [CHANGED-IMAGE MAP] [--restore TO]".into());
    };
    let bucket: Arc<dyn Bucket> = Arc::new(FolderBucket::open(folder)?);
    let passphrase = Passphrase::new("measure");
    let (vault, _) = timed("create", || Ok(Vault::create(Arc::clone(&bucket), &passphrase)?))?;
    let first = timed("full", || backup(&vault, Path::new(image), None, 1))?;
    timed("unchanged, no map", || backup(&vault, Path::new(image), None, 2))?;
    timed("nothing changed", || backup(&vault, Path::new(image), Some((first, &[])), 3))?;
    drop(vault);
    let vault = timed("open", || Ok(Vault::open(bucket, &Unlock::Passphrase(passphrase))?))?;
    let mut newest = first;
    if let [changed, map, ..] = rest
        && !changed.starts_with("--")
    {
        let map = read_map(map)?;
        newest =
            timed("incremental", || backup(&vault, Path::new(changed), Some((first, &map)), 4))?;
    }
    if let Some(at) = rest.iter().position(|argument| argument == "--restore") {
        let to = rest.get(at + 1).ok_or("--restore needs a file")?;
        let file = File::create(to)?;
        file.set_len(vault.disk(newest, "disk")?.size_bytes())?;
        timed("restore", || {
            Ok(vault.restore_disk(newest, "disk", &FileSink(file), &NoProgress)?)
        })?;
    }
    let report = timed("verify", || Ok(vault.verify(VerifyScope::All, &NoProgress)?))?;
    println!("{} blocks, {} bytes, damage: {:?}", report.blocks, report.bytes, report.damage);
    Ok(())
}
