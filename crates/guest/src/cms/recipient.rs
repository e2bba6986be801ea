//! For whom an envelope is, and the key it carries for him.

use aws_lc_rs::digest;
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384, OAEP_SHA512_MGF1SHA512,
    OaepAlgorithm, OaepPrivateDecryptingKey, Pkcs1PrivateDecryptingKey, PrivateDecryptingKey,
};
use cms::enveloped_data::{KeyTransRecipientInfo, RecipientIdentifier};
use x509_cert::Certificate;
use x509_cert::der::asn1::{ObjectIdentifier, OctetString};
use x509_cert::der::{Any, Decode, Encode, Sequence};
use x509_cert::ext::pkix::SubjectKeyIdentifier;
use x509_cert::spki::AlgorithmIdentifierOwned;
use zeroize::Zeroizing;

use super::CmsError;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const OAEP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.7");
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// RSAES-OAEP-params of RFC 4055.
#[derive(Sequence)]
struct OaepParameters {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    hash: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    mask: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    source: Option<AlgorithmIdentifierOwned>,
}

/// Whether an identifier means this certificate.
pub(super) fn is_for(
    rid: &RecipientIdentifier,
    certificate: &Certificate,
) -> Result<bool, CmsError> {
    let tbs = &certificate.tbs_certificate;
    Ok(match rid {
        RecipientIdentifier::IssuerAndSerialNumber(named) => {
            named.issuer == tbs.issuer && named.serial_number == tbs.serial_number
        }
        RecipientIdentifier::SubjectKeyIdentifier(named) => {
            let named = named.0.as_bytes();
            let stated = tbs.get::<SubjectKeyIdentifier>()?;
            stated.is_some_and(|(_, stated)| stated.0.as_bytes() == named)
                || key_hash(certificate) == named
        }
    })
}

/// What a certificate without the extension is called by: SHA-1 of its public key.
fn key_hash(certificate: &Certificate) -> Vec<u8> {
    let key = certificate.tbs_certificate.subject_public_key_info.subject_public_key.raw_bytes();
    digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, key).as_ref().to_vec()
}

/// The key of the content.
pub(super) fn unwrap_key(
    recipient: &KeyTransRecipientInfo,
    key: &PrivateDecryptingKey,
) -> Result<Zeroizing<Vec<u8>>, CmsError> {
    let carried = recipient.enc_key.as_bytes();
    let mut plain = Zeroizing::new(vec![0; key.key_size_bytes()]);
    let algorithm = &recipient.key_enc_alg;
    let length = if algorithm.oid == RSA {
        let key = Pkcs1PrivateDecryptingKey::new(key.clone()).map_err(|_| CmsError::Shut)?;
        key.decrypt(carried, &mut plain).map_err(|_| CmsError::Shut)?.len()
    } else if algorithm.oid == OAEP {
        let kind = oaep_kind(algorithm.parameters.as_ref())?;
        let key = OaepPrivateDecryptingKey::new(key.clone()).map_err(|_| CmsError::Shut)?;
        key.decrypt(kind, carried, &mut plain, None).map_err(|_| CmsError::Shut)?.len()
    } else {
        return Err(CmsError::Algorithm(algorithm.oid.to_string()));
    };
    plain.truncate(length);
    Ok(plain)
}

/// Hash and mask must agree; a label is not supported, nobody uses one.
fn oaep_kind(parameters: Option<&Any>) -> Result<&'static OaepAlgorithm, CmsError> {
    let Some(parameters) = parameters else { return Ok(&OAEP_SHA1_MGF1SHA1) };
    let parameters: OaepParameters = parameters.decode_as()?;
    let hash = parameters.hash.map_or(SHA1, |hash| hash.oid);
    let mask = match parameters.mask {
        None => SHA1,
        Some(mask) if mask.oid == MGF1 => match mask.parameters {
            None => SHA1,
            Some(inner) => inner.decode_as::<AlgorithmIdentifierOwned>()?.oid,
        },
        Some(mask) => return Err(CmsError::Algorithm(mask.oid.to_string())),
    };
    if let Some(label) = parameters.source.and_then(|source| source.parameters) {
        let label: OctetString = label.decode_as()?;
        if !label.as_bytes().is_empty() {
            return Err(CmsError::Algorithm("OAEP with a label".to_owned()));
        }
    }
    match (hash, mask) {
        (SHA1, SHA1) => Ok(&OAEP_SHA1_MGF1SHA1),
        (SHA256, SHA256) => Ok(&OAEP_SHA256_MGF1SHA256),
        (SHA384, SHA384) => Ok(&OAEP_SHA384_MGF1SHA384),
        (SHA512, SHA512) => Ok(&OAEP_SHA512_MGF1SHA512),
        _ => Err(CmsError::Algorithm(format!("OAEP with {hash} and {mask}"))),
    }
}

/// The identifier of OAEP with SHA-256 for both.
pub(super) fn oaep_sha256() -> Result<AlgorithmIdentifierOwned, CmsError> {
    let sha256 = || AlgorithmIdentifierOwned { oid: SHA256, parameters: None };
    let mask =
        AlgorithmIdentifierOwned { oid: MGF1, parameters: Some(Any::encode_from(&sha256())?) };
    let parameters = OaepParameters { hash: Some(sha256()), mask: Some(mask), source: None };
    Ok(AlgorithmIdentifierOwned { oid: OAEP, parameters: Some(Any::encode_from(&parameters)?) })
}

/// The older form of an RSA key, wrapped as PKCS#8.
pub(super) fn as_pkcs8(pkcs1: &[u8]) -> Result<Zeroizing<Vec<u8>>, CmsError> {
    /// PrivateKeyInfo of RFC 5208 without attributes.
    #[derive(Sequence)]
    struct Pkcs8 {
        version: u8,
        algorithm: AlgorithmIdentifierOwned,
        key: OctetString,
    }
    let null = Any::from_der(&[5, 0])?;
    let wrapped = Pkcs8 {
        version: 0,
        algorithm: AlgorithmIdentifierOwned { oid: RSA, parameters: Some(null) },
        key: OctetString::new(pkcs1)?,
    };
    Ok(Zeroizing::new(wrapped.to_der()?))
}
