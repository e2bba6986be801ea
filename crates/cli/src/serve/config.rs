//! The configuration file of `coffre serve`: typed, complete defaults, unknown keys refused.
//!
//! Every value can be left out. A wrong one is refused with the path of the key that is wrong.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Where the service listens when nobody says otherwise: this machine only.
const LISTEN_DEFAULT: &str = "127.0.0.1:8443";
/// Jobs that run at the same time. Two, so that starting a VM does not wait for a backup.
const WORKERS_DEFAULT: usize = 2;
/// Upper limit of `workers`: each may hold some tens of MiB while it moves blocks.
const WORKERS_MAX: usize = 32;
/// Seconds between two looks at the hypervisors.
const DISCOVERY_SECS_DEFAULT: u64 = 5;
/// The region that exists without any configuration.
const REGION_DEFAULT: &str = "local";

/// What `coffre serve` runs with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Address and port of the HTTPS listener.
    pub(crate) listen: SocketAddr,
    /// The address that clients use, when it is not the listening one: `https://host:port`.
    pub(crate) public_url: Option<String>,
    /// More DNS names or IP addresses for the server certificate.
    pub(crate) names: Vec<String>,
    /// Name of the one region of this service.
    pub(crate) region: String,
    /// Jobs that run at the same time, 1 to 32.
    pub(crate) workers: usize,
    /// Backups and restores at the same time, 1 to `workers`. Each may hold some 100 MiB.
    pub(crate) transfers: usize,
    /// Folder for the short-lived copies of blocks that a VM overwrites during a backup.
    /// Empty: `scratch` in the data folder.
    pub(crate) scratch: Option<PathBuf>,
    /// Folder of the staging storage account. Empty: `staging` in the data folder.
    pub(crate) staging: Option<PathBuf>,
    /// Folder below which each vault gets its store. Empty: `vaults` in the data folder.
    pub(crate) vaults: Option<PathBuf>,
    /// Address below which each vault gets its store instead: `s3://bucket/prefix`,
    /// `azblob://container/prefix` or `file:///folder`.
    pub(crate) store: Option<String>,
    /// Seconds between two looks at the hypervisors, at least 1.
    pub(crate) discovery_seconds: u64,
    /// Scheduled backups that run or wait at the same time on one hypervisor, 1 to 1000.
    pub(crate) backups_per_hypervisor: usize,
    /// Scheduled backups that run or wait at the same time for one vault's store, 1 to 1000.
    pub(crate) backups_per_store: usize,
    /// Hours that a recovery point stays after its time, 0 to 24. With less than 12 a clock that
    /// was wrong while the machine was off may cost a point some hours.
    pub(crate) expiry_grace_hours: i64,
    /// Seconds that a guest may stay frozen for a snapshot, 1 to 60.
    pub(crate) freeze_seconds: u64,
    /// The extension that is put into guests. Left out: guests are frozen by the QEMU guest agent only.
    pub(crate) extension: Option<Extension>,
    /// An outside OpenID provider through which people may sign in to the portal too.
    pub(crate) openid: Option<OpenId>,
    /// Where VMs live. Empty: one, named `local`, with the folder `machines` of the data folder.
    pub(crate) hypervisor: Vec<Hypervisor>,
}

/// The extension for guests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Extension {
    /// The signed package, as `coffre extension package` makes it.
    pub(crate) package: PathBuf,
    /// The keys that may have signed it, as `coffre extension key` prints them.
    pub(crate) trust: Vec<String>,
}

/// An outside OpenID provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenId {
    /// Its address, exactly as it writes it itself: `https://…`.
    pub(crate) issuer: String,
    /// The name under which this service is registered there.
    pub(crate) client_id: String,
    /// File with the secret of that registration; without it the service is a public client.
    #[serde(default)]
    pub(crate) client_secret_file: Option<PathBuf>,
    /// What people call it. Left out: its host.
    #[serde(default)]
    pub(crate) label: Option<String>,
    /// Certificate of its authority as PEM, the only one that is trusted then. Left out: those of this system.
    #[serde(default)]
    pub(crate) ca: Option<PathBuf>,
}

/// One place where VMs live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hypervisor {
    /// Shown with each VM; unique.
    pub(crate) name: String,
    /// Folder of machine definitions (`<name>.toml`) that Coffre starts and stops itself.
    #[serde(default)]
    pub(crate) machines: Option<PathBuf>,
    /// Folder of QMP sockets of machines that somebody else runs.
    #[serde(default)]
    pub(crate) sockets: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: LISTEN_DEFAULT.parse().expect("the default is a socket address"),
            public_url: None,
            names: Vec::new(),
            region: REGION_DEFAULT.to_owned(),
            workers: WORKERS_DEFAULT,
            transfers: 1,
            scratch: None,
            staging: None,
            vaults: None,
            store: None,
            discovery_seconds: DISCOVERY_SECS_DEFAULT,
            backups_per_hypervisor: 4,
            backups_per_store: 8,
            expiry_grace_hours: 12,
            freeze_seconds: 10,
            extension: None,
            openid: None,
            hypervisor: Vec::new(),
        }
    }
}

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file could not be read.
    #[error("read configuration {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("configuration {}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, column and what was expected.
        message: String,
    },
    /// A key is unknown, or its value has the wrong type or is out of range.
    #[error("configuration {}: {key}: {message}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Path of the key, for example `hypervisor[1].machines`.
        key: String,
        /// What is wrong with it.
        message: String,
    },
}

impl Config {
    /// Reads and checks the file at `path`.
    pub(crate) fn load(path: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Config::parse(path, &text)
    }

    /// Checks `text` as if it were the content of `path`.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
        let document = toml::Deserializer::parse(text).map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            message: one_line(&error.to_string()),
        })?;
        let config: Config =
            serde_path_to_error::deserialize(document).map_err(|error| ConfigError::Value {
                path: path.to_owned(),
                key: error.path().to_string(),
                message: error.inner().message().to_owned(),
            })?;
        config.check().map_err(|(key, message)| ConfigError::Value {
            path: path.to_owned(),
            key,
            message,
        })?;
        Ok(config)
    }

    fn check(&self) -> Result<(), (String, String)> {
        let refuse = |key: &str, message: &str| Err((key.to_owned(), message.to_owned()));
        if self.workers == 0 || self.workers > WORKERS_MAX {
            return refuse("workers", "must be 1 to 32");
        }
        if self.transfers == 0 || self.transfers > self.workers {
            return refuse("transfers", "must be 1 to the number of workers");
        }
        if self.discovery_seconds == 0 {
            return refuse("discovery_seconds", "must be at least 1");
        }
        for (key, count) in [
            ("backups_per_hypervisor", self.backups_per_hypervisor),
            ("backups_per_store", self.backups_per_store),
        ] {
            if !(1..=1000).contains(&count) {
                return refuse(key, "must be 1 to 1000");
            }
        }
        if !(0..=24).contains(&self.expiry_grace_hours) {
            return refuse("expiry_grace_hours", "must be 0 to 24");
        }
        if !(1..=60).contains(&self.freeze_seconds) {
            return refuse("freeze_seconds", "must be 1 to 60");
        }
        if !region_name_is_valid(&self.region) {
            return refuse("region", "must be 1 to 40 lower-case letters and digits");
        }
        if self.store.is_some() && self.vaults.is_some() {
            return refuse("store", "give `store` or `vaults`, not both");
        }
        let known = |url: &String| {
            ["s3://", "azblob://", "file:///"].iter().any(|scheme| url.starts_with(scheme))
        };
        if self.store.as_ref().is_some_and(|url| !known(url)) {
            return refuse("store", "must start with s3://, azblob:// or file:///");
        }
        if let Some(url) = &self.public_url {
            check_public_url(url).map_err(|message| ("public_url".to_owned(), message))?;
        }
        if let Some(openid) = &self.openid {
            if !openid.issuer.starts_with("https://") || openid.issuer.contains(['?', '#', '@']) {
                return refuse("openid.issuer", "must be https://host or https://host/path");
            }
            if openid.client_id.is_empty() {
                return refuse("openid.client_id", "must not be empty");
            }
        }
        for (index, hypervisor) in self.hypervisor.iter().enumerate() {
            let key = |name: &str| format!("hypervisor[{index}].{name}");
            if hypervisor.name.is_empty() {
                return Err((key("name"), "must not be empty".to_owned()));
            }
            if self.hypervisor[..index].iter().any(|other| other.name == hypervisor.name) {
                return Err((key("name"), format!("\"{}\" is used twice", hypervisor.name)));
            }
            if hypervisor.machines.is_none() && hypervisor.sockets.is_none() {
                return Err((key("machines"), "give `machines`, `sockets` or both".to_owned()));
            }
        }
        Ok(())
    }
}

fn region_name_is_valid(name: &str) -> bool {
    (1..=40).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn check_public_url(url: &str) -> Result<(), String> {
    let Some(rest) = url.strip_prefix("https://") else {
        return Err("must start with https://".to_owned());
    };
    if rest.is_empty() || rest.contains(['/', ' ', '?', '#', '@']) {
        return Err("must be https://host or https://host:port, without a path".to_owned());
    }
    Ok(())
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(Path::new("coffre.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(parse("").unwrap(), Config::default());
    }

    #[test]
    fn what_is_written_is_read_back() {
        let config = Config {
            public_url: Some("https://backup.example:444".to_owned()),
            hypervisor: vec![Hypervisor {
                name: "left".to_owned(),
                machines: Some("/m".into()),
                sockets: None,
            }],
            ..Config::default()
        };
        assert_eq!(parse(&toml::to_string(&config).unwrap()).unwrap(), config);
    }

    #[test]
    fn a_wrong_key_or_value_is_named_by_its_path() {
        let cases = [
            ("worker = 2", "worker"),
            ("workers = 0", "workers: must be 1 to 32"),
            ("workers = \"two\"", "workers"),
            ("workers = 1\ntransfers = 2", "transfers: must be 1 to the number of workers"),
            ("listen = \"nowhere\"", "listen"),
            ("region = \"East US\"", "region"),
            ("public_url = \"http://h\"", "public_url: must start with https://"),
            ("public_url = \"https://h/x\"", "public_url"),
            ("store = \"ftp://h/x\"", "store: must start with s3://"),
            ("store = \"s3://b/x\"\nvaults = \"/v\"", "store: give `store` or `vaults`"),
            ("[openid]\nissuer = \"http://h\"\nclient_id = \"c\"", "openid.issuer: must be https"),
            ("[openid]\nissuer = \"https://h\"\nclient_id = \"\"", "openid.client_id"),
            ("[openid]\nissuer = \"https://h\"", "openid"),
            ("[[hypervisor]]\nname = \"a\"", "hypervisor[0].machines"),
            ("[[hypervisor]]\nname = \"a\"\nmachines = \"/m\"\nqmp = 1", "hypervisor[0]"),
            (
                "[[hypervisor]]\nname = \"a\"\nmachines = \"/m\"\n[[hypervisor]]\nname = \"a\"\nmachines = \"/n\"",
                "hypervisor[1].name: \"a\" is used twice",
            ),
            ("workers = ", "coffre.toml"),
        ];
        for (text, wanted) in cases {
            let error = parse(text).expect_err(text);
            assert!(error.contains(wanted), "{text:?} gave {error:?}, wanted {wanted:?}");
            assert!(error.starts_with("configuration coffre.toml: "), "{error:?}");
        }
    }
}
