//! Locks: on a subscription, a group or a resource, for everything below it.

use coffre_control::model::{Record, RecordKind};
use coffre_control::usecase::{Written, delete_record, find_record, list_records, put_record};
use serde_json::{Value, json};

use crate::call::Call;
use crate::http::error::ArmError;
use crate::http::query::clip;
use crate::http::reply::Reply;

const KIND: &str = "Microsoft.Authorization/locks";

fn body(lock: &Record) -> Value {
    json!({
        "id": format!("{}/providers/{KIND}/{}", lock.scope, lock.name),
        "name": lock.name,
        "type": KIND,
        "properties": lock.content,
    })
}

/// GET the locks at a scope and below it
pub(crate) fn list(call: &Call<'_>) -> Result<Reply, ArmError> {
    let scope = call.scope()?;
    let all = call.look("list locks", |tx, cx| list_records(tx, cx, RecordKind::Lock, &scope))?;
    call.page(&all, body)
}

/// GET one lock
pub(crate) fn show(call: &Call<'_>) -> Result<Reply, ArmError> {
    let (scope, name) = (call.scope()?, call.param("lock"));
    let found =
        call.look("show lock", |tx, cx| find_record(tx, cx, RecordKind::Lock, &scope, name))?;
    found.map(|it| Reply::ok(body(&it))).ok_or_else(|| {
        ArmError::not_found(
            "LockNotFound",
            format!("The lock '{}' could not be found.", clip(name)),
        )
    })
}

/// PUT a lock: 201 when it is new, else 200
pub(crate) fn put(call: &Call<'_>) -> Result<Reply, ArmError> {
    let members = call.members()?.object("properties")?;
    let level = members.required_text("level")?;
    let level = ["CanNotDelete", "ReadOnly"].into_iter().find(|it| it.eq_ignore_ascii_case(level));
    let level = level.ok_or_else(|| {
        ArmError::bad_body("The level of a lock is CanNotDelete or ReadOnly.")
            .target("properties.level")
    })?;
    let mut content = json!({ "level": level });
    if let Some(notes) = members.text("notes")? {
        content["notes"] = json!(clip(notes));
    }
    let (scope, name) = (call.scope()?, call.param("lock"));
    let (lock, written) = call
        .write("put lock", |tx, cx| put_record(tx, cx, RecordKind::Lock, &scope, name, content))?;
    Ok(match written {
        Written::Created => Reply::created(body(&lock)),
        Written::Updated => Reply::ok(body(&lock)),
    })
}

/// DELETE a lock: 200, or 204 when there is none
pub(crate) fn delete(call: &Call<'_>) -> Result<Reply, ArmError> {
    let (scope, name) = (call.scope()?, call.param("lock"));
    let gone =
        call.write("delete lock", |tx, cx| delete_record(tx, cx, RecordKind::Lock, &scope, name))?;
    Ok(gone.map_or_else(Reply::no_content, |_| Reply::ok(json!({}))))
}
