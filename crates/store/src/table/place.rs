//! Subscriptions, regions, resource groups, storage accounts: where things are.

use coffre_control::model::{Region, ResourceGroup, StorageAccount, Subscription};
use rusqlite::types::Value;

use crate::row::{Row, Table, text};

pub(crate) const SUBSCRIPTIONS: &str = "SELECT doc FROM subscription ORDER BY name, id";
pub(crate) const SUBSCRIPTION: &str = "SELECT doc FROM subscription WHERE id = ?1";
pub(crate) const REGIONS: &str = "SELECT doc FROM region ORDER BY name";
pub(crate) const REGION: &str = "SELECT doc FROM region WHERE name = ?1";
pub(crate) const GROUPS: &str =
    "SELECT doc FROM resource_group WHERE subscription = ?1 ORDER BY name";
pub(crate) const GROUP: &str =
    "SELECT doc FROM resource_group WHERE subscription = ?1 AND name = ?2";
pub(crate) const ACCOUNTS: &str =
    "SELECT doc FROM storage_account WHERE subscription = ?1 ORDER BY name";
pub(crate) const ACCOUNT: &str =
    "SELECT doc FROM storage_account WHERE subscription = ?1 AND name = ?2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] =
    &[SUBSCRIPTIONS, SUBSCRIPTION, REGIONS, REGION, GROUPS, GROUP, ACCOUNTS, ACCOUNT];

impl Row for Subscription {
    const TABLE: &'static Table = &Table {
        name: "subscription",
        noun: "subscription",
        columns: &["id", "name"],
        identity: 1,
    };
    fn columns(&self) -> Vec<Value> {
        vec![text(self.id), text(&self.name)]
    }
    fn etag(&mut self) -> &mut u64 {
        &mut self.etag
    }
}

impl Row for Region {
    const TABLE: &'static Table =
        &Table { name: "region", noun: "region", columns: &["name"], identity: 1 };
    fn columns(&self) -> Vec<Value> {
        vec![text(&self.name)]
    }
    fn etag(&mut self) -> &mut u64 {
        &mut self.etag
    }
}

impl Row for ResourceGroup {
    const TABLE: &'static Table = &Table {
        name: "resource_group",
        noun: "resource group",
        columns: &["subscription", "name"],
        identity: 2,
    };
    fn columns(&self) -> Vec<Value> {
        vec![text(self.subscription), text(&self.name)]
    }
    fn etag(&mut self) -> &mut u64 {
        &mut self.etag
    }
}

impl Row for StorageAccount {
    const TABLE: &'static Table = &Table {
        name: "storage_account",
        noun: "storage account",
        columns: &["subscription", "name", "resource_group"],
        identity: 2,
    };
    fn columns(&self) -> Vec<Value> {
        vec![text(self.subscription), text(&self.name), text(&self.group)]
    }
    fn etag(&mut self) -> &mut u64 {
        &mut self.etag
    }
}
