//! Signing in with a code that somebody types in the portal, for programs without a browser.

use coffre_control::device::{Answer, DEVICE_INTERVAL_SECS, DEVICE_SECS};
use coffre_control::id::TenantId;
use coffre_control::usecase::caller_of;
use serde_json::json;
use uuid::Uuid;

use crate::call::Call;
use crate::handle::oauth::{refused, tenant, unknown_tenant, user_tokens};
use crate::http::error::ArmError;
use crate::http::query::Query;
use crate::http::reply::Reply;

/// The grant by which a program asks what became of its code.
pub(crate) const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// POST …/devicecode: a long code for the program and a short one for people
pub(crate) fn begin(call: &Call<'_>) -> Result<Reply, ArmError> {
    if tenant(call)?.is_none() {
        return Ok(unknown_tenant(call));
    }
    // Both are random as a whole: ids of other kinds begin with the time.
    let (long, short) = (Uuid::new_v4(), Uuid::new_v4());
    let device = format!("{}{}", long.simple(), Uuid::new_v4().simple());
    let bytes = short.as_bytes();
    // The letters of a short code come from bytes that are random to the last bit.
    let random = [0, 1, 2, 3, 4, 5, 14, 15].map(|at: usize| bytes[at]);
    let Some(user) = call.state.devices.begin(device.clone(), random, call.now) else {
        let message = "Too many sign-ins wait for their codes. Try again in some minutes.";
        return Ok(refused(call, 50_196, "temporarily_unavailable", message));
    };
    let page = format!("{}/portal/device", call.state.public_url);
    Ok(Reply::ok(json!({
        "user_code": user,
        "device_code": device,
        "verification_uri": page,
        "expires_in": DEVICE_SECS,
        "interval": DEVICE_INTERVAL_SECS,
        "message": format!("To sign in, open {page} in a browser and enter the code {user}."),
    })))
}

/// What the token endpoint answers to a program that asks for its code.
pub(crate) fn answer(call: &Call<'_>, tenant: TenantId, form: &Query) -> Result<Reply, ArmError> {
    let field = |name: &str| form.get(name);
    let device = field("device_code").or_else(|| field("code")).unwrap_or_default();
    match call.state.devices.ask(device, call.now) {
        Answer::Pending => Ok(refused(
            call,
            70_016,
            "authorization_pending",
            "Nobody has entered the code yet. Ask again in some seconds.",
        )),
        Answer::Refused => {
            Ok(refused(call, 70_018, "authorization_declined", "The sign-in was refused."))
        }
        Answer::Unknown => Ok(refused(
            call,
            70_020,
            "expired_token",
            "The code is not known, or it has expired. Begin again.",
        )),
        Answer::Allowed(who) => {
            let caller = call.read("find principal", |tx| caller_of(tx, who))?;
            user_tokens(call, tenant, &caller, field("client_id").unwrap_or_default())
        }
    }
}
