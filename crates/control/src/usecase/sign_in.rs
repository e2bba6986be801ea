//! The one door through which every sign-in with something that can be guessed goes: it counts
//! wrong tries, holds back who guesses, and says when a password is not enough.

use uuid::Uuid;

use super::authenticate::{Login, authenticate};
use super::second_factor::{factor_of, use_code};
use crate::attempts::{Attempts, HeldBack, Source};
use crate::authz::{Action, Caller};
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::factor::FactorKey;
use crate::port::{Db, read, tx};
use jiff::Timestamp;

/// What a sign-in is checked with.
#[derive(Clone, Copy)]
pub struct Door<'a> {
    /// The store.
    pub db: &'a dyn Db,
    /// The tries of everybody.
    pub attempts: &'a Attempts,
    /// Where the request comes from.
    pub source: Source,
    /// What time it is.
    pub now: Timestamp,
    /// Gives an id that was never used.
    pub ids: &'a dyn Fn() -> Uuid,
}

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// They are who they say.
    In(Caller),
    /// The password is right; a code is needed beside it.
    NeedsCode(Caller),
    /// The name is not known, or what was typed is wrong.
    Wrong,
    /// There were too many wrong tries; nothing was looked at.
    HeldBack(HeldBack),
}

impl Door<'_> {
    /// Checks a secret or a password, as [`authenticate`] does.
    pub fn secret(&self, login: Login<'_>) -> Result<Entry, Refusal> {
        let attempt = match self.attempts.begin(&login.subject(), self.source, self.now) {
            Ok(attempt) => attempt,
            Err(held) => return Ok(Entry::HeldBack(held)),
        };
        let checked = authenticate(self.db, login).and_then(|caller| {
            let factor = read(self.db, "find factor", |tx| factor_of(tx, caller.principal))?;
            Ok((caller, factor))
        });
        match checked {
            Ok((caller, factor)) if factor.is_on() => {
                attempt.no_guess();
                Ok(Entry::NeedsCode(caller))
            }
            Ok((caller, _)) => {
                attempt.right(self.now);
                Ok(Entry::In(caller))
            }
            Err(refusal) if refusal.code == ErrorCode::InvalidCredentials => {
                if let Some(held) = attempt.wrong() {
                    self.note(login, held)?;
                }
                Ok(Entry::Wrong)
            }
            Err(refusal) => {
                attempt.no_guess();
                Err(refusal)
            }
        }
    }

    /// Checks a code of somebody whose password was right. The code is used up.
    pub fn code(&self, caller: &Caller, key: &FactorKey, typed: &str) -> Result<Entry, Refusal> {
        let cx = Cx::new(caller, self.now, self.ids);
        let entry = self.guess(caller, &caller.name, || {
            tx(self.db, "use code", |tx| use_code(tx, &cx, key, typed))
        })?;
        Ok(entry)
    }

    /// Anything else that a caller may try to guess. Tries are counted by `subject`.
    pub fn guess(
        &self,
        caller: &Caller,
        subject: &str,
        check: impl FnOnce() -> Result<bool, Refusal>,
    ) -> Result<Entry, Refusal> {
        let attempt = match self.attempts.begin(subject, self.source, self.now) {
            Ok(attempt) => attempt,
            Err(held) => return Ok(Entry::HeldBack(held)),
        };
        match check() {
            Ok(true) => {
                attempt.right(self.now);
                Ok(Entry::In(caller.clone()))
            }
            Ok(false) => {
                if let Some(held) = attempt.wrong() {
                    self.record(&caller.name, held)?;
                }
                Ok(Entry::Wrong)
            }
            Err(refusal) => {
                attempt.no_guess();
                Err(refusal)
            }
        }
    }

    /// A name that nobody has stays out of the audit: people type passwords into the wrong field.
    fn note(&self, login: Login<'_>, held: HeldBack) -> Result<(), Refusal> {
        let known = read(self.db, "find name", |tx| login.principal(tx))?;
        self.record(known.as_ref().map_or("somebody unknown", |it| &it.name), held)
    }

    fn record(&self, name: &str, held: HeldBack) -> Result<(), Refusal> {
        let system = Caller::system();
        let cx = Cx::new(&system, self.now, self.ids);
        let (seconds, source) = (held.seconds, self.source);
        let words =
            format!("{name}: sign-in held back for {seconds} s after wrong tries from {source}");
        tx(self.db, "note tries", |tx| cx.record(tx, Action::WriteAccess, &*words))
    }
}
