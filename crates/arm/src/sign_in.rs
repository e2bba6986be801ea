//! Who asks: the bearer token of a request, and the principal behind it.

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use coffre_control::id::TenantId;
use coffre_control::usecase::{Door, Entry, Factor, Login, caller_of, factor_of};
use coffre_control::{Caller, ErrorCode, port};
use serde_json::json;

use crate::call::Call;
use crate::http::error::ArmError;
use crate::http::query::Query;
use crate::state::ArmState;
use crate::token::{self, Claims, TOKEN_BYTES_MAX};

/// The checked claims of the token in the `Authorization` header.
pub(crate) fn bearer(state: &ArmState, headers: &HeaderMap) -> Result<Claims, ArmError> {
    let refuse = |why: &str| ArmError::unauthenticated(&state.authority(), why);
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let header = header
        .ok_or_else(|| refuse("Authentication failed. The Authorization header is missing."))?;
    let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.len() > TOKEN_BYTES_MAX {
        return Err(refuse(
            "Authentication failed. The Authorization header holds no bearer token.",
        ));
    }
    let claims = state.tokens.verify(token).map_err(|fault| {
        tracing::debug!(%fault, "a token was refused");
        refuse("The access token is invalid.")
    })?;
    token::check(&claims, &issuers(state, &claims.tid), &state.audience(), (state.clock)())
        .map_err(refuse)?;
    Ok(claims)
}

/// The issuers whose tokens are accepted: ours, in both styles.
fn issuers(state: &ArmState, tenant: &str) -> [String; 2] {
    [state.authority(), format!("{}/{tenant}/v2.0", state.public_url)]
}

/// The principal behind the claims, as it stands now: a token outlives neither its principal nor
/// the roles that were taken away.
pub(crate) fn caller(state: &ArmState, claims: &Claims) -> Result<Caller, ArmError> {
    let refuse = |why: &str| ArmError::unauthenticated(&state.authority(), why);
    let id = claims.oid.parse().map_err(|_| refuse("The principal of the token is not known."))?;
    port::read(&*state.db, "find principal", |tx| caller_of(tx, id)).map_err(
        |refusal| match refusal.code {
            ErrorCode::InvalidAuthenticationToken => refuse(&refusal.message),
            _ => refusal.into(),
        },
    )
}

/// Checks a secret or a password.
pub(crate) fn check_secret(call: &Call<'_>, login: Login<'_>) -> Result<Entry, ArmError> {
    let (state, now, source) = (call.state, call.now, call.source);
    let ids = || (state.ids)();
    let door = Door { db: &*state.db, attempts: &state.attempts, source, now, ids: &ids };
    let entry = door.secret(login)?;
    if !matches!(entry, Entry::In(_)) {
        tracing::warn!(?login, %source, "sign-in failed");
    }
    Ok(entry)
}

/// For whom a sign-in is tried: the name or the client id of the form.
pub(crate) fn name_of(form: &[u8]) -> String {
    let form = std::str::from_utf8(form).ok().and_then(|it| Query::parse(it).ok());
    let form = form.unwrap_or_default();
    // Who waits for somebody else to decide guesses nothing, and has a name of its own.
    let named = form.get("username").or_else(|| form.get("device_code"));
    named.or_else(|| form.get("client_id")).unwrap_or_default().to_owned()
}

/// How long a user stays signed in without use of the password, in seconds.
pub(crate) const REFRESH_TOKEN_SECS: i64 = 12 * 3600;

/// The two styles of authority that the clients know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `…/adfs`: needs no further setting in the clients.
    Adfs,
    /// `…/{tenant}`.
    Tenant,
}

/// The issuer of tokens.
pub(crate) fn issuer(state: &ArmState, style: Style, tenant: TenantId) -> String {
    match style {
        Style::Adfs => state.authority(),
        Style::Tenant => format!("{}/{tenant}/v2.0", state.public_url),
    }
}

/// Audience of refresh tokens. It differs from that of access tokens, so that neither can be used
/// in place of the other.
pub(crate) fn refresh_audience(state: &ArmState) -> String {
    format!("{}/oauth2/refresh", state.public_url)
}

/// The caller behind a refresh token, when that is good. One from before codes were asked for at
/// the sign-in of its owner was given for less than a sign-in needs now.
pub(crate) fn refresh(call: &Call<'_>, token: &str) -> Result<Entry, ArmError> {
    let state = call.state;
    if token.len() > TOKEN_BYTES_MAX {
        return Ok(Entry::Wrong);
    }
    let Ok(claims) = state.tokens.verify(token) else { return Ok(Entry::Wrong) };
    let audience = refresh_audience(state);
    if token::check(&claims, &issuers(state, &claims.tid), &audience, call.now).is_err() {
        return Ok(Entry::Wrong);
    }
    let caller = caller(state, &claims)?;
    let factor = call.read("find factor", |tx| factor_of(tx, caller.principal))?;
    Ok(match factor {
        Factor::On { since, .. } if claims.iat < since.as_second() => Entry::NeedsCode(caller),
        Factor::On { .. } | Factor::Begun | Factor::Off => Entry::In(caller),
    })
}

/// `client_info`: the ids under which a client caches a user.
pub(crate) fn client_info(caller: &Caller, tenant: TenantId) -> String {
    let info = json!({ "uid": caller.principal, "utid": tenant });
    URL_SAFE_NO_PAD.encode(info.to_string())
}
