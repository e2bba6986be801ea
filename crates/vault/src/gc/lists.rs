//! Signed lists of packs: `gc/condemned/<run>` (will be deleted) and `gc/done/<run>` (were deleted, for ever).
//!
//! Only the holder of the delete key writes them, and a list whose signature does not hold is as if it were not there:
//! nobody else can make a collector delete or a writer distrust a pack.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::VaultError;
use crate::bucket::Created;
use crate::crypto::deletion_is_signed;
use crate::format::{PackId, PackListRecord, RecordKind, collection_text};
use crate::inner::Inner;

/// Packs that are on their way out.
pub(super) const CONDEMNED: &str = "gc/condemned/";
/// Packs that are gone.
pub(super) const DONE: &str = "gc/done/";

/// The packs of one list.
pub(super) type Packs = BTreeSet<PackId>;

fn kind_of(folder: &str) -> RecordKind {
    if folder == CONDEMNED { RecordKind::Condemned } else { RecordKind::Done }
}

/// The object of a run in a folder.
pub(super) fn object(folder: &str, run: Uuid) -> String {
    format!("{folder}{}", run.simple())
}

/// The run of an object of a folder, `None` if it is not one of ours.
pub(super) fn run_of(folder: &str, key: &str) -> Option<Uuid> {
    let run = Uuid::try_parse(key.strip_prefix(folder)?).ok()?;
    (object(folder, run) == key).then_some(run)
}

/// Writes a list. A list of this run that is there already is left: its content is the same, a run is written once by
/// its owner and copied by adopters.
pub(super) fn write(
    inner: &Inner,
    folder: &str,
    run: Uuid,
    packs: &Packs,
) -> Result<(), VaultError> {
    let key = object(folder, run);
    let names: Vec<u8> = packs.iter().flat_map(|pack| pack.0).collect();
    let signature = inner.keyring.sign_deletion(&collection_text(&inner.vault, &key, &names))?;
    let record = PackListRecord { run, packs: names, signature };
    match inner.create_json(kind_of(folder), &key, &record)? {
        Created::New | Created::Exists => Ok(()),
    }
}

/// Reads one list; `None` if it is gone or not signed by the holder of the delete key.
fn read(inner: &Inner, folder: &str, key: &str) -> Result<Option<Packs>, VaultError> {
    let Some(run) = run_of(folder, key) else { return Ok(None) };
    let Some(record) = inner.get_json::<PackListRecord>(kind_of(folder), key)? else {
        return Ok(None);
    };
    let (names, rest) = record.packs.as_chunks::<16>();
    if record.run != run || !rest.is_empty() {
        let what = "not the list of this run".to_owned();
        return Err(VaultError::Damaged { object: key.to_owned(), offset: 0, what });
    }
    let text = collection_text(&inner.vault, key, &record.packs);
    if !deletion_is_signed(&inner.root.delete_public, &text, &record.signature) {
        return Ok(None);
    }
    Ok(Some(names.iter().map(|name| PackId(*name)).collect()))
}

/// Reads every list of a folder that is not in `known`, and adds it there.
pub(super) fn read_new(
    inner: &Inner,
    folder: &str,
    known: &mut BTreeMap<String, Packs>,
) -> Result<(), VaultError> {
    for listed in inner.bucket.list(folder)? {
        if !known.contains_key(&listed.key)
            && let Some(packs) = read(inner, folder, &listed.key)?
        {
            known.insert(listed.key, packs);
        }
    }
    Ok(())
}
