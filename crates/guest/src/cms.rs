//! Protected settings: CMS EnvelopedData for the certificate of this machine.
//!
//! What fabrics send: 3DES or AES in CBC, the key carried by RSA with PKCS#1 v1.5 or OAEP, the recipient named by issuer
//! and serial number or by subject key identifier. [`open`] reads all of these; [`seal`] writes the newest.

mod cipher;
mod recipient;

use aws_lc_rs::rsa::{
    OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey,
};
use cms::cert::IssuerAndSerialNumber;
use cms::content_info::{CmsVersion, ContentInfo};
use cms::enveloped_data::{
    EncryptedContentInfo, EnvelopedData, KeyTransRecipientInfo, RecipientIdentifier, RecipientInfo,
    RecipientInfos,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_cert::Certificate;
use x509_cert::der::asn1::{ObjectIdentifier, OctetString, SetOfVec};
use x509_cert::der::{Any, Decode, Encode};
use zeroize::Zeroizing;

use cipher::Cipher;

const ENVELOPED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.3");
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");

/// Larger envelopes are not settings.
pub const BYTES_MAX: usize = 4 << 20;

/// Why an envelope stays shut.
#[derive(Debug, thiserror::Error)]
pub enum CmsError {
    /// The certificate or its key is no PEM, or not of a kind that can be used.
    #[error("the {0} is not usable")]
    Key(&'static str),
    /// The bytes are no such envelope.
    #[error("not an envelope: {0}")]
    Form(&'static str),
    /// The bytes are broken ASN.1.
    #[error("broken ASN.1")]
    Der(#[from] x509_cert::der::Error),
    /// The envelope is for somebody else.
    #[error("the envelope is for another certificate")]
    Recipient,
    /// The envelope uses something that is not supported.
    #[error("unsupported algorithm {0}")]
    Algorithm(String),
    /// The key does not open it, or it was changed on its way.
    #[error("the envelope does not open")]
    Shut,
}

/// Opens an envelope with the certificate it is for and its private key, both in PEM.
///
/// # Errors
/// When it is for another certificate, uses something unsupported, or was changed.
pub fn open(
    envelope: &[u8],
    certificate_pem: &[u8],
    key_pem: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CmsError> {
    let certificate = CertificateDer::from_pem_slice(certificate_pem)
        .map_err(|_| CmsError::Key("certificate"))?;
    let certificate =
        Certificate::from_der(&certificate).map_err(|_| CmsError::Key("certificate"))?;
    let key = private_key(key_pem)?;
    let enveloped = parse(envelope)?;
    let mut last = CmsError::Recipient;
    for recipient in enveloped.recip_infos.0.iter() {
        let RecipientInfo::Ktri(recipient) = recipient else { continue };
        if !recipient::is_for(&recipient.rid, &certificate)? {
            continue;
        }
        let opened = recipient::unwrap_key(recipient, &key)
            .and_then(|content_key| content(&enveloped.encrypted_content, &content_key));
        match opened {
            Ok(plain) => return Ok(plain),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The envelope in some bytes, not opened.
///
/// # Errors
/// When they are no envelope.
pub fn parse(envelope: &[u8]) -> Result<EnvelopedData, CmsError> {
    if envelope.len() > BYTES_MAX {
        return Err(CmsError::Form("too large"));
    }
    let info = ContentInfo::from_der(envelope)?;
    if info.content_type != ENVELOPED_DATA {
        return Err(CmsError::Form("other content"));
    }
    Ok(info.content.decode_as()?)
}

fn content(
    info: &EncryptedContentInfo,
    content_key: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CmsError> {
    let cipher = Cipher::of(&info.content_enc_alg.oid)
        .ok_or_else(|| CmsError::Algorithm(info.content_enc_alg.oid.to_string()))?;
    let iv: OctetString = info
        .content_enc_alg
        .parameters
        .as_ref()
        .ok_or(CmsError::Form("no initialisation vector"))?
        .decode_as()?;
    let sealed = info.encrypted_content.as_ref().ok_or(CmsError::Form("no content"))?;
    cipher.decrypt(content_key, iv.as_bytes(), sealed.as_bytes()).ok_or(CmsError::Shut)
}

/// The key in PEM: PKCS#8, or the older form of RSA keys.
fn private_key(pem: &[u8]) -> Result<PrivateDecryptingKey, CmsError> {
    let wrong = || CmsError::Key("private key");
    let pkcs8 = match PrivateKeyDer::from_pem_slice(pem).map_err(|_| wrong())? {
        PrivateKeyDer::Pkcs8(key) => Zeroizing::new(key.secret_pkcs8_der().to_vec()),
        PrivateKeyDer::Pkcs1(key) => recipient::as_pkcs8(key.secret_pkcs1_der())?,
        _ => return Err(wrong()),
    };
    PrivateDecryptingKey::from_pkcs8(&pkcs8).map_err(|_| wrong())
}

/// Puts a text into an envelope (AES-256, RSA-OAEP with SHA-256) that only the owner of a certificate's key can open.
///
/// # Errors
/// When the certificate has no RSA key.
pub fn seal(plain: &[u8], certificate_pem: &[u8]) -> Result<Vec<u8>, CmsError> {
    let certificate = CertificateDer::from_pem_slice(certificate_pem)
        .map_err(|_| CmsError::Key("certificate"))?;
    let certificate =
        Certificate::from_der(&certificate).map_err(|_| CmsError::Key("certificate"))?;
    let tbs = &certificate.tbs_certificate;
    let public = tbs.subject_public_key_info.to_der()?;
    let public = PublicEncryptingKey::from_der(&public)
        .ok()
        .and_then(|key| OaepPublicEncryptingKey::new(key).ok())
        .ok_or(CmsError::Key("certificate"))?;
    let sealed = Cipher::Aes256.encrypt(plain).ok_or(CmsError::Shut)?;
    let mut carried = vec![0; public.ciphertext_size()];
    let carried = public
        .encrypt(&OAEP_SHA256_MGF1SHA256, &sealed.key, &mut carried, None)
        .map_err(|_| CmsError::Shut)?;
    let recipient = KeyTransRecipientInfo {
        version: CmsVersion::V0,
        rid: RecipientIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
            issuer: tbs.issuer.clone(),
            serial_number: tbs.serial_number.clone(),
        }),
        key_enc_alg: recipient::oaep_sha256()?,
        enc_key: OctetString::new(&*carried)?,
    };
    let enveloped = EnvelopedData {
        version: CmsVersion::V0,
        originator_info: None,
        recip_infos: RecipientInfos(SetOfVec::try_from(vec![RecipientInfo::Ktri(recipient)])?),
        encrypted_content: EncryptedContentInfo {
            content_type: DATA,
            content_enc_alg: x509_cert::spki::AlgorithmIdentifierOwned {
                oid: Cipher::Aes256.oid(),
                parameters: Some(Any::encode_from(&OctetString::new(sealed.iv.as_slice())?)?),
            },
            encrypted_content: Some(OctetString::new(sealed.bytes)?),
        },
        unprotected_attrs: None,
    };
    let info = ContentInfo { content_type: ENVELOPED_DATA, content: Any::encode_from(&enveloped)? };
    Ok(info.to_der()?)
}
