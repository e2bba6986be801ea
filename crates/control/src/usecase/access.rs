//! Who can sign in and what they may do: list, make, roles, secrets.

use super::authenticate::hash_secret;
use super::guard::refuse_for_holder;
use crate::authz::{Action, Role};
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::id::PrincipalId;
use crate::model::{Principal, PrincipalKind};
use crate::port::Tx;

/// Fewest letters of a password that a person chooses.
pub const PASSWORD_LETTERS_MIN: usize = 12;

/// Most letters of a name.
const NAME_LETTERS_MAX: usize = 64;

/// Somebody new, as asked for.
#[derive(Clone)]
pub struct NewPrincipal {
    /// The name: 1 to 64 letters, digits, `-`, `_`, `.` and `@`; nobody else has it.
    pub name: String,
    /// A person or a program.
    pub kind: PrincipalKind,
    /// What they may do.
    pub roles: Vec<Role>,
    /// Hash of the secret, from [`hash_password`] or [`hash_random_secret`](super::hash_random_secret).
    pub secret_hash: String,
}

impl std::fmt::Debug for NewPrincipal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewPrincipal")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}

/// Refuses a password that is easily guessed by its length alone; returns its hash. `salt` is
/// random and used once.
pub fn hash_password(password: &str, salt: &[u8; 16]) -> Result<String, Refusal> {
    if password.chars().count() < PASSWORD_LETTERS_MIN {
        return Err(Refusal::new(
            ErrorCode::InvalidParameter,
            format!(
                "The password has fewer than {PASSWORD_LETTERS_MIN} characters. Use at least \
                 {PASSWORD_LETTERS_MIN}, for example four words."
            ),
        )
        .about("password"));
    }
    Ok(hash_secret(password, salt))
}

/// Everybody who can sign in, by name.
pub fn list_principals(tx: &mut dyn Tx, cx: &Cx<'_>) -> Result<Vec<Principal>, Refusal> {
    cx.may(Action::WriteAccess)?;
    Ok(tx.principals()?)
}

/// Lets somebody new sign in.
pub fn create_principal(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    input: NewPrincipal,
) -> Result<Principal, Refusal> {
    cx.may(Action::WriteAccess)?;
    check_name(&input.name)?;
    if let Some(taken) = tx.principal_named(&input.name)? {
        return Err(Refusal::new(
            ErrorCode::Conflict,
            format!("'{}' can sign in already. Choose another name.", taken.name),
        )
        .about("name"));
    }
    let mut principal = Principal {
        id: cx.id(),
        name: input.name,
        kind: input.kind,
        secret_hash: input.secret_hash,
        roles: input.roles,
        etag: 0,
    };
    tx.put_principal(&mut principal)?;
    cx.record(tx, Action::WriteAccess, format!("{}: {}", principal.name, words(&principal.roles)))?;
    Ok(principal)
}

/// Gives somebody other roles. With none they can sign in no longer do anything. The last owner
/// stays one, and nobody takes the ownership from themselves: both would lock people out.
pub fn set_roles(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    id: PrincipalId,
    roles: Vec<Role>,
) -> Result<Principal, Refusal> {
    cx.may(Action::WriteAccess)?;
    refuse_for_holder(tx, cx, id)?;
    let mut principal = find(tx, id)?;
    let loses = principal.roles.contains(&Role::Owner) && !roles.contains(&Role::Owner);
    if loses {
        let owners = tx.principals()?.into_iter().filter(|it| it.roles.contains(&Role::Owner));
        if owners.count() == 1 || id == cx.caller.principal {
            return Err(Refusal::new(
                ErrorCode::Conflict,
                format!(
                    "'{}' stays an owner: somebody has to be one, and nobody takes the ownership \
                     from themselves. Make somebody else an owner and let them do it.",
                    principal.name
                ),
            )
            .about("roles"));
        }
    }
    principal.roles = roles;
    tx.put_principal(&mut principal)?;
    cx.record(tx, Action::WriteAccess, format!("{}: {}", principal.name, words(&principal.roles)))?;
    Ok(principal)
}

/// Gives somebody another secret; everybody may change their own. `hash` gives the hash of it for a person or a program.
pub fn set_secret(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    id: PrincipalId,
    hash: impl FnOnce(PrincipalKind) -> String,
) -> Result<Principal, Refusal> {
    if id != cx.caller.principal {
        cx.may(Action::WriteAccess)?;
    }
    refuse_for_holder(tx, cx, id)?;
    let mut principal = find(tx, id)?;
    principal.secret_hash = hash(principal.kind);
    tx.put_principal(&mut principal)?;
    cx.record(tx, Action::WriteAccess, format!("{}: new secret", principal.name))?;
    Ok(principal)
}

fn find(tx: &mut dyn Tx, id: PrincipalId) -> Result<Principal, Refusal> {
    tx.principal(id)?.ok_or_else(|| {
        Refusal::new(ErrorCode::ResourceNotFound, format!("Nobody with the id '{id}' can sign in."))
    })
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let length = name.chars().count();
    let valid = (1..=NAME_LETTERS_MAX).contains(&length)
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@".contains(c));
    if valid {
        return Ok(());
    }
    Err(Refusal::new(
        ErrorCode::InvalidResourceName,
        format!(
            "The name '{name}' breaks the rules: 1 to {NAME_LETTERS_MAX} letters, digits, '-', \
             '_', '.' and '@', for example 'ann'."
        ),
    )
    .about("name"))
}

fn words(roles: &[Role]) -> String {
    match roles {
        [] => "no role".to_owned(),
        roles => roles.iter().map(|role| role.azure()).collect::<Vec<_>>().join(", "),
    }
}
