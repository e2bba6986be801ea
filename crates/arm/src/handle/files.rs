//! The files of a recovery point: clients get a script that shows them.
//!
//! The script runs where the store can be reached and the vault's key is at hand: the service
//! gives neither away.

use coffre_control::ErrorCode;
use coffre_control::Refusal;
use coffre_control::id::OperationId;
use coffre_control::usecase::{
    get_operation, is_at_or_below, note_operation, open_files, see_files,
};
use serde_json::json;

use crate::call::Call;
use crate::handle::protection::check_kind;
use crate::handle::{operation, point};
use crate::http::error::ArmError;
use crate::http::query::clip;
use crate::http::reply::Reply;
use crate::names::item_id;

/// What it runs; the store and the point are put in.
const SCRIPT: &str = include_str!("files.sh");
/// The clients cut a password of this length out of the name of the script, and tell it to their
/// user.
const PASSWORD: &str = "not-needed-here";

/// POST ~PI/recoveryPoints/{point}/provisionInstantItemRecovery
pub(crate) fn provision(call: &Call<'_>) -> Result<Reply, ArmError> {
    let names = call.item_names()?;
    let body = call.members()?;
    check_kind(&body.object("properties")?, &["IaasVMILRRegistrationRequest"])?;
    let (id, operation) = call.write("open files", |tx, cx| {
        let (vault, item, point) = point::find(call, tx, &names)?;
        let id = item_id(&vault, &item);
        let operation = open_files(tx, cx, point.id, &id)?;
        Ok((id, operation.id))
    })?;
    Ok(operation::accepted(call, &id, operation))
}

/// POST ~PI/recoveryPoints/{point}/listInstantItemRecoveryOperationResult: the script
pub(crate) fn result(call: &Call<'_>) -> Result<Reply, ArmError> {
    let names = call.item_names()?;
    let members = call.members()?;
    let text = members.required_text("provisionInstantItemRecoveryOperationId")?;
    let unknown = || {
        Refusal::new(
            ErrorCode::OperationNotFound,
            format!("The operation '{}' could not be found.", clip(text)),
        )
    };
    let operation: OperationId = text.parse().map_err(|_| unknown())?;
    let (vault, item, point) = call.look("show files", |tx, cx| {
        let (vault, item, point) = point::find(call, tx, &names)?;
        let view = get_operation(tx, cx, operation)?;
        if !is_at_or_below(&view.operation.scope, &item_id(&vault, &item)) {
            return Err(unknown());
        }
        see_files(tx, cx, point.id)?;
        Ok((vault, item, point))
    })?;
    let script = SCRIPT
        .replace("@STORE@", &quoted(&vault.store_url))
        .replace("@POINT@", &quoted(&point.id.to_string()));
    let name = format!("{}_{}{PASSWORD}", item.vm_name, operation.uuid().simple());
    Ok(Reply::ok(json!({ "clientScripts": [{
        "scriptContent": base64::Engine::encode(&base64::engine::general_purpose::STANDARD, script),
        "scriptExtension": ".sh",
        "scriptNameSuffix": name,
        "osType": "Linux",
        "url": null,
    }] })))
}

/// POST ~PI/recoveryPoints/{point}/revokeInstantItemRecovery: whoever runs the script ends it;
/// there is nothing open here
pub(crate) fn revoke(call: &Call<'_>) -> Result<Reply, ArmError> {
    let names = call.item_names()?;
    let (id, operation) = call.write("close files", |tx, cx| {
        let (vault, item, _) = point::find(call, tx, &names)?;
        let id = item_id(&vault, &item);
        let operation = note_operation(tx, cx, &id)?;
        Ok((id, operation.id))
    })?;
    Ok(operation::accepted(call, &id, operation))
}

/// A text that a shell takes as it is.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
