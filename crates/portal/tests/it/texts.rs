//! Every text is there in every language, with the same values, and none is left over.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const LANGUAGES: [&str; 3] = ["en", "es", "fr"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The texts of a language by key, whole.
fn texts(lang: &str) -> BTreeMap<String, String> {
    let source = fs::read_to_string(root().join("locales").join(lang).join("portal.ftl")).unwrap();
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    let mut current = String::new();
    for line in source.lines() {
        match line.split_once(" = ") {
            Some((key, text)) if key.chars().all(|c| c.is_ascii_lowercase() || "-".contains(c)) => {
                key.clone_into(&mut current);
                assert!(
                    texts.insert(current.clone(), text.to_owned()).is_none(),
                    "{lang}: {key} twice"
                );
            }
            _ if line.starts_with('#') || line.is_empty() => {}
            _ => texts.get_mut(&current).unwrap().push_str(line),
        }
    }
    texts
}

/// The values (`$name`) in a text.
fn values(text: &str) -> BTreeSet<String> {
    text.split('$')
        .skip(1)
        .map(|rest| rest.chars().take_while(char::is_ascii_alphanumeric).collect())
        .collect()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn sources() -> String {
    let mut found = Vec::new();
    files(&root().join("src"), &mut found);
    files(&root().join("templates"), &mut found);
    found.sort();
    found.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// Literals that are surely keys: first arguments of the functions that look texts up.
fn keys_asked_for(sources: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for call in ["t(", "t1(", "t2(", ".text(", "empty(view, ", "empty(&view, "] {
        for (at, _) in sources.match_indices(call) {
            let before = sources[..at].chars().next_back().unwrap_or(' ');
            if call.starts_with('t') && (before.is_alphanumeric() || before == '_') {
                continue;
            }
            let rest = sources[at + call.len()..].trim_start();
            if let Some(literal) = rest.strip_prefix('"')
                && let Some(end) = literal.find('"')
            {
                keys.insert(literal[..end].to_owned());
            }
        }
    }
    keys
}

#[test]
fn every_language_has_the_same_keys_and_values() {
    let english = texts("en");
    assert!(english.len() > 200);
    for lang in LANGUAGES {
        let texts = texts(lang);
        let keys: BTreeSet<_> = texts.keys().collect();
        assert_eq!(keys, english.keys().collect(), "{lang}");
        for (key, text) in &texts {
            assert!(!text.trim().is_empty(), "{lang}: {key} is empty");
            assert_eq!(values(text), values(&english[key]), "{lang}: values of {key}");
        }
    }
}

#[test]
fn every_key_that_is_asked_for_is_there() {
    let english = texts("en");
    let asked = keys_asked_for(&sources());
    assert!(asked.len() > 100, "the scan finds keys: {asked:?}");
    let missing: Vec<_> = asked.iter().filter(|key| !english.contains_key(*key)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn no_key_is_left_over() {
    let sources = sources();
    let unused: Vec<_> =
        texts("en").into_keys().filter(|key| !sources.contains(&format!("\"{key}\""))).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn nothing_was_left_in_english() {
    let english = texts("en");
    // Words that are the same in both languages.
    let same = ["actions", "days-of-weeks", "notifications", "point", "tier-archive", "total"];
    for lang in ["es", "fr"] {
        for (key, text) in texts(lang) {
            let equal = text == english[&key];
            let may = same.contains(&key.as_str()) || key.starts_with("disk-format");
            assert!(!equal || may, "{lang}: {key} = {text}");
        }
    }
}
