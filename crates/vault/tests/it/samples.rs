//! Vaults of every released version of the format restore for ever.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use coffre_vault::bucket::{Bucket, FolderBucket};
use coffre_vault::{Capability, NoProgress, Passphrase, Unlock, Vault, VerifyScope};

use crate::support::{Image, backup, restore};

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn every_sample_opens_restores_verifies_and_goes_on() {
    let samples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let mut seen = 0;
    for sample in std::fs::read_dir(samples).unwrap() {
        let sample = sample.unwrap().path();
        let work = tempfile::tempdir().unwrap();
        copy_folder(&sample.join("store"), work.path());
        let bucket = || Arc::new(FolderBucket::open(work.path()).unwrap()) as Arc<dyn Bucket>;
        let paper = std::fs::read_to_string(sample.join("paper-key.txt")).unwrap().parse().unwrap();
        let vault = Vault::open(bucket(), &Unlock::RecoveryKey(paper)).unwrap();
        let expected = std::fs::read_to_string(sample.join("expected.txt")).unwrap();
        let mut newest = None;
        for line in expected.lines() {
            let (id, hash) = line.split_once(' ').unwrap();
            let id = id.parse().unwrap();
            let restored = restore(&vault, id).unwrap();
            assert_eq!(blake3::hash(&restored).to_hex().as_str(), hash, "{}", sample.display());
            newest = Some((id, restored));
        }
        assert_eq!(vault.points().unwrap().len(), expected.lines().count());
        assert_eq!(vault.points().unwrap()[0].metadata["sample"], 3);
        assert_eq!(vault.verify(VerifyScope::All, &NoProgress).unwrap().damage, []);
        Vault::open(bucket(), &Unlock::Passphrase(Passphrase::new("sample passphrase"))).unwrap();
        let host =
            Vault::open(bucket(), &Unlock::Passphrase(Passphrase::new("sample host"))).unwrap();
        assert_eq!(host.capabilities(), [Capability::Put]);
        // An old vault is written on by the host that may only put.
        let (base, data) = newest.unwrap();
        let next = uuid::Uuid::from_u128(99);
        backup(&host, next, &Image::new(data.clone()), Some((base, &[]))).unwrap();
        assert!(restore(&vault, next).unwrap() == data);
        seen += 1;
    }
    assert!(seen >= 1);
}
