//! The audit: who changed what, and whether anybody tampered with that.

use coffre_control::usecase::{list_audit, verify_audit};
use serde_json::json;

use crate::call::Call;
use crate::http::error::ArmError;
use crate::http::reply::Reply;
use crate::render::time;

/// Records of one answer when the client does not ask for fewer.
const SHOWN: u32 = 200;

/// POST /providers/Microsoft.Coffre/audit/list: the newest records, newest first
pub(crate) fn list(call: &Call<'_>) -> Result<Reply, ArmError> {
    let limit = call.query.get("$top").and_then(|it| it.parse().ok()).unwrap_or(SHOWN);
    let records = call.look("list audit", |tx, cx| list_audit(tx, cx, limit))?;
    let shown = records.iter().map(|it| {
        json!({
            "name": it.id,
            "properties": {
                "time": time(it.time),
                "principalId": it.principal,
                "principalName": it.name,
                "operation": it.action.azure(),
                "target": it.target,
            },
        })
    });
    Ok(Reply::list(shown.collect()))
}

/// POST /providers/Microsoft.Coffre/audit/verify: follows the chain of digests
pub(crate) fn verify(call: &Call<'_>) -> Result<Reply, ArmError> {
    let chain = call.look("verify audit", |tx, cx| verify_audit(tx, cx))?;
    Ok(Reply::ok(json!({
        "intact": chain.broken_at.is_none(),
        "records": chain.records,
        "recordsBeforeTheChain": chain.older,
        "head": chain.head,
        "brokenAt": chain.broken_at,
    })))
}
