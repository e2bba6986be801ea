//! Bearer tokens: what they say, and the port through which they are signed and checked.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Seconds for which an access token is good.
pub const ACCESS_TOKEN_SECS: i64 = 3599;
/// Seconds for which any token is good, with the leeway of clocks: after so long nobody needs the
/// key that signed it.
pub const TOKEN_SECS_MAX: i64 = crate::sign_in::REFRESH_TOKEN_SECS + LEEWAY_SECS;
/// Longest token that is looked at; ours are below 1 KiB.
pub const TOKEN_BYTES_MAX: usize = 8192;
/// Seconds by which clocks may differ.
const LEEWAY_SECS: i64 = 60;

/// The claims of a token, under their registered names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it: the issuer of the OpenID configuration.
    pub iss: String,
    /// For whom it is: the audience of the metadata for access tokens.
    pub aud: String,
    /// The principal's id, as a uuid.
    pub sub: String,
    /// The principal's id again; Azure's name for it.
    pub oid: String,
    /// The tenant, as a uuid.
    pub tid: String,
    /// The application that asked.
    pub appid: String,
    /// The name of the principal, for people.
    pub name: String,
    /// Seconds since 1970 at which it was issued.
    pub iat: i64,
    /// Seconds since 1970 from which it is good.
    pub nbf: i64,
    /// Seconds since 1970 at which it ends.
    pub exp: i64,
    /// The name a user signs in with, in identity tokens of the tenant style.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_username: Option<String>,
    /// The name a user signs in with, in tokens of users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upn: Option<String>,
}

/// Why a token was not signed or not accepted.
#[derive(Debug, thiserror::Error)]
pub enum TokenFault {
    /// The token is malformed, signed by another key, or by another algorithm.
    #[error("the token is not one that this service signed")]
    Invalid,
    /// The key could not be used.
    #[error("the signing key cannot be used: {0}")]
    Key(String),
}

/// Signs and checks tokens. The keys live behind this port.
pub trait Tokens: Send + Sync {
    /// Signs the claims as a compact JWT.
    fn issue(&self, claims: &Claims) -> Result<String, TokenFault>;

    /// Checks the signature and the algorithm of a compact JWT and returns its claims.
    /// Issuer, audience and times are checked by the surface, which owns the clock.
    fn verify(&self, token: &str) -> Result<Claims, TokenFault>;

    /// The public keys as a JSON Web Key Set, `{"keys":[…]}`.
    fn jwks(&self) -> Value;
}

/// Why a request with a token is not signed in, as a sentence for the client.
pub(crate) fn check(
    claims: &Claims,
    issuers: &[String],
    audience: &str,
    now: Timestamp,
) -> Result<(), &'static str> {
    let now = now.as_second();
    if !issuers.contains(&claims.iss) {
        return Err("The token was issued by another authority.");
    }
    if claims.aud.trim_end_matches('/') != audience.trim_end_matches('/') {
        return Err("The token is for another audience.");
    }
    if claims.exp.saturating_add(LEEWAY_SECS) <= now {
        return Err("The token has expired.");
    }
    if claims.nbf.saturating_sub(LEEWAY_SECS) > now {
        return Err("The token is not good yet.");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            iss: "https://h/adfs".into(),
            aud: "https://h/".into(),
            sub: String::new(),
            oid: String::new(),
            tid: String::new(),
            appid: String::new(),
            name: String::new(),
            iat: 1000,
            nbf: 1000,
            exp: 2000,
            preferred_username: None,
            upn: None,
        }
    }

    fn outcome(claims: &Claims, now: i64) -> bool {
        let issuers = ["https://h/adfs".to_owned()];
        check(claims, &issuers, "https://h", Timestamp::from_second(now).unwrap()).is_ok()
    }

    #[test]
    fn times_have_a_minute_of_leeway() {
        assert!(outcome(&claims(), 941) && outcome(&claims(), 2059));
        assert!(!outcome(&claims(), 939) && !outcome(&claims(), 2060));
    }

    #[test]
    fn issuer_and_audience_must_be_ours() {
        assert!(outcome(&claims(), 1500));
        assert!(!outcome(&Claims { iss: "https://evil/adfs".into(), ..claims() }, 1500));
        assert!(!outcome(&Claims { aud: "04b07795".into(), ..claims() }, 1500));
        assert!(!outcome(&Claims { exp: i64::MAX, nbf: i64::MAX, ..claims() }, 1500));
    }
}
