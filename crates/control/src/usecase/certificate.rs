//! Certificates with which a program signs in instead of a secret: list, add, remove.
//!
//! A certificate is no secret: what is kept is its public key, until when it is good, and its
//! serial number, by which people name it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::authz::Action;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::id::PrincipalId;
use crate::model::{PrincipalKind, Setting};
use crate::port::Tx;

/// Most certificates of a program: the one in use, the next one, and room for mistakes.
const CERTIFICATES_MAX: usize = 10;

/// What is kept of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Its serial number, in hexadecimal digits.
    pub serial: String,
    /// Until when it is good.
    pub until: Timestamp,
    /// Its RSA public key as PKCS#1 DER.
    pub key: Vec<u8>,
}

/// The certificates of a program, the first added first; a person has none.
pub fn certificates_of(tx: &mut dyn Tx, id: PrincipalId) -> Result<Vec<Certificate>, Refusal> {
    let Some(setting) = tx.setting(&key_of(id))? else { return Ok(Vec::new()) };
    Ok(serde_json::from_str(&setting.value).unwrap_or_default())
}

/// Lets a program sign in with a certificate too.
pub fn add_certificate(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    id: PrincipalId,
    certificate: Certificate,
) -> Result<(), Refusal> {
    cx.may(Action::WriteAccess)?;
    let program = tx
        .principal(id)?
        .filter(|it| it.kind == PrincipalKind::ServicePrincipal)
        .ok_or_else(|| {
            Refusal::new(
                ErrorCode::ResourceNotFound,
                format!("Nobody with the id '{id}' can sign in."),
            )
        })?;
    if certificate.until <= cx.now {
        return Err(Refusal::new(
            ErrorCode::InvalidParameter,
            "The certificate has expired. Use one that is still good.",
        )
        .about("certificate"));
    }
    let mut kept = certificates_of(tx, id)?;
    kept.retain(|it| it.until > cx.now && it.serial != certificate.serial);
    if kept.len() >= CERTIFICATES_MAX {
        return Err(Refusal::new(
            ErrorCode::Conflict,
            format!("A program has at most {CERTIFICATES_MAX} certificates. Remove one first."),
        )
        .about("certificate"));
    }
    let words = format!("{}: certificate {}", program.name, certificate.serial);
    kept.push(certificate);
    keep(tx, id, &kept)?;
    cx.record(tx, Action::WriteAccess, words)
}

/// Takes a certificate away; one that is not there is taken away already.
pub fn remove_certificate(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    id: PrincipalId,
    serial: &str,
) -> Result<(), Refusal> {
    cx.may(Action::WriteAccess)?;
    let mut kept = certificates_of(tx, id)?;
    let before = kept.len();
    kept.retain(|it| it.serial != serial);
    if kept.len() == before {
        return Ok(());
    }
    keep(tx, id, &kept)?;
    let name = tx.principal(id)?.map_or_else(|| id.to_string(), |it| it.name);
    cx.record(tx, Action::WriteAccess, format!("{name}: no certificate {serial}"))
}

fn keep(tx: &mut dyn Tx, id: PrincipalId, all: &[Certificate]) -> Result<(), Refusal> {
    let value = serde_json::to_string(all).expect("certificates are plain values");
    Ok(tx.put_setting(&Setting { key: key_of(id), value })?)
}

fn key_of(id: PrincipalId) -> String {
    format!("certificates/{id}")
}

/// Reads a certificate as PEM; refuses one that programs do not sign in with.
pub fn read_certificate(pem: &str) -> Result<Certificate, Refusal> {
    let refuse = || {
        Refusal::new(
            ErrorCode::InvalidParameter,
            "This is no certificate that a program can sign in with: PEM with an RSA key of 2048 \
             bits or more is needed.",
        )
        .about("certificate")
    };
    read(pem).ok_or_else(refuse)
}

/// Fewest bytes of an RSA key of 2048 bits in PKCS#1: the modulus alone has 256.
const KEY_BYTES_MIN: usize = 260;
/// Most bytes of a certificate as text.
const PEM_BYTES_MAX: usize = 16 << 10;

fn read(pem: &str) -> Option<Certificate> {
    use x509_cert::der::DecodePem as _;
    const RSA: &str = "1.2.840.113549.1.1.1";
    if pem.len() > PEM_BYTES_MAX {
        return None;
    }
    // What stands before it, such as the key in the same file, is passed over and not kept.
    const BEGIN: &str = concat!("-----BEGIN ", "CERTIFICATE-----");
    const END: &str = concat!("-----END ", "CERTIFICATE-----");
    let begin = pem.find(BEGIN)?;
    let end = begin + pem[begin..].find(END)? + END.len();
    let text = format!("{}\n", pem[begin..end].replace('\r', ""));
    let certificate = x509_cert::Certificate::from_pem(text.as_bytes()).ok()?.tbs_certificate;
    let public = certificate.subject_public_key_info;
    let key = public.subject_public_key.raw_bytes().to_vec();
    let until = certificate.validity.not_after.to_unix_duration().as_secs();
    (public.algorithm.oid.to_string() == RSA && key.len() >= KEY_BYTES_MIN).then_some(())?;
    Some(Certificate {
        serial: certificate.serial_number.to_string().replace(':', "").to_ascii_lowercase(),
        until: Timestamp::from_second(i64::try_from(until).ok()?).ok()?,
        key,
    })
}
