//! All virtual machines, with a filter.

use askama::Template;
use axum::extract::{Query, State};
use coffre_control::Action;
use coffre_control::port::{Missing, Search};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::az::AzCommand;
use crate::page::prelude::*;
use crate::sort::{Sort, search, within};
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
    /// A column, with a hyphen before it from the last to the first.
    #[serde(default)]
    sort: String,
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
    let protected = match filter.protected.as_str() {
        "no" => Some(false),
        "yes" => Some(true),
        _ => None,
    };
    // What a hypervisor no longer has is of interest only while there are points to restore.
    let missing = Missing::IfProtected;
    let search = Search { missing, ..search(&filter.find, &filter.sort, &filter.page, protected) };
    let (vms, count, any, items, regions) = app
        .look("portal_vms", view.caller(), move |tx, cx| {
            cx.may(Action::Read)?;
            let count = tx.count_vms(&search)?;
            let vms = tx.search_vms(&within(search, count))?;
            let any = count > 0 || tx.count_vms(&Search { missing, ..Search::default() })? > 0;
            let mut items = Vec::new();
            for vm in &vms {
                items.extend(tx.item_of_vm(vm.id)?);
            }
            Ok((vms, count, any, items, tx.regions()?))
        })
        .await?;
    let find = utf8_percent_encode(&filter.find, NON_ALPHANUMERIC);
    let protected = utf8_percent_encode(&filter.protected, NON_ALPHANUMERIC);
    let address = format!("/portal/vms?find={find}&protected={protected}&");
    let sort = Sort::new(&filter.sort, address.clone());
    let address = format!("{address}{}", sort.kept());
    let pager = Pager::new(&view, address, &filter.page, usize::try_from(count).unwrap_or(0));
    let by_vm = items.iter().map(|item| (item.vm, item)).collect();
    html(&Vms {
        view: &view,
        section: "vms",
        filter: &filter,
        any,
        may_refresh: view.may(Action::RefreshContainers),
        table: VmTable::new(&view, &regions, &by_vm, &vms).sorted(sort),
        pager,
        none: if any {
            empty(&view, "nothing-found", "nothing-found-text")
        } else {
            empty(&view, "vms-none", "vms-none-text")
        },
        az: az(&view, [AzCommand::new("vm list").option("--output", "table")]),
    })
}
