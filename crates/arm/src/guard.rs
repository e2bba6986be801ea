//! What stands between a request and its handler: roles at the scope of the path.

use coffre_control::usecase::caller_at;
use coffre_control::{Caller, port};

use crate::http::error::ArmError;
use crate::http::path::Segments;
use crate::route::Route;
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
