//! Storage accounts: the folders that receive restored disks.

use coffre_control::model::StorageAccount;

use crate::call::Call;
use crate::http::error::ArmError;
use crate::http::reply::Reply;
use crate::names::{STORAGE_TYPE, storage_id};
use crate::render::resource;

/// GET one storage account
pub(crate) fn show(call: &Call<'_>) -> Result<Reply, ArmError> {
    let name = call.param("account");
    let id = call.subscription_id()?;
    let group = call.group()?;
    let account =
        call.read("show storage account", |tx| match tx.storage_account(id, name)? {
            Some(found) if found.group.eq_ignore_ascii_case(&group.name) => Ok(found),
            other => {
                let hint = other
                    .as_ref()
                    .map(|it| (it.group.as_str(), storage_id(id, &it.group, &it.name)));
                Err(call.no_resource_here(STORAGE_TYPE, name, hint))
            }
        })?;
    Ok(Reply::ok(resource::storage_account(&account, &call.state.public_url)))
}

fn page(call: &Call<'_>, keep: impl Fn(&StorageAccount) -> bool) -> Result<Reply, ArmError> {
    let id = call.subscription_id()?;
    let accounts = call.read("list storage accounts", |tx| Ok(tx.storage_accounts(id)?))?;
    let shown = accounts.iter().filter(|it| keep(it));
    let url = &call.state.public_url;
    call.page(shown, |it| resource::storage_account(it, url))
}

/// GET the storage accounts of a subscription
pub(crate) fn list_all(call: &Call<'_>) -> Result<Reply, ArmError> {
    page(call, |_| true)
}

/// GET the storage accounts of a group
pub(crate) fn list(call: &Call<'_>) -> Result<Reply, ArmError> {
    let group = call.group()?;
    page(call, |it| it.group.eq_ignore_ascii_case(&group.name))
}

/// GET a classic storage account: there are none, and the commands need to hear that.
pub(crate) fn show_classic(call: &Call<'_>) -> Result<Reply, ArmError> {
    let kind = "Microsoft.ClassicStorage/storageAccounts";
    Err(call.no_resource(kind, call.param("account")).into())
}
