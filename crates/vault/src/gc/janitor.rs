//! Cleaning up after writers that are gone.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::CollectOptions;
use super::census::{ACTIVE, INTENTS};
use super::mutant::{Mutant, mistake};
use crate::VaultError;
use crate::crypto::Capability;
use crate::format::{ActiveRecord, DecisionRecord, PendingRecord, RecordKind};
use crate::inner::Inner;
use crate::points::decision_key;

/// A point that somebody began and has not committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Its id.
    pub point: Uuid,
    /// When it was begun or its intent written, in milliseconds since 1970 (UTC), if the store says.
    pub since_unix_ms: Option<i64>,
}

/// The points that somebody began and has not finished; one line for each trace, oldest first is not promised.
pub(crate) fn unfinished(inner: &Inner) -> Result<Vec<Unfinished>, VaultError> {
    Ok(traces(inner)?.into_iter().map(|(_, found)| found).collect())
}

/// Objects that writers left, with the point that each is about.
pub(super) fn traces(inner: &Inner) -> Result<Vec<(String, Unfinished)>, VaultError> {
    let mut traces = Vec::new();
    for (folder, kind) in [(INTENTS, RecordKind::Pending), (ACTIVE, RecordKind::Active)] {
        for listed in inner.bucket.list(folder)? {
            let point = match kind {
                RecordKind::Pending => {
                    inner.get_json::<PendingRecord>(kind, &listed.key)?.map(|record| record.point)
                }
                _ => inner.get_json::<ActiveRecord>(kind, &listed.key)?.map(|record| record.point),
            };
            if let Some(point) = point {
                let since_unix_ms = listed.modified_unix_ms;
                traces.push((listed.key, Unfinished { point, since_unix_ms }));
            }
        }
    }
    Ok(traces)
}

/// Gives up every undecided point whose traces are all older than the options allow; gives their number. What a store
/// does not date is not suspected. What decided points left is removed in another place.
pub(super) fn abandon_old(inner: &Inner, options: &CollectOptions) -> Result<u64, VaultError> {
    let grace = i64::try_from(options.abandon_older_ms).unwrap_or(i64::MAX);
    let old = options.now_unix_ms.saturating_sub(grace);
    let mut suspects: BTreeMap<Uuid, bool> = BTreeMap::new();
    for (_, found) in traces(inner)? {
        let is_old = found.since_unix_ms.is_some_and(|since| since <= old);
        *suspects.entry(found.point).or_insert(true) &= is_old;
    }
    let mut given_up = 0;
    for (point, _) in suspects.into_iter().filter(|(_, is_old)| *is_old) {
        let decided = inner.bucket.size(&decision_key(point))?.is_some();
        if !decided {
            abandon(inner, point)?;
            given_up += 1;
        }
    }
    Ok(given_up)
}

/// Gives a point up, so that it can never be committed, and removes what its writer left. If it was committed, it
/// stays, and only left-overs are removed. It does not matter whether the suspicion is right: a writer that is alive
/// learns of it when it commits.
pub(crate) fn abandon(inner: &Inner, point: Uuid) -> Result<(), VaultError> {
    inner.keyring.require(Capability::Delete, "give up recovery points")?;
    let traces: Vec<_> =
        traces(inner)?.into_iter().filter(|(_, found)| found.point == point).collect();
    if mistake(Mutant::IntentRemovedBeforeAbort) {
        for (key, _) in &traces {
            inner.bucket.delete(key)?;
        }
    }
    let key = decision_key(point);
    // Whoever was first has decided; both outcomes are final.
    inner.create_json(RecordKind::Decision, &key, &DecisionRecord::Aborted { point })?;
    inner.leave_receipt(point)?;
    for (key, _) in &traces {
        inner.bucket.delete(key)?;
    }
    if mistake(Mutant::AbortMarkerRemoved)
        && let Some(DecisionRecord::Aborted { .. }) = inner.get_json(RecordKind::Decision, &key)?
    {
        inner.bucket.delete(&key)?;
    }
    Ok(())
}
