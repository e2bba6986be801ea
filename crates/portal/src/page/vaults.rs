//! All Recovery Services vaults.

use askama::Template;
use axum::extract::State;
use coffre_control::Action;

use crate::az::AzCommand;
use crate::inventory::Inventory;
use crate::page::prelude::*;
use crate::table::VaultTable;

#[derive(Template)]
#[template(path = "vaults.html")]
struct Vaults<'a> {
    view: &'a View,
    section: &'static str,
    may_create: bool,
    table: VaultTable<'a>,
    none: Empty,
    az: AzLines<'a>,
}

/// `GET /portal/vaults`.
pub(crate) async fn show(State(app): State<App>, view: View) -> Answer {
    let inventory = app.look("portal_vaults", view.caller(), |tx, _| Inventory::read(tx)).await?;
    let may_create = view.may(Action::WriteVault);
    let none = empty(&view, "vaults-none", "vaults-none-text");
    html(&Vaults {
        view: &view,
        section: "vaults",
        may_create,
        table: VaultTable::new(&view, &inventory),
        none: if may_create {
            none.leading_to("/portal/vaults/new", view.t("vault-create"))
        } else {
            none
        },
        az: az(&view, [AzCommand::new("backup vault list").option("--output", "table")]),
    })
}
