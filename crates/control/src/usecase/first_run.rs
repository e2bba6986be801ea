//! The first start: a subscription, a region, a group, somebody who may sign in, and a place for
//! restored disks.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::settings;
use crate::error::Refusal;
use crate::model::{Principal, Region, ResourceGroup, Setting, StorageAccount, Subscription};
use crate::port::Tx;

/// What a fresh installation begins with.
#[derive(Clone, Debug)]
pub struct Seed {
    /// The subscription.
    pub subscription: Subscription,
    /// The region.
    pub region: Region,
    /// Name of the resource group.
    pub group: String,
    /// Who may sign in.
    pub principals: Vec<Principal>,
    /// Where restored disks go.
    pub storage_account: StorageAccount,
}

/// Writes the seed into an empty database. Says `false`, and changes nothing, when there was a
/// first run before.
pub fn first_run(tx: &mut dyn Tx, seed: Seed, now: Timestamp) -> Result<bool, Refusal> {
    if tx.setting(settings::FIRST_RUN)?.is_some() {
        return Ok(false);
    }
    let Seed { mut subscription, mut region, group, principals, mut storage_account } = seed;
    tx.put_subscription(&mut subscription)?;
    tx.put_region(&mut region)?;
    tx.put_group(&mut ResourceGroup {
        subscription: subscription.id,
        name: group,
        region: region.name,
        tags: BTreeMap::new(),
        created: now,
        etag: 0,
    })?;
    for mut principal in principals {
        tx.put_principal(&mut principal)?;
    }
    tx.put_storage_account(&mut storage_account)?;
    tx.put_setting(&Setting { key: settings::FIRST_RUN.to_owned(), value: now.to_string() })?;
    Ok(true)
}
