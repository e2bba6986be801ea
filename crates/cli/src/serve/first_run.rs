//! The first start on an empty data folder: a subscription, a region, an administrator, and a
//! place for restored disks.

use std::path::Path;

use anyhow::{Context, anyhow};
use coffre_control::Role;
use coffre_control::id::{PrincipalId, SubscriptionId, TenantId};
use coffre_control::model::{Principal, PrincipalKind, Region, StorageAccount, Subscription};
use coffre_control::port::{self, Db};
use coffre_control::usecase::{Seed, first_run, forget_factor, hash_random_secret, hash_secret};
use uuid::Uuid;

use super::config::Config;
use super::data_dir::{DataDir, private_dir, write_secret};
use super::discovery::GROUP;
use super::secrets;
use crate::say;

/// Name of the storage account that every subscription begins with.
const STORAGE_ACCOUNT: &str = "staging";
/// Name of the person who may do everything, for the portal.
pub(crate) const ADMINISTRATOR: &str = "admin";
/// Name of the program that may do everything, for `az` and `coffre login`.
const ADMINISTRATOR_APP: &str = "coffre-admin";

/// Shortest secret that is taken from a file.
const SECRET_LETTERS_MIN: usize = 16;

/// Seeds the database if it is empty, and says whether it did. Of the administrator's secret only
/// the hash is stored; it is handed over before, since nobody could sign in if it were lost.
///
/// With a file the secret is taken from it, or made and written to it; else it is shown.
pub(crate) fn seed(
    db: &dyn Db,
    config: &Config,
    data: &DataDir,
    secret_file: Option<&Path>,
) -> anyhow::Result<bool> {
    let staging = config.staging.clone().unwrap_or_else(|| data.root().join("staging"));
    private_dir(&staging)?;
    let store_url = match &config.store {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => {
            let vaults = config.vaults.clone().unwrap_or_else(|| data.root().join("vaults"));
            private_dir(&vaults)?;
            format!("file://{}", absolute(&vaults)?)
        }
    };
    let done = port::read(db, "first run", |tx| {
        Ok(tx.setting(coffre_control::usecase::settings::FIRST_RUN)?.is_some())
    })?;
    if done {
        return Ok(false);
    }
    let secret = obtain_secret(secret_file)?;
    let now = jiff::Timestamp::now();
    let seed = new_seed(config, &absolute(&staging)?, store_url, &secret)?;
    port::tx(db, "first run", |tx| first_run(tx, seed, now)).context("seed the database")?;
    Ok(true)
}

/// Gives the administrator another secret. The service must not run: whoever calls holds its data
/// folder.
pub(crate) fn renew_secret(db: &dyn Db, secret_file: Option<&Path>) -> anyhow::Result<()> {
    let secret = obtain_secret(secret_file)?;
    let hashes = [
        (ADMINISTRATOR, secret.hash(PrincipalKind::User)?),
        (ADMINISTRATOR_APP, secret.hash(PrincipalKind::ServicePrincipal)?),
    ];
    port::tx(db, "renew secret", |tx| {
        for (name, hash) in &hashes {
            if let Some(mut principal) = tx.principal_named(name)? {
                principal.secret_hash.clone_from(hash);
                // Whoever lost the secret may have lost the device with the codes too.
                forget_factor(tx, principal.id)?;
                tx.put_principal(&mut principal)?;
            }
        }
        Ok(())
    })
    .context("store the new secret")
}

/// The administrator's secret.
struct Secret {
    text: String,
    /// It was made here, by chance: nobody chose it.
    is_random: bool,
}

impl Secret {
    fn hash(&self, kind: PrincipalKind) -> anyhow::Result<String> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|error| anyhow!("no random bytes: {error}"))?;
        Ok(match kind {
            PrincipalKind::ServicePrincipal if self.is_random => {
                hash_random_secret(&self.text, &salt)
            }
            _ => hash_secret(&self.text, &salt),
        })
    }
}

/// A secret from the file, or a new one that is written to it or shown.
fn obtain_secret(file: Option<&Path>) -> anyhow::Result<Secret> {
    let made = || Ok::<_, anyhow::Error>(Secret { text: secrets::make()?, is_random: true });
    match file {
        None => {
            let secret = made()?;
            // Not on stderr: that is the log, and a log is kept.
            say::data(&format!(
                "\n  The administrator's secret, shown only now:\n\n      {}\n",
                secret.text
            ))
            .context("show the administrator's secret")?;
            Ok(secret)
        }
        Some(path) if path.exists() => Ok(Secret { text: read_secret(path)?, is_random: false }),
        Some(path) => {
            let secret = made()?;
            write_secret(path, format!("{}\n", secret.text).as_bytes()).with_context(|| {
                format!("write the administrator's secret to {}", path.display())
            })?;
            Ok(secret)
        }
    }
}

fn read_secret(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let secret = text.trim();
    anyhow::ensure!(
        secret.len() >= SECRET_LETTERS_MIN,
        "the secret in {} has fewer than {SECRET_LETTERS_MIN} characters",
        path.display()
    );
    Ok(secret.to_owned())
}

fn new_seed(
    config: &Config,
    staging: &str,
    store_url: String,
    secret: &Secret,
) -> anyhow::Result<Seed> {
    let subscription = SubscriptionId(Uuid::new_v4());
    let principal = |name: &str, kind| -> anyhow::Result<Principal> {
        Ok(Principal {
            id: PrincipalId(Uuid::new_v4()),
            name: name.to_owned(),
            kind,
            secret_hash: secret.hash(kind)?,
            roles: vec![Role::Owner],
            etag: 0,
        })
    };
    Ok(Seed {
        subscription: Subscription {
            id: subscription,
            name: "Coffre".to_owned(),
            tenant: TenantId(Uuid::new_v4()),
            etag: 0,
        },
        region: Region {
            name: config.region.clone(),
            display_name: config.region.clone(),
            paired: None,
            store_url,
            etag: 0,
        },
        group: GROUP.to_owned(),
        principals: vec![
            principal(ADMINISTRATOR, PrincipalKind::User)?,
            principal(ADMINISTRATOR_APP, PrincipalKind::ServicePrincipal)?,
        ],
        storage_account: StorageAccount {
            subscription,
            group: GROUP.to_owned(),
            name: STORAGE_ACCOUNT.to_owned(),
            region: config.region.clone(),
            folder: staging.to_owned(),
            etag: 0,
        },
    })
}

/// Client id of the administrator's program, and the first subscription with its tenant.
pub(crate) fn identities(db: &dyn Db) -> anyhow::Result<(PrincipalId, Subscription)> {
    let (principal, subscription) = port::read(db, "identities", |tx| {
        let principal = tx.principal_named(ADMINISTRATOR_APP)?;
        Ok((principal, tx.subscriptions()?.into_iter().next()))
    })?;
    let principal = principal.context("the administrator is missing from the database")?;
    let subscription = subscription.context("the database has no subscription")?;
    Ok((principal.id, subscription))
}

fn absolute(path: &Path) -> anyhow::Result<String> {
    let path = path.canonicalize().with_context(|| format!("resolve {}", path.display()))?;
    path.into_os_string()
        .into_string()
        .map_err(|path| anyhow!("{} is not valid text", path.display()))
}
