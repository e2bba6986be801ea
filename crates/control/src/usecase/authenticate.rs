//! Signing in.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};

use crate::authz::Caller;
use crate::error::{ErrorCode, Refusal};
use crate::id::PrincipalId;
use crate::model::{Principal, PrincipalKind};
use crate::port::{Db, Tx, read};

/// Something to compare with when the name is not known; nobody knows a secret for it.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IG5vYm9keSE\
                      $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What somebody signs in with.
#[derive(Clone, Copy)]
pub enum Login<'a> {
    /// A program: client id and secret.
    Secret {
        /// Application (client) id, in any form of a UUID.
        client_id: &'a str,
        /// The secret.
        secret: &'a str,
    },
    /// A person: name and password.
    Password {
        /// Name, whatever the case.
        name: &'a str,
        /// The password.
        password: &'a str,
    },
}

impl Login<'_> {
    /// For whom it is tried, in one way of writing: wrong tries are counted by it.
    pub fn subject(&self) -> String {
        match self {
            Self::Secret { client_id, .. } => client_id
                .parse::<PrincipalId>()
                .map_or_else(|_| (*client_id).to_owned(), |id| id.to_string()),
            Self::Password { name, .. } => (*name).to_owned(),
        }
    }

    /// Who has this name or client id.
    pub(crate) fn principal(&self, tx: &mut dyn Tx) -> Result<Option<Principal>, Refusal> {
        let (found, kind) = match self {
            Self::Secret { client_id, .. } => {
                let Ok(id) = client_id.parse::<PrincipalId>() else { return Ok(None) };
                (tx.principal(id)?, PrincipalKind::ServicePrincipal)
            }
            Self::Password { name, .. } => (tx.principal_named(name)?, PrincipalKind::User),
        };
        Ok(found.filter(|principal| principal.kind == kind))
    }
}

impl std::fmt::Debug for Login<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Secret { client_id, .. } => write!(f, "Secret({client_id})"),
            Self::Password { name, .. } => write!(f, "Password({name})"),
        }
    }
}

/// Checks who somebody is. Takes tens of milliseconds of CPU, on purpose, and the same whether
/// the name is known or not; holds no transaction meanwhile.
pub fn authenticate(db: &dyn Db, login: Login<'_>) -> Result<Caller, Refusal> {
    let found = read(db, "authenticate", |tx| login.principal(tx))?;
    let secret = match login {
        Login::Secret { secret, .. } => secret,
        Login::Password { password, .. } => password,
    };
    let hash = found.as_ref().map_or(NOBODY, |principal| principal.secret_hash.as_str());
    let right = PasswordHash::new(hash)
        .map(|hash| Argon2::default().verify_password(secret.as_bytes(), &hash).is_ok())
        .unwrap_or(false);
    match found {
        Some(principal) if right => Ok(caller(principal)),
        _ => Err(Refusal::new(
            ErrorCode::InvalidCredentials,
            "Sign-in failed: the name or client id is not known, or the secret is wrong.",
        )),
    }
}

/// The caller whom an access token names, with the roles that they have now.
pub fn caller_of(tx: &mut dyn Tx, id: PrincipalId) -> Result<Caller, Refusal> {
    tx.principal(id)?.map(caller).ok_or_else(|| {
        Refusal::new(
            ErrorCode::InvalidAuthenticationToken,
            "The access token names somebody who is no longer known. Sign in again.",
        )
    })
}

/// Argon2id hash of a secret as a PHC string. `salt` is random and used once.
pub fn hash_secret(secret: &str, salt: &[u8; 16]) -> String {
    let hash: argon2::password_hash::phc::PasswordHash = Argon2::default()
        .hash_password_with_salt(secret.as_bytes(), salt)
        .expect("default parameters and a salt of 16 bytes are valid");
    hash.to_string()
}

fn caller(principal: Principal) -> Caller {
    Caller {
        principal: principal.id,
        name: principal.name,
        roles: principal.roles,
        grants: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_costs_as_much_as_somebody() {
        // A hash that does not parse would answer at once, and so tell which names are known.
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let somebody = hash_secret("open sesame", b"0123456789abcdef");
        let somebody = PasswordHash::new(&somebody).unwrap();
        assert_eq!(nobody.params, somebody.params);
        assert!(Argon2::default().verify_password(b"", &nobody).is_err());
        assert!(Argon2::default().verify_password(b"open sesame", &somebody).is_ok());
    }

    #[test]
    fn a_login_never_prints_its_secret() {
        let login = Login::Secret { client_id: "id", secret: "s3cret" };
        assert!(!format!("{login:?}").contains("s3cret"));
    }
}
