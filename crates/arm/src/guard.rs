//! What stands between a request and its handler: roles at the scope of the path, and locks.

use axum::http::{Method, StatusCode};
use coffre_control::usecase::{Change, caller_at, lock_against};
use coffre_control::{Action, Caller, port};

use crate::call::Call;
use crate::http::error::ArmError;
use crate::http::path::Segments;
use crate::http::query::clip;
use crate::route::{Permission, Route};
use crate::state::ArmState;

/// The path as an id: decoded, without empty segments.
pub(crate) fn decoded(path: &str) -> String {
    let segments = Segments::parse(path);
    segments.map(|it| format!("/{}", it.as_slice().join("/"))).unwrap_or_default()
}

/// The caller with the roles that it has at what the path names.
pub(crate) fn at_scope(
    state: &ArmState,
    base: &Caller,
    route: &Route,
    id: &str,
) -> Result<Caller, ArmError> {
    if route.is_open() {
        return Ok(base.clone());
    }
    let scope = if route.pattern.starts_with("/subscriptions/{sub}") { id } else { "" };
    Ok(port::read(&*state.db, "find roles", |tx| caller_at(tx, base.clone(), scope))?)
}

/// Refuses what a lock at the resource, above it or (for a deletion) below it forbids. Locks and
/// roles themselves can always be changed by who may.
pub(crate) fn check_locks(call: &Call<'_>, route: &Route, id: &str) -> Result<(), ArmError> {
    let only_looks = matches!(route.permission, Permission::May(Action::Read)) || route.is_open();
    let is_above = ["/Microsoft.Authorization/", "/Microsoft.Resources/deployments"];
    if only_looks || is_above.iter().any(|it| route.pattern.contains(it)) {
        return Ok(());
    }
    let Some(subscription) = &call.subscription else { return Ok(()) };
    let change = if route.method == Method::DELETE { Change::Delete } else { Change::Write };
    let scope = format!("/subscriptions/{}", subscription.id);
    let locked = call.read("find locks", |tx| lock_against(tx, &scope, id, change))?;
    let Some(locked) = locked else { return Ok(()) };
    let verb = if change == Change::Delete { "delete" } else { "write" };
    Err(ArmError::new(
        StatusCode::CONFLICT,
        "ScopeLocked",
        format!(
            "The scope '{}' cannot perform {verb} operation because following scope(s) are locked: '{locked}'. Please remove the lock and try again.",
            clip(id)
        ),
    ))
}
