//! The service's own certificate authority and its server certificate.
//!
//! The authority is made once and lives ten years; clients trust its `ca.pem`. The server
//! certificate is made at every start, so that a new name or address needs no ceremony.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use jiff::{Timestamp, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::data_dir::{DataDir, write_public, write_secret};

/// Years that the authority lives: longer than the machine it runs on.
const CA_YEARS: i16 = 10;
/// Years that a server certificate lives. Every start makes a new one.
const SERVER_YEARS: i16 = 2;

/// Loads or makes the authority, makes a server certificate for `names`, and returns what the
/// listener needs.
pub(crate) fn server_config(
    data: &DataDir,
    names: &[String],
    now: Timestamp,
) -> anyhow::Result<Arc<rustls::ServerConfig>> {
    let issuer = authority(data, now)?;
    let key = KeyPair::generate().context("make the server key")?;
    let certificate = server_params(names, now)?
        .signed_by(&key, &issuer)
        .context("sign the server certificate")?;
    let chain = vec![CertificateDer::from(certificate)];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("choose TLS versions")?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("use the server certificate")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn authority(data: &DataDir, now: Timestamp) -> anyhow::Result<Issuer<'static, KeyPair>> {
    let key_path = data.keys().join("ca.key");
    if !key_path.exists() {
        let key = KeyPair::generate().context("make the key of the authority")?;
        let certificate = ca_params(now).self_signed(&key).context("sign the authority")?;
        write_public(&data.ca_pem(), certificate.pem().as_bytes()).context("write ca.pem")?;
        // The key comes last: a crash between the two starts over with a new pair.
        write_secret(&key_path, key.serialize_pem().as_bytes()).context("write ca.key")?;
    }
    let key = KeyPair::from_pem(&read(&key_path)?).context("read ca.key")?;
    // What a signature takes from the authority is its name and its key; both never change.
    Ok(Issuer::new(ca_params(now), key))
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

fn ca_params(now: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("Coffre authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    lifetime(&mut params, now, CA_YEARS);
    params
}

fn server_params(names: &[String], now: Timestamp) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("Coffre service");
    params.subject_alt_names =
        names.iter().map(|name| alternative(name)).collect::<Result<_, _>>()?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Python's strict verification refuses a leaf without it.
    params.use_authority_key_identifier_extension = true;
    lifetime(&mut params, now, SERVER_YEARS);
    Ok(params)
}

fn alternative(name: &str) -> anyhow::Result<SanType> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let name = name.try_into().with_context(|| format!("use \"{name}\" in a certificate"))?;
    Ok(SanType::DnsName(name))
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn lifetime(params: &mut CertificateParams, now: Timestamp, years: i16) {
    // One day back: the clock of a client may be behind ours.
    let today = now.to_zoned(TimeZone::UTC).date();
    let from = today.yesterday().unwrap_or(today);
    let part = |value: i8| u8::try_from(value).expect("months and days are positive");
    let day = |date: jiff::civil::Date, years: i16| {
        // The 28th exists in every month of every year.
        date_time_ymd(i32::from(date.year() + years), part(date.month()), part(date.day().min(28)))
    };
    params.not_before = day(from, 0);
    params.not_after = day(today, years);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_stays_and_the_server_certificate_takes_names_and_addresses() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        server_config(&data, &names, Timestamp::now()).unwrap();
        let first = std::fs::read(data.ca_pem()).unwrap();
        server_config(&data, &names, Timestamp::now()).unwrap();
        assert_eq!(std::fs::read(data.ca_pem()).unwrap(), first);
    }

    #[test]
    fn an_impossible_name_is_refused() {
        assert!(server_params(&["bücher.example".to_owned()], Timestamp::now()).is_err());
    }
}
