//! What every page is given: who looks at it, in which language and colours, and how values are
//! written for them.

use coffre_control::attempts::Source;
use coffre_control::{Action, Caller, ErrorCode};
use jiff::Timestamp;

use crate::format;
use crate::i18n::{self, Lang, Value};
use crate::sentence;

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system says.
    #[default]
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// All of them, in the order in which a menu shows them.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    /// Its word in cookies and in the page.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Reads its word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.word() == word)
    }

    /// Key of its name.
    pub fn key(self) -> &'static str {
        match self {
            Self::Auto => "theme-auto",
            Self::Light => "theme-light",
            Self::Dark => "theme-dark",
        }
    }
}

/// Who looks, and how. One per request; made by the guard before any page runs.
#[derive(Clone, Debug)]
pub struct View {
    /// Language.
    pub lang: Lang,
    /// Colours.
    pub theme: Theme,
    /// Token that every form sends back.
    pub csrf: String,
    /// Who is signed in; always somebody on pages behind the sign-in.
    pub caller: Option<Caller>,
    /// Path and query of the page.
    pub here: String,
    /// Where the request comes from.
    pub source: Source,
    /// What time it is.
    pub now: Timestamp,
    /// How many jobs ended since the reader looked at the notifications; none = nobody is signed in.
    pub unseen: Option<usize>,
}

impl View {
    /// Who is signed in; nobody may do anything.
    pub(crate) fn caller(&self) -> Caller {
        self.caller.clone().unwrap_or_else(|| Caller {
            principal: uuid::Uuid::nil().into(),
            name: String::new(),
            roles: Vec::new(),
            grants: Vec::new(),
        })
    }

    /// Whether the reader may do something: what they may not has no button.
    pub fn may(&self, action: Action) -> bool {
        self.caller.as_ref().is_some_and(|caller| caller.may(action).is_ok())
    }

    /// How many jobs ended since the reader looked at the notifications.
    pub fn unseen_count(&self) -> usize {
        self.unseen.unwrap_or_default()
    }

    /// The text of a key.
    pub fn t(&self, key: &str) -> String {
        i18n::text(self.lang, key, &[])
    }

    /// The text of a key with any values.
    pub fn text(&self, key: &str, values: &[(&str, Value<'_>)]) -> String {
        i18n::text(self.lang, key, values)
    }

    /// The text of a key with one value.
    pub fn t1<'a>(&self, key: &str, name: &str, value: impl Into<Value<'a>>) -> String {
        i18n::text(self.lang, key, &[(name, value.into())])
    }

    /// The text of a key with two values.
    pub fn t2<'a>(
        &self,
        key: &str,
        name: &str,
        value: impl Into<Value<'a>>,
        other_name: &str,
        other: impl Into<Value<'a>>,
    ) -> String {
        i18n::text(self.lang, key, &[(name, value.into()), (other_name, other.into())])
    }

    /// Title of an error and what to do about it.
    pub fn error(&self, code: ErrorCode) -> (String, String) {
        i18n::error(self.lang, code)
    }

    /// A refusal, a reason or a cause that the service wrote.
    pub fn say(&self, sentence: &str) -> String {
        sentence::say(self.lang, sentence)
    }

    /// A colon, as it stands behind a word.
    pub fn colon(&self) -> &'static str {
        format::colon(self.lang)
    }

    /// A whole number.
    pub fn number(&self, value: impl TryInto<u64>) -> String {
        format::number(self.lang, value.try_into().unwrap_or(u64::MAX))
    }

    /// A size in bytes.
    pub fn bytes(&self, value: u64) -> String {
        format::bytes(self.lang, value)
    }

    /// A length of time in seconds.
    pub fn seconds(&self, value: f64) -> String {
        format::seconds(self.lang, value)
    }

    /// A length of time in milliseconds.
    pub fn millis(&self, value: u64) -> String {
        format::millis(self.lang, value)
    }

    /// A moment, as an element that carries it for machines too.
    pub fn time(&self, time: Timestamp) -> TimeElement {
        TimeElement { iso: iso(time), text: format::moment(self.lang, time) }
    }

    /// A moment to the second.
    pub fn time_exact(&self, time: Timestamp) -> TimeElement {
        TimeElement { iso: iso(time), text: format::moment_exact(self.lang, time) }
    }

    /// A path or an address, which breaks behind its slashes where a line is too short for it.
    pub fn path<'p>(&self, text: &'p str) -> PathElement<'p> {
        PathElement { text }
    }
}

fn iso(time: Timestamp) -> String {
    format!("{time:.0}")
}

/// A `<time>` element.
#[derive(askama::Template)]
#[template(source = r#"<time datetime="{{ iso }}">{{ text }}</time>"#, ext = "html")]
pub struct TimeElement {
    iso: String,
    text: String,
}

impl askama::filters::HtmlSafe for TimeElement {}

impl TimeElement {
    /// What people read.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A text with a place to break behind each slash.
#[derive(askama::Template)]
#[template(
    source = r#"{% for part in text.split_inclusive('/') %}{{ part }}{% if part.ends_with('/') %}<wbr>{% endif %}{% endfor %}"#,
    ext = "html"
)]
pub struct PathElement<'p> {
    text: &'p str,
}

impl askama::filters::HtmlSafe for PathElement<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_carry_themselves_for_machines() {
        let time = "2026-11-21T22:04:05.678Z".parse().unwrap();
        assert_eq!(iso(time), "2026-11-21T22:04:05Z");
    }
}
