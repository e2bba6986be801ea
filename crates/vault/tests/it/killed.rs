//! A real process on a real folder, killed at moments that nobody chose: what it acknowledged is there, and the next
//! one goes on with no help.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

use coffre_vault::bucket::{Bucket, FolderBucket};
use coffre_vault::{Extent, NoProgress, RecoveryKey, Unlock, Vault, VerifyScope};
use uuid::Uuid;

use crate::support::{BLOCK, Image, Noise, backup, passphrase, restore};

const FOLDER: &str = "COFFRE_TEST_VICTIM_FOLDER";
const KEY: &str = "COFFRE_TEST_VICTIM_KEY";
const KILLS: u64 = 12;

fn open(folder: &str, key: &str) -> Vault {
    let bucket = Arc::new(FolderBucket::open(folder).unwrap()) as Arc<dyn Bucket>;
    let key: RecoveryKey = key.parse().unwrap();
    Vault::open(bucket, &Unlock::RecoveryKey(key)).unwrap()
}

/// The image as it is at a point: each point changes three blocks of the one before.
fn image_at(n: u64) -> (Vec<u8>, Vec<Extent>) {
    let mut data = vec![0; 60 * BLOCK];
    Noise::new(1).fill(&mut data[..20 * BLOCK]);
    let mut changed = Vec::new();
    for step in 1..=n {
        changed.clear();
        for at in 0..3 {
            let offset = ((step * 7 + at * 11) % 60) as usize * BLOCK;
            Noise::new(step * 3 + at).fill(&mut data[offset..offset + 2000]);
            changed.push(Extent { offset: offset as u64, length: 2000 });
        }
    }
    (data, changed)
}

/// Runs only as the child of the test below: backs up until it is killed, and tells of each commit.
#[test]
fn victim() {
    let (Ok(folder), Ok(key)) = (std::env::var(FOLDER), std::env::var(KEY)) else { return };
    let vault = open(&folder, &key);
    let done =
        vault.points().unwrap().iter().map(|point| point.id.as_u128() as u64).max().unwrap_or(0);
    for n in done + 1.. {
        let (data, changed) = image_at(n);
        let since = (n > 1).then(|| (Uuid::from_u128(u128::from(n - 1)), changed.as_slice()));
        backup(&vault, Uuid::from_u128(u128::from(n)), &Image::new(data), since).unwrap();
        println!("committed {n}");
    }
}

#[test]
fn a_process_that_is_killed_anywhere_loses_nothing_that_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let bucket = Arc::new(FolderBucket::open(path).unwrap()) as Arc<dyn Bucket>;
    let key = Vault::create(bucket, &passphrase()).unwrap().1.to_string();
    let mut noise = Noise::new(99);
    let mut acknowledged = 0;
    for _ in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::victim", "--nocapture"])
            .env(FOLDER, path)
            .env(KEY, &key)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let commits = noise.next() % 3;
        let mut take = |line: String| {
            if let Some(n) = line.split("committed ").nth(1) {
                acknowledged = n.trim().parse().unwrap();
                return true;
            }
            false
        };
        let mut seen = 0;
        while seen <= commits {
            let line = lines.next().expect("the victim works until it is killed").unwrap();
            seen += u64::from(take(line));
        }
        // Somewhere in the next backup.
        std::thread::sleep(std::time::Duration::from_micros(noise.next() % 12_000));
        child.kill().unwrap();
        child.wait().unwrap();
        lines.map_while(Result::ok).for_each(|line| {
            take(line);
        });
        let vault = open(path, &key);
        let points = vault.points().unwrap();
        assert!(points.iter().any(|point| point.id == Uuid::from_u128(u128::from(acknowledged))));
        assert!(points.len() as u64 >= acknowledged);
        let newest = points.last().unwrap().id;
        assert!(restore(&vault, newest).unwrap() == image_at(newest.as_u128() as u64).0);
    }
    let vault = open(path, &key);
    assert_eq!(vault.verify(VerifyScope::All, &NoProgress).unwrap().damage, []);
    for point in vault.points().unwrap() {
        assert!(restore(&vault, point.id).unwrap() == image_at(point.id.as_u128() as u64).0);
    }
}
