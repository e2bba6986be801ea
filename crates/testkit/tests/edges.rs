//! Who may know whom: the edges between our crates, the homes of some dependencies, and the licences of all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

/// Our crates by folder, and what each may depend on. The whole list: what is not here is forbidden.
const EDGES: &[(&str, &[&str])] = &[
    ("control", &[]),
    ("vault", &[]),
    ("fabric", &[]),
    ("engine", &["fabric", "vault"]),
    ("store", &["control"]),
    ("arm", &["control"]),
    ("portal", &["control"]),
    ("guest", &[]),
    ("buckets", &["vault"]),
    (
        "cli",
        &["control", "vault", "buckets", "fabric", "engine", "store", "arm", "portal", "guest"],
    ),
    (
        "testkit",
        &["control", "vault", "fabric", "engine", "store", "arm", "portal", "vault-under-test"],
    ),
    // The sources of `vault` once more, compiled for the simulator.
    ("vault-under-test", &[]),
    ("xtask", &["testkit"]),
];

/// What tests may use besides: the two faces are tested on the real store, and the extension with the host that drives
/// it. Everybody's tests may use `testkit`.
const TEST_EDGES: &[(&str, &str)] = &[("arm", "store"), ("portal", "store"), ("guest", "fabric")];

/// Dependencies that have one home (or a few): what others build from may not name them. Their tests may.
const HOMES: &[(&str, &[&str])] = &[
    ("rusqlite", &["store"]),
    ("askama", &["portal"]),
    ("axum", &["arm", "portal", "cli"]),
    ("hyper", &["arm", "portal", "cli"]),
    ("tokio", &["arm", "portal", "cli", "buckets"]),
    ("object_store", &["buckets"]),
    ("fuser", &["cli"]),
    ("tokio-rustls", &["cli"]),
    ("zstd", &["vault", "vault-under-test"]),
    ("anyhow", &["cli", "testkit", "xtask"]),
    ("cargo_metadata", &["testkit", "xtask"]),
];

/// Rooms that are synchronous and speak no HTTP, and what must not even come in through somebody else.
const SYNCHRONOUS: &[&str] = &["control", "vault", "fabric", "engine", "store", "guest"];
const ASYNCHRONOUS: &[&str] = &["tokio", "async-std", "smol", "axum", "hyper", "reqwest"];

/// Licences that a dependency may be used under. All let a binary be passed on with a notice only.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

static METADATA: LazyLock<Metadata> =
    LazyLock::new(|| MetadataCommand::new().exec().expect("cargo metadata reads this workspace"));

/// Folder name of one of our crates: `coffre-vault` lives in `vault`.
fn room(package: &str) -> &str {
    package.strip_prefix("coffre-").unwrap_or(if package == "coffre" { "cli" } else { package })
}

fn rooms() -> impl Iterator<Item = (&'static str, &'static cargo_metadata::Package)> {
    METADATA.workspace_packages().into_iter().map(|package| (room(package.name.as_str()), package))
}

#[test]
fn every_edge_is_allowed() {
    let allowed: BTreeMap<_, _> = EDGES.iter().copied().collect();
    let ours: BTreeSet<String> = rooms().map(|(_, package)| package.name.to_string()).collect();
    let mut wrong = Vec::new();
    for (name, package) in rooms() {
        let Some(may) = allowed.get(name) else {
            wrong.push(format!("{name} is a new crate: say in EDGES what it may depend on"));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|d| ours.contains(&d.name)) {
            let target = room(&dependency.name);
            let for_tests = dependency.kind == DependencyKind::Development
                && (target == "testkit" || TEST_EDGES.contains(&(name, target)));
            if !may.contains(&target) && !for_tests {
                wrong.push(format!("{name} must not depend on {target}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_dependency_with_a_home_stays_there() {
    let mut wrong = Vec::new();
    for (name, package) in rooms() {
        for dependency in
            package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development)
        {
            let home = HOMES.iter().find(|(what, _)| *what == dependency.name);
            if let Some((what, homes)) = home
                && !homes.contains(&name)
            {
                wrong.push(format!(
                    "{name} must not depend on {what}; its home is {}",
                    homes.join(", ")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_synchronous_rooms_stay_so_through_all_their_dependencies() {
    let resolve = METADATA.resolve.as_ref().expect("metadata was asked with dependencies");
    let normal: BTreeMap<&PackageId, Vec<&PackageId>> = resolve
        .nodes
        .iter()
        .map(|node| {
            let is_normal = |d: &&cargo_metadata::NodeDep| {
                d.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal)
            };
            (&node.id, node.deps.iter().filter(is_normal).map(|d| &d.pkg).collect())
        })
        .collect();
    let mut wrong = Vec::new();
    for (name, package) in rooms().filter(|(name, _)| SYNCHRONOUS.contains(name)) {
        let mut seen = BTreeSet::new();
        let mut open = vec![&package.id];
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(&normal[id]);
            }
        }
        for id in seen {
            let found = &METADATA[id].name;
            if ASYNCHRONOUS.contains(&found.as_str()) {
                wrong.push(format!("{name} brings in {found}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    for (name, package) in rooms() {
        let text = std::fs::read_to_string(&package.manifest_path).unwrap();
        assert!(text.contains("[lints]\nworkspace = true"), "{name} has lints of its own");
    }
}

#[test]
fn every_licence_is_on_the_list() {
    let mut wrong = Vec::new();
    for package in &METADATA.packages {
        let licence = package.license.as_deref().unwrap_or("none stated");
        if !allows(licence) {
            wrong.push(format!("{} {}: {licence}", package.name, package.version));
        }
    }
    assert!(wrong.is_empty(), "not on the list of licences:\n{}", wrong.join("\n"));
}

/// Whether a dependency with this SPDX expression may be used under licences of the list alone.
fn allows(expression: &str) -> bool {
    // The old way to write OR.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().collect::<Vec<_>>();
    words.reverse();
    let allowed = any_of(&mut words);
    allowed && words.is_empty()
}

fn any_of(words: &mut Vec<&str>) -> bool {
    let mut allowed = all_of(words);
    while words.last() == Some(&"OR") {
        words.pop();
        allowed |= all_of(words);
    }
    allowed
}

fn all_of(words: &mut Vec<&str>) -> bool {
    let mut allowed = one(words);
    while words.last() == Some(&"AND") {
        words.pop();
        allowed &= one(words);
    }
    allowed
}

fn one(words: &mut Vec<&str>) -> bool {
    match words.pop() {
        Some("(") => {
            let allowed = any_of(words);
            words.pop() == Some(")") && allowed
        }
        Some(licence) if words.last() == Some(&"WITH") => {
            words.pop();
            let exception = words.pop().unwrap_or_default();
            // An exception only ever permits more.
            LICENCES.contains(&licence)
                || LICENCES.contains(&&*format!("{licence} WITH {exception}"))
        }
        Some(licence) => LICENCES.contains(&licence),
        None => false,
    }
}

#[test]
fn licence_expressions_are_understood() {
    for good in [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-3.0 OR MIT",
        "(MIT OR GPL-2.0) AND ISC",
        "MIT AND (ISC OR GPL-2.0)",
    ] {
        assert!(allows(good), "{good}");
    }
    for bad in [
        "GPL-3.0",
        "MIT AND GPL-2.0",
        "(MIT",
        "MIT ISC",
        "",
        "none stated",
        "LGPL-2.1 WITH exception",
    ] {
        assert!(!allows(bad), "{bad}");
    }
}
