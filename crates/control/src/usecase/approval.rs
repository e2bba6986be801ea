//! Approval by a second person: what is asked for, who decides, and that it holds once, for exactly
//! that request, and not for long.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::plan::later;
use super::vault_time::vault_clock;
use super::{find, guard};
use crate::authz::Action;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::id::VaultId;
use crate::model::{
    Approval, ApprovalState, Ask, Critical, Person, Record, RecordKind, ResourceGuard, Vault,
};
use crate::port::{self, Db, Tx};

/// Somebody has to decide within this.
const ASKED_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What was granted has to be done within this.
const GRANTED_FOR: SignedDuration = SignedDuration::from_hours(8);

/// Requests that came to their end are shown so long; the audit has them for ever.
const SHOWN_FOR: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What a holder says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may be done.
    Grant,
    /// It may not.
    Refuse,
}

/// Runs a use-case in a transaction. When all that stands in its way is a second person, the
/// request for their approval is written down, and the refusal says so.
pub fn act<T>(
    db: &dyn Db,
    name: &'static str,
    cx: &Cx<'_>,
    work: impl FnOnce(&mut dyn Tx) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let mut refusal = match port::tx(db, name, work) {
        Err(refusal) if refusal.ask.is_some() => refusal,
        done => return done,
    };
    if let Some(ask) = refusal.ask.take() {
        let id = port::tx(db, "approval", |tx| file(tx, cx, *ask))?;
        refusal
            .message
            .push_str(&format!(" Request {id} is filed; repeat this when it is granted."));
    }
    Err(refusal)
}

/// Requests of a vault, or of all, newest first.
pub fn list_approvals(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    vault: Option<VaultId>,
) -> Result<Vec<Approval>, Refusal> {
    cx.may(Action::Read)?;
    let scope = vault.map_or_else(|| VAULTS.to_owned(), scope_of);
    let rows = tx.records_below(RecordKind::Approval, &scope)?;
    let mut all = rows.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    all.sort_by_key(|it| std::cmp::Reverse((it.asked, it.id)));
    Ok(all)
}

/// Decides about a request. Only a holder of the vault's guard may, and never whoever asked; a
/// grant may be taken back by refusing until it was used.
pub fn decide(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    vault: VaultId,
    id: Uuid,
    decision: Decision,
) -> Result<Approval, Refusal> {
    cx.may(Action::Approve)?;
    let vault = find::vault(tx, vault)?;
    let row = tx.record(RecordKind::Approval, &scope_of(vault.id), &id.to_string())?;
    let row = row.ok_or_else(|| {
        let message = format!("Vault '{}' has no request '{id}'.", vault.name);
        Refusal::new(ErrorCode::ResourceNotFound, message)
    })?;
    let mut approval = parse(&row)?;
    let Some(at) = &vault.guard else {
        let message = format!("No resource guard protects vault '{}'.", vault.name);
        return Err(Refusal::new(ErrorCode::Conflict, message));
    };
    let guard = guard::load(tx, at)?;
    if !guard.holders.contains(&cx.caller.principal) || is_mine(cx, &approval) {
        let refusal = needed(tx, cx, &guard, &approval.ask)?;
        return Err(Refusal { ask: None, ..refusal });
    }
    let now = time(tx, cx.now)?;
    let state = approval.state(now);
    let open = match decision {
        Decision::Grant => state == ApprovalState::Asked,
        Decision::Refuse => matches!(state, ApprovalState::Asked | ApprovalState::Granted),
    };
    if !open {
        let message = format!("Request {id} is {state:?} and cannot be decided any more.");
        return Err(Refusal::new(ErrorCode::Conflict, message).about(id.to_string()));
    }
    let (asked_by, what) = (&approval.asked_by.name, &approval.ask.words);
    let done = match decision {
        Decision::Grant => {
            approval.stored = ApprovalState::Granted;
            approval.until = later(now, GRANTED_FOR);
            format!("granted to {asked_by}: {what}")
        }
        Decision::Refuse => {
            approval.stored = ApprovalState::Refused;
            format!("refused to {asked_by}: {what}")
        }
    };
    approval.decided_by = Some(me(cx));
    store(tx, &approval, row.etag)?;
    cx.record(tx, Action::Approve, done)?;
    Ok(approval)
}

/// Whether the caller may do one of these now: until when. What clients ask before a deletion;
/// where approval is missing it is asked for by [`act`].
pub fn unlock(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    vault: VaultId,
    ask: Ask,
) -> Result<Timestamp, Refusal> {
    cx.may(Action::DeleteBackupData)?;
    let vault = find::vault(tx, vault)?;
    let now = time(tx, cx.now)?;
    let Some(guard) = guard::standing_before(tx, &vault, &ask)? else {
        return Ok(later(now, GRANTED_FOR));
    };
    match granted(tx, cx, &ask, now)? {
        Some((_, approval)) => Ok(approval.until),
        None => Err(needed(tx, cx, &guard, &ask)?),
    }
}

/// Refuses unless a second person granted this; what they granted is used up.
pub(crate) fn second_person(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    vault: &Vault,
    ask: Ask,
) -> Result<(), Refusal> {
    let Some(guard) = guard::standing_before(tx, vault, &ask)? else { return Ok(()) };
    let now = time(tx, cx.now)?;
    let Some((row, mut approval)) = granted(tx, cx, &ask, now)? else {
        return Err(needed(tx, cx, &guard, &ask)?);
    };
    approval.stored = ApprovalState::Used;
    store(tx, &approval, row.etag)?;
    let by = approval.decided_by.map(|it| it.name).unwrap_or_default();
    cx.record(tx, Action::Approve, format!("used what {by} granted: {}", ask.words))
}

/// What taking the guard from a vault asks for.
pub fn removal_of_guard(vault: &Vault) -> Ask {
    Ask {
        vault: vault.id,
        critical: Critical::RemoveGuard,
        subject: "guard".to_owned(),
        words: format!("take the resource guard from vault '{}'", vault.name),
    }
}

/// What deleting an item's data asks for.
pub fn deletion_of_data(item: &crate::model::ProtectedItem) -> Ask {
    Ask {
        vault: item.vault,
        critical: Critical::DeleteData,
        subject: format!("item {}", item.id),
        words: format!("delete all backup data of '{}'", item.vm_name),
    }
}

fn granted(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    ask: &Ask,
    now: Timestamp,
) -> Result<Option<(Record, Approval)>, Refusal> {
    let mut best: Option<(Record, Approval)> = None;
    for row in tx.records(RecordKind::Approval, &scope_of(ask.vault))? {
        let approval = parse(&row)?;
        let fits = is_mine(cx, &approval) && is_same(&approval.ask, ask);
        if fits && approval.state(now) == ApprovalState::Granted {
            best = Some((row, approval));
        }
    }
    Ok(best)
}

/// Writes a request down, or finds the same one that waits already.
fn file(tx: &mut dyn Tx, cx: &Cx<'_>, ask: Ask) -> Result<Uuid, Refusal> {
    let scope = scope_of(ask.vault);
    let now = time(tx, cx.now)?;
    for row in tx.records(RecordKind::Approval, &scope)? {
        let old = parse(&row)?;
        let state = old.state(now);
        if state == ApprovalState::Asked && is_mine(cx, &old) && is_same(&old.ask, &ask) {
            return Ok(old.id);
        }
        let open = matches!(state, ApprovalState::Asked | ApprovalState::Granted);
        if !open && later(old.until, SHOWN_FOR) < now {
            tx.delete_record(RecordKind::Approval, &scope, &row.name)?;
        }
    }
    let approval = Approval {
        id: (cx.ids)(),
        asked_by: me(cx),
        asked: now,
        stored: ApprovalState::Asked,
        decided_by: None,
        until: later(now, ASKED_FOR),
        ask,
    };
    store(tx, &approval, 0)?;
    cx.record(tx, Action::Approve, format!("asked for: {}", approval.ask.words))?;
    Ok(approval.id)
}

fn needed(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    guard: &ResourceGuard,
    ask: &Ask,
) -> Result<Refusal, Refusal> {
    let others = ResourceGuard {
        holders: guard.holders.iter().copied().filter(|it| *it != cx.caller.principal).collect(),
        ..guard.clone()
    };
    let mut people = guard::holder_names(tx, &others)?.join(" or ");
    if people.is_empty() {
        people = "another holder, of whom there is none".to_owned();
    }
    let mut refusal = Refusal::new(
        ErrorCode::UserErrorResourceGuardApprovalNeeded,
        format!(
            "Resource guard '{}' protects this vault: to {}, {people} has to approve.",
            guard.name, ask.words
        ),
    )
    .about(ask.critical.azure());
    refusal.ask = Some(Box::new(ask.clone()));
    Ok(refusal)
}

/// The same time that deletion goes by, when it is ahead: a clock that was put back opens nothing.
fn time(tx: &mut dyn Tx, now: Timestamp) -> Result<Timestamp, Refusal> {
    Ok(vault_clock(tx)?.map_or(now, |clock| clock.time.max(now)))
}

fn is_mine(cx: &Cx<'_>, approval: &Approval) -> bool {
    approval.asked_by.id == cx.caller.principal
}

fn is_same(one: &Ask, other: &Ask) -> bool {
    one.critical == other.critical && one.subject == other.subject
}

fn me(cx: &Cx<'_>) -> Person {
    Person { id: cx.caller.principal, name: cx.caller.name.clone() }
}

/// All requests stand below this.
const VAULTS: &str = "/vaults";

/// Where the requests of a vault stand.
pub(crate) fn scope_of(vault: VaultId) -> String {
    format!("{VAULTS}/{vault}")
}

fn store(tx: &mut dyn Tx, approval: &Approval, etag: u64) -> Result<(), Refusal> {
    tx.put_record(&mut Record {
        kind: RecordKind::Approval,
        scope: scope_of(approval.ask.vault),
        name: approval.id.to_string(),
        content: serde_json::to_value(approval).expect("an approval is JSON"),
        etag,
    })?;
    Ok(())
}

fn parse(row: &Record) -> Result<Approval, Refusal> {
    serde_json::from_value(row.content.clone()).map_err(|error| {
        Refusal::new(
            ErrorCode::InternalServerError,
            format!("Request '{}' cannot be read: {error}.", row.name),
        )
    })
}
