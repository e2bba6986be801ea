//! Texts in three languages. Every text that a person reads comes from `locales/<lang>/portal.ftl`;
//! sentences that the service wrote come from `sentences.ftl`, names come as they are.
//!
//! A test finds every key that templates and code use, and fails when a language lacks one or has
//! one that nobody uses.

use std::sync::LazyLock;

use coffre_control::ErrorCode;
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

/// A language of the portal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    /// English, also for everybody whose language is not here.
    #[default]
    En,
    /// Spanish.
    Es,
    /// French.
    Fr,
}

impl Lang {
    /// All of them, in the order in which a menu shows them.
    pub const ALL: [Self; 3] = [Self::En, Self::Es, Self::Fr];

    /// The tag of BCP 47 (`en`).
    pub fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Es => "es",
            Self::Fr => "fr",
        }
    }

    /// Its name in itself (`Español`).
    pub fn own_name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Es => "Español",
            Self::Fr => "Français",
        }
    }

    /// Reads a tag; a region (`fr-CH`) is ignored.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|lang| lang.tag().eq_ignore_ascii_case(primary))
    }

    /// Chooses by the `Accept-Language` header: the highest weight wins, the earlier of equals.
    pub fn negotiate(accept: &str) -> Self {
        let mut best = (0.0_f32, Self::default());
        for range in accept.split(',') {
            let mut parts = range.split(';');
            let Some(lang) = parts.next().and_then(|tag| Self::from_tag(tag.trim())) else {
                continue;
            };
            let weight = parts
                .find_map(|part| part.trim().strip_prefix("q=")?.parse::<f32>().ok())
                .unwrap_or(1.0);
            if weight > best.0 {
                best = (weight, lang);
            }
        }
        best.1
    }

    /// The source of its texts for errors; English has them from the catalogue itself.
    fn error_source(self) -> Option<&'static str> {
        match self {
            Self::En => None,
            Self::Es => Some(include_str!("../locales/es/errors.ftl")),
            Self::Fr => Some(include_str!("../locales/fr/errors.ftl")),
        }
    }

    /// The source of its words for sentences that the service wrote.
    pub(crate) fn sentences(self) -> &'static str {
        match self {
            Self::En => include_str!("../locales/en/sentences.ftl"),
            Self::Es => include_str!("../locales/es/sentences.ftl"),
            Self::Fr => include_str!("../locales/fr/sentences.ftl"),
        }
    }

    /// The source of its texts.
    pub(crate) fn source(self) -> &'static str {
        match self {
            Self::En => include_str!("../locales/en/portal.ftl"),
            Self::Es => include_str!("../locales/es/portal.ftl"),
            Self::Fr => include_str!("../locales/fr/portal.ftl"),
        }
    }
}

static BUNDLES: LazyLock<[FluentBundle<FluentResource>; 3]> = LazyLock::new(|| {
    Lang::ALL.map(|lang| {
        let id: LanguageIdentifier = lang.tag().parse().expect("a tag of our own");
        let mut bundle = FluentBundle::new_concurrent(vec![id]);
        // Values are isolated by `<bdi>` in the templates; marks in the text would be copied.
        bundle.set_use_isolating(false);
        let sources = [Some(lang.source()), Some(lang.sentences()), lang.error_source()];
        for source in sources.into_iter().flatten() {
            let resource = FluentResource::try_new(source.to_owned())
                .expect("the texts are part of the program and a test parses them");
            bundle.add_resource(resource).expect("no key twice; a test looks");
        }
        bundle
    })
});

/// A value in a text. Numbers choose the plural form.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// Text as it is.
    Text(&'a str),
    /// A count.
    Count(u64),
}

impl<'a, T: AsRef<str> + ?Sized> From<&'a T> for Value<'a> {
    fn from(text: &'a T) -> Self {
        Self::Text(text.as_ref())
    }
}

impl From<usize> for Value<'_> {
    fn from(count: usize) -> Self {
        Self::Count(count as u64)
    }
}

impl From<u64> for Value<'_> {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

/// The text of a key. A key that is not there reads as itself, so that a page never fails for it.
pub fn text(lang: Lang, key: &str, values: &[(&str, Value<'_>)]) -> String {
    let bundle = &BUNDLES[lang as usize];
    let Some(pattern) = bundle.get_message(key).and_then(|message| message.value()) else {
        debug_assert!(false, "no text for {key}");
        return key.to_owned();
    };
    let mut args = FluentArgs::new();
    for (name, value) in values {
        match value {
            Value::Text(text) => args.set(*name, FluentValue::from(*text)),
            Value::Count(count) => args.set(*name, FluentValue::from(*count)),
        }
    }
    let mut errors = Vec::new();
    let text = bundle.format_pattern(pattern, Some(&args), &mut errors);
    debug_assert!(errors.is_empty(), "{key}: {errors:?}");
    text.into_owned()
}

/// Title of an error and what to do about it; in English when the language lacks them.
pub fn error(lang: Lang, code: ErrorCode) -> (String, String) {
    let bundle = &BUNDLES[lang as usize];
    let translated = || {
        let message = bundle.get_message(code.azure())?;
        let (title, action) = (message.value()?, message.get_attribute("action")?.value());
        let write = |pattern| bundle.format_pattern(pattern, None, &mut Vec::new()).into_owned();
        Some((write(title), write(action)))
    };
    translated().unwrap_or_else(|| (code.title().to_owned(), code.recommendation().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_chooses_by_weight() {
        for (accept, lang) in [
            ("", Lang::En),
            ("de", Lang::En),
            ("fr-CH, fr;q=0.9, en;q=0.8", Lang::Fr),
            ("de, es;q=0.3, fr;q=0.7", Lang::Fr),
            ("en;q=0.1, es", Lang::Es),
            ("fr;q=0", Lang::En),
            ("fr;q=broken, es;q=0.2", Lang::Fr),
            (";;;,,q=1", Lang::En),
        ] {
            assert_eq!(Lang::negotiate(accept), lang, "{accept}");
        }
    }

    #[test]
    fn texts_parse_without_a_key_twice() {
        LazyLock::force(&BUNDLES);
    }

    #[test]
    fn every_error_has_its_words_in_every_language() {
        for lang in [Lang::Es, Lang::Fr] {
            for &code in ErrorCode::ALL {
                let (title, action) = error(lang, code);
                let file = format!("locales/{}/errors.ftl", lang.tag());
                assert_ne!(title, code.title(), "{code} is missing in {file}");
                assert_ne!(action, code.recommendation(), "{code} is missing in {file}");
                assert!(action.ends_with('.') && !title.ends_with('.'), "{code} in {file}");
            }
            let lines = lang.error_source().unwrap().lines();
            for key in lines.filter_map(|line| line.split_once(" = ")).map(|(key, _)| key) {
                let known = key.trim() == ".action" || ErrorCode::from_azure(key).is_some();
                assert!(known, "{lang:?}: {key} is no error code");
            }
        }
        let code = ErrorCode::Conflict;
        assert_eq!(error(Lang::En, code), (code.title().into(), code.recommendation().into()));
    }

    #[test]
    fn counts_choose_the_plural() {
        let count = |lang, count: u64| text(lang, "count-points", &[("count", count.into())]);
        assert_eq!(count(Lang::En, 1), "1 recovery point");
        assert_eq!(count(Lang::En, 0), "0 recovery points");
        assert_eq!(count(Lang::Es, 2), "2 puntos de recuperación");
        // French counts nothing in the singular.
        assert_eq!(count(Lang::Fr, 0), "0 point de récupération");
        assert_eq!(count(Lang::Fr, 2), "2 points de récupération");
    }
}
