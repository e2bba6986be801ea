//! Signing in through an outside OpenID provider: who of ours it is that the provider knows.
//!
//! The provider only says who somebody is; what they may do is said here. Nobody comes into being
//! by signing in.

use serde::{Deserialize, Serialize};

use crate::authz::{Action, Caller};
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::id::PrincipalId;
use crate::model::{Principal, PrincipalKind, Setting};
use crate::port::Tx;

/// Somebody as a provider knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutsideIdentity {
    /// The provider.
    pub issuer: String,
    /// Whom it means; never given to anybody else there.
    pub subject: String,
    /// An address that the provider has checked, if it says so.
    #[serde(skip)]
    pub email: Option<String>,
}

/// The person that a provider vouches for. The first time it is found by the checked address,
/// which must be their name here; from then on by the provider's own name for them, so that
/// whoever is given the address later is not let in.
pub fn outside_caller(
    tx: &mut dyn Tx,
    ids: &dyn Fn() -> uuid::Uuid,
    now: jiff::Timestamp,
    identity: &OutsideIdentity,
) -> Result<Caller, Refusal> {
    let unknown = || {
        Refusal::new(
            ErrorCode::InvalidCredentials,
            "The provider knows you, but nobody with your address can sign in here. Ask an owner \
             to add a person whose name is your address.",
        )
    };
    if let Some(principal) = bound(tx, identity)? {
        return Ok(caller_of_person(principal));
    }
    let email = identity.email.as_deref().filter(|it| it.contains('@')).ok_or_else(unknown)?;
    let person = tx.principal_named(email)?.filter(|it| it.kind == PrincipalKind::User);
    let person = person.ok_or_else(unknown)?;
    if tx.setting(&key_of(person.id))?.is_some() {
        return Err(Refusal::new(
            ErrorCode::InvalidCredentials,
            "Somebody else of the provider signs in with this address already. Ask an owner.",
        ));
    }
    let value = serde_json::to_string(identity).expect("an identity is made of plain values");
    tx.put_setting(&Setting { key: key_of(person.id), value })?;
    let caller = caller_of_person(person);
    let cx = Cx::new(&caller, now, ids);
    let words = format!("{}: signs in through {}", caller.name, identity.issuer);
    cx.record(tx, Action::WriteAccess, words)?;
    Ok(caller)
}

fn bound(tx: &mut dyn Tx, identity: &OutsideIdentity) -> Result<Option<Principal>, Refusal> {
    for principal in tx.principals()? {
        let Some(setting) = tx.setting(&key_of(principal.id))? else { continue };
        let kept: Option<OutsideIdentity> = serde_json::from_str(&setting.value).ok();
        let same =
            kept.is_some_and(|it| it.issuer == identity.issuer && it.subject == identity.subject);
        if same && principal.kind == PrincipalKind::User {
            return Ok(Some(principal));
        }
    }
    Ok(None)
}

fn caller_of_person(person: Principal) -> Caller {
    Caller { principal: person.id, name: person.name, roles: person.roles, grants: Vec::new() }
}

fn key_of(id: PrincipalId) -> String {
    format!("outside.{id}")
}
