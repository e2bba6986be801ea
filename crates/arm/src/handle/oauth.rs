//! What a client reads and calls before it is signed in: cloud metadata, OpenID configuration in
//! both styles of authority, keys, and the token endpoint.

use axum::http::StatusCode;
use coffre_control::Caller;
use coffre_control::attempts::HeldBack;
use coffre_control::id::TenantId;
use coffre_control::usecase::{Entry, Login};
use serde_json::{Value, json};

use crate::assertion;
use crate::call::Call;
use crate::handle::device;
use crate::http::error::ArmError;
use crate::http::query::Query;
use crate::http::reply::Reply;
use crate::sign_in::{self, Style};
use crate::token::{ACCESS_TOKEN_SECS, Claims};

/// GET /metadata/endpoints: what `az cloud register` asks for.
pub(crate) fn metadata(call: &Call<'_>) -> Result<Reply, ArmError> {
    let url = &call.state.public_url;
    let host = url.trim_start_matches("https://").split(':').next().unwrap_or_default();
    Ok(Reply::ok(json!({
        "name": "Coffre",
        "resourceManager": url,
        "portal": url,
        "gallery": format!("{url}/gallery"),
        "graphAudience": format!("{url}/graph"),
        "graph": format!("{url}/graph"),
        "microsoftGraphResourceId": format!("{url}/graph"),
        "batch": format!("{url}/batch"),
        "sqlManagement": format!("{url}/sql"),
        "vmImageAliasDoc": format!("{url}/metadata/images"),
        "authentication": {
            "loginEndpoint": call.state.authority(),
            "audiences": [call.state.audience()],
            "tenant": "adfs",
            "identityProvider": "ADFS",
        },
        "suffixes": {
            "storage": format!("storage.{host}"),
            "keyVaultDns": format!("vault.{host}"),
            "sqlServerHostname": format!("sql.{host}"),
            "acrLoginServer": format!("acr.{host}"),
        },
    })))
}

/// GET /metadata/images: no image has an alias here.
pub(crate) fn image_aliases(_call: &Call<'_>) -> Result<Reply, ArmError> {
    Ok(Reply::ok(json!({ "outputs": { "aliases": { "type": "object", "value": {} } } })))
}

/// The tenant that a path segment names: a uuid names itself, anything else (`organizations`, a
/// domain) the one tenant of this service. None when the uuid is not ours.
pub(crate) fn tenant(call: &Call<'_>) -> Result<Option<TenantId>, ArmError> {
    let subscriptions = call.read("find tenant", |tx| Ok(tx.subscriptions()?))?;
    let known = |id: TenantId| subscriptions.iter().any(|it| it.tenant == id).then_some(id);
    let first = subscriptions.first().map(|it| it.tenant);
    Ok(match call.params.find("tenant").map(str::parse) {
        Some(Ok(id)) => known(id),
        Some(Err(_)) | None => first,
    })
}

fn style(call: &Call<'_>) -> Style {
    if call.params.find("tenant").is_some() { Style::Tenant } else { Style::Adfs }
}

/// GET …/.well-known/openid-configuration
pub(crate) fn openid_configuration(call: &Call<'_>) -> Result<Reply, ArmError> {
    let Some(tenant) = tenant(call)? else { return Ok(unknown_tenant(call)) };
    let url = &call.state.public_url;
    let (base, keys) = match style(call) {
        Style::Adfs => (format!("{url}/adfs/oauth2"), format!("{url}/adfs/discovery/keys")),
        Style::Tenant => {
            (format!("{url}/{tenant}/oauth2/v2.0"), format!("{url}/discovery/v2.0/keys"))
        }
    };
    let jwks = call.state.tokens.jwks();
    let algorithms = jwks["keys"].as_array().into_iter().flatten().filter_map(|key| key.get("alg"));
    Ok(Reply::ok(json!({
        "issuer": sign_in::issuer(call.state, style(call), tenant),
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "device_authorization_endpoint": format!("{base}/devicecode"),
        "jwks_uri": keys,
        "response_types_supported": ["code", "token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": algorithms.collect::<Vec<_>>(),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256", "PS256"],
        "grant_types_supported":
            ["client_credentials", "password", "refresh_token", device::GRANT],
        "scopes_supported": ["openid", "profile", "offline_access"],
    })))
}

/// GET …/keys
pub(crate) fn keys(call: &Call<'_>) -> Result<Reply, ArmError> {
    Ok(Reply::ok(call.state.tokens.jwks()))
}

/// GET /common/userrealm/{user}: every user signs in here, with a password.
pub(crate) fn user_realm(call: &Call<'_>) -> Result<Reply, ArmError> {
    Ok(Reply::ok(json!({
        "ver": "1.0",
        "account_type": "Managed",
        "domain_name": "coffre.local",
        "cloud_instance_name": call.state.public_url.trim_start_matches("https://"),
        "cloud_audience_urn": "urn:federation:Coffre",
    })))
}

/// POST …/token
pub(crate) fn token(call: &Call<'_>) -> Result<Reply, ArmError> {
    let Some(tenant) = tenant(call)? else { return Ok(unknown_tenant(call)) };
    let Some(form) = std::str::from_utf8(call.raw_body).ok().and_then(|it| Query::parse(it).ok())
    else {
        return Ok(refused(call, 900_144, "invalid_request", "The request body cannot be read."));
    };
    let field = |name: &str| form.get(name).unwrap_or_default();
    match field("grant_type") {
        "client_credentials" if form.get("client_assertion").is_some() => {
            certificate_sign_in(call, tenant, &form)
        }
        "client_credentials" => {
            let (client_id, secret) = (field("client_id"), field("client_secret"));
            let entry = sign_in::check_secret(call, Login::Secret { client_id, secret })?;
            enter(call, entry, (7_000_215, "invalid_client", BAD_SECRET), |caller| {
                program_tokens(call, tenant, caller)
            })
        }
        "password" => {
            let (name, password) = (field("username"), field("password"));
            let entry = sign_in::check_secret(call, Login::Password { name, password })?;
            enter(call, entry, (50_126, "invalid_grant", BAD_PASSWORD), |caller| {
                user_tokens(call, tenant, caller, field("client_id"))
            })
        }
        device::GRANT => device::answer(call, tenant, &form),
        "refresh_token" => {
            let entry = sign_in::refresh(call, field("refresh_token"))?;
            enter(call, entry, (700_082, "invalid_grant", BAD_REFRESH), |caller| {
                user_tokens(call, tenant, caller, field("client_id"))
            })
        }
        _ => Ok(refused(
            call,
            70_003,
            "unsupported_grant_type",
            "The grant type is not supported. Use client_credentials, password, refresh_token or a device code.",
        )),
    }
}

const BAD_SECRET: &str = "Invalid client id or client secret provided.";
const BAD_PASSWORD: &str = "Invalid user name or password.";
const BAD_REFRESH: &str = "The refresh token has expired or is invalid. Sign in again.";

/// What a sign-in is answered with; `wrong` has number, error and message of the refusal.
fn enter(
    call: &Call<'_>,
    entry: Entry,
    wrong: (u32, &str, &str),
    tokens: impl FnOnce(&Caller) -> Result<Reply, ArmError>,
) -> Result<Reply, ArmError> {
    match entry {
        Entry::In(caller) => tokens(&caller),
        Entry::Wrong => Ok(refused(call, wrong.0, wrong.1, wrong.2)),
        Entry::NeedsCode(_) => Ok(needs_code(call)),
        Entry::HeldBack(HeldBack { seconds }) => {
            let message = format!(
                "There were too many tries with a wrong secret. Try again in {seconds} seconds."
            );
            let reply = refused(call, 50_053, wrong.1, &message);
            Ok(reply.with_status(StatusCode::TOO_MANY_REQUESTS).retry_after_secs(seconds))
        }
    }
}

/// A password alone is not enough, and this grant has no room for a code.
fn needs_code(call: &Call<'_>) -> Reply {
    let page = format!("{}/portal/device", call.state.public_url);
    let message = format!(
        "This user signs in with a code beside the password, which cannot be sent here. Use 'az \
         login --use-device-code' and enter the code that it shows at {page}."
    );
    let mut reply = refused(call, 50_076, "interaction_required", &message);
    // By this clients know that somebody has to do something.
    reply.add_member("suberror", json!("basic_action"));
    reply
}

/// A program that signs with its certificate instead of telling a secret.
fn certificate_sign_in(call: &Call<'_>, tenant: TenantId, form: &Query) -> Result<Reply, ArmError> {
    let field = |name: &str| form.get(name).unwrap_or_default();
    let (client, assertion) = (field("client_id"), field("client_assertion"));
    let known = field("client_assertion_type") == assertion::ASSERTION_TYPE;
    let url = &call.state.public_url;
    let audiences =
        [format!("{url}/adfs/oauth2/token"), format!("{url}/{tenant}/oauth2/v2.0/token")];
    let signer = if known { assertion::signer(call, client, assertion, &audiences)? } else { None };
    match signer {
        Some(caller) => program_tokens(call, tenant, &caller),
        None => {
            tracing::warn!(client, "sign-in with a certificate failed");
            Ok(refused(
                call,
                700_027,
                "invalid_client",
                "The client assertion is not signed with a certificate of this client, or it is not for this service, or it has expired.",
            ))
        }
    }
}

/// The claims of an access token.
fn claims(call: &Call<'_>, tenant: TenantId, caller: &Caller) -> Claims {
    let now = call.now.as_second();
    Claims {
        iss: sign_in::issuer(call.state, style(call), tenant),
        aud: call.state.audience(),
        sub: caller.principal.to_string(),
        oid: caller.principal.to_string(),
        tid: tenant.to_string(),
        appid: caller.principal.to_string(),
        name: caller.name.clone(),
        iat: now,
        nbf: now,
        exp: now + ACCESS_TOKEN_SECS,
        preferred_username: None,
        upn: None,
    }
}

fn sign(call: &Call<'_>, claims: &Claims) -> Result<String, ArmError> {
    call.state.tokens.issue(claims).map_err(|fault| {
        tracing::error!(%fault, "a token could not be signed");
        ArmError::internal()
    })
}

fn answer(access_token: String) -> Value {
    json!({
        "token_type": "Bearer",
        "expires_in": ACCESS_TOKEN_SECS,
        "ext_expires_in": ACCESS_TOKEN_SECS,
        "access_token": access_token,
    })
}

fn program_tokens(call: &Call<'_>, tenant: TenantId, caller: &Caller) -> Result<Reply, ArmError> {
    let access = sign(call, &claims(call, tenant, caller))?;
    Ok(Reply::ok(answer(access)))
}

/// A user gets three: access, refresh, and the identity that the client shows.
pub(crate) fn user_tokens(
    call: &Call<'_>,
    tenant: TenantId,
    caller: &Caller,
    client: &str,
) -> Result<Reply, ArmError> {
    let mut access = claims(call, tenant, caller);
    access.upn = Some(caller.name.clone());
    access.appid = client.to_owned();
    let mut refresh = access.clone();
    refresh.aud = sign_in::refresh_audience(call.state);
    refresh.exp = call.now.as_second() + sign_in::REFRESH_TOKEN_SECS;
    let mut identity = access.clone();
    identity.aud = client.to_owned();
    identity.preferred_username = Some(caller.name.clone());
    let mut body = answer(sign(call, &access)?);
    body["refresh_token"] = json!(sign(call, &refresh)?);
    body["id_token"] = json!(sign(call, &identity)?);
    body["scope"] = json!(format!("{}/.default", call.state.audience()));
    body["client_info"] = json!(sign_in::client_info(caller, tenant));
    Ok(Reply::ok(body))
}

pub(crate) fn unknown_tenant(call: &Call<'_>) -> Reply {
    refused(call, 90_002, "invalid_tenant", "The tenant was not found in this service.")
}

/// A refusal in the form of OAuth, which is not that of Resource Manager.
pub(crate) fn refused(call: &Call<'_>, number: u32, error: &str, message: &str) -> Reply {
    let trace = (call.state.ids)();
    let status =
        if error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
    let timestamp = call.now.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    let body = json!({
        "error": error,
        "error_description": format!("AADSTS{number}: {message}"),
        "error_codes": [number],
        "timestamp": timestamp,
        "trace_id": trace,
        "correlation_id": trace,
    });
    Reply::with_body(status, body)
}
