//! What each item of a vault costs: its points, what they take in the store, and with a price per
//! GiB the money for a month.

use askama::Template;
use axum::extract::{Path, Query, State};
use coffre_control::Refusal;
use coffre_control::id::{ItemId, VaultId};
use coffre_control::model::ProtectedItem;
use coffre_control::port::{PointSearch, Search, Tx};
use coffre_control::usecase::vault::get_vault_by_id;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::az::AzCommand;
use crate::format;
use crate::i18n::Lang;
use crate::page::parse_id;
use crate::page::prelude::*;
use crate::sort::skipped;

const GIB: f64 = 1_073_741_824.0;

#[derive(Template)]
#[template(path = "costs.html")]
struct Costs<'a> {
    view: &'a View,
    section: &'static str,
    id: VaultId,
    name: &'a str,
    price: String,
    price_example: String,
    wrong_price: bool,
    with_price: bool,
    rows: Vec<Row>,
    total: Row,
    pager: Pager<'a>,
    none: Empty,
    az: AzLines<'a>,
}

struct Row {
    id: Option<ItemId>,
    name: String,
    points: String,
    size: String,
    stored: String,
    cost: String,
}

/// What an item has in the store.
struct Use {
    id: ItemId,
    name: String,
    points: u64,
    /// Of the disks that are backed up, in bytes; none when nobody knows it any more.
    size: Option<u64>,
    stored: u64,
}

#[derive(Deserialize, Default)]
pub(crate) struct Asked {
    /// For a GiB and a month, in any currency.
    #[serde(default)]
    price: String,
    /// Counted from 1.
    #[serde(default)]
    page: String,
}

/// `GET /portal/vaults/{id}/costs`.
pub(crate) async fn show(
    State(app): State<App>,
    view: View,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Answer {
    let id: VaultId = parse_id(&id)?;
    let price = read_price(&asked.price);
    let page = asked.page.clone();
    let (vault, count, uses) = app
        .look("portal_costs", view.caller(), move |tx, cx| {
            let vault = get_vault_by_id(tx, cx, id)?;
            let (count, uses) = read_uses(tx, id, &page)?;
            Ok((vault, count, uses))
        })
        .await?;
    let encoded = utf8_percent_encode(&asked.price, NON_ALPHANUMERIC);
    let address = format!("/portal/vaults/{id}/costs?price={encoded}&");
    let cost = |stored: u64| match price {
        Some(price) => format::money(view.lang, stored as f64 / GIB * price),
        None => String::new(),
    };
    let row = |it: &Use| Row {
        id: Some(it.id),
        name: it.name.clone(),
        points: view.number(it.points),
        size: it.size.map_or_else(|| "–".to_owned(), |size| view.bytes(size)),
        stored: view.bytes(it.stored),
        cost: cost(it.stored),
    };
    let sum = |value: fn(&Use) -> u64| uses.iter().map(value).sum::<u64>();
    html(&Costs {
        view: &view,
        section: "vaults",
        id,
        name: &vault.name,
        price: match price {
            Some(_) => written_price(view.lang, &asked.price),
            None => asked.price.clone(),
        },
        price_example: format::money(view.lang, 0.02),
        wrong_price: price.is_none() && !asked.price.is_empty(),
        with_price: price.is_some(),
        rows: uses.iter().map(row).collect(),
        total: Row {
            id: None,
            name: view.t("total"),
            points: view.number(sum(|it| it.points)),
            size: view.bytes(sum(|it| it.size.unwrap_or_default())),
            stored: view.bytes(sum(|it| it.stored)),
            cost: cost(sum(|it| it.stored)),
        },
        pager: Pager::new(&view, address, &asked.page, count),
        none: empty(&view, "items-none", "vault-items-none-text"),
        az: az(
            &view,
            [AzCommand::new("backup item list")
                .option("--resource-group", &vault.group)
                .option("--vault-name", &vault.name)
                .option("--output", "table")],
        ),
    })
}

/// What the items of one page use, and how many there are in all.
fn read_uses(tx: &mut dyn Tx, id: VaultId, page: &str) -> Result<(usize, Vec<Use>), Refusal> {
    let search = Search { vault: Some(id), limit: PAGE_ROWS as u32, ..Search::default() };
    let count = tx.count_items(&search)?;
    let mut uses = Vec::new();
    for item in tx.search_items(&Search { skip: skipped(page, count), ..search })? {
        let stored = tx.stored_of_item(item.id)?;
        let size = read_size(tx, &item)?;
        uses.push(Use {
            id: item.id,
            name: item.vm_name,
            points: stored.points,
            size,
            stored: stored.bytes,
        });
    }
    Ok((usize::try_from(count).unwrap_or(usize::MAX), uses))
}

/// The disks of an item's newest point; before its first, those of its machine that will be in it.
fn read_size(tx: &mut dyn Tx, item: &ProtectedItem) -> Result<Option<u64>, Refusal> {
    let newest = PointSearch { item: Some(item.id), limit: 1, ..PointSearch::default() };
    if let Some(point) = tx.search_points(&newest)?.first() {
        return Ok(Some(point.size_bytes));
    }
    let Some(vm) = tx.vm(item.vm)?.filter(|vm| !vm.disks.is_empty()) else { return Ok(None) };
    let taken = vm.disks.iter().filter(|disk| item.takes_disk(disk.lun));
    Ok(Some(taken.map(|disk| disk.size_bytes).sum()))
}

/// A price with a point or a comma; none when it is no price.
fn read_price(text: &str) -> Option<f64> {
    let price: f64 = text.trim().replace(',', ".").parse().ok()?;
    (price.is_finite() && (0.0..1e9).contains(&price)).then_some(price)
}

/// A price as it was typed, all its digits, with the mark of the reader.
fn written_price(lang: Lang, text: &str) -> String {
    text.trim().replace(['.', ','], format::decimal_mark(lang))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_come_back_as_the_reader_writes_them() {
        assert_eq!(written_price(Lang::Fr, " 0.0185"), "0,0185");
        assert_eq!(written_price(Lang::En, "0,02"), "0.02");
    }

    #[test]
    fn prices_are_read_with_either_mark() {
        assert_eq!(read_price("0.02"), Some(0.02));
        assert_eq!(read_price(" 0,02 "), Some(0.02));
        for text in ["", "-1", "NaN", "inf", "1.2.3", "two"] {
            assert_eq!(read_price(text), None, "{text}");
        }
    }
}
