//! Sentences that the service wrote, in the language of the reader: refusals, reasons, causes of
//! failures, targets of the activity log.
//!
//! The service keeps and sends them in English, to programs too, and old rows keep theirs. So each
//! is recognised by its English text in `locales/en/sentences.ftl`, the values in it are taken
//! out, and the text of the same key in the other language is filled with them. What nobody wrote
//! there (words of QEMU, of the system, of a guest) stays as it is. A test finds every sentence of
//! the use-cases and fails when one is not there.

use std::sync::LazyLock;

use jiff::Timestamp;

use crate::format;
use crate::i18n::{self, Lang};

/// Sentences inside sentences, at most: a refusal, its reason, the cause of that, and so on.
const DEPTH_MAX: u8 = 5;

/// A sentence as it is recognised: text, value, text, value, text.
struct Sentence {
    key: &'static str,
    texts: Vec<&'static str>,
    values: Vec<&'static str>,
    /// Letters that are not values: the longer of two that fit is meant.
    letters: usize,
}

impl Sentence {
    fn read(line: &'static str) -> Option<Self> {
        let (key, pattern) = line.split_once(" = ")?;
        let (mut texts, mut values) = (Vec::new(), Vec::new());
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once("{ $") {
            let (value, after) = after.split_once(" }")?;
            texts.push(before);
            values.push(value);
            rest = after;
        }
        texts.push(rest);
        let letters = texts.iter().map(|text| text.len()).sum();
        Some(Self { key, texts, values, letters })
    }

    /// The values, if the text is this sentence. Each ends where the text after it first begins.
    fn fit<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        let (first, after) = self.texts.split_first()?;
        let mut rest = text.strip_prefix(first)?;
        let Some((last, between)) = after.split_last() else {
            return rest.is_empty().then(Vec::new);
        };
        let mut values = Vec::with_capacity(self.values.len());
        for text in between {
            let (value, after) = rest.split_once(text)?;
            values.push(value);
            rest = after;
        }
        values.push(rest.strip_suffix(last)?);
        let fits = |(name, value): (&&str, &&str)| {
            !value.is_empty()
                && (*name != "disk" || !value.contains(' '))
                // What comes after a path is the cause.
                && (*name != "path" || !value.contains(": "))
        };
        self.values.iter().zip(&values).all(fits).then_some(values)
    }
}

fn all(prefix: &str) -> Vec<Sentence> {
    let lines = Lang::En.sentences().lines();
    lines.filter(|line| line.starts_with(prefix)).filter_map(Sentence::read).collect()
}

static SAID: LazyLock<Vec<Sentence>> = LazyLock::new(|| all("said-"));
static DONE: LazyLock<Vec<Sentence>> = LazyLock::new(|| all("done-"));

/// A refusal, a reason or a cause.
pub(crate) fn say(lang: Lang, text: &str) -> String {
    let other = (lang != Lang::En).then(|| translate(lang, &SAID, text, DEPTH_MAX)).flatten();
    other.unwrap_or_else(|| text.to_owned())
}

/// A reason that stands alone, not behind other words: with a capital.
pub(crate) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// What something was done to, as the activity log keeps it; in English its times are written anew.
pub(crate) fn target(lang: Lang, text: &str) -> String {
    translate(lang, &DONE, text, DEPTH_MAX).unwrap_or_else(|| text.to_owned())
}

fn translate(lang: Lang, sentences: &[Sentence], text: &str, depth: u8) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    let inner =
        |text: &str| translate(lang, sentences, text, depth).unwrap_or_else(|| text.to_owned());
    let fitting = sentences.iter().filter_map(|it| Some((it, it.fit(text)?)));
    if let Some((sentence, values)) = fitting.max_by_key(|(it, _)| it.letters) {
        let values: Vec<String> = (sentence.values.iter().zip(values))
            .map(|(name, value)| written(lang, name, value).unwrap_or_else(|| inner(value)))
            .collect();
        let named: Vec<_> =
            sentence.values.iter().copied().zip(values.iter().map(Into::into)).collect();
        return Some(i18n::text(lang, sentence.key, &named));
    }
    // Several reasons; a reason with another behind it; a failure with its cause.
    if let Some((first, more)) = text.split_once("; ")
        && let Some(first) = translate(lang, sentences, first, depth)
    {
        return Some(format!("{first}; {}", inner(more)));
    }
    if let Some((first, more)) = text.strip_suffix(')').and_then(|text| text.rsplit_once(" ("))
        && let Some(first) = translate(lang, sentences, first, depth)
    {
        return Some(format!("{first} ({})", inner(more)));
    }
    let (first, more) = text.split_once(": ")?;
    let first = translate(lang, sentences, first, depth)?;
    Some(format!("{first}{} {}", format::colon(lang), inner(more)))
}

/// A value as the reader writes it; none when it is a sentence itself.
fn written(lang: Lang, name: &str, value: &str) -> Option<String> {
    if name.starts_with("why") {
        return None;
    }
    let written = if name.starts_with("time") {
        value.parse::<Timestamp>().ok().map(|time| format::moment(lang, time))
    } else if name.starts_with("bytes") {
        value.parse::<u64>().ok().map(|bytes| format::bytes(lang, bytes))
    } else {
        None
    };
    Some(written.unwrap_or_else(|| value.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sentences_are_said_in_other_words_with_the_same_values() {
        for (english, spanish) in [
            ("the machine is off", "la máquina está apagada"),
            (
                "The vault name '1<b>' does not start with a letter. A vault name has 2 to 50 \
                 characters, starts with a letter, and contains only letters, digits and hyphens.",
                "El nombre de almacén '1<b>' no empieza por una letra. Un nombre de almacén tiene \
                 de 2 a 50 caracteres, empieza por una letra y solo contiene letras, dígitos y \
                 guiones.",
            ),
            (
                "the guest agent froze the file systems (the extension is not there: no network)",
                "el agente invitado congeló los sistemas de archivos (la extensión no está: no \
                 network)",
            ),
            (
                "re-read everything because disk a is new; disk b: there is no earlier point",
                "se volvió a leer todo porque el disco a es nuevo; disco b: no hay ningún punto \
                 anterior",
            ),
            (
                "transfer data to the vault: use of the store: connection refused",
                "transferir datos al almacén: uso del almacenamiento: connection refused",
            ),
            (
                "Recovery point '7' of 'web' cannot be deleted before its time: vault 'v' is \
                 immutable.",
                "El punto de recuperación '7' de 'web' no se puede eliminar antes de tiempo: el \
                 almacén 'v' es inmutable.",
            ),
            (
                "Another operation is currently in progress on 'web': Backup job 9. Wait for its \
                 end, or cancel it.",
                "Hay otra operación en curso en 'web': Copia de seguridad, trabajo 9. Espere a \
                 que termine o cancélela.",
            ),
            ("words of a foreign program", "words of a foreign program"),
        ] {
            assert_eq!(say(Lang::Es, english), spanish);
            assert_eq!(say(Lang::En, english), english);
        }
        let text = "size: the size changed from 1048576 to 2097152 bytes";
        assert_eq!(say(Lang::Fr, text), text, "what begins with foreign words stays whole");
        assert_eq!(
            say(Lang::Fr, "disk a: the size changed from 1048576 to 2097152 bytes"),
            "disque a : la taille est passée de 1\u{202f}Mio à 2\u{202f}Mio"
        );
        for (lang, until) in [(Lang::En, "until"), (Lang::Es, "hasta el"), (Lang::Fr, "jusqu’au")]
        {
            let time = format::moment(lang, "2026-12-22T23:59:59Z".parse().unwrap());
            let said = target(lang, "web until 2026-12-22T23:59:59Z");
            assert_eq!(said, format!("web {until} {time}"));
        }
    }

    #[test]
    fn a_reason_alone_begins_with_a_capital() {
        assert_eq!(capitalised("élan"), "Élan");
        assert_eq!(capitalised(""), "");
    }

    #[test]
    fn every_language_has_the_same_sentences() {
        let of = |lang: Lang| -> Vec<(&'static str, BTreeSet<&'static str>)> {
            let lines = lang.sentences().lines();
            lines
                .filter_map(Sentence::read)
                .map(|it| (it.key, it.values.into_iter().collect()))
                .collect()
        };
        let english = of(Lang::En);
        assert!(english.len() > 250);
        let keys: BTreeSet<_> = english.iter().map(|(key, _)| key).collect();
        assert_eq!(keys.len(), english.len(), "a key twice");
        for lang in [Lang::Es, Lang::Fr] {
            assert_eq!(of(lang), english, "{lang:?}");
        }
    }

    /// Words that look like sentences and are not shown, or are shown elsewhere in other words.
    const NOT_SAID: [&str; 14] = [
        "times and numbers are JSON",
        // Names of roles, and examples inside of rules.
        "Backup Contributor",
        "Backup Operator",
        "Backup MUA Admin",
        "for example ",
        // Parts of sentences that are there whole.
        " is filed; repeat this when it is granted.",
        "cannot be deleted before its time: vault",
        "is the newest, which the next backup builds on",
        // The portal says its own words for these.
        "x 500 GB",
        "resource group",
        // Kinds of resources that only templates make.
        " at ",
        // Parts of refusals about a group, named with their kind.
        "virtual machine '",
        "storage account '",
        "(deleted, kept until",
    ];

    /// What a person may read of a file: its literals with at least two words, outside its tests.
    fn literals(path: &Path) -> Vec<String> {
        let source = fs::read_to_string(path).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap();
        let mut found = Vec::new();
        // Documentation and comments hold quotes of their own.
        let code: String = source
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .map(|line| format!("{line}\n"))
            .collect();
        let mut rest = code.as_str();
        while let Some((before, after)) = rest.split_once('"') {
            let mut end = 0;
            let bytes = after.as_bytes();
            while bytes[end] != b'"' {
                end += if bytes[end] == b'\\' { 2 } else { 1 };
            }
            let said = !["expect(", "error!(", "warn!(", "info!(", "debug!(", "cx.record("]
                .iter()
                .any(|call| before.trim_end().ends_with(call));
            if said {
                let joined: Vec<&str> = after[..end].split("\\\n").map(str::trim_start).collect();
                found.push(joined.concat());
            }
            rest = &after[end + 1..];
        }
        found.retain(|it| it.contains(' ') && it.len() > 12);
        found
    }

    /// A format string as somebody reads it: numbers in the place of values.
    fn filled(literal: &str) -> String {
        let mut text = String::new();
        let mut rest = literal;
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            text.push('7');
            rest = after.split_once('}').map_or("", |(_, after)| after);
        }
        text + rest
    }

    #[test]
    fn every_sentence_of_the_use_cases_is_there() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let folder = crates.join("control/src/usecase");
        let mut files: Vec<PathBuf> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|it| it == "rs"));
        files.sort();
        files.extend(
            ["control/src/authz.rs", "engine/src/plan.rs", "fabric/src/qemu/stopped.rs"]
                .map(|path| crates.join(path)),
        );
        let known = |text: &str| {
            let whole = |all: &[Sentence]| translate(Lang::Fr, all, text, DEPTH_MAX).is_some();
            whole(&SAID) || whole(&DONE)
        };
        let mut missing = Vec::new();
        for file in &files {
            for literal in literals(file) {
                let part = NOT_SAID.iter().any(|it| literal.contains(it));
                let text = filled(&literal);
                let dotted = format!("{text}.");
                if !part && ![&*text, text.trim_end_matches('.'), &dotted].into_iter().any(known) {
                    missing.push(format!("{}: {literal}", file.display()));
                }
            }
        }
        assert!(missing.is_empty(), "add to locales/*/sentences.ftl: {missing:#?}");
    }

    /// What a job was at when it failed stands before the cause.
    #[test]
    fn what_the_engine_does_is_there() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut folders = vec![crates.join("engine/src")];
        let (mut missing, mut found) = (Vec::new(), 0);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let source = fs::read_to_string(&path).unwrap();
                let source = source.split("#[cfg(test)]").next().unwrap();
                for (call, end) in [("fabric(", ""), ("vault(", ""), ("target(", " /a/b")] {
                    for (_, after) in source
                        .match_indices(&format!("Failure::{call}"))
                        .map(|(at, it)| (at, source[at + it.len()..].trim_start()))
                    {
                        let Some(literal) = after.strip_prefix('"') else { continue };
                        let (doing, _) = literal.split_once('"').unwrap();
                        let text = format!("{}{end}: cause", filled(doing));
                        found += 1;
                        let said = translate(Lang::Fr, &SAID, &text, DEPTH_MAX);
                        if said.is_none_or(|said| !said.ends_with(": cause")) {
                            missing.push(format!("{}: {doing}", path.display()));
                        }
                    }
                }
            }
        }
        assert!(found > 15, "the scan finds what the engine does: {found}");
        assert!(missing.is_empty(), "add to locales/*/sentences.ftl: {missing:#?}");
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in "[a-z':;(). {}$é]{0,200}") {
            say(Lang::Es, &text);
            target(Lang::Fr, &text);
        }

        #[test]
        fn values_come_through(name in "[^']{1,40}") {
            let said = say(Lang::Fr, &format!("There is no job '{name}'."));
            prop_assert_eq!(said, format!("Il n’y a pas de tâche « {name} »."));
        }
    }
}
