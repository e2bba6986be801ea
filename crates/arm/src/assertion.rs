//! Signing in with a certificate: the client signs an assertion with its private key, and the
//! public key that was left here tells whether it did.

use coffre_control::id::PrincipalId;
use coffre_control::model::PrincipalKind;
use coffre_control::usecase::{caller_of, certificates_of};
use coffre_control::{Caller, Refusal};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use std::collections::HashSet;

use crate::call::Call;
use crate::http::error::ArmError;

/// The only type of assertion that clients send.
pub(crate) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Longest assertion that is looked at; with a chain of certificates in its head it has several KiB.
const ASSERTION_BYTES_MAX: usize = 16 << 10;
/// Longest time for which an assertion may be good, in seconds; clients make them for ten minutes.
const LIFE_SECS_MAX: f64 = 86_400.0;
/// Seconds by which clocks may differ.
const LEEWAY_SECS: f64 = 60.0;

/// What an assertion says. Times may have fractions: the clients write them so.
#[derive(Deserialize)]
struct Assertion {
    aud: String,
    iss: String,
    sub: String,
    exp: f64,
    #[serde(default)]
    nbf: f64,
}

/// The program that signed an assertion; none when nobody known did, or not for here and now.
/// `audiences` are the addresses of the token endpoint.
pub(crate) fn signer(
    call: &Call<'_>,
    client_id: &str,
    assertion: &str,
    audiences: &[String],
) -> Result<Option<Caller>, ArmError> {
    if assertion.len() > ASSERTION_BYTES_MAX {
        return Ok(None);
    }
    let Ok(header) = jsonwebtoken::decode_header(assertion) else { return Ok(None) };
    if ![Algorithm::RS256, Algorithm::PS256].contains(&header.alg) {
        return Ok(None);
    }
    let Ok(id) = client_id.parse::<PrincipalId>() else { return Ok(None) };
    let found = call.read("find certificates", |tx| {
        let program =
            tx.principal(id)?.is_some_and(|it| it.kind == PrincipalKind::ServicePrincipal);
        if !program {
            return Ok::<_, Refusal>(None);
        }
        Ok(Some((caller_of(tx, id)?, certificates_of(tx, id)?)))
    })?;
    let Some((caller, certificates)) = found else { return Ok(None) };
    let good = certificates
        .iter()
        .filter(|it| it.until > call.now)
        .filter_map(|it| verified(assertion, header.alg, &it.key))
        .any(|it| is_for(&it, id, audiences, call.now.as_second() as f64));
    Ok(good.then_some(caller))
}

fn verified(assertion: &str, algorithm: Algorithm, key: &[u8]) -> Option<Assertion> {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims = HashSet::new();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    let key = DecodingKey::from_rsa_der(key);
    jsonwebtoken::decode(assertion, &key, &validation).ok().map(|it| it.claims)
}

fn is_for(assertion: &Assertion, id: PrincipalId, audiences: &[String], now: f64) -> bool {
    let names = |text: &str| text.parse::<PrincipalId>().is_ok_and(|it| it == id);
    names(&assertion.iss)
        && names(&assertion.sub)
        && audiences.iter().any(|it| it.eq_ignore_ascii_case(assertion.aud.trim_end_matches('/')))
        && assertion.exp + LEEWAY_SECS > now
        && assertion.exp < now + LIFE_SECS_MAX
        && assertion.nbf - LEEWAY_SECS <= now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assertion_is_for_one_program_one_address_and_a_short_while() {
        let id: PrincipalId = "aaaaaaaa-0000-4000-8000-000000000001".parse().unwrap();
        let audiences = ["https://h/adfs/oauth2/token".to_owned()];
        let assertion = |aud: &str, iss: &str, exp: f64, nbf: f64| Assertion {
            aud: aud.to_owned(),
            iss: iss.to_owned(),
            sub: id.to_string(),
            exp,
            nbf,
        };
        let (here, name) = (audiences[0].as_str(), &*id.to_string());
        let good = |it: Assertion| is_for(&it, id, &audiences, 1000.0);
        assert!(good(assertion(here, name, 1600.5, 0.0)));
        assert!(good(assertion(&format!("{here}/"), name, 941.0, 1059.0)));
        assert!(!good(assertion("https://evil/adfs/oauth2/token", name, 1600.0, 0.0)));
        assert!(!good(assertion(here, "bbbbbbbb-0000-4000-8000-000000000001", 1600.0, 0.0)));
        assert!(!good(assertion(here, name, 939.0, 0.0)), "ended");
        assert!(!good(assertion(here, name, f64::INFINITY, 0.0)), "without end");
        assert!(!good(assertion(here, name, f64::NAN, 0.0)), "no time");
        assert!(!good(assertion(here, name, 1600.0, 1061.0)), "not yet");
    }
}
