//! A store around another that fails as real stores do: for tests of what is built on stores.

use std::fmt;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Bucket, BucketError, Created, Object};
use crate::inner::lock;

/// What is asked of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// [`Bucket::create`].
    Create,
    /// [`Bucket::get`] and [`Bucket::get_range`].
    Read,
    /// [`Bucket::size`].
    Size,
    /// [`Bucket::list`].
    List,
    /// [`Bucket::delete`].
    Delete,
}

/// One use of the store.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// What is asked.
    pub verb: Verb,
    /// The key, or the prefix of a listing.
    pub key: &'a str,
    /// How many calls came before it.
    pub number: u64,
}

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An error; nothing was done.
    Before,
    /// It was done, and the answer is an error all the same.
    After,
    /// It is done, but so much later.
    Delay(Duration),
    /// The read of a whole object gives its first half, as if that were all. Any other call fails before it is done:
    /// adapters see a short answer by its length.
    Partial,
    /// A listing as it was at the call before of the same prefix; anything else is done as asked.
    Stale,
}

type Plan = dyn Fn(Call<'_>) -> Option<Fault> + Send + Sync;

/// Passes calls on to a store, and lets go wrong what its plan says.
pub struct FaultyBucket<B> {
    inner: B,
    plan: Box<Plan>,
    calls: AtomicU64,
    /// The listing of each prefix as it was last given.
    listed: Mutex<Vec<(String, Vec<Object>)>>,
}

impl<B: fmt::Debug> fmt::Debug for FaultyBucket<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FaultyBucket").field(&self.inner).finish()
    }
}

impl<B: Bucket> FaultyBucket<B> {
    /// Around a store; the plan is asked at each call, from any thread.
    pub fn new(inner: B, plan: impl Fn(Call<'_>) -> Option<Fault> + Send + Sync + 'static) -> Self {
        let listed = Mutex::default();
        Self { inner, plan: Box::new(plan), calls: AtomicU64::new(0), listed }
    }

    /// How many calls were made.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// The store behind it.
    pub fn inner(&self) -> &B {
        &self.inner
    }

    fn fault(&self, verb: Verb, key: &str) -> Option<Fault> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let fault = (self.plan)(Call { verb, key, number });
        if let Some(Fault::Delay(time)) = fault {
            std::thread::sleep(time);
        }
        fault
    }

    /// Does it, around the faults that all verbs know.
    fn pass<T>(
        &self,
        fault: Option<Fault>,
        verb: &'static str,
        key: &str,
        work: impl FnOnce() -> Result<T, BucketError>,
    ) -> Result<T, BucketError> {
        let failed = |what: &str| BucketError::Io {
            verb,
            key: key.to_owned(),
            source: io::Error::other(what.to_owned()),
        };
        match fault {
            Some(Fault::Before) => Err(failed("a fault before it was done")),
            Some(Fault::After) => {
                work()?;
                Err(failed("a fault after it was done"))
            }
            Some(Fault::Delay(_) | Fault::Partial | Fault::Stale) | None => work(),
        }
    }
}

/// The first half of what was read.
fn half(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() / 2);
    bytes
}

impl<B: Bucket> Bucket for FaultyBucket<B> {
    fn create(&self, key: &str, data: &[u8]) -> Result<Created, BucketError> {
        let fault = self.fault(Verb::Create, key).map(partial_is_before);
        self.pass(fault, "create", key, || self.inner.create(key, data))
    }

    fn get(&self, key: &str) -> Result<Vec<u8>, BucketError> {
        let fault = self.fault(Verb::Read, key);
        let read = self.pass(fault, "read", key, || self.inner.get(key))?;
        Ok(if fault == Some(Fault::Partial) { half(read) } else { read })
    }

    fn get_range(&self, key: &str, offset: u64, length: usize) -> Result<Vec<u8>, BucketError> {
        let fault = self.fault(Verb::Read, key);
        if fault == Some(Fault::Partial) {
            let source = io::Error::new(io::ErrorKind::UnexpectedEof, "the answer was cut short");
            return Err(BucketError::Io { verb: "read", key: key.to_owned(), source });
        }
        self.pass(fault, "read", key, || self.inner.get_range(key, offset, length))
    }

    fn size(&self, key: &str) -> Result<Option<u64>, BucketError> {
        let fault = self.fault(Verb::Size, key).map(partial_is_before);
        self.pass(fault, "read", key, || self.inner.size(key))
    }

    fn list(&self, prefix: &str) -> Result<Vec<Object>, BucketError> {
        let fault = self.fault(Verb::List, prefix).map(partial_is_before);
        let now = self.pass(fault, "list", prefix, || self.inner.list(prefix))?;
        let mut listed = lock(&self.listed);
        match listed.iter_mut().find(|(known, _)| known == prefix) {
            Some((_, last)) if fault == Some(Fault::Stale) => Ok(last.clone()),
            Some((_, last)) => {
                *last = now.clone();
                Ok(now)
            }
            None => {
                listed.push((prefix.to_owned(), now.clone()));
                Ok(now)
            }
        }
    }

    fn lock(&self, key: &str, until_unix_ms: i64) -> Result<(), BucketError> {
        let fault = self.fault(Verb::Create, key).map(partial_is_before);
        self.pass(fault, "lock", key, || self.inner.lock(key, until_unix_ms))
    }

    fn locked_until(&self, key: &str) -> Result<Option<i64>, BucketError> {
        self.inner.locked_until(key)
    }

    fn delete(&self, key: &str) -> Result<(), BucketError> {
        let fault = self.fault(Verb::Delete, key).map(partial_is_before);
        self.pass(fault, "delete", key, || self.inner.delete(key))
    }
}

fn partial_is_before(fault: Fault) -> Fault {
    if fault == Fault::Partial { Fault::Before } else { fault }
}
