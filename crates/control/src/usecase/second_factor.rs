//! The second factor at a person's sign-in: begin, confirm, check, remove.
//!
//! It counts from the moment in which its first code was typed: whoever only began and lost the
//! page is not locked out.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::guard::refuse_for_holder;
use crate::authz::Action;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::factor::{
    FactorKey, RECOVERY_BYTES, RECOVERY_CODES, SECRET_BYTES, SealNonce, recovery_code, step_of,
};
use crate::id::PrincipalId;
use crate::model::{PrincipalKind, Setting};
use crate::port::Tx;

/// How somebody's second factor stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factor {
    /// There is none: the password is enough.
    Off,
    /// A secret was made; its first code was not typed yet. The password is enough.
    Begun,
    /// A code is needed beside the password.
    On {
        /// Since when.
        since: Timestamp,
        /// Recovery codes that were not used, 0 to 10.
        recovery_left: usize,
    },
}

impl Factor {
    /// Whether a code is needed beside the password.
    pub fn is_on(self) -> bool {
        matches!(self, Self::On { .. })
    }
}

/// What is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The secret, sealed.
    sealed: Vec<u8>,
    /// Since when it counts; none = its first code was not typed yet.
    since: Option<Timestamp>,
    /// The step of the last code that was taken; none before it is.
    last_step: i64,
    /// Digests of the recovery codes that were not used.
    recovery: Vec<Vec<u8>>,
}

/// How the second factor of somebody stands.
pub fn factor_of(tx: &mut dyn Tx, id: PrincipalId) -> Result<Factor, Refusal> {
    Ok(match kept(tx, id)? {
        None => Factor::Off,
        Some(Kept { since: None, .. }) => Factor::Begun,
        Some(Kept { since: Some(since), recovery, .. }) => {
            Factor::On { since, recovery_left: recovery.len() }
        }
    })
}

/// Keeps a new secret for the caller, which counts when its first code is typed. `secret` and
/// `nonce` are random.
pub fn begin_factor(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    key: &FactorKey,
    secret: &[u8; SECRET_BYTES],
    nonce: SealNonce,
) -> Result<(), Refusal> {
    let id = cx.caller.principal;
    if !tx.principal(id)?.is_some_and(|it| it.kind == PrincipalKind::User) {
        return Err(Refusal::new(
            ErrorCode::InvalidParameter,
            "Only people have codes at sign-in; a program signs in with a certificate instead.",
        ));
    }
    if factor_of(tx, id)?.is_on() {
        return Err(Refusal::new(
            ErrorCode::Conflict,
            "Codes are asked for at your sign-in already. Turn them off first.",
        ));
    }
    let sealed = key.seal(id, secret, nonce);
    keep(tx, id, Some(&Kept { sealed, since: None, last_step: 0, recovery: Vec::new() }))
}

/// The secret that the caller began with, to show it once more; none after it was confirmed.
pub fn begun_secret(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    key: &FactorKey,
) -> Result<Option<Vec<u8>>, Refusal> {
    let id = cx.caller.principal;
    let begun = kept(tx, id)?.filter(|it| it.since.is_none());
    Ok(begun.and_then(|it| key.open(id, &it.sealed)))
}

/// From here on a code is needed at the caller's sign-in: they typed the first one. Returns the
/// recovery codes, which nobody is told again. `random` makes them.
pub fn confirm_factor(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    key: &FactorKey,
    typed: &str,
    random: &[[u8; RECOVERY_BYTES]; RECOVERY_CODES],
) -> Result<Vec<String>, Refusal> {
    let id = cx.caller.principal;
    let Some(mut begun) = kept(tx, id)?.filter(|it| it.since.is_none()) else {
        return Err(Refusal::new(
            ErrorCode::Conflict,
            "Nothing waits for a first code. Begin again.",
        ));
    };
    let secret = opened(key, id, &begun)?;
    let Some(step) = step_of(&secret, typed, cx.now, 0) else {
        return Err(Refusal::new(
            ErrorCode::InvalidParameter,
            "This is not the code of now. Check the clock of the device that shows it.",
        )
        .about("code"));
    };
    let codes: Vec<String> = random.iter().map(recovery_code).collect();
    begun.since = Some(cx.now);
    begun.last_step = step;
    begun.recovery = codes.iter().map(|it| key.digest(id, it)).collect();
    keep(tx, id, Some(&begun))?;
    cx.record(tx, Action::WriteAccess, format!("{}: codes at sign-in", cx.caller.name))?;
    Ok(codes)
}

/// Whether this is a code of the caller, by time or for recovery. It is used up, so the check is
/// part of the sign-in and not a look before it.
pub fn use_code(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    key: &FactorKey,
    typed: &str,
) -> Result<bool, Refusal> {
    let id = cx.caller.principal;
    let Some(mut factor) = kept(tx, id)?.filter(|it| it.since.is_some()) else { return Ok(false) };
    let secret = opened(key, id, &factor)?;
    if let Some(step) = step_of(&secret, typed, cx.now, factor.last_step) {
        factor.last_step = step;
        keep(tx, id, Some(&factor))?;
        return Ok(true);
    }
    let digest = key.digest(id, typed);
    let Some(at) = factor.recovery.iter().position(|it| *it == digest) else { return Ok(false) };
    factor.recovery.remove(at);
    keep(tx, id, Some(&factor))?;
    let left = factor.recovery.len();
    let words = format!("{}: signed in with a recovery code, {left} left", cx.caller.name);
    cx.record(tx, Action::WriteAccess, words)?;
    Ok(true)
}

/// From here on the password of somebody is enough again. Everybody may do that for themselves
/// (their surface asks for a code first), and for others who says who can sign in.
pub fn remove_factor(tx: &mut dyn Tx, cx: &Cx<'_>, id: PrincipalId) -> Result<(), Refusal> {
    if id != cx.caller.principal {
        cx.may(Action::WriteAccess)?;
    }
    // Whoever holds the data folder needs nobody's consent.
    if !cx.caller.is_system() {
        refuse_for_holder(tx, cx, id)?;
    }
    if kept(tx, id)?.is_none() {
        return Ok(());
    }
    forget_factor(tx, id)?;
    let name = tx.principal(id)?.map_or_else(|| id.to_string(), |it| it.name);
    cx.record(tx, Action::WriteAccess, format!("{name}: no codes at sign-in"))
}

/// The same without a question, for whoever holds the data folder.
pub fn forget_factor(tx: &mut dyn Tx, id: PrincipalId) -> Result<(), Refusal> {
    keep(tx, id, None)
}

fn opened(key: &FactorKey, id: PrincipalId, kept: &Kept) -> Result<Vec<u8>, Refusal> {
    key.open(id, &kept.sealed).ok_or_else(|| {
        Refusal::new(
            ErrorCode::InternalServerError,
            "The key of codes is not the one that sealed this secret. Whoever runs the service \
             brings the key back, or turns the codes of this person off.",
        )
    })
}

fn kept(tx: &mut dyn Tx, id: PrincipalId) -> Result<Option<Kept>, Refusal> {
    let Some(setting) = tx.setting(&key_of(id))? else { return Ok(None) };
    // What cannot be read must not mean that the password is enough.
    serde_json::from_str(&setting.value).map_err(|_| {
        Refusal::new(
            ErrorCode::InternalServerError,
            "What is kept about the codes of this person cannot be read.",
        )
    })
}

fn keep(tx: &mut dyn Tx, id: PrincipalId, kept: Option<&Kept>) -> Result<(), Refusal> {
    let value = serde_json::to_string(&kept).expect("a factor is made of plain values");
    Ok(tx.put_setting(&Setting { key: key_of(id), value })?)
}

fn key_of(id: PrincipalId) -> String {
    format!("second_factor.{id}")
}
