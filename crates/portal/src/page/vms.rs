//! All virtual machines, with a filter.

use askama::Template;
use axum::extract::{Query, State};
use coffre_control::Action;
use coffre_control::model::Vm;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
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
    pager: Pager<'a>,
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
    /// Counted from 1.
    #[serde(default)]
    page: String,
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
    let rows: Vec<&Vm> = inventory.vms.iter().filter(found).collect();
    let find = utf8_percent_encode(&filter.find, NON_ALPHANUMERIC);
    let protected = utf8_percent_encode(&filter.protected, NON_ALPHANUMERIC);
    let address = format!("/portal/vms?find={find}&protected={protected}&");
    let pager = Pager::new(&view, address, &filter.page, rows.len());
    let shown = rows.into_iter().skip(pager.skipped()).take(PAGE_ROWS);
    html(&Vms {
        view: &view,
        section: "vms",
        filter: &filter,
        any,
        may_refresh: view.may(Action::RefreshContainers),
        table: VmTable::new(&view, &inventory, shown),
        pager,
        none: if any {
            empty(&view, "nothing-found", "nothing-found-text")
        } else {
            empty(&view, "vms-none", "vms-none-text")
        },
        az: az(&view, [AzCommand::new("vm list").option("--output", "table")]),
    })
}
