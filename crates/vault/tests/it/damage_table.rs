//! The damage table: everything that can happen to the stored bytes of a small vault, one thing after the other.
//!
//! Each case is looked at by a verification and by a restore of every point. Nothing may panic and no wrong byte may
//! come back. What is not found must be harmless by definition: [`HARMLESS_WHEN_MISSING`] and [`is_orphan`].

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use coffre_vault::bucket::{Bucket, MemoryBucket};
use coffre_vault::{NoProgress, VerifyScope};

use crate::specimen::{Changes, Objects, Specimen, Verdict, collect, kind_of};
use crate::support::{open, restore};

/// Kinds whose objects may be taken away without a trace, each because nothing stands on it alone.
const HARMLESS_WHEN_MISSING: &[(&str, &str)] = &[
    ("keys", "another slot opens the vault; without any, it is refused"),
    ("index", "packs name their blocks themselves"),
    ("active", "a hint that nothing needs"),
    ("pending", "the intent of an attempt that died; an attempt that lives would write a new one"),
    (
        "rp-seen",
        "a receipt that was not written yet; a point that is lost with it is missed by its successor",
    ),
    ("rp-deleted", "the point is back, and if its blocks are gone, they are missed"),
    ("gc/condemned", "the packs are condemned again"),
    ("gc/done", "the packs are in no segment any more"),
    ("groups", "nobody is known to have stored what its hosts stored; readers take it as before"),
    ("verified", "packs that were signed for are verified and signed for again"),
];

fn specimen() -> &'static Specimen {
    static SPECIMEN: OnceLock<Specimen> = OnceLock::new();
    SPECIMEN.get_or_init(Specimen::new)
}

/// How often each kind of object came to which end.
#[derive(Default)]
struct Table(BTreeMap<&'static str, [u64; 4]>);

impl Table {
    fn count(&mut self, kind: &'static str, verdict: Verdict) {
        let row = self.0.entry(kind).or_default();
        row[match verdict {
            Verdict::Refused => 0,
            Verdict::Opened { damage: 1.., restored: false } => 1,
            Verdict::Opened { damage: 1.., restored: true } => 2,
            Verdict::Opened { damage: 0, .. } => 3,
        }] += 1;
    }

    #[allow(clippy::print_stderr, reason = "the table is the evidence")]
    fn print(&self, title: &str) {
        let mut lines = format!(
            "\n{title}\n{:<14}{:>9}{:>9}{:>12}{:>10}{:>10}\n",
            "kind", "cases", "refused", "both found", "verify", "harmless"
        );
        let mut sum = [0; 4];
        let mut line = |kind: &str, row: &[u64; 4]| {
            let [refused, both, verify, harmless] = row;
            let cases: u64 = row.iter().sum();
            let _ = writeln!(
                lines,
                "{kind:<14}{cases:>9}{refused:>9}{both:>12}{verify:>10}{harmless:>10}"
            );
        };
        for (kind, row) in &self.0 {
            line(kind, row);
            (0..4).for_each(|at| sum[at] += row[at]);
        }
        line("all", &sum);
        eprint!("{lines}");
    }
}

/// Looks at many cases on all cores: `case` makes the changes of a number, `judge` says what is wrong with a verdict.
fn each<'a>(
    cases: &[(&'a str, usize)],
    change: impl Fn(&'a str, usize) -> Changes + Sync,
    allowed: impl Fn(&str, usize, Verdict) -> bool + Sync,
) -> Table {
    let next = AtomicUsize::new(0);
    let found: Mutex<(Table, Vec<String>)> = Mutex::default();
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((key, number)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let verdict = specimen().look(change(key, *number));
                    let mut found = found.lock().unwrap();
                    found.0.count(kind_of(key), verdict);
                    // What a restore notices, a verification must notice as well.
                    let missed = verdict == Verdict::Opened { damage: 0, restored: false };
                    let harmless = is_orphan(key);
                    if missed || !harmless && !allowed(key, *number, verdict) {
                        found.1.push(format!("case {number} of {key}: {verdict:?}"));
                    }
                }
            });
        }
    });
    let (table, wrong) = found.into_inner().unwrap();
    assert!(
        wrong.is_empty(),
        "{} cases, the first: {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(20)]
    );
    table
}

/// Whether a pack is one that a writer left when it died before a segment named it: nothing can count on it, and the
/// collector deletes it.
fn is_orphan(key: &str) -> bool {
    kind_of(key) == "packs" && look_without(key) == Verdict::Opened { damage: 0, restored: true }
}

fn is_found(verdict: Verdict) -> bool {
    !matches!(verdict, Verdict::Opened { damage: 0, .. })
}

fn is_found_by_both(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Refused | Verdict::Opened { damage: 1.., restored: false })
}

/// The bytes of a pack between its keys and its directory (docs/format.md, section 4).
fn frames_of(pack: &[u8]) -> std::ops::Range<usize> {
    let number = |at: usize| u32::from_le_bytes(pack[at..at + 4].try_into().unwrap()) as usize;
    52 + number(48) * 88..number(pack.len() - 16)
}

/// Whether a restore of all points cannot do without this byte: decisions of living points, and frames. The rest of a
/// pack and the index are known twice, and the other records are not about what is restored.
fn restore_needs(key: &str, byte: usize) -> bool {
    let specimen = specimen();
    let is_of_a_point = |prefix: &str| {
        specimen.truth.iter().any(|(point, _)| key == format!("{prefix}/{}", point.simple()))
    };
    match kind_of(key) {
        "vault" => true,
        "rp" => is_of_a_point("rp"),
        "packs" => is_needed(key) && frames_of(&specimen.objects[key]).contains(&byte),
        _ => false,
    }
}

/// Whether a pack holds something that a point needs (and, as these packs are, nothing else).
fn is_needed(key: &str) -> bool {
    matches!(look_without(key), Verdict::Opened { restored: false, .. })
}

/// What becomes of the vault without this object.
fn look_without(key: &str) -> Verdict {
    static KNOWN: Mutex<BTreeMap<String, Verdict>> = Mutex::new(BTreeMap::new());
    if let Some(known) = KNOWN.lock().unwrap().get(key) {
        return *known;
    }
    let verdict = specimen().look(Changes::from([(key.to_owned(), None)]));
    KNOWN.lock().unwrap().insert(key.to_owned(), verdict);
    verdict
}

fn replaced(key: &str, data: Vec<u8>) -> Changes {
    Changes::from([(key.to_owned(), Some(data.into()))])
}

#[test]
fn every_bit_that_flips_is_found() {
    let objects = &specimen().objects;
    let cases: Vec<(&str, usize)> = objects
        .iter()
        .flat_map(|(key, data)| (0..data.len() * 8).map(move |bit| (key.as_str(), bit)))
        .collect();
    let flip = |key: &str, bit: usize| {
        let mut data = objects[key].to_vec();
        data[bit / 8] ^= 1 << (bit % 8);
        replaced(key, data)
    };
    let allowed = |key: &str, bit: usize, verdict: Verdict| {
        is_found(verdict) && (is_found_by_both(verdict) || !restore_needs(key, bit / 8))
    };
    each(&cases, flip, allowed).print("every bit flipped");
}

#[test]
fn every_truncation_is_found() {
    let objects = &specimen().objects;
    let cases: Vec<(&str, usize)> = objects
        .iter()
        .flat_map(|(key, data)| (0..data.len()).map(move |length| (key.as_str(), length)))
        .collect();
    let cut = |key: &str, length: usize| replaced(key, objects[key][..length].to_vec());
    // What is cut off is missed if a restore needs the first byte of it or one that follows.
    let needs = |key: &str, length: usize| {
        let end = match kind_of(key) {
            "packs" => frames_of(&objects[key]).end,
            _ => objects[key].len(),
        };
        length < end && restore_needs(key, end - 1)
    };
    let allowed = |key: &str, length: usize, verdict: Verdict| {
        is_found(verdict) && (is_found_by_both(verdict) || !needs(key, length))
    };
    each(&cases, cut, allowed).print("every length to which an object is cut");
}

#[test]
fn every_byte_that_follows_is_found() {
    let objects = &specimen().objects;
    let cases: Vec<(&str, usize)> = objects
        .keys()
        .flat_map(|key| [1, 2, 16, 4096].into_iter().map(move |more| (key.as_str(), more)))
        .collect();
    let grow = |key: &str, more: usize| replaced(key, [&objects[key][..], &vec![0; more]].concat());
    each(&cases, grow, |_, _, verdict| is_found(verdict)).print("bytes after the end");
}

#[test]
fn every_exchange_of_two_objects_is_found() {
    let objects = &specimen().objects;
    let keys: Vec<&String> = objects.keys().collect();
    let cases: Vec<(&str, usize)> = keys
        .iter()
        .flat_map(|key| (0..keys.len()).map(move |other| (key.as_str(), other)))
        .filter(|(key, other)| *key != keys[*other])
        .collect();
    let exchange = |key: &str, other: usize| {
        let other = keys[other];
        Changes::from([
            (key.to_owned(), Some(Arc::clone(&objects[other]))),
            (other.clone(), Some(Arc::clone(&objects[key]))),
        ])
    };
    // Of one kind and of different kinds: nothing passes for something else.
    each(&cases, exchange, |_, _, verdict| is_found(verdict)).print("two objects exchanged");
    let copy = |key: &str, other: usize| {
        Changes::from([(key.to_owned(), Some(Arc::clone(&objects[keys[other]])))])
    };
    each(&cases, copy, |_, _, verdict| is_found(verdict))
        .print("an object in the place of another");
}

#[test]
fn every_deletion_is_found_or_harmless() {
    let objects = &specimen().objects;
    let cases: Vec<(&str, usize)> = objects.keys().map(|key| (key.as_str(), 0)).collect();
    let delete = |key: &str, _| Changes::from([(key.to_owned(), None)]);
    let allowed = |key: &str, _, verdict: Verdict| {
        let listed = HARMLESS_WHEN_MISSING.iter().any(|(kind, _)| *kind == kind_of(key));
        // A point that was given up leaves a decision that only a late writer would meet, and a pack that nothing needs
        // is missed by its segment alone.
        let aborted = kind_of(key) == "rp" && !is_committed(key);
        let unneeded = kind_of(key) == "packs" && !is_needed(key);
        is_found(verdict) && (is_found_by_both(verdict) || !restore_needs(key, 0))
            || matches!(verdict, Verdict::Opened { restored: true, .. })
                && (listed || aborted || unneeded)
    };
    each(&cases, delete, allowed).print("an object taken away");
}

fn is_committed(decision: &str) -> bool {
    let receipt = decision.replace("rp/", "rp-seen/");
    specimen().objects.contains_key(&receipt)
}

/// Every folder as it was at every moment before, the rest as it is now.
#[test]
fn every_folder_that_is_rolled_back_is_found_or_harmless() {
    let specimen = specimen();
    let kinds: Vec<&str> = crate::specimen::KINDS.to_vec();
    let cases: Vec<(&str, usize)> = kinds
        .iter()
        .flat_map(|kind| (0..specimen.history.len()).map(move |step| (*kind, step)))
        .collect();
    let roll_back = |kind: &str, step: usize| {
        let before = &specimen.history[step];
        let of_kind = |objects: &Objects| {
            let keys = objects.keys().filter(|key| kind_of(key) == kind);
            keys.cloned().collect::<Vec<_>>()
        };
        let keys = of_kind(&specimen.objects).into_iter().chain(of_kind(before));
        keys.map(|key| (key.clone(), before.get(&key).cloned())).collect::<Changes>()
    };
    let allowed = |kind: &str, step: usize, verdict: Verdict| {
        let listed = HARMLESS_WHEN_MISSING.iter().any(|(harmless, _)| *harmless == kind);
        let changes = roll_back(kind, step);
        let same =
            |(key, data): (&String, &Option<Arc<[u8]>>)| specimen.objects.get(key) == data.as_ref();
        let needed = changes.iter().any(|(key, data)| {
            data.is_none()
                && (kind == "rp" && is_committed(key) || kind == "packs" && is_needed(key))
        });
        changes.iter().all(same)
            || is_found(verdict)
            || matches!(verdict, Verdict::Opened { restored: true, .. }) && (listed || !needed)
    };
    each(&cases, roll_back, allowed).print("a folder as it was before");
}

/// An object that was removed and comes back does no harm, and the next collection clears it away.
#[test]
fn what_comes_back_is_harmless_and_is_cleared_away() {
    let specimen = specimen();
    let mut old: BTreeMap<&String, &Arc<[u8]>> = specimen.history.iter().flatten().collect();
    old.retain(|key, _| !specimen.objects.contains_key(*key));
    assert!(old.len() >= 4, "packs, segments and hints were removed: {:?}", old.keys());
    let cases: Vec<(&str, usize)> = old.keys().map(|key| (key.as_str(), 0)).collect();
    let come_back =
        |key: &str, _| Changes::from([(key.to_owned(), Some(Arc::clone(old[&key.to_owned()])))]);
    let allowed = |_: &str, _, verdict| matches!(verdict, Verdict::Opened { restored: true, .. });
    each(&cases, come_back, allowed).print("an object that was removed comes back");
    for (key, _) in cases {
        let bucket = Arc::new(MemoryBucket::new());
        for (key, data) in specimen.objects.iter().chain([(&key.to_owned(), old[&key.to_owned()])])
        {
            bucket.create(key, data).unwrap();
        }
        let vault = open(&bucket).unwrap();
        // Nothing is left of the writers that died: their points are given up first.
        for unfinished in vault.unfinished().unwrap() {
            vault.abandon_point(unfinished.point).unwrap();
        }
        collect(&vault).unwrap();
        assert_eq!(vault.verify(VerifyScope::All, &NoProgress).unwrap().damage, [], "{key}");
        assert_eq!(bucket.size(key).unwrap(), None, "{key} is still there");
        for (point, data) in &specimen.truth {
            assert!(restore(&vault, *point).unwrap() == *data);
        }
    }
}

/// The whole store as it was before is a vault as it was before: nothing in a store can tell. Who remembers the newest
/// point, or how many there were, sees it.
#[test]
fn the_whole_store_as_it_was_before_is_the_vault_of_then() {
    for objects in &specimen().history {
        let bucket = Arc::new(MemoryBucket::new());
        for (key, data) in objects {
            bucket.create(key, data).unwrap();
        }
        let vault = open(&bucket).unwrap();
        assert_eq!(vault.verify(VerifyScope::All, &NoProgress).unwrap().damage, []);
        for point in vault.points().unwrap() {
            restore(&vault, point.id).unwrap();
        }
    }
}
