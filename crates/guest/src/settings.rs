//! The settings of one command: `config/<n>.settings`, and the secrets in it.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::GeneralPurposeConfig;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::{cms, file, json};

/// Larger files are no settings.
const BYTES_MAX: u64 = 8 << 20;

/// Where the agent keeps certificates and keys.
const KEYS: &str = "/var/lib/waagent";

/// Accepts what encoders leave out or leave over.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What a command says, secrets included. It cannot be printed.
pub struct Settings {
    /// What everybody may read. An object; empty when there is none.
    pub public: Value,
    /// What only this machine may read. An object; empty when there is none or it cannot be read.
    pub protected: Value,
    /// Why the protected part could not be read.
    pub unreadable: Option<String>,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("read {0}")]
    Read(PathBuf, #[source] std::io::Error),
    /// The file is not what an agent writes.
    #[error("understand {0}")]
    Form(PathBuf, #[source] serde_json::Error),
    /// The secrets could not be taken out.
    #[error("take the secrets out of {0}")]
    Strip(PathBuf, #[source] std::io::Error),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    runtime_settings: Vec<Runtime>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Runtime {
    handler_settings: Handler,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Handler {
    #[serde(skip_serializing_if = "Option::is_none")]
    public_settings: Option<Box<RawValue>>,
    #[serde(skip_serializing)]
    protected_settings: Option<String>,
    protected_settings_cert_thumbprint: Option<String>,
}

/// The file of a sequence number.
#[must_use]
pub fn path(config: &Path, sequence: u64) -> PathBuf {
    config.join(format!("{sequence}.settings"))
}

impl Settings {
    /// Reads a settings file and opens what is protected with the keys of this machine.
    ///
    /// # Errors
    /// When the file is missing or not what an agent writes. A protected part that does not open is no error here.
    pub fn read(path: &Path) -> Result<Settings, SettingsError> {
        let bytes = file::read(path, BYTES_MAX)
            .map_err(|error| SettingsError::Read(path.to_owned(), error))?;
        Settings::parse(&bytes, |thumbprint| keys(Path::new(KEYS), thumbprint))
            .map_err(|error| SettingsError::Form(path.to_owned(), error))
    }

    /// Understands the bytes of a settings file. `keys` gives certificate and key of a thumbprint, in PEM.
    ///
    /// # Errors
    /// When they are not what an agent writes.
    pub fn parse(
        bytes: &[u8],
        keys: impl Fn(&str) -> std::io::Result<(Vec<u8>, Zeroizing<Vec<u8>>)>,
    ) -> Result<Settings, serde_json::Error> {
        let document: Document = serde_json::from_slice(bytes)?;
        let handler = document
            .runtime_settings
            .into_iter()
            .next()
            .map(|runtime| runtime.handler_settings)
            .unwrap_or_default();
        let public: Value = match &handler.public_settings {
            Some(raw) => serde_json::from_str(raw.get())?,
            None => Value::Null,
        };
        let (protected, unreadable) =
            match (handler.protected_settings, handler.protected_settings_cert_thumbprint) {
                (Some(sealed), Some(thumbprint)) => match unseal(&sealed, &thumbprint, keys) {
                    Ok(value) => (value, None),
                    Err(why) => (Value::Null, Some(why)),
                },
                _ => (Value::Null, None),
            };
        Ok(Settings { public: object(public), protected: object(protected), unreadable })
    }

    /// Whether nothing at all was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let is_empty = |value: &Value| value.as_object().is_none_or(serde_json::Map::is_empty);
        is_empty(&self.public) && is_empty(&self.protected)
    }
}

fn object(value: Value) -> Value {
    if value.is_object() { value } else { Value::Object(serde_json::Map::new()) }
}

fn keys(folder: &Path, thumbprint: &str) -> std::io::Result<(Vec<u8>, Zeroizing<Vec<u8>>)> {
    // It becomes part of a path.
    if thumbprint.is_empty() || !thumbprint.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(std::io::Error::other("a thumbprint is hexadecimal"));
    }
    let name = thumbprint.to_ascii_uppercase();
    let certificate = file::read(&folder.join(format!("{name}.crt")), 1 << 20)?;
    let key = file::read(&folder.join(format!("{name}.prv")), 1 << 20)?;
    Ok((certificate, Zeroizing::new(key)))
}

fn unseal(
    sealed: &str,
    thumbprint: &str,
    keys: impl Fn(&str) -> std::io::Result<(Vec<u8>, Zeroizing<Vec<u8>>)>,
) -> Result<Value, String> {
    let compact: String = sealed.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let envelope =
        BASE64.decode(compact).map_err(|_| "the protected settings are no base64".to_owned())?;
    let (certificate, key) = keys(thumbprint)
        .map_err(|error| format!("unable to load certificate {thumbprint}: {error}"))?;
    let plain = cms::open(&envelope, &certificate, &key)
        .map_err(|error| format!("the protected settings: {error}"))?;
    // Older services wrote other encodings; what is not UTF-8 is taken byte by byte.
    let text = match std::str::from_utf8(&plain) {
        Ok(text) => Zeroizing::new(text.to_owned()),
        Err(_) => Zeroizing::new(plain.iter().map(|&byte| char::from(byte)).collect()),
    };
    // The parser's own message could quote a secret.
    serde_json::from_str(&text).map_err(|_| "the protected settings are no JSON".to_owned())
}

/// Takes the secrets out of a settings file, so that no copy of this disk carries them. Everything else stays.
///
/// # Errors
/// When the file cannot be read or replaced.
pub fn strip(path: &Path) -> Result<(), SettingsError> {
    let wrong = |error| SettingsError::Strip(path.to_owned(), error);
    let bytes = Zeroizing::new(file::read(path, BYTES_MAX).map_err(wrong)?);
    let text =
        without_secrets(&bytes).map_err(|error| SettingsError::Form(path.to_owned(), error))?;
    let Some(text) = text else { return Ok(()) };
    file::replace(path, &path.with_extension("stripping"), text.as_bytes(), 0o600).map_err(wrong)
}

/// The same settings without what is protected; nothing when nothing is.
pub(crate) fn without_secrets(bytes: &[u8]) -> Result<Option<String>, serde_json::Error> {
    let document: Document = serde_json::from_slice(bytes)?;
    let holds = |runtime: &Runtime| runtime.handler_settings.protected_settings.is_some();
    let any = document.runtime_settings.iter().any(holds);
    any.then(|| json::render(&document)).transpose()
}
