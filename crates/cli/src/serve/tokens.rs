//! Access tokens: JSON Web Tokens signed by ES256 with a key of the data folder.
//!
//! One algorithm for the one key: a token that names another is refused before its signature is
//! looked at. Audience, issuer and times are checked by the surface, which owns the clock.

use std::collections::HashSet;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use coffre_arm::token::{Claims, TOKEN_BYTES_MAX, TokenFault, Tokens};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rcgen::{KeyPair, PublicKeyData};
use serde_json::{Value, json};

use super::data_dir::{DataDir, write_secret};

/// Signs and checks tokens.
pub(crate) struct Signer {
    encoding: EncodingKey,
    decoding: DecodingKey,
    header: Header,
    jwks: Value,
}

impl Signer {
    /// Loads the key of the data folder, or makes it.
    pub(crate) fn open(data: &DataDir) -> anyhow::Result<Signer> {
        let path = data.keys().join("tokens.key");
        if !path.exists() {
            let key = KeyPair::generate().context("make the key of tokens")?;
            write_secret(&path, key.serialize_pem().as_bytes())
                .with_context(|| format!("write {}", path.display()))?;
        }
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let key = KeyPair::from_pem(&text).with_context(|| format!("read {}", path.display()))?;
        Signer::new(&key)
    }

    fn new(key: &KeyPair) -> anyhow::Result<Signer> {
        // An uncompressed point of P-256: 4, then 32 bytes each of x and y.
        let point = key.der_bytes();
        let &[4, ref xy @ ..] = point else { anyhow::bail!("the key of tokens is not of P-256") };
        anyhow::ensure!(xy.len() == 64, "the key of tokens is not of P-256");
        let (x, y) = xy.split_at(32);
        let kid = URL_SAFE_NO_PAD.encode(&blake_of(point)[..16]);
        let header = Header { kid: Some(kid.clone()), ..Header::new(Algorithm::ES256) };
        let jwks = json!({ "keys": [{
            "kty": "EC",
            "crv": "P-256",
            "use": "sig",
            "alg": "ES256",
            "kid": kid,
            "x": URL_SAFE_NO_PAD.encode(x),
            "y": URL_SAFE_NO_PAD.encode(y),
        }]});
        Ok(Signer {
            encoding: EncodingKey::from_ec_der(key.serialized_der()),
            decoding: DecodingKey::from_ec_components(
                &URL_SAFE_NO_PAD.encode(x),
                &URL_SAFE_NO_PAD.encode(y),
            )
            .context("use the key of tokens")?,
            header,
            jwks,
        })
    }
}

/// A name for the key that follows from it.
fn blake_of(bytes: &[u8]) -> [u8; 32] {
    *blake3::hash(bytes).as_bytes()
}

impl Tokens for Signer {
    fn issue(&self, claims: &Claims) -> Result<String, TokenFault> {
        jsonwebtoken::encode(&self.header, claims, &self.encoding)
            .map_err(|error| TokenFault::Key(error.to_string()))
    }

    fn verify(&self, token: &str) -> Result<Claims, TokenFault> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenFault::Invalid);
        }
        let mut validation = Validation::new(Algorithm::ES256);
        validation.required_spec_claims = HashSet::new();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        jsonwebtoken::decode(token, &self.decoding, &validation)
            .map(|token| token.claims)
            .map_err(|_| TokenFault::Invalid)
    }

    fn jwks(&self) -> Value {
        self.jwks.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            iss: "https://h/adfs".into(),
            aud: "https://h/".into(),
            sub: "s".into(),
            oid: "o".into(),
            tid: "t".into(),
            appid: "a".into(),
            name: "n".into(),
            iat: 1,
            nbf: 1,
            exp: 2,
            preferred_username: None,
            upn: None,
        }
    }

    fn signer() -> Signer {
        Signer::new(&KeyPair::generate().unwrap()).unwrap()
    }

    #[test]
    fn only_our_own_tokens_are_accepted() {
        let ours = signer();
        let token = ours.issue(&claims()).unwrap();
        assert_eq!(ours.verify(&token).unwrap(), claims());
        assert!(ours.verify(&signer().issue(&claims()).unwrap()).is_err(), "another key");
        let (head, tail) = token.split_at(token.len() - 1);
        let flipped = if tail == "A" { "Q" } else { "A" };
        assert!(ours.verify(&format!("{head}{flipped}")).is_err(), "another signature");
        assert!(ours.verify("").is_err() && ours.verify("a.b.c").is_err());
        assert!(ours.verify(&"x".repeat(TOKEN_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn other_algorithms_are_refused() {
        let ours = signer();
        let body = ours.issue(&claims()).unwrap().split('.').nth(1).unwrap().to_owned();
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        assert!(ours.verify(&format!("{none}.{body}.")).is_err());
        let hmac = jsonwebtoken::encode(
            &Header::new(Algorithm::HS256),
            &claims(),
            &EncodingKey::from_secret(ours.jwks().to_string().as_bytes()),
        );
        assert!(ours.verify(&hmac.unwrap()).is_err());
    }

    #[test]
    fn the_key_stays_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        let token = Signer::open(&data).unwrap().issue(&claims()).unwrap();
        assert!(Signer::open(&data).unwrap().verify(&token).is_ok());
    }
}
