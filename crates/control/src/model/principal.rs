//! Principal: a person or a program that can sign in.

use serde::{Deserialize, Serialize};

use crate::authz::Role;
use crate::id::PrincipalId;

/// Somebody who can sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// Identity; for a service principal the application (client) id.
    pub id: PrincipalId,
    /// Name with which a user signs in, and which logs show.
    pub name: String,
    /// A person or a program.
    pub kind: PrincipalKind,
    /// Argon2id hash of the secret or the password, as a PHC string.
    pub secret_hash: String,
    /// What they may do, in every subscription.
    pub roles: Vec<Role>,
    /// Version of the stored row; 0 = never stored.
    pub etag: u64,
}

/// A person or a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PrincipalKind {
    /// A program; signs in with its id and a secret.
    ServicePrincipal,
    /// A person; signs in with a name and a password.
    User,
}
