//! Who told the right password and still owes a code. Lives in memory for some minutes.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use coffre_control::Caller;
use jiff::{SignedDuration, Timestamp};

use crate::session;

/// So long somebody has time to look for their code.
const AGE_MAX: SignedDuration = SignedDuration::from_mins(5);
/// Wrong codes after which the password is asked for again.
const WRONG_MAX: u32 = 5;
/// The oldest makes room for a new one beyond this.
const HALVES_MAX: usize = 1000;

/// All that are half signed in.
#[derive(Debug, Default)]
pub(crate) struct Halves(Mutex<HashMap<String, Half>>);

#[derive(Clone, Debug)]
struct Half {
    caller: Caller,
    begun: Timestamp,
    wrong: u32,
}

impl Halves {
    /// Remembers somebody; returns the token that their browser keeps.
    pub(crate) fn begin(&self, caller: Caller, now: Timestamp) -> String {
        let token = session::token();
        let mut all = self.living(now);
        if all.len() >= HALVES_MAX
            && let Some(oldest) =
                all.iter().min_by_key(|(_, it)| it.begun).map(|(token, _)| token.clone())
        {
            all.remove(&oldest);
        }
        all.insert(token.clone(), Half { caller, begun: now, wrong: 0 });
        token
    }

    /// Who it is; none when it took too long, or too many codes were wrong.
    pub(crate) fn caller(&self, token: &str, now: Timestamp) -> Option<Caller> {
        self.living(now).get(token).map(|it| it.caller.clone())
    }

    /// A code was wrong. Says whether another may be tried.
    pub(crate) fn wrong(&self, token: &str, now: Timestamp) -> bool {
        let mut all = self.living(now);
        let Some(half) = all.get_mut(token) else { return false };
        half.wrong += 1;
        if half.wrong < WRONG_MAX {
            return true;
        }
        all.remove(token);
        false
    }

    /// It is whole now, or given up.
    pub(crate) fn end(&self, token: &str, now: Timestamp) {
        self.living(now).remove(token);
    }

    fn living(&self, now: Timestamp) -> MutexGuard<'_, HashMap<String, Half>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, it| now.duration_since(it.begun) < AGE_MAX);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    #[test]
    fn a_half_ends_with_its_time_and_with_too_many_wrong_codes() {
        let halves = Halves::default();
        let token = halves.begin(Caller::system(), at(0));
        assert_eq!(halves.caller(&token, at(4)), Some(Caller::system()));
        assert_eq!(halves.caller("", at(4)), None);
        assert_eq!(halves.caller(&token, at(5)), None);
        let token = halves.begin(Caller::system(), at(10));
        let again: Vec<bool> = (0..6).map(|_| halves.wrong(&token, at(10))).collect();
        assert_eq!(again, [true, true, true, true, false, false]);
        assert_eq!(halves.caller(&token, at(10)), None);
    }
}
