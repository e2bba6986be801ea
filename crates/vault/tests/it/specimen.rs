//! A small vault that holds every kind of object, all the states that its store went through, and one way to hurt it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use coffre_vault::bucket::{Bucket, BucketError, Created, MemoryBucket, Object};
use coffre_vault::{
    Capability, CollectOptions, Extent, NoProgress, Passphrase, Unlock, Vault, VaultError,
    VerifyScope,
};
use uuid::Uuid;

use crate::support::{
    BLOCK, Fault, Faulty, Image, backup, copy, new_vault, open, open_through, restore,
};

/// Objects by key.
pub(crate) type Objects = BTreeMap<String, Arc<[u8]>>;

/// The vault.
pub(crate) struct Specimen {
    /// What is on the store.
    pub(crate) objects: Arc<Objects>,
    /// What was on the store after each step before, oldest first.
    pub(crate) history: Vec<Objects>,
    /// The points and what they restore to.
    pub(crate) truth: Vec<(Uuid, Vec<u8>)>,
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn all(bucket: &MemoryBucket) -> Objects {
    let objects = bucket.list("").unwrap().into_iter();
    objects.map(|object| (object.key.clone(), bucket.get(&object.key).unwrap().into())).collect()
}

/// Collects everything that nothing needs and rewrites every pack that holds such.
pub(crate) fn collect(vault: &Vault) -> Result<(), VaultError> {
    let options = CollectOptions {
        spare_younger_ms: 0,
        repack_below_percent: 100,
        ..CollectOptions::at(i64::MAX / 2)
    };
    vault.collect(&options).map(|_| ())
}

/// Does `work` on a store that dies at the first operation after which an object of `prefix` is there.
fn die_with(bucket: &Arc<MemoryBucket>, prefix: &str, work: impl Fn(&Vault)) -> Arc<MemoryBucket> {
    for at in 0.. {
        let tried = copy(bucket);
        let faulty = Faulty::new(Arc::clone(&tried), at, Fault::Dead);
        if let Ok(vault) = open_through(Arc::new(faulty)) {
            work(&vault.with_threads(1).unwrap());
        }
        if tried.list(prefix).unwrap().len() > bucket.list(prefix).unwrap().len() {
            return tried;
        }
    }
    unreachable!("an object of {prefix} comes at some operation")
}

impl Specimen {
    /// Makes it: full and incremental points, one of a host that may only put, a verification that signs for what it found, a deletion, a point given up, a finished collection, one that died with
    /// its list of condemned packs, and a writer that died with its intent.
    pub(crate) fn new() -> Self {
        let (bucket, vault) = new_vault();
        let mut history = vec![all(&bucket)];
        let mut truth = Vec::new();
        let mut data = vec![0; 4 * BLOCK];
        data[..BLOCK].fill(0x11);
        data[2 * BLOCK..3 * BLOCK].fill(0x22);
        for number in 1..=3u8 {
            data[3 * BLOCK..].fill(0x30 + number);
            let changed = [Extent { offset: 3 * BLOCK as u64, length: BLOCK as u64 }];
            let since = (number > 1).then(|| (id(u128::from(number) - 1), changed.as_slice()));
            backup(&vault, id(number.into()), &Image::new(data.clone()), since).unwrap();
            truth.push((id(number.into()), data.clone()));
            history.push(all(&bucket));
        }
        let host = Unlock::Passphrase(Passphrase::new("host"));
        vault.add_key(&host, &[Capability::Put]).unwrap();
        history.push(all(&bucket));
        let (of_host, store) = (vec![0x66; BLOCK], Arc::clone(&bucket));
        let host = Vault::open(store, &host).unwrap().with_threads(1).unwrap();
        backup(&host, id(4), &Image::new(of_host.clone()), None).unwrap();
        truth.push((id(4), of_host));
        history.push(all(&bucket));
        vault.verify(VerifyScope::All, &NoProgress).unwrap();
        history.push(all(&bucket));
        vault.delete_point(id(2)).unwrap();
        truth.remove(1);
        history.push(all(&bucket));
        let spec = coffre_vault::PointSpec { id: id(7), name: "vm".to_owned(), time_unix_ms: 5 };
        drop(vault.begin_point(spec).unwrap());
        history.push(all(&bucket));
        vault.abandon_point(id(7)).unwrap();
        history.push(all(&bucket));
        collect(&vault).unwrap();
        history.push(all(&bucket));
        let bucket = {
            let mut other = vec![0x44; BLOCK];
            other[0] = 1;
            let writer = copy(&bucket);
            let image = Image::new(other);
            let lost = die_with(&writer, "packs/", |vault| {
                let _ = backup(vault, id(8), &image, None);
            });
            history.push(all(&lost));
            die_with(&lost, "gc/condemned/", |vault| {
                let _ = collect(vault);
            })
        };
        history.push(all(&bucket));
        data[..BLOCK].fill(0x55);
        let image = Image::new(data);
        let bucket = die_with(&bucket, "pending/", |vault| {
            let _ = backup(vault, id(9), &image, None);
        });
        let specimen = Self { objects: Arc::new(all(&bucket)), history, truth };
        specimen.must_be_whole(&open(&bucket).unwrap());
        specimen
    }

    fn must_be_whole(&self, vault: &Vault) {
        assert_eq!(vault.verify(VerifyScope::All, &NoProgress).unwrap().damage, []);
        for kind in KINDS {
            assert!(self.objects.keys().any(|key| kind_of(key) == *kind), "no object of {kind}");
        }
        for (point, data) in &self.truth {
            assert!(restore(vault, *point).unwrap() == *data);
        }
    }

    /// Looks at the vault with these objects replaced (`None`: gone).
    pub(crate) fn look(&self, changes: Changes) -> Verdict {
        let hurt = Hurt { objects: Arc::clone(&self.objects), changes };
        let vault = match open_through(Arc::new(hurt)) {
            Ok(vault) => vault.with_threads(1).unwrap(),
            Err(_) => return Verdict::Refused,
        };
        let mut restored = 0;
        for (point, data) in &self.truth {
            match restore(&vault, *point) {
                Ok(read) => {
                    assert!(read == *data, "a wrong byte was restored");
                    restored += 1;
                }
                Err(VaultError::Bucket(BucketError::Io { key, source, .. })) => {
                    panic!("damage of {key} must be told from an unreachable store: {source}")
                }
                Err(_) => {}
            }
        }
        let report = vault.verify(VerifyScope::All, &NoProgress).unwrap();
        let all_restored = restored == self.truth.len();
        Verdict::Opened { damage: report.damage.len(), restored: all_restored }
    }
}

/// Every kind of object, as its key tells it.
pub(crate) const KINDS: &[&str] = &[
    "vault",
    "keys",
    "packs",
    "index",
    "active",
    "pending",
    "rp",
    "rp-seen",
    "rp-deleted",
    "gc/condemned",
    "gc/done",
    "groups",
    "verified",
];

/// The kind of an object.
pub(crate) fn kind_of(key: &str) -> &'static str {
    let found = KINDS.iter().filter(|kind| key == **kind || key.starts_with(&format!("{kind}/")));
    found.max_by_key(|kind| kind.len()).expect("every object is of a kind")
}

/// What to replace, by key; `None` takes the object away.
pub(crate) type Changes = BTreeMap<String, Option<Arc<[u8]>>>;

/// What became of a vault that was hurt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It does not open.
    Refused,
    /// It opens; no wrong byte came back.
    Opened {
        /// Findings of a verification.
        damage: usize,
        /// Every point was restored in full.
        restored: bool,
    },
}

/// A store to look at, with some objects replaced.
#[derive(Debug)]
struct Hurt {
    objects: Arc<Objects>,
    changes: Changes,
}

impl Hurt {
    fn find(&self, key: &str) -> Option<&Arc<[u8]>> {
        match self.changes.get(key) {
            Some(changed) => changed.as_ref(),
            None => self.objects.get(key),
        }
    }

    fn read(&self, key: &str) -> Result<&Arc<[u8]>, BucketError> {
        self.find(key).ok_or_else(|| BucketError::NotFound { key: key.to_owned() })
    }

    fn refuse<T>(verb: &'static str, key: &str) -> Result<T, BucketError> {
        let source = io::Error::other("only to look at");
        Err(BucketError::Io { verb, key: key.to_owned(), source })
    }
}

impl Bucket for Hurt {
    fn create(&self, key: &str, _data: &[u8]) -> Result<Created, BucketError> {
        Self::refuse("create", key)
    }
    fn get(&self, key: &str) -> Result<Vec<u8>, BucketError> {
        Ok(self.read(key)?.to_vec())
    }
    fn get_range(&self, key: &str, offset: u64, length: usize) -> Result<Vec<u8>, BucketError> {
        let data = self.read(key)?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let part = start.checked_add(length).and_then(|end| data.get(start..end));
        part.map(<[u8]>::to_vec).ok_or_else(|| BucketError::OutOfRange {
            key: key.to_owned(),
            offset,
            length: length as u64,
        })
    }
    fn size(&self, key: &str) -> Result<Option<u64>, BucketError> {
        Ok(self.find(key).map(|data| data.len() as u64))
    }
    fn list(&self, prefix: &str) -> Result<Vec<Object>, BucketError> {
        let mut keys: Vec<&String> = self.objects.keys().chain(self.changes.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        let found = keys.into_iter().filter(|key| key.starts_with(prefix)).filter_map(|key| {
            let size = self.find(key)?.len() as u64;
            Some(Object { key: key.clone(), size, modified_unix_ms: None })
        });
        Ok(found.collect())
    }
    fn delete(&self, key: &str) -> Result<(), BucketError> {
        Self::refuse("delete", key)
    }
}
