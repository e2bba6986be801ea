//! Rules about the files of the repository that no compiler checks.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Lines a source file should stay under, and those it must.
const LINES_AIMED: usize = 400;
const LINES_MAX: usize = 800;

/// Lines of a function, from its name to its last brace.
const FUNCTION_LINES_MAX: usize = 70;

/// Files above the first number. The list may only shrink; a file that got shorter must leave it.
const LONG_FILES: &[&str] = &[
    "crates/engine/src/backup.rs",
    "crates/engine/tests/steps/world.rs",
    "crates/testkit/src/sim/store.rs",
];

/// The same for functions: file and name.
const LONG_FUNCTIONS: &[(&str, &str)] = &[];

/// Larger files need a reason to be in the repository.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Folders at the root that documents name paths in.
const FOLDERS: &[&str] = &["crates", "docs", "guests", "xtask", ".ci", ".cargo"];

/// Written in two halves, so that this file does not break its own rules.
const FORBIDDEN_IN_RUST: &[(&str, &str)] = &[
    (concat!("#[ign", "ore"), "a test runs or is deleted"),
    (concat!("#[should", "_panic"), "check the error, a panic is no answer"),
    (concat!("to", "do!("), "unfinished code does not land"),
    (concat!("unimpl", "emented!("), "unfinished code does not land"),
];
const FORBIDDEN_EVERYWHERE: &[(&str, &str)] = &[
    (concat!("/wo", "rk/"), "path of somebody's machine"),
    (concat!("/var/tmp/", "coffre"), "path of somebody's machine"),
    (concat!("/ho", "me/"), "path of somebody's machine"),
    (concat!("<<<<", "<<< "), "conflict that was not resolved"),
];

/// What makes code depend on the machine it runs on. `control` gets time, randomness and data as arguments, and that is
/// why a test can run its whole life in a loop.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::env",
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "Uuid::new_v4",
    "Uuid::now_v7",
    "getrandom",
    "println!",
];

struct SourceFile {
    /// Relative to the root, with `/`.
    path: String,
    text: String,
}

static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the workspace is two folders up")
});

static FILES: LazyLock<Vec<SourceFile>> = LazyLock::new(|| {
    let mut files = Vec::new();
    let mut open = vec![ROOT.clone()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("folders of the repository are readable") {
            let entry = entry.expect("folders of the repository are readable");
            let (path, name) = (entry.path(), entry.file_name());
            let kind = entry.file_type().expect("files have a type");
            if kind.is_dir() && name != ".git" && name != "target" {
                open.push(path);
            } else if kind.is_file()
                && let Ok(text) = std::fs::read_to_string(&path)
            {
                let relative = path.strip_prefix(&*ROOT).expect("found below the root");
                files
                    .push(SourceFile { path: relative.to_string_lossy().replace('\\', "/"), text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
});

fn has_suffix(path: &str, suffixes: &[&str]) -> bool {
    suffixes.iter().any(|suffix| path.ends_with(suffix))
}

/// Fails with one line for each thing that was found.
fn none(found: &[String]) {
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn files_are_short() {
    let mut found = Vec::new();
    for file in FILES.iter().filter(|file| has_suffix(&file.path, &[".rs", ".sh", ".py"])) {
        let lines = file.text.lines().count();
        let listed = LONG_FILES.contains(&&*file.path);
        if lines > LINES_MAX {
            found.push(format!("{}: {lines} lines, the limit is {LINES_MAX}", file.path));
        } else if lines > LINES_AIMED && !listed {
            found.push(format!("{}: {lines} lines, aim at {LINES_AIMED}; split it", file.path));
        } else if lines <= LINES_AIMED && listed {
            found.push(format!("{}: is short now, take it off the list", file.path));
        }
    }
    for path in LONG_FILES.iter().filter(|path| !ROOT.join(path).exists()) {
        found.push(format!("{path}: is gone, take it off the list"));
    }
    none(&found);
}

#[test]
fn functions_are_short() {
    let mut found = Vec::new();
    for file in FILES.iter().filter(|file| file.path.ends_with(".rs")) {
        for (name, lines) in functions(&file.text) {
            let listed = LONG_FUNCTIONS.contains(&(&file.path, &name));
            if lines > FUNCTION_LINES_MAX && !listed {
                found.push(format!("{}: `{name}` has {lines} lines", file.path));
            }
        }
    }
    none(&found);
    let all: usize = FILES.iter().map(|file| functions(&file.text).len()).sum();
    assert!(all > 200, "only {all} functions were seen: the search for them is broken");
}

/// Name and length of each function. Trusts rustfmt: the last brace stands under the beginning of the first line.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let words: Vec<&str> = code.split([' ', '(', '<']).collect();
        let qualifiers =
            ["pub", "pub(crate)", "pub(super)", "async", "const", "unsafe", "crate)", "super)"];
        let Some(at) = words.iter().position(|word| *word == "fn") else { continue };
        if at + 1 >= words.len() || !words[..at].iter().all(|word| qualifiers.contains(word)) {
            continue;
        }
        let indent = &line[..line.len() - code.len()];
        let ends =
            |line: &&str| line.strip_prefix(indent).is_some_and(|rest| rest.starts_with('}'));
        let declared_only =
            |line: &&str| line.ends_with(';') && !line[indent.len()..].starts_with(' ');
        if let Some(length) =
            lines[start..].iter().position(|line| ends(line) || declared_only(line))
        {
            found.push((words[at + 1].to_owned(), length + 1));
        }
    }
    found
}

#[test]
fn control_is_pure() {
    let mut found = Vec::new();
    for file in FILES.iter().filter(|file| file.path.starts_with("crates/control/src/")) {
        // Tests stand at the end and may do what they like.
        let shipped = file.text.lines().take_while(|line| !line.starts_with("#[cfg(test)]"));
        for (number, line) in shipped.enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for needle in IMPURE.iter().filter(|needle| code.contains(**needle)) {
                found.push(format!("{}:{}: {needle}", file.path, number + 1));
            }
        }
    }
    none(&found);
}

#[test]
fn no_file_is_huge() {
    let huge =
        |file: &&SourceFile| file.text.len() as u64 > FILE_BYTES_MAX && file.path != "Cargo.lock";
    let found: Vec<_> =
        FILES.iter().filter(huge).map(|file| format!("{} is huge", file.path)).collect();
    none(&found);
}

#[test]
fn nothing_forbidden_is_written() {
    let mut found = Vec::new();
    for file in FILES.iter() {
        let rules = FORBIDDEN_EVERYWHERE.iter().map(|rule| (rule, true));
        let rust = FORBIDDEN_IN_RUST.iter().map(|rule| (rule, file.path.ends_with(".rs")));
        for ((needle, why), applies) in rules.chain(rust) {
            for (number, line) in file.text.lines().enumerate() {
                if applies && contains_at_boundary(line, needle) {
                    found.push(format!("{}:{}: `{needle}`: {why}", file.path, number + 1));
                }
            }
        }
    }
    none(&found);
}

/// A needle that is a path must begin where a path begins: `docs/wo…/` is none.
fn contains_at_boundary(line: &str, needle: &str) -> bool {
    let joins = |before: char| before.is_ascii_alphanumeric() || "-_.}*".contains(before);
    line.match_indices(needle).any(|(at, _)| !line[..at].chars().next_back().is_some_and(joins))
}

#[test]
fn things_left_to_do_name_their_issue() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let mut found = Vec::new();
    for file in FILES
        .iter()
        .filter(|file| has_suffix(&file.path, &[".rs", ".sh", ".py", ".toml", ".html", ".css"]))
    {
        for (number, line) in file.text.lines().enumerate() {
            let marked = marks
                .iter()
                .any(|mark| line.split(|c: char| !c.is_alphanumeric()).any(|word| word == *mark));
            let names_issue =
                line.split('#').skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
            if marked && !names_issue {
                found.push(format!("{}:{}: no issue number", file.path, number + 1));
            }
        }
    }
    none(&found);
}

#[test]
fn paths_in_documents_exist() {
    let mut found = Vec::new();
    for file in FILES.iter().filter(|file| is_document(&file.path)) {
        for (number, line) in file.text.lines().enumerate() {
            for path in line.split('`').skip(1).step_by(2).filter(|code| is_path(code)) {
                let beside = ROOT.join(&file.path).with_file_name(path);
                if !ROOT.join(path).exists() && !beside.exists() {
                    found.push(format!("{}:{}: `{path}` does not exist", file.path, number + 1));
                }
            }
        }
    }
    none(&found);
}

fn is_document(path: &str) -> bool {
    path.ends_with(".md") && (path.starts_with("docs/") || !path.contains('/'))
}

/// Whether code in a document is meant as a path of this repository.
fn is_path(code: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let (first, rest) = code.split_once('/').unwrap_or((code, ""));
    let in_folder = !rest.is_empty() && FOLDERS.contains(&first);
    code.chars().all(plain)
        && (in_folder || (!code.contains('/') && has_suffix(code, &[".md", ".sh"])))
}

#[test]
fn the_documents_of_a_project_are_there() {
    let mut missing = String::new();
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "LICENSE-APACHE",
        "LICENSE-MIT",
    ] {
        if !ROOT.join(name).exists() {
            let _ = write!(missing, "{name} ");
        }
    }
    assert!(missing.is_empty(), "missing: {missing}");
    let changelog = std::fs::read_to_string(ROOT.join("CHANGELOG.md")).unwrap();
    let heading = |line: &str| line.starts_with("## ") && line.contains("Unreleased");
    assert!(changelog.lines().any(heading), "CHANGELOG.md has no heading Unreleased");
}

#[test]
fn the_rules_can_fail() {
    assert!(contains_at_boundary(concat!("see /wo", "rk/x"), concat!("/wo", "rk/")));
    assert!(!contains_at_boundary(concat!("a/wo", "rk/x"), concat!("/wo", "rk/")));
    let text = "impl X {\n    pub(crate) fn a(\n        x: u8,\n    ) {\n        b();\n    }\n    fn c();\n}\n";
    assert_eq!(functions(text), [("a".to_owned(), 5), ("c".to_owned(), 1)]);
    assert!(is_path("crates/vault/src/lib.rs") && is_path("docs/adr") && is_path("README.md"));
    assert!(!is_path("cargo xtask test") && !is_path("target/guests") && !is_path("crates/*/src"));
}
