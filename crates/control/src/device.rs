//! Signing in on another device: a program without a browser shows a short code, and somebody who
//! is signed in elsewhere types it and lets the program in.
//!
//! Codes live in memory for a quarter of an hour. Who guesses is held back where they type
//! ([`crate::attempts`]). Time and codes are arguments, as everywhere here.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::id::PrincipalId;

/// Seconds for which a code is good.
pub const DEVICE_SECS: i64 = 900;
/// Seconds that a program waits between two questions.
pub const DEVICE_INTERVAL_SECS: i64 = 5;
/// Letters of a short code; no vowels, so that no code is a word.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters in a short code.
const USER_LETTERS: usize = 8;
/// Codes that are held at a time.
const HELD_MAX: usize = 1000;

/// The codes that wait for somebody, or for their program to ask.
#[derive(Debug, Default)]
pub struct DeviceCodes(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    /// By the long code, which only the program knows.
    waiting: HashMap<String, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    user: String,
    since: Timestamp,
    answer: Answer,
}

/// What became of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nobody typed it yet.
    Pending,
    /// Somebody let the program in, in their name. It is told once.
    Allowed(PrincipalId),
    /// Somebody refused.
    Refused,
    /// The code is not known, or no longer.
    Unknown,
}

impl DeviceCodes {
    /// Holds a new code; says its short form, made of eight random bytes. None when too many wait.
    pub fn begin(
        &self,
        device: String,
        random: [u8; USER_LETTERS],
        now: Timestamp,
    ) -> Option<String> {
        let mut held = self.held(now);
        let letter = |byte: u8| char::from(LETTERS[usize::from(byte) % LETTERS.len()]);
        let user: String = random.map(letter).iter().collect();
        let taken = held.waiting.values().any(|it| it.user == user);
        if taken || held.waiting.len() >= HELD_MAX {
            return None;
        }
        let waiting = Waiting { user: user.clone(), since: now, answer: Answer::Pending };
        held.waiting.insert(device, waiting);
        Some(format!("{}-{}", &user[..4], &user[4..]))
    }

    /// Whether there is such a code that nobody decided about.
    pub fn waits(&self, typed: &str, now: Timestamp) -> bool {
        let typed = plain(typed);
        let held = self.held(now);
        held.waiting.values().any(|it| it.user == typed && it.answer == Answer::Pending)
    }

    /// Somebody typed a short code, in any case and with or without its hyphen. Says whether there
    /// is such a code that nobody decided about.
    pub fn decide(&self, typed: &str, who: PrincipalId, allow: bool, now: Timestamp) -> bool {
        let typed = plain(typed);
        let mut held = self.held(now);
        let found =
            held.waiting.values_mut().find(|it| it.user == typed && it.answer == Answer::Pending);
        let Some(waiting) = found else { return false };
        waiting.answer = if allow { Answer::Allowed(who) } else { Answer::Refused };
        true
    }

    /// The program asks what became of its code. What is decided is told once.
    pub fn ask(&self, device: &str, now: Timestamp) -> Answer {
        let mut held = self.held(now);
        match held.waiting.get(device).map(|it| it.answer) {
            None => Answer::Unknown,
            Some(Answer::Pending) => Answer::Pending,
            Some(decided) => {
                held.waiting.remove(device);
                decided
            }
        }
    }

    /// What is held, without what has ended.
    fn held(&self, now: Timestamp) -> MutexGuard<'_, Held> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lives = |since: Timestamp| now.as_second() - since.as_second() < DEVICE_SECS;
        held.waiting.retain(|_, it| lives(it.since));
        held
    }
}

/// A code as it was meant, whatever stands between its letters.
fn plain(typed: &str) -> String {
    let letters = typed.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const ANN: PrincipalId = PrincipalId(Uuid::from_u128(1));

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn code(codes: &DeviceCodes, device: &str, first: u8) -> String {
        codes.begin(device.to_owned(), [first, 1, 2, 3, 4, 5, 6, 7], at(0)).unwrap()
    }

    #[test]
    fn a_code_is_decided_once_and_told_once() {
        let codes = DeviceCodes::default();
        let user = code(&codes, "long", 0);
        assert_eq!(user, "BCDF-GHJK");
        assert_eq!(codes.ask("long", at(1)), Answer::Pending);
        assert!(codes.waits("bcdfghjk", at(2)) && !codes.waits("ZZZZ-ZZZZ", at(2)));
        assert!(codes.decide(" bcdf ghjk", ANN, true, at(2)));
        assert!(!codes.waits(&user, at(2)));
        assert!(!codes.decide(&user, ANN, false, at(2)), "it is decided");
        assert_eq!(codes.ask("long", at(3)), Answer::Allowed(ANN));
        assert_eq!(codes.ask("long", at(3)), Answer::Unknown);
        let user = code(&codes, "other", 1);
        assert!(codes.decide(&user, ANN, false, at(4)));
        assert_eq!(codes.ask("other", at(5)), Answer::Refused);
    }

    #[test]
    fn codes_end_and_do_not_pile_up() {
        let codes = DeviceCodes::default();
        let user = code(&codes, "long", 0);
        assert!(codes.begin("twin".into(), [0, 1, 2, 3, 4, 5, 6, 7], at(0)).is_none());
        assert!(!codes.decide(&user, ANN, true, at(DEVICE_SECS)));
        assert_eq!(codes.ask("long", at(DEVICE_SECS)), Answer::Unknown);
        let begun = (0..2000_u32).filter(|n| {
            let [a, b, ..] = n.to_le_bytes();
            codes.begin(n.to_string(), [a, b, a / 20, b, 0, 0, 0, 0], at(2000)).is_some()
        });
        assert!(begun.count() <= HELD_MAX);
    }
}
