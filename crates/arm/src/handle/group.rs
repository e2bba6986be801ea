//! Resource groups.

use std::collections::BTreeMap;

use coffre_control::usecase::{PutGroup, Written, delete_group, put_group};

use crate::call::Call;
use crate::http::error::ArmError;
use crate::http::members::Members;
use crate::http::reply::Reply;
use crate::render::resource;
use crate::serve::no_group;

/// Most tags on a resource, longest name and longest value, as Azure has them.
const TAGS_MAX: usize = 50;
const TAG_NAME_CHARS_MAX: usize = 512;
const TAG_VALUE_CHARS_MAX: usize = 256;

/// The tags in a body; none when it has no member `tags`.
pub(crate) fn tags(body: &Members<'_>) -> Result<Option<BTreeMap<String, String>>, ArmError> {
    let Some(pairs) = body.text_map("tags")? else { return Ok(None) };
    let pairs = pairs.into_iter().collect();
    checked_tags(&pairs)?;
    Ok(Some(pairs))
}

/// Refuses tags that are too many or too long.
pub(crate) fn checked_tags(pairs: &BTreeMap<String, String>) -> Result<(), ArmError> {
    let invalid = |message: String| ArmError::bad_request("InvalidTags", message).target("tags");
    if pairs.len() > TAGS_MAX {
        return Err(invalid(format!("A resource has at most {TAGS_MAX} tags.")));
    }
    for (name, value) in pairs {
        if name.is_empty() || name.chars().count() > TAG_NAME_CHARS_MAX {
            return Err(invalid(format!(
                "The name of a tag has 1 to {TAG_NAME_CHARS_MAX} characters."
            )));
        }
        if value.chars().count() > TAG_VALUE_CHARS_MAX {
            return Err(invalid(format!(
                "The value of a tag has at most {TAG_VALUE_CHARS_MAX} characters."
            )));
        }
    }
    Ok(())
}

/// GET the groups of a subscription
pub(crate) fn list(call: &Call<'_>) -> Result<Reply, ArmError> {
    let id = call.subscription_id()?;
    let filter = call.filter()?;
    let groups = call.read("list groups", |tx| Ok(tx.groups(id)?))?;
    let tagged = groups.iter().filter(|group| match filter.text("tagname") {
        None => true,
        Some(name) => group.tags.iter().any(|(key, value)| {
            key.eq_ignore_ascii_case(name) && filter.text("tagvalue").is_none_or(|it| it == value)
        }),
    });
    call.page(tagged, resource::group)
}

/// GET one group
pub(crate) fn show(call: &Call<'_>) -> Result<Reply, ArmError> {
    match &call.group {
        Some(group) => Ok(Reply::ok(resource::group(group))),
        None => Err(no_group(call.param("group")).into()),
    }
}

/// HEAD: 204 when the group exists, else 404
pub(crate) fn exists(call: &Call<'_>) -> Result<Reply, ArmError> {
    show(call).map(|_| Reply::no_content())
}

/// PUT a group: 201 when it is new, else 200
pub(crate) fn put(call: &Call<'_>) -> Result<Reply, ArmError> {
    let body = call.members()?;
    let input = PutGroup {
        subscription: call.subscription_id()?,
        name: call.param("group").to_owned(),
        region: body.required_text("location")?.to_owned(),
        tags: tags(&body)?.unwrap_or_default(),
    };
    let (group, written) = call.write("put group", |tx, cx| put_group(tx, cx, input))?;
    let body = resource::group(&group);
    Ok(match written {
        Written::Created => Reply::created(body),
        Written::Updated => Reply::ok(body),
    })
}

/// PATCH a group: its tags are replaced when the body has some
pub(crate) fn patch(call: &Call<'_>) -> Result<Reply, ArmError> {
    let Some(group) = &call.group else { return Err(no_group(call.param("group")).into()) };
    let input = PutGroup {
        subscription: group.subscription,
        name: group.name.clone(),
        region: group.region.clone(),
        tags: tags(&call.members()?)?.unwrap_or_else(|| group.tags.clone()),
    };
    let (group, _) = call.write("patch group", |tx, cx| put_group(tx, cx, input))?;
    Ok(Reply::ok(resource::group(&group)))
}

/// DELETE an empty group
pub(crate) fn delete(call: &Call<'_>) -> Result<Reply, ArmError> {
    let Some(group) = &call.group else { return Err(no_group(call.param("group")).into()) };
    let (id, name) = (group.subscription, group.name.clone());
    call.write("delete group", |tx, cx| delete_group(tx, cx, id, &name))?;
    Ok(Reply::ok(serde_json::json!({})))
}
