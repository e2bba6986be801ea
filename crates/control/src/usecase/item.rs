//! Protected items: list and get.

use super::find;
use crate::authz::Action;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::id::{ItemId, VaultId};
use crate::model::{Policy, ProtectedItem, Vault, Vm};
use crate::port::Tx;

/// An item with what belongs to it.
#[derive(Clone, Debug)]
pub struct ItemView {
    /// The item.
    pub item: ProtectedItem,
    /// Its vault.
    pub vault: Vault,
    /// Its VM; none when the row is gone.
    pub vm: Option<Vm>,
    /// Its policy; none when protection is stopped.
    pub policy: Option<Policy>,
}

/// Items of a vault, by the VM's name; deleted ones that can be brought back are among them.
pub fn list_items(tx: &mut dyn Tx, cx: &Cx<'_>, vault: VaultId) -> Result<Vec<ItemView>, Refusal> {
    cx.may(Action::Read)?;
    let vault = find::vault(tx, vault)?;
    let items = tx.items(vault.id)?;
    items.into_iter().map(|item| view(tx, &vault, item)).collect()
}

/// One item by name.
pub fn get_item(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    vault: VaultId,
    vm_group: &str,
    vm_name: &str,
) -> Result<ItemView, Refusal> {
    cx.may(Action::Read)?;
    let vault = find::vault(tx, vault)?;
    let item = tx.item_named(vault.id, vm_group, vm_name)?.ok_or_else(|| {
        Refusal::new(
            ErrorCode::ProtectedItemNotFound,
            format!(
                "Vault '{}' does not protect a virtual machine '{vm_name}' of resource group \
                 '{vm_group}'.",
                vault.name
            ),
        )
    })?;
    view(tx, &vault, item)
}

/// One item by identity.
pub fn get_item_by_id(tx: &mut dyn Tx, cx: &Cx<'_>, id: ItemId) -> Result<ItemView, Refusal> {
    cx.may(Action::Read)?;
    let item = find::item(tx, id)?;
    let vault = find::vault(tx, item.vault)?;
    view(tx, &vault, item)
}

fn view(tx: &mut dyn Tx, vault: &Vault, item: ProtectedItem) -> Result<ItemView, Refusal> {
    let vm = tx.vm(item.vm)?;
    let policy = match &item.policy {
        Some(name) => tx.policy(vault.id, name)?,
        None => None,
    };
    Ok(ItemView { item, vault: vault.clone(), vm, policy })
}
