//! How much one caller may ask: a bucket of requests for each, refilled with time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// Requests that a caller may make at once.
const BURST: f64 = 2000.0;
/// Requests per second that a caller may make for long.
const PER_SECOND: f64 = 400.0;
/// Sign-ins that may fail for one name at once, and per second.
const SIGN_IN_BURST: f64 = 30.0;
const SIGN_INS_PER_SECOND: f64 = 0.5;
/// Callers that are remembered; full buckets are forgotten first.
const CALLERS_MAX: usize = 10_000;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Any request with a token.
    Request,
    /// A check of a secret that fails.
    SignIn,
}

impl Kind {
    fn burst(self) -> f64 {
        match self {
            Self::Request => BURST,
            Self::SignIn => SIGN_IN_BURST,
        }
    }

    fn per_second(self) -> f64 {
        match self {
            Self::Request => PER_SECOND,
            Self::SignIn => SIGN_INS_PER_SECOND,
        }
    }
}

struct Bucket {
    left: f64,
    seen: Timestamp,
}

/// The buckets of all callers.
#[derive(Default)]
pub(crate) struct Limiter(Mutex<HashMap<(Kind, String), Bucket>>);

impl Limiter {
    /// Takes one from the bucket of a caller; else says after how many seconds there is one again.
    pub(crate) fn take(&self, kind: Kind, caller: &str, now: Timestamp) -> Result<(), u64> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= CALLERS_MAX {
            buckets.retain(|(kind, _), bucket| refilled(*kind, bucket, now) < kind.burst());
        }
        let key = (kind, name_of(caller));
        let bucket = buckets.entry(key).or_insert(Bucket { left: kind.burst(), seen: now });
        bucket.left = refilled(kind, bucket, now);
        bucket.seen = bucket.seen.max(now);
        if bucket.left >= 1.0 {
            bucket.left -= 1.0;
            return Ok(());
        }
        Err(((1.0 - bucket.left) / kind.per_second()).ceil() as u64)
    }

    /// Puts back what was taken: a secret that was right is no attempt to guess it, and a script may sign in as often as
    /// it likes.
    pub(crate) fn put_back(&self, kind: Kind, caller: &str) {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(&(kind, name_of(caller))) {
            bucket.left = (bucket.left + 1.0).min(kind.burst());
        }
    }
}

/// As much of a name as is remembered.
fn name_of(caller: &str) -> String {
    caller.chars().take(128).collect()
}

fn refilled(kind: Kind, bucket: &Bucket, now: Timestamp) -> f64 {
    let seconds = now.duration_since(bucket.seen).as_secs_f64().max(0.0);
    (bucket.left + seconds * kind.per_second()).min(kind.burst())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let limiter = Limiter::default();
        for _ in 0..30 {
            assert_eq!(limiter.take(Kind::SignIn, "ann", at(0)), Ok(()));
        }
        assert_eq!(limiter.take(Kind::SignIn, "ann", at(0)), Err(2));
        assert_eq!(limiter.take(Kind::SignIn, "bob", at(0)), Ok(()), "others go on");
        assert_eq!(limiter.take(Kind::Request, "ann", at(0)), Ok(()), "and so does the rest");
        assert_eq!(limiter.take(Kind::SignIn, "ann", at(2)), Ok(()));
        assert_eq!(limiter.take(Kind::SignIn, "ann", at(2)), Err(2));
        // A clock that goes back gives nothing and takes nothing.
        assert_eq!(limiter.take(Kind::SignIn, "ann", at(1)), Err(2));
    }

    #[test]
    fn what_is_put_back_can_be_taken_again_and_is_never_more_than_a_full_bucket() {
        let limiter = Limiter::default();
        for _ in 0..100 {
            assert_eq!(limiter.take(Kind::SignIn, "ann", at(0)), Ok(()));
            limiter.put_back(Kind::SignIn, "ann");
        }
        limiter.put_back(Kind::SignIn, "ann");
        let taken = (0..100).filter(|_| limiter.take(Kind::SignIn, "ann", at(0)).is_ok()).count();
        assert_eq!(taken, 30);
    }

    #[test]
    fn callers_without_end_are_not_remembered_without_end() {
        let limiter = Limiter::default();
        for n in 0..25_000 {
            let _ = limiter.take(Kind::Request, &n.to_string(), at(n / 10));
        }
        assert!(limiter.0.lock().unwrap().len() <= CALLERS_MAX + 1);
    }
}
