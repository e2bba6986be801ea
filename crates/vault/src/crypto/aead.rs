//! The one AEAD (AES-256-GCM), the one way to derive keys (BLAKE3) and the one source of randomness.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::VaultError;

/// Bytes that a seal adds.
pub(crate) const TAG_BYTES: usize = 16;

/// A key that seals and opens with AES-256-GCM. The nonce is a counter (little-endian in the last eight of twelve
/// bytes, the first four zero). Must never repeat: one counter value under one key for two plaintexts. Holds by
/// construction: every key is random or derived from a random salt, used by one writer for one object, counting up.
pub(crate) struct SealKey(LessSafeKey);

impl SealKey {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let key =
            UnboundKey::new(&AES_256_GCM, key).expect("the key has the length of the algorithm");
        Self(LessSafeKey::new(key))
    }

    /// Seals `plaintext` into `out`, which is `TAG_BYTES` longer.
    pub(crate) fn seal(
        &self,
        counter: u64,
        associated: &[u8],
        plaintext: &[u8],
        out: &mut [u8],
    ) -> Result<(), VaultError> {
        let split = out.len().checked_sub(TAG_BYTES).ok_or(VaultError::Crypto("seal"))?;
        let (body, tag) = out.split_at_mut(split);
        let associated = Aad::from(associated);
        self.0
            .seal_out_of_place_scatter(nonce(counter), associated, plaintext, body, &[], tag)
            .map_err(|_| VaultError::Crypto("seal"))
    }

    /// Seals in place: `text` ends with `TAG_BYTES` of any content, where the tag comes.
    pub(crate) fn seal_in_place(
        &self,
        counter: u64,
        associated: &[u8],
        text: &mut [u8],
    ) -> Result<(), VaultError> {
        let failed = VaultError::Crypto("seal");
        let Some((body, tag)) = text.split_last_chunk_mut::<TAG_BYTES>() else {
            return Err(failed);
        };
        let made = self.0.seal_in_place_separate_tag(nonce(counter), Aad::from(associated), body);
        tag.copy_from_slice(made.map_err(|_| failed)?.as_ref());
        Ok(())
    }

    /// Opens `sealed` into `out`, which is `TAG_BYTES` shorter. False if it was not sealed so; `out` is then garbage.
    #[must_use]
    pub(crate) fn open(
        &self,
        counter: u64,
        associated: &[u8],
        sealed: &[u8],
        out: &mut [u8],
    ) -> bool {
        let Some(split) = sealed.len().checked_sub(TAG_BYTES).filter(|split| *split == out.len())
        else {
            return false;
        };
        let (body, tag) = sealed.split_at(split);
        self.0.open_separate_gather(nonce(counter), Aad::from(associated), body, tag, out).is_ok()
    }
}

fn nonce(counter: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[4..].copy_from_slice(&counter.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}

/// Derives a key for `context` from a secret and a salt (which may be empty but has a fixed length per context).
pub(crate) fn derive(context: &'static str, secret: &[u8; 32], salt: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    hasher.update(secret).update(salt);
    *hasher.finalize().as_bytes()
}

/// Random bytes from the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut bytes = [0; N];
    #[cfg(coffre_sim)]
    if chance::fill(&mut bytes) {
        return Ok(bytes);
    }
    fill_from_system(&mut bytes)?;
    Ok(bytes)
}

/// Fills `bytes` from the system's generator. Not from that of the library for ciphers, which measures the jitter of the
/// clock for 20 ms before its first byte, in each process.
pub(super) fn fill_from_system(bytes: &mut [u8]) -> Result<(), VaultError> {
    getrandom::fill(bytes).map_err(|_| VaultError::Crypto("read randomness"))
}

/// Randomness from a seed, so that the simulator can see a run again. Not in a normal build.
#[cfg(coffre_sim)]
mod chance {
    use std::cell::Cell;

    thread_local! {
        static STATE: Cell<Option<u64>> = const { Cell::new(None) };
    }

    /// From now on, randomness on this thread comes from a seed.
    pub fn seed_chance(seed: u64) {
        STATE.set(Some(seed));
    }

    /// False if there is no seed.
    pub(super) fn fill(bytes: &mut [u8]) -> bool {
        let Some(mut state) = STATE.get() else { return false };
        for chunk in bytes.chunks_mut(8) {
            state = state.wrapping_add(1);
            let mixed = blake3::hash(&state.to_le_bytes());
            chunk.copy_from_slice(&mixed.as_bytes()[..chunk.len()]);
        }
        STATE.set(Some(state));
        true
    }
}
#[cfg(coffre_sim)]
pub use chance::seed_chance;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_what_was_sealed_with_the_same_key_counter_and_meaning() {
        let key = SealKey::new(&[7; 32]);
        let mut sealed = [0; 5 + TAG_BYTES];
        key.seal(1, b"meaning", b"hello", &mut sealed).unwrap();
        let mut out = [0; 5];
        assert!(key.open(1, b"meaning", &sealed, &mut out));
        assert_eq!(&out, b"hello");
        assert!(!key.open(2, b"meaning", &sealed, &mut out));
        assert!(!key.open(1, b"Meaning", &sealed, &mut out));
        assert!(!SealKey::new(&[8; 32]).open(1, b"meaning", &sealed, &mut out));
        for bit in 0..sealed.len() * 8 {
            let mut bad = sealed;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(!key.open(1, b"meaning", &bad, &mut out));
        }
        assert!(!key.open(1, b"meaning", &sealed[..3], &mut out));
    }

    /// A golden ciphertext: a slip in the nonce layout would keep every other test green and lose every old vault.
    #[test]
    fn the_seal_is_the_same_for_ever() {
        let mut sealed = [0; 4 + TAG_BYTES];
        SealKey::new(&derive("coffre test", &[1; 32], b"salt"))
            .seal(3, b"ad", b"abcd", &mut sealed)
            .unwrap();
        let hex: String = sealed.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "b46bffd282be9439f0eec4981a8e5793d07c4925");
    }

    #[test]
    fn sealed_in_place_is_sealed_the_same() {
        let key = SealKey::new(&[7; 32]);
        for length in [0, 1, 5, 4096] {
            let text = vec![42; length];
            let mut apart = vec![0; length + TAG_BYTES];
            key.seal(9, b"meaning", &text, &mut apart).unwrap();
            let mut in_place = text;
            in_place.extend_from_slice(&[0xEE; TAG_BYTES]);
            key.seal_in_place(9, b"meaning", &mut in_place).unwrap();
            assert!(in_place == apart, "{length}");
        }
        assert!(key.seal_in_place(1, b"", &mut [0; TAG_BYTES - 1]).is_err());
    }
}
