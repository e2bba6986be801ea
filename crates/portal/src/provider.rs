//! An outside OpenID provider, as the portal sees it, and the sign-ins that are on their way
//! through it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use coffre_control::usecase::OutsideIdentity;
use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq;

use crate::session;

/// So long somebody may be on the provider's pages.
const AGE_MAX: SignedDuration = SignedDuration::from_mins(10);
/// The oldest makes room for a new one beyond this.
const FLOWS_MAX: usize = 1000;

/// Speaks with a provider. Calls block for seconds at most.
pub trait Provider: Send + Sync {
    /// What people call it.
    fn label(&self) -> &str;

    /// The address of its page for a sign-in.
    fn address(&self, flow: &Flow, redirect: &str) -> Result<String, ProviderFault>;

    /// Who signed in, for the code with which the provider sent them back.
    fn identity(
        &self,
        code: &str,
        flow: &Flow,
        redirect: &str,
        now: Timestamp,
    ) -> Result<OutsideIdentity, ProviderFault>;
}

/// Why a provider did not say who somebody is.
#[derive(Debug, thiserror::Error)]
pub enum ProviderFault {
    /// It does not answer, or not as a provider does.
    #[error("the provider cannot be used: {0}")]
    Unusable(String),
    /// What it said about somebody is not good.
    #[error("the provider's answer was refused: {0}")]
    Refused(String),
}

/// What belongs together in one sign-in: all random, all used once.
#[derive(Clone, PartialEq, Eq)]
pub struct Flow {
    /// Comes back with the browser: this answer is to this question.
    pub state: String,
    /// Comes back inside of the identity token: it was made for this question.
    pub nonce: String,
    /// Proves to the provider that whoever brings the code began the sign-in (PKCE).
    pub verifier: String,
}

impl std::fmt::Debug for Flow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Flow(…)")
    }
}

impl Flow {
    /// A new one.
    pub fn random() -> Self {
        Self { state: session::token(), nonce: session::token(), verifier: session::token() }
    }
}

/// The sign-ins that are on their way. Each browser knows its own by a cookie.
#[derive(Debug, Default)]
pub(crate) struct Flows(Mutex<HashMap<String, Begun>>);

#[derive(Debug)]
struct Begun {
    flow: Flow,
    next: String,
    since: Timestamp,
}

impl Flows {
    /// Remembers a sign-in; returns the token that the browser keeps.
    pub(crate) fn begin(&self, flow: Flow, next: &str, now: Timestamp) -> String {
        let token = session::token();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, it| now.duration_since(it.since) < AGE_MAX);
        if all.len() >= FLOWS_MAX
            && let Some(oldest) =
                all.iter().min_by_key(|(_, it)| it.since).map(|(token, _)| token.clone())
        {
            all.remove(&oldest);
        }
        all.insert(token.clone(), Begun { flow, next: next.to_owned(), since: now });
        token
    }

    /// The sign-in of a browser that came back with this state, and where it goes on. It is over
    /// with that, right or wrong.
    pub(crate) fn take(&self, token: &str, state: &str, now: Timestamp) -> Option<(Flow, String)> {
        let begun = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(token)?;
        let in_time = now.duration_since(begun.since) < AGE_MAX;
        let same = bool::from(begun.flow.state.as_bytes().ct_eq(state.as_bytes()));
        (in_time && same).then_some((begun.flow, begun.next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_is_taken_once_by_its_browser_with_its_state_in_time() {
        let flows = Flows::default();
        let at = |minutes| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
        let flow = Flow::random();
        let begin = || flows.begin(flow.clone(), "/portal/", at(0));
        assert!(flows.take(&begin(), "other", at(1)).is_none());
        assert!(flows.take("other", &flow.state, at(1)).is_none());
        assert!(flows.take(&begin(), &flow.state, at(10)).is_none());
        let token = begin();
        assert_eq!(flows.take(&token, &flow.state, at(1)).unwrap().0, flow);
        assert!(flows.take(&token, &flow.state, at(1)).is_none());
        for _ in 0..1100 {
            begin();
        }
        assert_eq!(flows.0.lock().unwrap().len(), FLOWS_MAX);
    }
}
