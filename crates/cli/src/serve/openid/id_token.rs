//! Identity tokens: who signed one, for whom, for which question, and until when.

use std::collections::HashSet;

use coffre_control::usecase::OutsideIdentity;
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::Deserialize;

/// Longest token that is looked at.
const TOKEN_BYTES_MAX: usize = 16 << 10;
/// Keys of a provider that are looked at.
const KEYS_MAX: usize = 100;
/// Letters of a subject, as the specification has it.
const SUBJECT_LETTERS_MAX: usize = 255;
/// Seconds by which clocks may differ.
const LEEWAY_SECS: i64 = 60;
/// What a provider may sign with: nothing that its public key would be enough for.
const ALGORITHMS: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// What a token has to say.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    /// Seconds since 1970.
    pub(super) now: i64,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: OneOrMore,
    #[serde(default)]
    azp: Option<String>,
    exp: f64,
    iat: f64,
    #[serde(default)]
    nbf: f64,
    #[serde(default)]
    nonce: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    email_verified: Option<Verified>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// Some providers write it as a word.
#[derive(Deserialize)]
#[serde(untagged)]
enum Verified {
    Yes(bool),
    Word(String),
}

fn head(token: &str) -> Option<Header> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    jsonwebtoken::decode_header(token).ok().filter(|it| ALGORITHMS.contains(&it.alg))
}

/// Whether the key that a token names is among these.
pub(super) fn names_key_of(token: &str, keys: &JwkSet) -> bool {
    head(token).is_some_and(|head| key_of(&head, keys).is_some())
}

/// The key of a token: the one that it names, or the only one for its algorithm.
fn key_of<'a>(head: &Header, keys: &'a JwkSet) -> Option<&'a Jwk> {
    let signs = |it: &&Jwk| {
        let common = &it.common;
        let usable = common.public_key_use.as_ref().is_none_or(|it| *it == PublicKeyUse::Signature);
        let operation =
            common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
        let algorithm =
            common.key_algorithm.is_none_or(|it| it.to_string() == format!("{:?}", head.alg));
        usable && operation && algorithm
    };
    let mut fit = keys.keys.iter().take(KEYS_MAX).filter(signs);
    match &head.kid {
        Some(kid) => fit.find(|it| it.common.key_id.as_ref() == Some(kid)),
        None => {
            let first = fit.next()?;
            fit.next().is_none().then_some(first)
        }
    }
}

/// Who a token is about, when it is good. Why it is not, for the log.
pub(super) fn identity(
    token: &str,
    keys: &JwkSet,
    expected: &Expected<'_>,
) -> Result<OutsideIdentity, &'static str> {
    let head = head(token).ok_or("the token is no token, or of an algorithm that is not taken")?;
    let key = key_of(&head, keys).ok_or("the key of the token is not known")?;
    let key = DecodingKey::from_jwk(key).map_err(|_| "the key of the token cannot be used")?;
    let mut validation = Validation::new(head.alg);
    // All of these are checked below, against the time that the caller has.
    validation.required_spec_claims = HashSet::new();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    let claims: Claims = jsonwebtoken::decode(token, &key, &validation)
        .map_err(|_| "the signature is wrong, or what it signs is no identity")?
        .claims;
    check(&claims, expected)?;
    let verified = match claims.email_verified {
        Some(Verified::Yes(yes)) => yes,
        Some(Verified::Word(word)) => word == "true",
        None => false,
    };
    Ok(OutsideIdentity {
        issuer: claims.iss,
        subject: claims.sub,
        email: claims.email.filter(|_| verified),
    })
}

fn check(claims: &Claims, expected: &Expected<'_>) -> Result<(), &'static str> {
    if claims.iss.trim_end_matches('/') != expected.issuer.trim_end_matches('/') {
        return Err("the token is that of another issuer");
    }
    let ours = |it: &String| it == expected.client_id;
    let (for_us, alone) = match &claims.aud {
        OneOrMore::One(one) => (ours(one), true),
        OneOrMore::More(all) => (all.iter().any(ours), all.len() == 1),
    };
    let party = claims.azp.as_ref().map_or(alone, ours);
    if !for_us || !party {
        return Err("the token is for another client");
    }
    if claims.nonce.as_deref() != Some(expected.nonce) {
        return Err("the token was made for another question");
    }
    // What is not a number compares as false, and is refused.
    let (now, leeway) = (expected.now as f64, LEEWAY_SECS as f64);
    let in_time =
        claims.exp + leeway > now && claims.iat - leeway <= now && claims.nbf - leeway <= now;
    if !in_time {
        return Err("the token has ended, or is not good yet");
    }
    if claims.sub.is_empty() || claims.sub.len() > SUBJECT_LETTERS_MAX {
        return Err("the token names nobody");
    }
    Ok(())
}
