//! Makes a sample vault for `tests/samples`: `sample FOLDER`. A sample is made once for each version of the format, kept
//! for ever, and must restore with every later version.
#![allow(clippy::print_stdout, reason = "a tool that reports to its caller")]

use std::error::Error;
use std::io;
use std::sync::Arc;

use coffre_vault::bucket::{Bucket, FolderBucket};
use coffre_vault::{
    BlockReader, BlockSource, Capability, CollectOptions, DiskSpec, Extent, NoProgress, Passphrase,
    PointSpec, ReadPlan, SourceExtent, Unlock, Vault,
};
use uuid::Uuid;

const BLOCK: usize = 64 * 1024;

struct Image(Vec<u8>);

impl BlockSource for Image {
    fn size_bytes(&self) -> u64 {
        self.0.len() as u64
    }
    fn reader(&self) -> io::Result<Box<dyn BlockReader + '_>> {
        Ok(Box::new(Reader(self)))
    }
}

struct Reader<'a>(&'a Image);

impl BlockReader for Reader<'_> {
    fn extents(&mut self, range: Extent) -> io::Result<Vec<SourceExtent>> {
        Ok(vec![SourceExtent { offset: range.offset, length: range.length, zero: false }])
    }
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        buffer.copy_from_slice(&self.0.0[start..start + buffer.len()]);
        Ok(())
    }
}

/// Text, one block of noise, zeros, a repeat, a hole of more than a leaf, and a short last block.
fn first_image() -> Vec<u8> {
    let mut data = vec![0; 300 * BLOCK + 1234];
    for (at, block) in data.chunks_mut(BLOCK).enumerate().filter(|(at, _)| *at < 12 || *at >= 299) {
        let line = format!("block {} of a sample\n", at % 10);
        block.iter_mut().zip(line.as_bytes().iter().cycle()).for_each(|(byte, text)| *byte = *text);
    }
    let mut noise = blake3::Hasher::new().update(b"sample").finalize_xof();
    noise.fill(&mut data[2 * BLOCK..3 * BLOCK]);
    data[5 * BLOCK..6 * BLOCK].fill(0);
    data
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: sample FOLDER")?;
    let bucket: Arc<dyn Bucket> = Arc::new(FolderBucket::open(format!("{folder}/store"))?);
    let (vault, paper) = Vault::create(Arc::clone(&bucket), &Passphrase::new("sample passphrase"))?;
    vault.add_key(&Unlock::Passphrase(Passphrase::new("sample host")), &[Capability::Put])?;
    let mut image = Image(first_image());
    let mut expected = Vec::new();
    let mut base = None;
    for number in 1..=4u8 {
        let id = Uuid::from_u128(u128::from(number));
        let at = usize::from(if number == 3 { 2 } else { number }) * BLOCK;
        image.0[at..at + 5].copy_from_slice(b"point");
        image.0[at + 5] = b'0' + number;
        let changed = [Extent { offset: at as u64, length: 6 }];
        let spec = PointSpec {
            id,
            name: "sample".to_owned(),
            time_unix_ms: 1_700_000_000_000 + i64::from(number),
        };
        let mut writer = vault.begin_point(spec)?;
        let disk =
            DiskSpec { key: "disk".to_owned(), size_bytes: image.size_bytes(), base: base.clone() };
        let plan = if base.is_some() { ReadPlan::Changed(&changed) } else { ReadPlan::Everything };
        writer.add_disk(disk, &image, plan, &NoProgress)?;
        let zeros = DiskSpec { key: "zeros".to_owned(), size_bytes: 1 << 46, base: None };
        if number == 4 {
            writer.add_disk(zeros, &Zeros, ReadPlan::Everything, &NoProgress)?;
        }
        writer.commit(serde_json::json!({ "sample": number }))?;
        base = Some((id, "disk".to_owned()));
        expected.push(format!("{id} {}", blake3::hash(&image.0).to_hex()));
    }
    // What is left has holes, and what the collector moved and deleted is part of the sample.
    vault.delete_point(Uuid::from_u128(1))?;
    vault.delete_point(Uuid::from_u128(2))?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let now_unix_ms = i64::try_from(now.as_millis())? + 60_000;
    let options = CollectOptions {
        spare_younger_ms: 0,
        repack_below_percent: 100,
        ..CollectOptions::at(now_unix_ms)
    };
    println!("{:?}", vault.collect(&options)?);
    expected.drain(..2);
    std::fs::write(format!("{folder}/expected.txt"), expected.join("\n") + "\n")?;
    std::fs::write(format!("{folder}/paper-key.txt"), format!("{paper}\n"))?;
    Ok(())
}

/// A disk of 64 TiB of zeros.
struct Zeros;

impl BlockSource for Zeros {
    fn size_bytes(&self) -> u64 {
        1 << 46
    }
    fn reader(&self) -> io::Result<Box<dyn BlockReader + '_>> {
        Ok(Box::new(Self))
    }
}

impl BlockReader for Zeros {
    fn extents(&mut self, range: Extent) -> io::Result<Vec<SourceExtent>> {
        Ok(vec![SourceExtent { offset: range.offset, length: range.length, zero: true }])
    }
    fn read_at(&mut self, _offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        buffer.fill(0);
        Ok(())
    }
}
