//! Whom `coffre` speaks to, and as whom: saved by `coffre login`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::api;
use crate::say;
use crate::serve::data_dir::{folder_of, private_dir, write_secret};

/// Signs in and remembers the service for the other verbs.
///
/// On the machine of the service, `coffre login --data DIR --secret-file FILE` is enough: the
/// address and the certificate are read from the data folder.
#[derive(Debug, clap::Args)]
pub(crate) struct LoginArgs {
    /// Address of the service, as https://host:port.
    #[arg(long, required_unless_present = "data")]
    url: Option<String>,
    /// Certificate of the service's authority (ca.pem in its data folder).
    #[arg(long, required_unless_present = "data")]
    ca: Option<PathBuf>,
    /// Data folder of a service on this machine; gives address, certificate and client id.
    #[arg(long, conflicts_with_all = ["url", "ca"])]
    data: Option<PathBuf>,
    /// Client id of the principal.
    #[arg(short = 'u', long, required_unless_present = "data")]
    client_id: Option<String>,
    /// File with the secret; without it the secret is read from COFFRE_CLIENT_SECRET or stdin.
    #[arg(long)]
    secret_file: Option<PathBuf>,
    /// Subscription to work in; without it the first one.
    #[arg(long)]
    subscription: Option<String>,
}

/// What is saved.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Profile {
    pub(super) url: String,
    /// The authority's certificate itself, so that the file may move.
    pub(super) ca_pem: String,
    pub(super) client_id: String,
    pub(super) secret: String,
    pub(super) subscription: String,
}

/// What a service tells about itself in its data folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ServiceInfo {
    /// Address for clients.
    pub(crate) url: String,
    /// Certificate of the authority.
    pub(crate) ca: PathBuf,
    /// Client id of the administrator.
    pub(crate) client_id: String,
    /// The tenant.
    pub(crate) tenant: String,
    /// The first subscription.
    pub(crate) subscription: String,
    /// The process that serves.
    pub(crate) pid: u32,
}

/// Name of the file that holds [`ServiceInfo`].
pub(crate) const SERVICE_FILE: &str = "service.json";

/// Signs in, checks that the service answers, and saves the profile.
pub(crate) fn login(args: LoginArgs) -> anyhow::Result<ExitCode> {
    let (url, ca, client_id) = match &args.data {
        Some(folder) => {
            let path = folder.join(SERVICE_FILE);
            let text = std::fs::read(&path)
                .with_context(|| format!("read {}; does the service run?", path.display()))?;
            let info: ServiceInfo = serde_json::from_slice(&text)
                .with_context(|| format!("understand {}", path.display()))?;
            (info.url, info.ca, args.client_id.unwrap_or(info.client_id))
        }
        None => (
            args.url.context("--url is missing")?,
            args.ca.context("--ca is missing")?,
            args.client_id.context("--client-id is missing")?,
        ),
    };
    let ca_pem = std::fs::read_to_string(&ca).with_context(|| format!("read {}", ca.display()))?;
    let mut profile = Profile {
        url: url.trim_end_matches('/').to_owned(),
        ca_pem,
        client_id,
        secret: secret(args.secret_file.as_deref())?,
        subscription: String::new(),
    };
    let found = api::Api::new(profile.clone())?.subscriptions()?;
    let chosen = match &args.subscription {
        Some(wanted) => found.into_iter().find(|(id, name)| id == wanted || name == wanted),
        None => found.into_iter().next(),
    };
    let Some((id, name)) = chosen else { bail!("there is no such subscription") };
    profile.subscription = id;
    save(&profile)?;
    say::note(&format!("signed in at {} in subscription {name}", profile.url));
    Ok(ExitCode::SUCCESS)
}

fn secret(file: Option<&Path>) -> anyhow::Result<String> {
    let text = match file {
        Some(path) => {
            std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?
        }
        None => match std::env::var("COFFRE_CLIENT_SECRET") {
            Ok(value) if !value.is_empty() => value,
            _ => {
                if say::is_watched() {
                    say::note("Secret:");
                }
                let mut line = String::new();
                std::io::stdin().read_line(&mut line).context("read the secret from stdin")?;
                line
            }
        },
    };
    let secret = text.trim();
    if secret.is_empty() {
        bail!("the secret is empty");
    }
    Ok(secret.to_owned())
}

/// The saved profile.
pub(super) fn load() -> anyhow::Result<Profile> {
    let path = path()?;
    let text = match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("nobody is signed in; run `coffre login --help`")
        }
        other => other.with_context(|| format!("read {}", path.display()))?,
    };
    serde_json::from_slice(&text)
        .with_context(|| format!("understand {}; sign in again with coffre login", path.display()))
}

fn save(profile: &Profile) -> anyhow::Result<()> {
    let path = path()?;
    private_dir(folder_of(&path))?;
    let text = serde_json::to_vec_pretty(profile).context("write the profile")?;
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("replace {}", path.display()));
        }
        _ => {}
    }
    write_secret(&path, &text).with_context(|| format!("write {}", path.display()))
}

fn path() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("COFFRE_PROFILE").filter(|value| !value.is_empty()) {
        return Ok(path.into());
    }
    let home = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    match (home("XDG_CONFIG_HOME"), home("HOME")) {
        (Some(base), _) => Ok(PathBuf::from(base).join("coffre/profile.json")),
        (None, Some(home)) => Ok(PathBuf::from(home).join(".config/coffre/profile.json")),
        (None, None) => bail!("there is no HOME to keep the profile in; set COFFRE_PROFILE"),
    }
}
