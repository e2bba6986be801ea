//! Lists that the database searches, orders and cuts into pages.

use askama::Template;
use askama::filters::HtmlSafe;
use coffre_control::port::{Order, Search};

use crate::component::PAGE_ROWS;

/// How a list is ordered now, and the address of the list without an order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sort {
    column: String,
    backwards: bool,
    address: String,
}

/// The heading of a column: a link that orders by it, once more the other way round.
#[derive(Template)]
#[template(
    source = r#"{% if let Some(address) = address %}<a class="sort{% if let Some(way) = way %} {{ way }}{% endif %}" href="{{ address }}">{{ text }}</a>{% else %}{{ text }}{% endif %}"#,
    ext = "html"
)]
pub(crate) struct Heading {
    address: Option<String>,
    way: Option<&'static str>,
    text: String,
}

impl HtmlSafe for Heading {}

impl Sort {
    pub(crate) fn new(sort: &str, address: String) -> Self {
        let (column, backwards) = read(sort);
        Self { column: column.to_owned(), backwards, address }
    }

    /// The order as part of an address, for the other pages of the list.
    pub(crate) fn kept(&self) -> String {
        let way = if self.backwards { "-" } else { "" };
        match self.column.as_str() {
            "" => String::new(),
            column => format!("sort={way}{column}&"),
        }
    }

    pub(crate) fn heading(&self, column: &str, text: String) -> Heading {
        if self.address.is_empty() {
            return Heading { address: None, way: None, text };
        }
        let by_it = self.column == column;
        let turned = if by_it && !self.backwards { "-" } else { "" };
        let way = if self.backwards { "down" } else { "up" };
        Heading {
            address: Some(format!("{}sort={turned}{column}", self.address)),
            way: by_it.then_some(way),
            text,
        }
    }

    /// What `aria-sort` says of a column.
    pub(crate) fn aria(&self, column: &str) -> &'static str {
        match (self.column == column, self.backwards) {
            (false, _) => "none",
            (true, false) => "ascending",
            (true, true) => "descending",
        }
    }
}

/// A column that lists can be ordered by, and whether from the last; another word orders by none.
fn read(sort: &str) -> (&str, bool) {
    let (column, backwards) = match sort.strip_prefix('-') {
        Some(column) => (column, true),
        None => (sort, false),
    };
    if ["name", "group", "policy"].contains(&column) { (column, backwards) } else { ("", false) }
}

/// The page of a list that somebody asked for, counted from 1.
pub(crate) fn search(find: &str, sort: &str, page: &str, protected: Option<bool>) -> Search {
    let (column, backwards) = read(sort);
    let page: u64 = page.parse().unwrap_or(1).max(1);
    Search {
        find: find.trim().to_owned(),
        protected,
        order: match column {
            "group" => Order::Group,
            "policy" => Order::Policy,
            _ => Order::Name,
        },
        backwards,
        skip: (page - 1).saturating_mul(PAGE_ROWS as u64),
        limit: PAGE_ROWS as u32,
        ..Search::default()
    }
}

/// How many rows of a list with so many come before a page, counted from 1; before its last page
/// when a later one is asked for.
pub(crate) fn skipped(page: &str, count: u64) -> u64 {
    let rows = PAGE_ROWS as u64;
    let page: u64 = page.parse().unwrap_or(1).max(1);
    (page - 1).saturating_mul(rows).min(count.saturating_sub(1) / rows * rows)
}

/// The same page of a list with so many rows, or its last one.
pub(crate) fn within(search: Search, count: u64) -> Search {
    let rows = PAGE_ROWS as u64;
    Search { skip: search.skip.min(count.saturating_sub(1) / rows * rows), ..search }
}
