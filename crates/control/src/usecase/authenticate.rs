//! Signing in.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

use crate::authz::Caller;
use crate::error::{ErrorCode, Refusal};
use crate::id::PrincipalId;
use crate::model::{Principal, PrincipalKind};
use crate::port::{Db, Tx, read};

/// Something to compare with when the name is not known; nobody knows a password for it.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IG5vYm9keSE\
                      $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// The same for programs, whose secrets are random.
const NO_PROGRAM: &str = "$argon2id$v=19$m=256,t=1,p=1$bm9ib2R5IG5vYm9keSE\
                          $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// Memory in KiB, and rounds, for what is random already: a fraction of a millisecond.
const QUICK: (u32, u32) = (256, 1);

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

/// Checks who somebody is. For what a person chose it takes tens of milliseconds of CPU, on purpose, and the same whether
/// the name is known or not; holds no transaction meanwhile. Of client ids, which are no secret, one with a chosen secret
/// takes longer than an unknown one.
pub fn authenticate(db: &dyn Db, login: Login<'_>) -> Result<Caller, Refusal> {
    let found = read(db, "authenticate", |tx| login.principal(tx))?;
    let (secret, nobody) = match login {
        Login::Secret { secret, .. } => (secret, NO_PROGRAM),
        Login::Password { password, .. } => (password, NOBODY),
    };
    let hash = found.as_ref().map_or(nobody, |principal| principal.secret_hash.as_str());
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

/// Argon2id hash, as a PHC string, of a secret that somebody may have chosen. `salt` is random and used once.
pub fn hash_secret(secret: &str, salt: &[u8; 16]) -> String {
    hash_with(&Argon2::default(), secret, salt)
}

/// The hash of a program's secret of at least 128 random bits. Nobody finds that by guessing, so that checking it need not
/// be slow, and a program that signs in for each command does not wait. Not for a person, even with such a secret: their
/// sign-in would tell by its time that the name is known. `salt` is random and used once.
pub fn hash_random_secret(secret: &str, salt: &[u8; 16]) -> String {
    let (memory, rounds) = QUICK;
    let params = Params::new(memory, rounds, 1, None).expect("within the limits of Argon2");
    hash_with(&Argon2::new(Algorithm::Argon2id, Version::V0x13, params), secret, salt)
}

fn hash_with(argon2: &Argon2<'_>, secret: &str, salt: &[u8; 16]) -> String {
    let hash: PasswordHash = argon2
        .hash_password_with_salt(secret.as_bytes(), salt)
        .expect("valid parameters and a salt of 16 bytes");
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
        let salt = b"0123456789abcdef";
        let pairs = [
            (NOBODY, hash_secret("open sesame", salt)),
            (NO_PROGRAM, hash_random_secret("open sesame", salt)),
        ];
        for (nobody, somebody) in &pairs {
            let nobody = PasswordHash::new(nobody).unwrap();
            let somebody = PasswordHash::new(somebody).unwrap();
            assert_eq!(nobody.params, somebody.params);
            let right = |hash: &PasswordHash, secret: &str| {
                Argon2::default().verify_password(secret.as_bytes(), hash).is_ok()
            };
            assert!(!right(&nobody, "") && !right(&somebody, "open sesamf"));
            assert!(right(&somebody, "open sesame"));
        }
    }

    #[test]
    fn a_login_never_prints_its_secret() {
        let login = Login::Secret { client_id: "id", secret: "s3cret" };
        assert!(!format!("{login:?}").contains("s3cret"));
    }
}
