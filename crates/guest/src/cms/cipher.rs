//! The ciphers of an envelope's content.

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey,
    PaddedBlockEncryptingKey, UnboundCipherKey,
};
use x509_cert::der::asn1::ObjectIdentifier;
use zeroize::Zeroizing;

/// A cipher in CBC mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cipher {
    TripleDes,
    Aes128,
    Aes192,
    Aes256,
}

const ALL: [Cipher; 4] = [Cipher::TripleDes, Cipher::Aes128, Cipher::Aes192, Cipher::Aes256];

/// What came of an encryption.
pub(super) struct Sealed {
    pub(super) key: Zeroizing<Vec<u8>>,
    pub(super) iv: Vec<u8>,
    pub(super) bytes: Vec<u8>,
}

impl Cipher {
    /// The cipher of an identifier.
    pub(super) fn of(oid: &ObjectIdentifier) -> Option<Cipher> {
        ALL.into_iter().find(|cipher| cipher.oid() == *oid)
    }

    pub(super) fn oid(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Cipher::TripleDes => "1.2.840.113549.3.7",
            Cipher::Aes128 => "2.16.840.1.101.3.4.1.2",
            Cipher::Aes192 => "2.16.840.1.101.3.4.1.22",
            Cipher::Aes256 => "2.16.840.1.101.3.4.1.42",
        })
    }

    fn algorithm(self) -> &'static Algorithm {
        match self {
            // Old fabrics and agents know nothing else. It only ever reads.
            #[allow(deprecated, reason = "settings of old fabrics must still open")]
            Cipher::TripleDes => &aws_lc_rs::cipher::DES_EDE3_FOR_LEGACY_USE_ONLY,
            Cipher::Aes128 => &AES_128,
            Cipher::Aes192 => &AES_192,
            Cipher::Aes256 => &AES_256,
        }
    }

    /// Nothing when key, vector or padding are wrong.
    pub(super) fn decrypt(
        self,
        key: &[u8],
        iv: &[u8],
        sealed: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        let context = match self {
            Cipher::TripleDes => DecryptionContext::Iv64(<&[u8; 8]>::try_from(iv).ok()?.into()),
            _ => DecryptionContext::Iv128(<&[u8; 16]>::try_from(iv).ok()?.into()),
        };
        let key = UnboundCipherKey::new(self.algorithm(), key).ok()?;
        let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).ok()?;
        let mut bytes = Zeroizing::new(sealed.to_vec());
        let length = key.decrypt(&mut bytes, context).ok()?.len();
        bytes.truncate(length);
        Some(bytes)
    }

    /// With a fresh key and vector. Nothing when the machine has no randomness.
    pub(super) fn encrypt(self, plain: &[u8]) -> Option<Sealed> {
        let mut key = Zeroizing::new(vec![0; 32]);
        aws_lc_rs::rand::fill(&mut key).ok()?;
        let unbound = UnboundCipherKey::new(self.algorithm(), &key).ok()?;
        let mut bytes = plain.to_vec();
        let context =
            PaddedBlockEncryptingKey::cbc_pkcs7(unbound).ok()?.encrypt(&mut bytes).ok()?;
        let iv = <&[u8]>::try_from(&context).ok()?.to_vec();
        Some(Sealed { key, iv, bytes })
    }
}
