//! All Recovery Services vaults.

use askama::Template;
use axum::extract::{Query, State};
use coffre_control::Action;
use coffre_control::port::Search;
use serde::Deserialize;

use crate::az::AzCommand;
use crate::page::prelude::*;
use crate::sort::skipped;
use crate::table::VaultTable;

#[derive(Template)]
#[template(path = "vaults.html")]
struct Vaults<'a> {
    view: &'a View,
    section: &'static str,
    may_create: bool,
    table: VaultTable<'a>,
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

/// `GET /portal/vaults`.
pub(crate) async fn show(
    State(app): State<App>,
    view: View,
    Query(filter): Query<Filter>,
) -> Answer {
    let page = filter.page.clone();
    let (vaults, count, regions) = app
        .look("portal_vaults", view.caller(), move |tx, cx| {
            cx.may(Action::Read)?;
            let search = Search { limit: PAGE_ROWS as u32, ..Search::default() };
            let count = tx.count_vaults(&search)?;
            let mut vaults = Vec::new();
            for vault in tx.search_vaults(&Search { skip: skipped(&page, count), ..search })? {
                let of_it = Search { vault: Some(vault.id), ..Search::default() };
                let items = tx.count_items(&of_it)?;
                vaults.push((vault, items));
            }
            Ok((vaults, count, tx.regions()?))
        })
        .await?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let may_create = view.may(Action::WriteVault);
    let none = empty(&view, "vaults-none", "vaults-none-text");
    html(&Vaults {
        view: &view,
        section: "vaults",
        may_create,
        table: VaultTable::new(&view, &regions, &vaults),
        pager: Pager::new(&view, "/portal/vaults?".to_owned(), &filter.page, count),
        none: if may_create {
            none.leading_to("/portal/vaults/new", view.t("vault-create"))
        } else {
            none
        },
        az: az(&view, [AzCommand::new("backup vault list").option("--output", "table")]),
    })
}
