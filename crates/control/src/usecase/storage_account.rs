//! Storage accounts: the folders that receive restored disks.

use super::{Written, find};
use crate::authz::Action;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::id::SubscriptionId;
use crate::model::StorageAccount;
use crate::port::Tx;
use crate::resource_id;

/// Storage accounts of a subscription, by name.
pub fn list_storage_accounts(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    subscription: SubscriptionId,
) -> Result<Vec<StorageAccount>, Refusal> {
    cx.may(Action::Read)?;
    find::subscription(tx, subscription)?;
    Ok(tx.storage_accounts(subscription)?)
}

/// One storage account by resource group and name.
pub fn get_storage_account(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    subscription: SubscriptionId,
    group: &str,
    name: &str,
) -> Result<StorageAccount, Refusal> {
    cx.may(Action::Read)?;
    find::subscription(tx, subscription)?;
    let group = find::group(tx, subscription, group)?;
    tx.storage_account(subscription, name)?
        .filter(|account| account.group.eq_ignore_ascii_case(&group.name))
        .ok_or_else(|| {
            Refusal::new(
                ErrorCode::ResourceNotFound,
                format!(
                    "The Resource 'Microsoft.Storage/storageAccounts/{name}' under resource \
                     group '{}' was not found.",
                    group.name
                ),
            )
        })
}

/// Makes a storage account, or points the one of this name to another folder.
pub fn put_storage_account(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    input: StorageAccount,
) -> Result<(StorageAccount, Written), Refusal> {
    cx.may(Action::WriteStorageAccount)?;
    find::subscription(tx, input.subscription)?;
    let group = find::group(tx, input.subscription, &input.group)?;
    let id = resource_id::storage_id(input.subscription, &group.name, &input.name);
    super::lock::refuse(tx, cx, &id, super::lock::Change::Write)?;
    let region = find::region(tx, &input.region)?;
    let valid = (3..=24).contains(&input.name.len())
        && input.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !valid {
        return Err(Refusal::new(
            ErrorCode::InvalidResourceName,
            format!(
                "The storage account name '{}' breaks the rules: 3 to 24 lower-case letters and \
                 digits.",
                input.name
            ),
        )
        .about("name"));
    }
    let old = tx.storage_account(input.subscription, &input.name)?;
    let written = if old.is_some() { Written::Updated } else { Written::Created };
    let mut account = StorageAccount {
        group: group.name,
        region: region.name,
        etag: old.map_or(0, |old| old.etag),
        ..input
    };
    tx.put_storage_account(&mut account)?;
    cx.record(tx, Action::WriteStorageAccount, format!("storage account {}", account.name))?;
    Ok((account, written))
}
