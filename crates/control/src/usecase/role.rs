//! Roles with a scope: who may do what where. What a principal has everywhere stands in its own
//! row; assignments add to it, never take away.

use serde_json::Value;

use super::lock::is_at_or_below;
use crate::authz::{Action, Caller, Role};
use crate::error::Refusal;
use crate::model::{Record, RecordKind};
use crate::port::Tx;

/// The caller with everything that it has at a scope.
pub fn caller_at(tx: &mut dyn Tx, mut caller: Caller, scope: &str) -> Result<Caller, Refusal> {
    let mine = caller.principal.to_string();
    for assignment in tx.records_below(RecordKind::RoleAssignment, "")? {
        let of_caller = assignment.content["principalId"]
            .as_str()
            .is_some_and(|id| id.eq_ignore_ascii_case(&mine));
        // Lists of tenants and subscriptions stand above all scopes; whoever has any role sees
        // that there are some.
        let counts = is_at_or_below(scope, &assignment.scope) || scope.is_empty();
        if !of_caller || !counts {
            continue;
        }
        let definition = definition_of(&assignment);
        match Role::from_definition(definition) {
            Some(role) if scope.is_empty() => {
                if role.allows(Action::Read) {
                    caller.grants.push(Action::Read);
                }
            }
            Some(role) => caller.roles.push(role),
            None => {
                if let Some(custom) = tx.record(RecordKind::RoleDefinition, "", definition)? {
                    caller.grants.extend(granted(&custom.content));
                }
            }
        }
    }
    Ok(caller)
}

/// Name of the definition that an assignment gives: a GUID.
pub fn definition_of(assignment: &Record) -> &str {
    let id = assignment.content["roleDefinitionId"].as_str().unwrap_or_default();
    id.rsplit('/').next().unwrap_or_default()
}

/// The actions that a custom role allows.
pub fn granted(definition: &Value) -> Vec<Action> {
    let texts = |permission: &Value, member: &str| -> Vec<String> {
        let list = permission[member].as_array().into_iter().flatten();
        list.filter_map(|it| it.as_str().map(str::to_ascii_lowercase)).collect()
    };
    let allowed = |action: &Action| {
        let name = action.azure().to_ascii_lowercase();
        definition["permissions"].as_array().into_iter().flatten().any(|permission| {
            texts(permission, "actions").iter().any(|it| covers(it, &name))
                && !texts(permission, "notActions").iter().any(|it| covers(it, &name))
        })
    };
    Action::ALL.iter().copied().filter(allowed).collect()
}

/// Whether a pattern with `*` for any text covers a name.
fn covers(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, name, expected) in [
            ("*", "a/b", true),
            ("*/read", "x/y/read", true),
            ("*/read", "x/y/write", false),
            ("a/*/c", "a/b/b/c", true),
            ("a/*", "a", false),
            ("a", "a", true),
            ("a", "ab", false),
        ] {
            assert_eq!(covers(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_custom_role_is_what_its_actions_are_without_the_others() {
        let all = json!({ "permissions": [{ "actions": ["*"], "notActions": [] }] });
        assert_eq!(granted(&all), Action::ALL);
        let read = json!({ "permissions": [{ "actions": ["*/read"] }] });
        assert_eq!(granted(&read), [Action::Read]);
        let backup = json!({ "permissions": [{
            "actions": ["Microsoft.RecoveryServices/*"],
            "notActions": ["Microsoft.RecoveryServices/Vaults/delete"],
        }]});
        let backup = granted(&backup);
        assert!(backup.contains(&Action::BackupNow) && backup.contains(&Action::WriteVault));
        assert!(!backup.contains(&Action::DeleteVault) && !backup.contains(&Action::WriteGroup));
        assert!(granted(&json!({})).is_empty());
    }

    #[test]
    fn built_in_roles_are_found_by_their_ids() {
        for role in Role::ALL {
            assert_eq!(Role::from_definition(role.definition()), Some(*role));
        }
        assert_eq!(Role::from_definition("nothing"), None);
    }
}
