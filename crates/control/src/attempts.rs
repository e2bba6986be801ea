//! Who guesses at a sign-in is held back: by name, wherever they sit, and by address, whatever
//! names they try. The waits double; whoever waits is not asked for a secret at all.
//!
//! Somebody who signed in from an address before is counted apart there: a stranger who guesses
//! their password elsewhere does not lock them out, and neither does a neighbour who guesses those
//! of others.
//!
//! Counts live in memory. Time is an argument, as everywhere here.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

/// Wrong tries for one name that cost no wait.
pub const FREE_OF_NAME: u32 = 5;
/// Wrong tries from one address that cost no wait: many people may sit behind it.
pub const FREE_OF_SOURCE: u32 = 20;
/// Longest wait, in seconds.
pub const WAIT_SECS_MAX: i64 = 900;

/// Counts are forgotten after so long without another try.
const FORGET_SECS: i64 = 2 * WAIT_SECS_MAX;
/// For so long somebody is known at an address where they signed in.
const KNOWN_SECS: i64 = 30 * 24 * 3600;
/// Counts that are kept at a time; those with the fewest tries make room.
const COUNTS_MAX: usize = 10_000;
/// Letters of a name that are told apart.
const NAME_LETTERS_MAX: usize = 128;

/// Where a request comes from: an address, or the network of one that has many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Source(Option<IpAddr>);

impl Source {
    /// The source of a connection. Of IPv6 it is the network of 64 bits: whoever has one address
    /// of it has them all.
    pub fn of(address: IpAddr) -> Self {
        Self(Some(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from(address.octets())),
            IpAddr::V6(address) => {
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
            }
        }))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(IpAddr::V6(network)) => write!(f, "{network}/64"),
            Some(IpAddr::V4(address)) => write!(f, "{address}"),
            None => f.write_str("an unknown address"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Name(String),
    Source(Source),
    Pair(String, Source),
}

impl Key {
    fn free(&self) -> u32 {
        match self {
            Self::Name(_) | Self::Pair(..) => FREE_OF_NAME,
            Self::Source(_) => FREE_OF_SOURCE,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Count {
    tries: u32,
    last: Timestamp,
}

impl Count {
    /// Seconds after its last try in which there is no other.
    fn wait(self, free: u32) -> i64 {
        match self.tries.checked_sub(free) {
            None | Some(0) => 0,
            Some(over) => (1_i64 << (over - 1).min(20)).min(WAIT_SECS_MAX),
        }
    }

    fn left(self, free: u32, now: Timestamp) -> i64 {
        // A clock that went back holds nobody for longer than a wait.
        let passed = now.duration_since(self.last).as_secs();
        (self.wait(free) - passed).min(self.wait(free))
    }
}

#[derive(Debug, Default)]
struct Counts {
    counts: HashMap<Key, Count>,
    /// Who signed in from where, and when last.
    known: HashMap<(String, Source), Timestamp>,
}

/// The tries of everybody.
#[derive(Debug, Default)]
pub struct Attempts(Mutex<Counts>);

/// Not now: there were too many wrong tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldBack {
    /// Seconds until the next try is looked at, at least 1.
    pub seconds: u64,
}

/// One try that is under way. It counts as wrong unless it is said to be right.
#[derive(Debug)]
#[must_use = "a try that is dropped was a wrong one"]
pub struct Attempt<'a> {
    attempts: &'a Attempts,
    name: String,
    source: Source,
    keys: Vec<Key>,
}

impl Attempts {
    /// Begins a try, if this name and this source may have one now. It is counted at once, so
    /// that many at the same time are no way around the count.
    pub fn begin(
        &self,
        name: &str,
        source: Source,
        now: Timestamp,
    ) -> Result<Attempt<'_>, HeldBack> {
        let name: String = name.trim().to_lowercase().chars().take(NAME_LETTERS_MAX).collect();
        let mut all = self.lock();
        let since = all.known.get(&(name.clone(), source));
        let is_known = since.is_some_and(|it| now.duration_since(*it).as_secs() < KNOWN_SECS);
        let (asked, keys) = if is_known {
            let pair = Key::Pair(name.clone(), source);
            (vec![pair.clone()], vec![pair, Key::Source(source)])
        } else {
            let both = vec![Key::Name(name.clone()), Key::Source(source)];
            (both.clone(), both)
        };
        let left = |key: &Key| all.counts.get(key).map_or(0, |it| it.left(key.free(), now));
        let seconds = asked.iter().map(left).max().unwrap_or_default();
        if seconds > 0 {
            return Err(HeldBack { seconds: seconds.unsigned_abs() });
        }
        for key in &keys {
            all.count(key, now);
        }
        Ok(Attempt { attempts: self, name, source, keys })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Each change is whole, so a poisoned map is a whole map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn count(&mut self, key: &Key, now: Timestamp) {
        let is_old = |it: &Count| now.duration_since(it.last).as_secs() >= FORGET_SECS;
        if self.counts.len() >= COUNTS_MAX && !self.counts.contains_key(key) {
            self.counts.retain(|_, it| !is_old(it));
            let fewest = self.counts.iter().min_by_key(|(_, it)| (it.tries, it.last));
            if self.counts.len() >= COUNTS_MAX
                && let Some(key) = fewest.map(|(key, _)| key.clone())
            {
                self.counts.remove(&key);
            }
        }
        let count = self.counts.entry(key.clone()).or_insert(Count { tries: 0, last: now });
        if is_old(count) {
            count.tries = 0;
        }
        count.tries = count.tries.saturating_add(1);
        count.last = count.last.max(now);
    }

    fn uncount(&mut self, key: &Key) {
        if let Some(count) = self.counts.get_mut(key) {
            count.tries = count.tries.saturating_sub(1);
            if count.tries == 0 {
                self.counts.remove(key);
            }
        }
    }
}

impl Attempt<'_> {
    /// The sign-in is complete: the name begins anew, and is known at its source.
    pub fn right(self, now: Timestamp) {
        let mut all = self.attempts.lock();
        all.uncount(&Key::Source(self.source));
        all.counts.remove(&Key::Name(self.name.clone()));
        all.counts.remove(&Key::Pair(self.name.clone(), self.source));
        if all.known.len() >= COUNTS_MAX
            && let Some(oldest) = all.known.iter().min_by_key(|(_, it)| **it)
        {
            let oldest = oldest.0.clone();
            all.known.remove(&oldest);
        }
        all.known.insert((self.name, self.source), now);
    }

    /// It was no guess, but the sign-in is not complete either: as if it had not been.
    pub fn no_guess(self) {
        let mut all = self.attempts.lock();
        for key in &self.keys {
            all.uncount(key);
        }
    }

    /// It was wrong. Says how long the next one has to wait; none = it need not.
    pub fn wrong(self) -> Option<HeldBack> {
        let all = self.attempts.lock();
        let wait = |key: &Key| all.counts.get(key).map_or(0, |it| it.wait(key.free()));
        let seconds = self.keys.iter().map(wait).max().unwrap_or_default();
        (seconds > 0).then_some(HeldBack { seconds: seconds.unsigned_abs() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn from(last: u8) -> Source {
        Source::of(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)))
    }

    fn wrong(attempts: &Attempts, name: &str, source: Source, now: i64) -> Option<HeldBack> {
        attempts.begin(name, source, at(now)).expect("may try").wrong()
    }

    #[test]
    fn a_name_that_is_guessed_waits_longer_and_longer_from_wherever() {
        let attempts = Attempts::default();
        for n in 0..5 {
            assert_eq!(wrong(&attempts, "Ann", from(n), 0), None);
        }
        let mut now = 0;
        for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            let held = HeldBack { seconds: wait };
            assert_eq!(wrong(&attempts, "ann ", from(9), now), Some(held), "{now}");
            let too_early = attempts.begin("ANN", from(8), at(now)).unwrap_err();
            assert_eq!(too_early, held);
            attempts.begin("bob", from(8), at(now)).expect("others go on").right(at(now));
            now += wait.cast_signed();
            let early = attempts.begin("ann", from(8), at(now - 1));
            assert_eq!(early.unwrap_err(), HeldBack { seconds: 1 });
        }
        attempts.begin("ann", from(7), at(now)).expect("after the wait").right(at(now));
        assert_eq!(wrong(&attempts, "ann", from(6), now), None, "and begins anew");
    }

    #[test]
    fn a_source_that_tries_many_names_waits_and_who_is_known_there_does_not() {
        let attempts = Attempts::default();
        attempts.begin("ann", from(1), at(0)).unwrap().right(at(0));
        for n in 0..20 {
            assert_eq!(wrong(&attempts, &format!("name{n}"), from(1), 1), None);
        }
        assert_eq!(wrong(&attempts, "name20", from(1), 1), Some(HeldBack { seconds: 1 }));
        assert!(attempts.begin("carl", from(1), at(1)).is_err());
        attempts.begin("ann", from(1), at(1)).expect("is known here").right(at(1));
        attempts.begin("carl", from(2), at(1)).expect("elsewhere").right(at(1));
    }

    #[test]
    fn a_stranger_does_not_lock_somebody_out_where_they_are_known() {
        let attempts = Attempts::default();
        attempts.begin("ann", from(1), at(0)).unwrap().right(at(0));
        for n in 0..6 {
            let _ = wrong(&attempts, "ann", from(9), n);
        }
        assert!(attempts.begin("ann", from(9), at(5)).is_err());
        assert!(attempts.begin("ann", from(2), at(5)).is_err());
        attempts.begin("ann", from(1), at(5)).expect("is known here").no_guess();
        // Known or not, guessing there has its own count.
        for _ in 0..5 {
            assert_eq!(wrong(&attempts, "ann", from(1), 6), None);
        }
        assert_eq!(wrong(&attempts, "ann", from(1), 6), Some(HeldBack { seconds: 1 }));
        assert!(attempts.begin("ann", from(1), at(6)).is_err());
    }

    #[test]
    fn tries_at_the_same_time_are_no_way_around_the_count() {
        let attempts = Attempts::default();
        let begun: Vec<_> =
            (0..100).filter_map(|_| attempts.begin("ann", from(1), at(0)).ok()).collect();
        assert_eq!(begun.len(), 6);
        drop(begun);
        assert!(attempts.begin("ann", from(1), at(0)).is_err(), "dropped is wrong");
    }

    #[test]
    fn what_was_no_guess_leaves_nothing_and_old_tries_are_forgotten() {
        let attempts = Attempts::default();
        for _ in 0..100 {
            attempts.begin("ann", from(1), at(0)).unwrap().no_guess();
        }
        assert!(attempts.lock().counts.is_empty());
        for n in 0..5 {
            assert_eq!(wrong(&attempts, "ann", from(1), n), None);
        }
        assert_eq!(wrong(&attempts, "ann", from(1), 4 + FORGET_SECS), None);
    }

    #[test]
    fn a_flood_of_names_neither_fills_memory_nor_frees_who_is_held() {
        let attempts = Attempts::default();
        for _ in 0..6 {
            let _ = wrong(&attempts, "ann", from(1), 0);
        }
        for n in 0..12_000_u32 {
            let source = Source::of(IpAddr::V4(Ipv4Addr::from_bits(n)));
            let _ = wrong(&attempts, &n.to_string(), source, 0);
        }
        assert!(attempts.lock().counts.len() <= COUNTS_MAX + 1);
        assert!(attempts.begin("ann", from(1), at(0)).is_err());
    }

    #[test]
    fn a_network_of_ipv6_is_one_source_and_a_mapped_address_is_itself() {
        let source = |text: &str| Source::of(text.parse().unwrap());
        assert_eq!(source("2001:db8:1:2:3::4"), source("2001:db8:1:2:ffff::1"));
        assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
        assert_eq!(source("::ffff:192.0.2.1"), from(1));
        assert_eq!(source("2001:db8::1").to_string(), "2001:db8::/64");
    }
}
