//! The envelope of small objects (docs/format.md, section 7): all but packs, the root and key slots.
//!
//! Construction: 60 bytes of header (magic, version, kind, vault, salt), then AES-256-GCM under a key derived from the
//! keyring by the random salt, nonce zero. The key never repeats because the salt does not. Bound to the seal: the
//! header and the object's key, so a record under another name, of another kind or vault does not open.

use zeroize::Zeroizing;

use super::wire::{Malformed, Wire};
use super::{RECORD_BYTES_MAX, VERSION};
use crate::VaultError;
use crate::crypto::{Keyring, SealKey, TAG_BYTES, random};

const RECORD_MAGIC: &[u8; 8] = b"COFFREC\0";
const HEADER_BYTES: usize = 60;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordKind {
    /// `index/…`: where blocks are.
    Segment,
    /// `active/…`: a writer began; a hint, never needed.
    Active,
    /// `pending/…`: what a writer is about to commit.
    Pending,
    /// `rp/…`: the decision about a point, committed or aborted.
    Decision,
    /// `rp-seen/…`: a point was committed; shows that its decision is missing.
    Receipt,
    /// `rp-deleted/…`: a point was deleted.
    Deletion,
    /// `gc/condemned/…`: packs that will be deleted.
    Condemned,
    /// `gc/done/…`: packs that were deleted.
    Done,
    /// `groups/…`: the key of a dedup group.
    Group,
    /// `verified/…`: packs that a holder of the read key has decoded and hashed.
    Verified,
}

impl RecordKind {
    fn code(self) -> u16 {
        match self {
            Self::Segment => 1,
            Self::Active => 2,
            Self::Pending => 3,
            Self::Decision => 4,
            Self::Receipt => 5,
            Self::Deletion => 6,
            Self::Condemned => 7,
            Self::Done => 8,
            Self::Group => 9,
            Self::Verified => 10,
        }
    }
}

fn header(kind: RecordKind, vault: &[u8; 16], salt: &[u8; 32]) -> Vec<u8> {
    let mut out = RECORD_MAGIC.to_vec();
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&kind.code().to_le_bytes());
    out.extend_from_slice(vault);
    out.extend_from_slice(salt);
    out
}

/// Seals `plain` as the object `key`.
pub(crate) fn seal_record(
    keyring: &Keyring,
    vault: &[u8; 16],
    kind: RecordKind,
    key: &str,
    plain: &[u8],
) -> Result<Vec<u8>, VaultError> {
    if plain.len() as u64 > RECORD_BYTES_MAX {
        let (found, limit) = (plain.len() as u64, RECORD_BYTES_MAX);
        return Err(VaultError::Limit { what: "a record's size in bytes", found, limit });
    }
    let salt = random()?;
    let mut out = header(kind, vault, &salt);
    let associated = [out.as_slice(), key.as_bytes()].concat();
    out.resize(HEADER_BYTES + plain.len() + TAG_BYTES, 0);
    SealKey::new(&keyring.record_key(&salt)).seal(
        0,
        &associated,
        plain,
        &mut out[HEADER_BYTES..],
    )?;
    Ok(out)
}

/// Opens the object `key`.
pub(crate) fn open_record(
    keyring: &Keyring,
    vault: &[u8; 16],
    kind: RecordKind,
    key: &str,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Malformed> {
    let mut wire = Wire::new(sealed);
    if sealed.len() as u64 > RECORD_BYTES_MAX + (HEADER_BYTES + TAG_BYTES) as u64 {
        return Err(wire.malformed("a record that is too long"));
    }
    wire.expect(RECORD_MAGIC, "not a record")?;
    wire.expect(&VERSION.to_le_bytes(), "a record of another version")?;
    wire.expect(&kind.code().to_le_bytes(), "a record of another kind")?;
    wire.expect(vault, "a record of another vault")?;
    let salt = wire.array()?;
    let associated = [&sealed[..HEADER_BYTES], key.as_bytes()].concat();
    let length = sealed
        .len()
        .checked_sub(HEADER_BYTES + TAG_BYTES)
        .ok_or_else(|| wire.malformed("it ends too early"))?;
    let mut plain = Zeroizing::new(vec![0; length]);
    if !SealKey::new(&keyring.record_key(&salt)).open(
        0,
        &associated,
        &sealed[HEADER_BYTES..],
        &mut plain,
    ) {
        return Err(wire.malformed("the seal does not hold"));
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_record_opens_only_as_what_it_was_sealed_as() {
        let keyring = Keyring::generate().unwrap();
        let (vault, kind, key) = ([1; 16], RecordKind::Pending, "pending/x");
        let sealed = seal_record(&keyring, &vault, kind, key, b"text").unwrap();
        let open = |vault: &[u8; 16], kind, key: &str, sealed: &[u8]| {
            open_record(&keyring, vault, kind, key, sealed)
        };
        assert_eq!(open(&vault, kind, key, &sealed).unwrap().as_slice(), b"text");
        assert!(open(&[2; 16], kind, key, &sealed).is_err());
        assert!(open(&vault, RecordKind::Decision, key, &sealed).is_err());
        assert!(open(&vault, kind, "pending/y", &sealed).is_err());
        for bit in 0..sealed.len() * 8 {
            let mut bad = sealed.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&vault, kind, key, &bad).is_err(), "bit {bit}");
        }
        for cut in 0..sealed.len() {
            assert!(open(&vault, kind, key, &sealed[..cut]).is_err());
        }
        let again = seal_record(&keyring, &vault, kind, key, b"text").unwrap();
        assert_ne!(sealed, again);
    }

    proptest! {
        #[test]
        fn foreign_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let keyring = Keyring::generate().unwrap();
            prop_assert!(open_record(&keyring, &[0; 16], RecordKind::Decision, "rp/x", &bytes).is_err());
        }
    }
}
