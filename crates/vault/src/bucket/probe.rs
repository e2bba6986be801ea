//! Does a store keep what a vault builds on? Asked when a vault is made, and whenever somebody wants to know.
//!
//! "Compatible" says nothing: stores have been seen that overwrite in spite of create-if-absent, or list late. The probe
//! runs the negative cases as well, on objects of its own below `probe/`, which it removes.

use std::thread;

use super::{Bucket, BucketError, Created};

/// Who create the same object at once.
const CONTENDERS: u8 = 8;

/// Why a store cannot hold a vault.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The store failed.
    #[error("use of the store")]
    Bucket(#[from] BucketError),
    /// The store answers, and its answer breaks a rule.
    #[error("the store does not keep its word: {rule}")]
    Unfit {
        /// The rule that it breaks.
        rule: &'static str,
    },
}

fn hold(kept: bool, rule: &'static str) -> Result<(), ProbeError> {
    if kept { Ok(()) } else { Err(ProbeError::Unfit { rule }) }
}

/// Checks a store; `run` makes the names of this probe its own. Gives the rules that it keeps.
///
/// # Errors
/// [`ProbeError::Unfit`] with the first rule that is broken.
pub fn probe(bucket: &dyn Bucket, run: uuid::Uuid) -> Result<Vec<&'static str>, ProbeError> {
    let folder = format!("probe/{}/", run.simple());
    let probed = Probe { bucket, folder: &folder, rules: Vec::new() }.run();
    for object in bucket.list(&folder)? {
        bucket.delete(&object.key)?;
    }
    probed
}

/// Checks whether a store really keeps what is locked; `now_unix_ms` is the time now. Gives the rules that it keeps. One
/// object of a few bytes stays, locked, for the minutes that the probe locks it; a later probe removes it.
///
/// # Errors
/// [`ProbeError::Unfit`] with the first rule that is broken.
pub fn probe_locks(
    bucket: &dyn Bucket,
    run: uuid::Uuid,
    now_unix_ms: i64,
) -> Result<Vec<&'static str>, ProbeError> {
    const MINUTE_MS: i64 = 60_000;
    for object in bucket.list("probe/")? {
        // Of a probe before; one that is still locked stays.
        let _ = bucket.destroy(&object.key);
    }
    let key = format!("probe/{}/locked", run.simple());
    let mut rules = Vec::new();
    let mut keep = |kept: bool, rule: &'static str| -> Result<(), ProbeError> {
        hold(kept, rule)?;
        rules.push(rule);
        Ok(())
    };
    let until = (now_unix_ms / 1000 + 120) * 1000;
    let created = bucket.create_locked(&key, b"locked", until);
    let lockable = match created {
        Err(error @ (BucketError::NotFound { .. } | BucketError::Full { .. })) => {
            return Err(error.into());
        }
        other => matches!(other, Ok(Created::New)),
    };
    keep(lockable, "an object can be locked when it is created")?;
    let locked = bucket.locked_until(&key)?;
    keep(locked.is_some_and(|locked| locked >= until), "a lock lasts as long as it was asked for")?;
    let _ = bucket.weaken(&key, until - MINUTE_MS);
    let locked = bucket.locked_until(&key)?;
    keep(locked.is_some_and(|locked| locked >= until), "a lock cannot be shortened")?;
    bucket.lock(&key, until + MINUTE_MS)?;
    let locked = bucket.locked_until(&key)?;
    let longer = locked.is_some_and(|locked| locked >= until + MINUTE_MS);
    keep(longer, "a lock can be extended")?;
    let destroyed = bucket.destroy(&key);
    keep(destroyed.is_err(), "what is locked cannot be deleted for good")?;
    Ok(rules)
}

struct Probe<'a> {
    bucket: &'a dyn Bucket,
    folder: &'a str,
    rules: Vec<&'static str>,
}

impl Probe<'_> {
    fn hold(&mut self, kept: bool, rule: &'static str) -> Result<(), ProbeError> {
        hold(kept, rule)?;
        self.rules.push(rule);
        Ok(())
    }

    fn run(mut self) -> Result<Vec<&'static str>, ProbeError> {
        let bucket = self.bucket;
        let key = format!("{}object", self.folder);
        let absent = bucket.get(&key);
        self.hold(
            matches!(absent, Err(BucketError::NotFound { .. })),
            "an object that is not there is not found",
        )?;
        self.hold(bucket.list(self.folder)?.is_empty(), "an empty folder lists nothing")?;
        self.hold(bucket.create(&key, b"first")? == Created::New, "a free key can be created")?;
        self.hold(bucket.get(&key)? == b"first", "what was written is read at once")?;
        self.hold(bucket.size(&key)? == Some(5), "the size of what was written is known at once")?;
        let listed = bucket.list(self.folder)?;
        let one = matches!(listed.as_slice(), [only] if only.key == key && only.size == 5);
        self.hold(one, "what was written is listed at once")?;
        self.hold(
            bucket.create(&key, b"second")? == Created::Exists,
            "a taken key cannot be created",
        )?;
        self.hold(bucket.get(&key)? == b"first", "a refused creation changes nothing")?;
        self.hold(bucket.get_range(&key, 1, 3)? == b"irs", "a part can be read")?;
        let past = bucket.get_range(&key, 3, 3);
        self.hold(
            matches!(past, Err(BucketError::OutOfRange { .. })),
            "a part past the end is refused",
        )?;
        self.race()?;
        bucket.delete(&key)?;
        let deleted = bucket.get(&key);
        self.hold(
            matches!(deleted, Err(BucketError::NotFound { .. })),
            "what was deleted is gone at once",
        )?;
        let listed = bucket.list(self.folder)?.iter().any(|object| object.key == key);
        self.hold(!listed, "what was deleted is not listed")?;
        bucket.delete(&key)?;
        self.hold(true, "deleting twice is no error")?;
        Ok(self.rules)
    }

    /// Of many that create one key, one wins.
    fn race(&mut self) -> Result<(), ProbeError> {
        let key = format!("{}race", self.folder);
        let attempt = |n: u8| self.bucket.create(&key, &[n; 4096]).map(|created| (n, created));
        let outcomes: Vec<_> = thread::scope(|scope| {
            let attempt = &attempt;
            let running: Vec<_> =
                (0..CONTENDERS).map(|n| scope.spawn(move || attempt(n))).collect();
            running.into_iter().filter_map(|contender| contender.join().ok()).collect()
        });
        let mut winners = Vec::new();
        for outcome in outcomes {
            let (n, created) = outcome?;
            winners.extend((created == Created::New).then_some(n));
        }
        self.hold(winners.len() == 1, "of many who create one key at once, one wins")?;
        let kept = self.bucket.get(&key)?;
        self.hold(
            winners.iter().all(|n| kept == [*n; 4096]),
            "what the winner wrote is there whole",
        )
    }
}
