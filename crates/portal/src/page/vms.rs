//! All virtual machines, with a filter.

use askama::Template;
use axum::extract::{Query, State};
use coffre_control::Action;
use coffre_control::model::Vm;
use serde::Deserialize;

use crate::az::AzCommand;
use crate::inventory::Inventory;
use crate::page::prelude::*;
use crate::table::VmTable;

#[derive(Template)]
#[template(path = "vms.html")]
struct Vms<'a> {
    view: &'a View,
    section: &'static str,
    filter: &'a Filter,
    any: bool,
    may_refresh: bool,
    table: VmTable<'a>,
    none: Empty,
    az: AzLines<'a>,
}

#[derive(Deserialize, Default)]
pub(crate) struct Filter {
    /// Part of the name or the group.
    #[serde(default)]
    find: String,
    /// `no`: only those that nothing protects.
    #[serde(default)]
    protected: String,
}

/// `GET /portal/vms`.
pub(crate) async fn show(
    State(app): State<App>,
    view: View,
    Query(filter): Query<Filter>,
) -> Answer {
    let inventory = app.look("portal_vms", view.caller(), |tx, _| Inventory::read(tx)).await?;
    let items = inventory.items_by_vm();
    let needle = filter.find.trim().to_lowercase();
    let found = |vm: &&Vm| {
        (vm.name.to_lowercase().contains(&needle) || vm.group.to_lowercase().contains(&needle))
            && match filter.protected.as_str() {
                "no" => !items.contains_key(&vm.id),
                "yes" => items.contains_key(&vm.id),
                _ => true,
            }
    };
    let any = !inventory.vms.is_empty();
    html(&Vms {
        view: &view,
        section: "vms",
        filter: &filter,
        any,
        may_refresh: view.may(Action::RefreshContainers),
        table: VmTable::new(&view, &inventory, inventory.vms.iter().filter(found)),
        none: if any {
            empty(&view, "nothing-found", "nothing-found-text")
        } else {
            empty(&view, "vms-none", "vms-none-text")
        },
        az: az(&view, [AzCommand::new("vm list").option("--output", "table")]),
    })
}
