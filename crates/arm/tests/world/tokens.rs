//! Tokens for tests.

use std::hash::{DefaultHasher, Hash, Hasher};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use coffre_arm::{Claims, TokenFault, Tokens};
use serde_json::{Value, json};

/// Tokens that are signed by a hash and a key that nobody else has: enough for tests.
pub struct HashedTokens(pub u64);

impl HashedTokens {
    fn sign(&self, payload: &str) -> String {
        let mut hasher = DefaultHasher::new();
        (self.0, payload).hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }
}

impl Tokens for HashedTokens {
    fn issue(&self, claims: &Claims) -> Result<String, TokenFault> {
        let payload = serde_json::to_vec(claims).map_err(|e| TokenFault::Key(e.to_string()))?;
        let payload = URL_SAFE_NO_PAD.encode(payload);
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        let signature = self.sign(&payload);
        Ok(format!("{head}.{payload}.{signature}"))
    }

    fn verify(&self, token: &str) -> Result<Claims, TokenFault> {
        let parts: Vec<&str> = token.split('.').collect();
        let &[_, payload, signature] = parts.as_slice() else { return Err(TokenFault::Invalid) };
        if self.sign(payload) != signature {
            return Err(TokenFault::Invalid);
        }
        let bytes = URL_SAFE_NO_PAD.decode(payload).map_err(|_| TokenFault::Invalid)?;
        serde_json::from_slice(&bytes).map_err(|_| TokenFault::Invalid)
    }

    fn jwks(&self) -> Value {
        json!({ "keys": [{ "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "test" }] })
    }
}
