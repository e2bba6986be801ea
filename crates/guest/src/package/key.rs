//! The keys of packages: Ed25519.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use zeroize::Zeroizing;

/// Bytes of a signature.
pub(super) const SIGNATURE_BYTES: usize = 64;

/// Bytes of the name of a key.
pub(super) const NAME_BYTES: usize = 8;

const PUBLIC_BYTES: usize = 32;

/// Signatures of packages are signatures of nothing else.
const CONTEXT: &[u8] = b"coffre extension package 1\0";

/// Why a key is none.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is no private key.
    #[error("the text is no private Ed25519 key in PEM")]
    Private,
    /// The text is no public key.
    #[error("the text is no public key: 32 bytes in base64")]
    Public,
    /// There is no randomness.
    #[error("this machine has no randomness")]
    Random,
}

/// A key that signs packages. It cannot be printed.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// A new key, and its text in PEM to be kept safe.
    ///
    /// # Errors
    /// When the machine has no randomness.
    pub fn generate() -> Result<(SigningKey, Zeroizing<String>), KeyError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::Random)?;
        let document = pair.to_pkcs8v1().map_err(|_| KeyError::Random)?;
        let text = STANDARD.encode(document.as_ref());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
        Ok((SigningKey(pair), Zeroizing::new(pem)))
    }

    /// A key from its PEM.
    ///
    /// # Errors
    /// When the text is no such key.
    pub fn from_pem(text: &str) -> Result<SigningKey, KeyError> {
        let der =
            PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).map_err(|_| KeyError::Private)?;
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der())
            .map(SigningKey)
            .map_err(|_| KeyError::Private)
    }

    /// What others need to trust it.
    #[must_use]
    pub fn trusted(&self) -> TrustedKey {
        let mut bytes = [0; PUBLIC_BYTES];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        TrustedKey(bytes)
    }

    pub(super) fn sign(&self, body: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let mut signature = [0; SIGNATURE_BYTES];
        signature.copy_from_slice(self.0.sign(&[CONTEXT, body].concat()).as_ref());
        signature
    }
}

/// A key whose packages are accepted. Its text is 32 bytes in base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrustedKey([u8; PUBLIC_BYTES]);

impl TrustedKey {
    pub(super) fn name(&self) -> [u8; NAME_BYTES] {
        let mut name = [0; NAME_BYTES];
        name.copy_from_slice(&digest(&SHA256, &self.0).as_ref()[..NAME_BYTES]);
        name
    }

    pub(super) fn has_signed(&self, body: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.0);
        key.verify(&[CONTEXT, body].concat(), signature).is_ok()
    }
}

impl std::str::FromStr for TrustedKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<TrustedKey, KeyError> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| KeyError::Public)?;
        bytes.try_into().map(TrustedKey).map_err(|_| KeyError::Public)
    }
}

impl fmt::Display for TrustedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}
