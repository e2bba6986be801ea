//! Where credentials come from: the environment, then a file of the user's own.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use object_store::ClientConfigKey;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};

/// A pack of 64 MiB takes this long at 220 KiB a second; slower is a failure.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Settings of a store by their names, as the environment has them, in any case and with or without their `AWS_` or
/// `AZURE_` in front.
type Settings = BTreeMap<String, toml::Value>;

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    #[serde(default)]
    s3: Settings,
    #[serde(default)]
    azblob: Settings,
}

/// The settings of an S3 store.
pub(crate) fn s3(profile: Option<&Path>) -> io::Result<AmazonS3Builder> {
    let mut builder = AmazonS3Builder::from_env();
    for (key, value) in timeouts() {
        builder = builder.with_config(AmazonS3ConfigKey::Client(key), value);
    }
    for (name, value) in read(profile)?.s3 {
        builder = builder.with_config(known::<AmazonS3ConfigKey>(&name)?, text(&name, value)?);
    }
    Ok(builder)
}

/// The settings of an Azure store.
pub(crate) fn azblob(profile: Option<&Path>) -> io::Result<MicrosoftAzureBuilder> {
    let mut builder = MicrosoftAzureBuilder::from_env();
    for (key, value) in timeouts() {
        builder = builder.with_config(AzureConfigKey::Client(key), value);
    }
    for (name, value) in read(profile)?.azblob {
        builder = builder.with_config(known::<AzureConfigKey>(&name)?, text(&name, value)?);
    }
    Ok(builder)
}

fn timeouts() -> [(ClientConfigKey, String); 2] {
    let text = |time: Duration| format!("{} seconds", time.as_secs());
    [
        (ClientConfigKey::Timeout, text(REQUEST_TIMEOUT)),
        (ClientConfigKey::ConnectTimeout, text(CONNECT_TIMEOUT)),
    ]
}

fn read(path: Option<&Path>) -> io::Result<Profile> {
    let Some(path) = path else { return Ok(Profile::default()) };
    let named = |error: io::Error| {
        io::Error::new(error.kind(), format!("profile {}: {error}", path.display()))
    };
    let mode = std::fs::metadata(path).map_err(named)?.mode();
    if mode & 0o077 != 0 {
        let what = "others can read it; chmod 600";
        return Err(named(io::Error::new(io::ErrorKind::PermissionDenied, what)));
    }
    let text = std::fs::read_to_string(path).map_err(named)?;
    // The message of the parser would show the line, and with it perhaps a secret.
    toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(0, |span| text[..span.start].lines().count());
        named(io::Error::other(format!(
            "not understood near line {line}; see docs/configuration.md"
        )))
    })
}

fn known<K: FromStr>(name: &str) -> io::Result<K> {
    let unknown = || io::Error::other(format!("the profile has an unknown setting '{name}'"));
    name.to_ascii_lowercase().parse().map_err(|_| unknown())
}

fn text(name: &str, value: toml::Value) -> io::Result<String> {
    match value {
        toml::Value::String(text) => Ok(text),
        toml::Value::Boolean(yes) => Ok(yes.to_string()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        _ => Err(io::Error::other(format!("setting '{name}' of the profile is not a text"))),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file(text: &str, mode: u32) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.as_file().set_permissions(std::fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn a_profile_is_read_when_it_is_private_and_never_shown() {
        let text_of = "[s3]\naccess_key_id = \"KEY\"\nallow_http = true\n";
        let profile = read(Some(file(text_of, 0o600).path())).unwrap();
        assert_eq!(profile.s3.len(), 2);
        for (name, value) in profile.s3 {
            known::<AmazonS3ConfigKey>(&name).unwrap();
            text(&name, value).unwrap();
        }
        let open = read(Some(file(text_of, 0o644).path())).unwrap_err();
        assert_eq!(open.kind(), io::ErrorKind::PermissionDenied);
        let broken = read(Some(file("[s3]\nsecret = SECRET\n", 0o600).path())).unwrap_err();
        assert!(!format!("{broken} {broken:?}").contains("SECRET"), "{broken}");
        assert!(known::<AzureConfigKey>("account_kez").is_err());
        assert!(read(Some(file("[gcs]\n", 0o600).path())).is_err());
    }
}
