//! All backup items of all vaults.

use askama::Template;
use axum::extract::State;

use crate::az::AzCommand;
use crate::inventory::Inventory;
use crate::page::prelude::*;
use crate::table::ItemTable;

#[derive(Template)]
#[template(path = "items.html")]
struct Items<'a> {
    view: &'a View,
    section: &'static str,
    table: ItemTable<'a>,
    none: Empty,
    az: AzLines<'a>,
}

/// `GET /portal/items`.
pub(crate) async fn show(State(app): State<App>, view: View) -> Answer {
    let inventory = app.look("portal_items", view.caller(), |tx, _| Inventory::read(tx)).await?;
    let commands = inventory.vaults.iter().map(|vault| {
        AzCommand::new("backup item list")
            .option("--resource-group", &vault.group)
            .option("--vault-name", &vault.name)
            .option("--output", "table")
    });
    html(&Items {
        view: &view,
        section: "items",
        table: ItemTable::new(&view, &inventory.vault_names(), &inventory.items),
        none: empty(&view, "items-none", "items-none-text")
            .leading_to("/portal/vms", view.t("to-vms")),
        az: az(&view, commands),
    })
}
