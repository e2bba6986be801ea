//! All backup items of all vaults.

use askama::Template;
use axum::extract::{Query, State};
use coffre_control::Action;
use coffre_control::port::Search;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::az::AzCommand;
use crate::inventory::vaults_of;
use crate::page::prelude::*;
use crate::sort::{Sort, search, within};
use crate::table::ItemTable;

#[derive(Template)]
#[template(path = "items.html")]
struct Items<'a> {
    view: &'a View,
    section: &'static str,
    filter: &'a Filter,
    any: bool,
    table: ItemTable<'a>,
    pager: Pager<'a>,
    none: Empty,
    az: AzLines<'a>,
}

#[derive(Deserialize, Default)]
pub(crate) struct Filter {
    /// Part of the name or the group.
    #[serde(default)]
    find: String,
    /// A column, with a hyphen before it from the last to the first.
    #[serde(default)]
    sort: String,
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
    let search = search(&filter.find, &filter.sort, &filter.page, None);
    let (items, count, any, vaults) = app
        .look("portal_items", view.caller(), move |tx, cx| {
            cx.may(Action::Read)?;
            let count = tx.count_items(&search)?;
            let items = tx.search_items(&within(search, count))?;
            let any = count > 0 || tx.count_items(&Search::default())? > 0;
            let vaults = vaults_of(tx, items.iter().map(|item| item.vault))?;
            Ok((items, count, any, vaults))
        })
        .await?;
    let commands = vaults.iter().map(|vault| {
        AzCommand::new("backup item list")
            .option("--resource-group", &vault.group)
            .option("--vault-name", &vault.name)
            .option("--output", "table")
    });
    let find = utf8_percent_encode(&filter.find, NON_ALPHANUMERIC);
    let address = format!("/portal/items?find={find}&");
    let sort = Sort::new(&filter.sort, address.clone());
    let address = format!("{address}{}", sort.kept());
    let names = vaults.iter().map(|vault| (vault.id, vault.name.as_str())).collect();
    html(&Items {
        view: &view,
        section: "items",
        filter: &filter,
        any,
        table: ItemTable::new(&view, &names, &items).sorted(sort),
        pager: Pager::new(&view, address, &filter.page, usize::try_from(count).unwrap_or(0)),
        none: if any {
            empty(&view, "nothing-found", "nothing-found-text")
        } else {
            empty(&view, "items-none", "items-none-text")
                .leading_to("/portal/vms", view.t("to-vms"))
        },
        az: az(&view, commands),
    })
}
