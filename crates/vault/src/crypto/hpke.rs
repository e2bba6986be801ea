//! Sealing to a public key: HPKE (RFC 9180), base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
//!
//! A writer that may only put holds the public key alone; what it sealed it cannot open again.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use super::TAG_BYTES;
use super::aead::fill_from_system;
use crate::VaultError;

/// Bytes of the encapsulated key that goes with each sealed text.
pub(crate) const HPKE_ENC_BYTES: usize = 32;

/// KEM, KDF and AEAD by their numbers in RFC 9180 section 7.
const KEM_SUITE: &[u8] = b"KEM\x00\x20";
const HPKE_SUITE: &[u8] = b"HPKE\x00\x20\x00\x01\x00\x02";

/// Seals `plaintext` to the holder of the secret key of `public`. Returns the encapsulated key and the sealed text,
/// which is a tag longer than the plaintext. Each call makes a new ephemeral key, so no nonce can repeat.
pub(crate) fn hpke_seal(
    public: &[u8; 32],
    info: &[u8],
    plaintext: &[u8],
) -> Result<([u8; HPKE_ENC_BYTES], Vec<u8>), VaultError> {
    let mut secret = Zeroizing::new([0; 32]);
    fill_from_system(&mut *secret)?;
    let ephemeral = PrivateKey::from_private_key(&X25519, &*secret)
        .map_err(|_| VaultError::Crypto("make a key pair"))?;
    seal_with(&ephemeral, public, info, plaintext)
}

fn seal_with(
    ephemeral: &PrivateKey,
    public: &[u8; 32],
    info: &[u8],
    plaintext: &[u8],
) -> Result<([u8; HPKE_ENC_BYTES], Vec<u8>), VaultError> {
    let enc = public_of(ephemeral)?;
    let (key, nonce) = schedule(ephemeral, public, &enc, public, info)?;
    let mut sealed = plaintext.to_vec();
    key.seal_in_place_append_tag(nonce, Aad::empty(), &mut sealed)
        .map_err(|_| VaultError::Crypto("seal a key"))?;
    Ok((enc, sealed))
}

/// Opens what [`hpke_seal`] made; `None` if it was not sealed to this key with this info.
pub(crate) fn hpke_open(
    secret: &[u8; 32],
    enc: &[u8; HPKE_ENC_BYTES],
    info: &[u8],
    sealed: &[u8],
) -> Option<Vec<u8>> {
    let open = || open_with(secret, enc, info, sealed);
    #[cfg(coffre_sim)]
    let open = || super::memo::remember("hpke_open", &[secret, enc, info, sealed], open);
    open()
}

fn open_with(
    secret: &[u8; 32],
    enc: &[u8; HPKE_ENC_BYTES],
    info: &[u8],
    sealed: &[u8],
) -> Option<Vec<u8>> {
    if sealed.len() < TAG_BYTES {
        return None;
    }
    let secret = PrivateKey::from_private_key(&X25519, secret).ok()?;
    let public = public_of(&secret).ok()?;
    let (key, nonce) = schedule(&secret, enc, enc, &public, info).ok()?;
    let mut text = sealed.to_vec();
    let length = key.open_in_place(nonce, Aad::empty(), &mut text).ok()?.len();
    text.truncate(length);
    Some(text)
}

/// The public key of an X25519 secret key.
pub(crate) fn public_of_secret(secret: &[u8; 32]) -> Result<[u8; 32], VaultError> {
    let secret = PrivateKey::from_private_key(&X25519, secret)
        .map_err(|_| VaultError::Crypto("read a key"))?;
    public_of(&secret)
}

fn public_of(secret: &PrivateKey) -> Result<[u8; 32], VaultError> {
    let public =
        secret.compute_public_key().map_err(|_| VaultError::Crypto("compute a public key"))?;
    public.as_ref().try_into().map_err(|_| VaultError::Crypto("compute a public key"))
}

/// RFC 9180 sections 4.1 (DHKEM) and 5.1 (key schedule, base mode): the key and the nonce of the first message.
fn schedule(
    own: &PrivateKey,
    peer: &[u8; 32],
    enc: &[u8; 32],
    recipient: &[u8; 32],
    info: &[u8],
) -> Result<(LessSafeKey, Nonce), VaultError> {
    let failed = VaultError::Crypto("agree on a key");
    let shared = agree(own, UnparsedPublicKey::new(&X25519, peer), failed, |dh| {
        let prk = extract(KEM_SUITE, &[], b"eae_prk", dh);
        Ok(expand::<32>(
            KEM_SUITE,
            &prk,
            b"shared_secret",
            &[enc.as_slice(), recipient.as_slice()].concat(),
        ))
    })?;
    let psk_id_hash = extract(HPKE_SUITE, &[], b"psk_id_hash", &[]);
    let info_hash = extract(HPKE_SUITE, &[], b"info_hash", info);
    let context = [&[0], psk_id_hash.as_slice(), info_hash.as_slice()].concat();
    let secret = extract(HPKE_SUITE, &shared, b"secret", &[]);
    let key = expand::<32>(HPKE_SUITE, &secret, b"key", &context);
    let nonce = expand::<12>(HPKE_SUITE, &secret, b"base_nonce", &context);
    let key =
        UnboundKey::new(&AES_256_GCM, &key).map_err(|_| VaultError::Crypto("agree on a key"))?;
    Ok((LessSafeKey::new(key), Nonce::assume_unique_for_key(nonce)))
}

fn extract(suite: &[u8], salt: &[u8], label: &[u8], input: &[u8]) -> [u8; 32] {
    let labelled = [b"HPKE-v1", suite, label, input].concat();
    hmac_sha256(salt, &labelled)
}

/// One block of HKDF-Expand; `N` is at most 32.
fn expand<const N: usize>(suite: &[u8], prk: &[u8; 32], label: &[u8], info: &[u8]) -> [u8; N] {
    let length = u16::try_from(N).expect("N is at most 32").to_be_bytes();
    let labelled = [length.as_slice(), b"HPKE-v1", suite, label, info, &[1]].concat();
    let block = hmac_sha256(prk, &labelled);
    block[..N].try_into().expect("N is at most 32")
}

fn hmac_sha256(key: &[u8], text: &[u8]) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text);
    tag.as_ref().try_into().expect("HMAC-SHA256 gives 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_holder_of_the_secret_opens_it_and_only_with_the_same_info() {
        let secret = [9; 32];
        let public = public_of_secret(&secret).unwrap();
        let (enc, sealed) = hpke_seal(&public, b"info", b"pack key").unwrap();
        assert_eq!(hpke_open(&secret, &enc, b"info", &sealed).unwrap(), b"pack key");
        assert!(hpke_open(&[8; 32], &enc, b"info", &sealed).is_none());
        assert!(hpke_open(&secret, &enc, b"other", &sealed).is_none());
        assert!(hpke_open(&secret, &[0; 32], b"info", &sealed).is_none());
        assert!(hpke_open(&secret, &enc, b"info", &sealed[..10]).is_none());
        let (again, _) = hpke_seal(&public, b"info", b"pack key").unwrap();
        assert_ne!(enc, again);
    }

    /// Made by another implementation of RFC 9180.
    #[test]
    fn opens_what_others_sealed() {
        let hex = |text: &str| crate::format::hex::decode(text).unwrap();
        let enc = hex("92827712e940e2426b6dc1d345cbeb4cece5e27449144624a9fb3004354a5166");
        let sealed = hex(
            "30406ebe40e936d3ad2dbcf011184937a65d582803b19652ac53336d3497fcd67c6d2d87a31073722741f7e203fc7589",
        );
        let opened = hpke_open(&[9; 32], &enc.try_into().unwrap(), b"coffre v1 test", &sealed);
        assert_eq!(opened.unwrap(), b"0123456789abcdef0123456789abcdef");
    }
}
