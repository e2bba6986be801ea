//! Who is signed in. Sessions live in memory: a restart of the service signs everybody out, and no
//! copy of the database can be used to take over a session.

use std::collections::HashMap;
use std::sync::Mutex;

use coffre_control::id::PrincipalId;
use jiff::{SignedDuration, Timestamp};

/// A session ends after so long without a request.
const IDLE_MAX: SignedDuration = SignedDuration::from_hours(8);
/// A session ends after so long, whatever happens in it.
const AGE_MAX: SignedDuration = SignedDuration::from_hours(24);
/// The oldest session makes room for a new one beyond this, so that sign-ins cannot fill memory.
const SESSIONS_MAX: usize = 1000;

/// A random name of 256 bits in hexadecimal, for sessions and forms.
pub fn token() -> String {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All sessions.
#[derive(Debug, Default)]
pub struct Sessions {
    by_token: Mutex<HashMap<String, Session>>,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    principal: PrincipalId,
    begun: Timestamp,
    used: Timestamp,
}

impl Session {
    fn is_over(&self, now: Timestamp) -> bool {
        now.duration_since(self.used) > IDLE_MAX || now.duration_since(self.begun) > AGE_MAX
    }
}

impl Sessions {
    /// Begins a session and returns its token.
    pub fn begin(&self, principal: PrincipalId, now: Timestamp) -> String {
        let token = token();
        let mut sessions = self.lock();
        sessions.retain(|_, session| !session.is_over(now));
        if sessions.len() >= SESSIONS_MAX
            && let Some(oldest) =
                sessions.iter().min_by_key(|(_, it)| it.used).map(|(token, _)| token.clone())
        {
            sessions.remove(&oldest);
        }
        sessions.insert(token.clone(), Session { principal, begun: now, used: now });
        token
    }

    /// Whose session it is, if it is one and not over; counts as use of it.
    pub fn principal(&self, token: &str, now: Timestamp) -> Option<PrincipalId> {
        let mut sessions = self.lock();
        let session = sessions.get_mut(token)?;
        if session.is_over(now) {
            sessions.remove(token);
            return None;
        }
        session.used = now;
        Some(session.principal)
    }

    /// Ends all sessions of somebody but this one.
    pub fn end_others(&self, principal: PrincipalId, kept: &str) {
        self.lock().retain(|token, it| it.principal != principal || token == kept);
    }

    /// Ends a session; one that is not there is as good.
    pub fn end(&self, token: &str) {
        self.lock().remove(token);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Session>> {
        // Nothing in here panics half-way, so a poisoned map is still a whole map.
        self.by_token.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ANN: PrincipalId = PrincipalId(Uuid::from_u128(1));

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    #[test]
    fn sessions_end_when_they_are_told_or_left_alone() {
        let sessions = Sessions::default();
        let token = sessions.begin(ANN, at(0));
        assert_eq!(sessions.principal(&token, at(8)), Some(ANN));
        assert_eq!(sessions.principal(&token, at(16)), Some(ANN));
        sessions.end(&token);
        assert_eq!(sessions.principal(&token, at(16)), None);

        let (one, two) = (sessions.begin(ANN, at(0)), sessions.begin(ANN, at(0)));
        let other = sessions.begin(PrincipalId(Uuid::from_u128(2)), at(0));
        sessions.end_others(ANN, &one);
        assert!(
            sessions.principal(&one, at(1)).is_some()
                && sessions.principal(&other, at(1)).is_some()
        );
        assert_eq!(sessions.principal(&two, at(1)), None);

        let idle = sessions.begin(ANN, at(0));
        assert_eq!(sessions.principal(&idle, at(9)), None);

        let old = sessions.begin(ANN, at(0));
        for hour in 0..=24 {
            assert_eq!(sessions.principal(&old, at(hour)), Some(ANN));
        }
        assert_eq!(sessions.principal(&old, at(25)), None);
    }

    #[test]
    fn sign_ins_do_not_fill_memory() {
        let sessions = Sessions::default();
        let first = sessions.begin(ANN, at(0));
        for _ in 0..SESSIONS_MAX {
            sessions.begin(ANN, at(1));
        }
        assert_eq!(sessions.lock().len(), SESSIONS_MAX);
        assert_eq!(sessions.principal(&first, at(1)), None);
    }
}
