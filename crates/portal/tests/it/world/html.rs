//! Reads the HTML that the portal writes, strictly: what a browser would forgive is an error here.

#![allow(dead_code, clippy::unwrap_used, missing_docs, unreachable_pub)]

use std::collections::BTreeSet;

#[derive(Clone, Debug)]
pub struct Tag {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    /// Names of the elements that it is in, outermost first.
    pub inside: Vec<String>,
}

impl Tag {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

const VOID: [&str; 7] = ["meta", "link", "input", "br", "img", "hr", "wbr"];

/// All opening tags. Panics when elements are not nested or a tag is not written as we write them.
pub fn tags(html: &str) -> Vec<Tag> {
    let mut tags: Vec<Tag> = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if rest.starts_with('!') {
            rest = &rest[rest.find('>').unwrap() + 1..];
            continue;
        }
        if let Some(closing) = rest.strip_prefix('/') {
            let end = closing.find('>').unwrap();
            let name = &closing[..end];
            let last = open.pop();
            assert_eq!(last.as_deref(), Some(name), "closing tag in:\n…{}", context(html, rest));
            rest = &closing[end + 1..];
            continue;
        }
        let (tag, after) = tag(rest, &open);
        if !VOID.contains(&tag.name.as_str()) {
            open.push(tag.name.clone());
        }
        tags.push(tag);
        rest = after;
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    tags
}

fn context<'a>(html: &'a str, rest: &str) -> &'a str {
    let at = html.len() - rest.len();
    let from = html[..at].char_indices().rev().nth(200).map_or(0, |(at, _)| at);
    &html[from..at]
}

fn tag<'a>(text: &'a str, open: &[String]) -> (Tag, &'a str) {
    let end = text.find(|c: char| c.is_whitespace() || c == '>').unwrap();
    let name = text[..end].to_owned();
    assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "tag <{name}");
    let mut attributes = Vec::new();
    let mut rest = text[end..].trim_start();
    while !rest.starts_with('>') {
        let end = rest.find(|c: char| c.is_whitespace() || c == '=' || c == '>').unwrap();
        let key = rest[..end].to_owned();
        assert!(
            key.chars().all(|c| c.is_ascii_lowercase() || c == '-' || c.is_ascii_digit()),
            "attribute {key} in <{name}"
        );
        rest = rest[end..].trim_start();
        let mut value = String::new();
        if let Some(quoted) = rest.strip_prefix("=\"") {
            let end = quoted.find('"').unwrap();
            value = unescape(&quoted[..end]);
            rest = quoted[end + 1..].trim_start();
        } else {
            assert!(!rest.starts_with('='), "unquoted value of {key} in <{name}");
        }
        attributes.push((key, value));
    }
    (Tag { name, attributes, inside: open.to_vec() }, &rest[1..])
}

pub fn unescape(text: &str) -> String {
    text.replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#38;", "&")
}

/// What holds for every page, whatever is on it.
pub fn check(address: &str, html: &str) -> Vec<Tag> {
    let tags = tags(html);
    let named = |name: &'static str| tags.iter().filter(move |tag| tag.name == name);
    for tag in &tags {
        for (key, value) in &tag.attributes {
            assert!(!key.starts_with("on"), "{address}: handler {key} in <{}>", tag.name);
            assert_ne!(key, "style", "{address}: style in <{}>", tag.name);
            if ["href", "src", "action"].contains(&key.as_str()) {
                let ours = value.starts_with("/portal/") || value.starts_with('#');
                assert!(ours, "{address}: {key}={value}");
            }
        }
    }
    for image in named("img") {
        let ours = image.get("src").is_some_and(|src| src.starts_with("/portal/static/guide-"));
        assert!(
            ours && image.get("alt").is_some_and(|alt| !alt.is_empty()),
            "{address}: {image:?}"
        );
    }
    for forbidden in ["iframe", "object", "embed", "style", "base"] {
        assert_eq!(named(forbidden).count(), 0, "{address}: <{forbidden}>");
    }
    assert!(named("script").all(|tag| tag.get("src").is_some()), "{address}: inline script");
    let ids: Vec<&str> = tags.iter().filter_map(|tag| tag.get("id")).collect();
    let distinct: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), distinct.len(), "{address}: an id twice in {ids:?}");
    check_labels(address, &tags, &distinct);
    if named("html").count() == 1 {
        assert_eq!(named("h1").count(), 1, "{address}: headings");
        assert_eq!(named("main").count(), 1, "{address}: main");
        assert!(named("html").all(|tag| tag.get("lang").is_some()));
        assert!(named("th").all(|tag| tag.get("scope").is_some()), "{address}: th without scope");
    }
    tags
}

/// Every field has a name that a screen reader can say, and what is pointed at is there.
fn check_labels(address: &str, tags: &[Tag], ids: &BTreeSet<&str>) {
    let labelled: BTreeSet<&str> =
        tags.iter().filter(|tag| tag.name == "label").filter_map(|tag| tag.get("for")).collect();
    for id in &labelled {
        assert!(ids.contains(id), "{address}: label for {id}, which is not there");
    }
    for tag in tags {
        let field = ["input", "select", "textarea"].contains(&tag.name.as_str());
        if field && tag.get("type") != Some("hidden") {
            let named = tag.get("aria-label").is_some_and(|label| !label.is_empty())
                || tag.inside.iter().any(|name| name == "label")
                || tag.get("id").is_some_and(|id| labelled.contains(id));
            assert!(named, "{address}: field without a name: {tag:?}");
        }
        for pointer in ["aria-describedby", "aria-labelledby"] {
            for id in tag.get(pointer).unwrap_or_default().split_whitespace() {
                assert!(ids.contains(id), "{address}: {pointer} {id}, which is not there");
            }
        }
    }
}

/// Addresses that a page leads to: links and forms, with the method of the form.
pub fn addresses(tags: &[Tag]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for tag in tags {
        match tag.name.as_str() {
            "a" | "link" => found.push(("get".to_owned(), tag.get("href").unwrap().to_owned())),
            "script" => found.push(("get".to_owned(), tag.get("src").unwrap().to_owned())),
            "use" => {
                let href = tag.get("href").unwrap().split('#').next().unwrap();
                found.push(("get".to_owned(), href.to_owned()));
            }
            "form" => found.push((
                tag.get("method").unwrap_or("get").to_owned(),
                tag.get("action").unwrap().to_owned(),
            )),
            _ => {}
        }
        if let Some(live) = tag.get("data-live") {
            found.push(("get".to_owned(), live.to_owned()));
        }
    }
    found.retain(|(_, address)| !address.starts_with('#'));
    found
}
