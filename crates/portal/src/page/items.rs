//! All backup items of all vaults.

use askama::Template;
use axum::extract::{Query, State};
use serde::Deserialize;

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
    pager: Pager<'a>,
    none: Empty,
    az: AzLines<'a>,
}

#[derive(Deserialize, Default)]
pub(crate) struct Filter {
    /// Counted from 1.
    #[serde(default)]
    page: String,
}

/// `GET /portal/items`.
pub(crate) async fn show(
    State(app): State<App>,
    view: View,
    Query(filter): Query<Filter>,
) -> Answer {
    let inventory = app.look("portal_items", view.caller(), |tx, _| Inventory::read(tx)).await?;
    let commands = inventory.vaults.iter().map(|vault| {
        AzCommand::new("backup item list")
            .option("--resource-group", &vault.group)
            .option("--vault-name", &vault.name)
            .option("--output", "table")
    });
    let pager = Pager::new(&view, "/portal/items?".to_owned(), &filter.page, inventory.items.len());
    let shown = inventory.items.iter().skip(pager.skipped()).take(PAGE_ROWS);
    html(&Items {
        view: &view,
        section: "items",
        table: ItemTable::new(&view, &inventory.vault_names(), shown),
        pager,
        none: empty(&view, "items-none", "items-none-text")
            .leading_to("/portal/vms", view.t("to-vms")),
        az: az(&view, commands),
    })
}
