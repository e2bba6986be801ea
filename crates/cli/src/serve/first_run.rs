//! The first start on an empty data folder: a subscription, a region, an administrator, and a
//! place for restored disks.

use std::path::Path;

use anyhow::{Context, anyhow};
use coffre_control::Role;
use coffre_control::id::{PrincipalId, SubscriptionId, TenantId};
use coffre_control::model::{Principal, PrincipalKind, Region, StorageAccount, Subscription};
use coffre_control::port::{self, Db};
use coffre_control::usecase::{Seed, first_run, hash_secret};
use uuid::Uuid;

use super::config::Config;
use super::data_dir::{DataDir, private_dir};
use super::discovery::GROUP;
use super::secrets;

/// Name of the storage account that every subscription begins with.
const STORAGE_ACCOUNT: &str = "staging";
/// Name of the person who may do everything, for the portal.
pub(crate) const ADMINISTRATOR: &str = "admin";
/// Name of the program that may do everything, for `az` and `coffre login`.
const ADMINISTRATOR_APP: &str = "coffre-admin";

/// The administrator's secret, to be shown once.
pub(crate) struct FirstSecret(pub(crate) String);

/// Seeds the database if it is empty. The secret comes back the first time only; what is stored
/// is its hash.
pub(crate) fn seed(
    db: &dyn Db,
    config: &Config,
    data: &DataDir,
) -> anyhow::Result<Option<FirstSecret>> {
    let staging = config.staging.clone().unwrap_or_else(|| data.root().join("staging"));
    private_dir(&staging)?;
    let vaults = config.vaults.clone().unwrap_or_else(|| data.root().join("vaults"));
    private_dir(&vaults)?;
    let done = port::read(db, "first run", |tx| {
        Ok(tx.setting(coffre_control::usecase::settings::FIRST_RUN)?.is_some())
    })?;
    if done {
        return Ok(None);
    }
    let secret = secrets::make()?;
    let now = jiff::Timestamp::now();
    let seed = new_seed(config, &absolute(&staging)?, &absolute(&vaults)?, &secret)?;
    port::tx(db, "first run", |tx| first_run(tx, seed, now)).context("seed the database")?;
    Ok(Some(FirstSecret(secret)))
}

fn new_seed(config: &Config, staging: &str, vaults: &str, secret: &str) -> anyhow::Result<Seed> {
    let subscription = SubscriptionId(Uuid::new_v4());
    let principal = |name: &str, kind| -> anyhow::Result<Principal> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|error| anyhow!("no random bytes: {error}"))?;
        Ok(Principal {
            id: PrincipalId(Uuid::new_v4()),
            name: name.to_owned(),
            kind,
            secret_hash: hash_secret(secret, &salt),
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
            store_url: format!("file://{vaults}"),
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
