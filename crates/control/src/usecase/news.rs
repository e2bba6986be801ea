//! Until when a person has seen what ended: theirs alone, wherever they sign in.

use jiff::Timestamp;

use crate::authz::Action;
use crate::cx::Cx;
use crate::error::Refusal;
use crate::id::PrincipalId;
use crate::model::Setting;
use crate::port::Tx;

fn key(of: PrincipalId) -> String {
    format!("portal.seen.{of}")
}

/// Until when somebody has seen all that ended; none = they never said so.
pub fn seen_until(tx: &mut dyn Tx, who: PrincipalId) -> Result<Option<Timestamp>, Refusal> {
    let said = tx.setting(&key(who))?;
    // What cannot be read was not seen: a bell too many does no harm.
    Ok(said.and_then(|setting| setting.value.parse().ok()))
}

/// The caller has seen all that ended until now. It never goes back.
pub fn mark_seen(tx: &mut dyn Tx, cx: &Cx<'_>, until: Timestamp) -> Result<(), Refusal> {
    cx.may(Action::Read)?;
    let who = cx.caller.principal;
    if seen_until(tx, who)?.is_none_or(|before| before < until) {
        tx.put_setting(&Setting { key: key(who), value: until.to_string() })?;
    }
    Ok(())
}
