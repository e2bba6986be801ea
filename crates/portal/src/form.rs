//! Forms that send a field more than once (check boxes).

use axum::Form;

/// What a form sent, in its order.
pub(crate) type Fields = Form<Vec<(String, String)>>;

/// The first value of a field, without the space around it; empty when it was not sent.
pub(crate) fn first<'a>(fields: &'a [(String, String)], name: &str) -> &'a str {
    fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim())
}

/// All values of a field.
pub(crate) fn all<'a>(
    fields: &'a [(String, String)],
    name: &'a str,
) -> impl Iterator<Item = &'a str> {
    fields.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// Whether a tick was set.
pub(crate) fn ticked(fields: &[(String, String)], name: &str) -> bool {
    !first(fields, name).is_empty()
}
