//! The rules for names.

use crate::error::{ErrorCode, Refusal};

/// Refuses a vault name that breaks the rules: 2 to 50 characters, letters, digits and hyphens
/// only, a letter first.
pub fn check_vault_name(name: &str) -> Result<(), Refusal> {
    let length = name.chars().count();
    let why = if !(2..=50).contains(&length) {
        format!("has {length} characters")
    } else if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        "does not start with a letter".to_owned()
    } else if let Some(bad) = first_other(name, |c| c.is_ascii_alphanumeric() || c == '-') {
        format!("contains '{bad}'")
    } else {
        return Ok(());
    };
    Err(Refusal::new(
        ErrorCode::InvalidResourceName,
        format!(
            "The vault name '{name}' {why}. A vault name has 2 to 50 characters, starts with a \
             letter, and contains only letters, digits and hyphens."
        ),
    )
    .about("name"))
}

/// Refuses a resource group name that breaks the rules: 1 to 90 letters, digits, underscores,
/// hyphens, periods and parentheses, no period last.
pub fn check_group_name(name: &str) -> Result<(), Refusal> {
    let length = name.chars().count();
    let allowed = |c: char| c.is_alphanumeric() || "_-.()".contains(c);
    let why = if !(1..=90).contains(&length) {
        format!("has {length} characters")
    } else if let Some(bad) = first_other(name, allowed) {
        format!("contains '{bad}'")
    } else if name.ends_with('.') {
        "ends with a period".to_owned()
    } else {
        return Ok(());
    };
    Err(Refusal::new(
        ErrorCode::InvalidResourceName,
        format!(
            "The resource group name '{name}' {why}. It has 1 to 90 letters, digits, \
             underscores, hyphens, periods and parentheses, and does not end with a period."
        ),
    )
    .about("name"))
}

/// Refuses a policy name that breaks the rules: 3 to 150 letters, digits and hyphens, a letter
/// first.
pub fn check_policy_name(name: &str) -> Result<(), Refusal> {
    let length = name.chars().count();
    let why = if !(3..=150).contains(&length) {
        format!("has {length} characters")
    } else if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        "does not start with a letter".to_owned()
    } else if let Some(bad) = first_other(name, |c| c.is_ascii_alphanumeric() || c == '-') {
        format!("contains '{bad}'")
    } else {
        return Ok(());
    };
    Err(Refusal::new(
        ErrorCode::InvalidResourceName,
        format!(
            "The policy name '{name}' {why}. A policy name has 3 to 150 characters, starts with \
             a letter, and contains only letters, digits and hyphens."
        ),
    )
    .about("name"))
}

/// Refuses a VM name that breaks the rules: 1 to 64 letters, digits, hyphens, underscores and
/// periods, a letter or digit first.
pub fn check_vm_name(name: &str) -> Result<(), Refusal> {
    let length = name.chars().count();
    let why = if !(1..=64).contains(&length) {
        format!("has {length} characters")
    } else if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        "does not start with a letter or a digit".to_owned()
    } else if let Some(bad) = first_other(name, |c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    {
        format!("contains '{bad}'")
    } else {
        return Ok(());
    };
    Err(Refusal::new(
        ErrorCode::InvalidResourceName,
        format!(
            "The virtual machine name '{name}' {why}. It has 1 to 64 letters, digits, hyphens, \
             underscores and periods, and starts with a letter or a digit."
        ),
    )
    .about("name"))
}

/// Refuses a name of a resource guard that breaks the rules: 1 to 80 letters, digits, hyphens,
/// underscores and periods.
pub fn check_record_name(name: &str) -> Result<(), Refusal> {
    let length = name.chars().count();
    let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if (1..=80).contains(&length) && first_other(name, known).is_none() {
        return Ok(());
    }
    Err(Refusal::new(
        ErrorCode::InvalidResourceName,
        format!(
            "The name '{name}' breaks the rules: 1 to 80 letters, digits, hyphens, underscores \
             and periods."
        ),
    )
    .about("name"))
}

fn first_other(name: &str, allowed: impl Fn(char) -> bool) -> Option<char> {
    name.chars().find(|&c| !allowed(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vault_names() {
        for good in ["ab", "Vault-1", "a1", &"x".repeat(50)] {
            check_vault_name(good).unwrap();
        }
        for (bad, why) in [
            ("", "0 characters"),
            ("a", "1 characters"),
            (&"x".repeat(51) as &str, "51 characters"),
            ("1vault", "start with a letter"),
            ("-vault", "start with a letter"),
            ("my_vault", "contains '_'"),
            ("my vault", "contains ' '"),
            ("cöffre", "contains 'ö'"),
        ] {
            let refusal = check_vault_name(bad).unwrap_err();
            assert_eq!(refusal.code, ErrorCode::InvalidResourceName);
            assert!(refusal.message.contains(why), "{bad}: {}", refusal.message);
            assert!(refusal.message.contains("2 to 50"));
        }
    }

    #[test]
    fn other_names() {
        check_group_name("rg_1-(a).b").unwrap();
        assert!(check_group_name("rg.").is_err());
        assert!(check_group_name("r/g").is_err());
        check_policy_name("DefaultPolicy").unwrap();
        assert!(check_policy_name("no").is_err());
        assert!(check_policy_name("a policy").is_err());
        check_vm_name("web-01").unwrap();
        assert!(check_vm_name("web;01").is_err());
    }
}
