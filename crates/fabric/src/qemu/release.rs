//! The end of a point: its maps are settled and everything else is taken away.

use serde_json::{Value, json};
use uuid::Uuid;

use super::bitmap::BitmapState;
use super::discover::LiveDisk;
use super::machine::QemuMachine;
use super::names;
use super::note::Note;
use crate::qmp::QmpClient;
use crate::qmp::command::Node;
use crate::tool::{self, BitmapChange};
use crate::{ImageFormat, Release, Result};

/// One change of the bitmaps of one disk.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// What the point's bitmap recorded goes into the parent's, which records again.
    GiveBack {
        from: String,
        to: String,
    },
    Remove(String),
}

/// A bitmap of ours on a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ours {
    point: Uuid,
    state: BitmapState,
}

/// What to do to the bitmaps of one disk. Doing it twice, or only a part of it and then again, ends
/// the same.
fn plan(point: Uuid, lent_by: Option<Uuid>, found: &[Ours], how: Release) -> Vec<Step> {
    let remove = |point| Step::Remove(names::bitmap(point));
    if how == Release::Committed {
        let others = found.iter().filter(|ours| ours.point != point && !ours.state.busy);
        return others.map(|ours| remove(ours.point)).collect();
    }
    let find = |point| found.iter().find(|ours| ours.point == point).map(|ours| ours.state);
    let parent = lent_by.and_then(|parent| find(parent).map(|state| (parent, state)));
    match (find(point), parent) {
        (Some(new), Some((parent, old))) => {
            let whole = new.recording && !new.inconsistent && !old.inconsistent;
            if whole {
                let (from, to) = (names::bitmap(point), names::bitmap(parent));
                vec![Step::GiveBack { from, to }, remove(point)]
            } else {
                // What was written since is not known: the parent's map is worth nothing.
                vec![remove(point), remove(parent)]
            }
        }
        (Some(_), None) => vec![remove(point)],
        (None, Some((_, old))) if old.recording => Vec::new(),
        (None, Some((parent, _))) => vec![remove(parent)],
        (None, None) => Vec::new(),
    }
}

/// The parent whose bitmap the point stopped on a disk.
fn lent_by(note: Option<&Note>, key: &str) -> Option<Uuid> {
    let note = note?;
    let (_, disk) = note.disk(key)?;
    note.parent.filter(|_| disk.unknown.is_none())
}

/// Settles the bitmaps of a machine that runs, all disks at one moment.
pub(super) fn settle_live(
    machine: &QemuMachine,
    qmp: &QmpClient,
    point: Uuid,
    note: Option<&Note>,
    how: Release,
) -> Result<()> {
    let drives = machine.ask(qmp.drives())?;
    let nodes = machine.ask(qmp.nodes())?;
    let mut actions: Vec<Value> = Vec::new();
    for disk in super::discover::live_disks(None, drives, &nodes)? {
        let found = ours_on(&nodes, &disk);
        let key = note_key(note, &disk);
        for step in plan(point, lent_by(note, &key), &found, how) {
            let mut action = |kind: &str, data: Value| {
                actions.push(json!({ "type": kind, "data": data }));
            };
            match step {
                Step::GiveBack { from, to } => {
                    action(
                        "block-dirty-bitmap-merge",
                        json!({ "node": disk.node, "target": to, "bitmaps": [from] }),
                    );
                    let data = json!({ "node": disk.node, "name": to });
                    action("block-dirty-bitmap-enable", data);
                }
                Step::Remove(name) => {
                    let data = json!({ "node": disk.node, "name": name });
                    action("block-dirty-bitmap-remove", data);
                }
            }
        }
    }
    if actions.is_empty() {
        return Ok(());
    }
    machine.ask(qmp.command("transaction", json!({ "actions": actions }))).map(drop)
}

/// The key under which the note knows a disk: by the key, else by the image.
fn note_key(note: Option<&Note>, disk: &LiveDisk) -> String {
    let by_path = |note: &Note| {
        let known = note.disk(&disk.info.key).is_some();
        let same = note.disks.iter().find(|other| !known && other.path == disk.info.path);
        same.map(|other| other.key.clone())
    };
    note.and_then(by_path).unwrap_or_else(|| disk.info.key.clone())
}

fn ours_on(nodes: &[Node], disk: &LiveDisk) -> Vec<Ours> {
    let node = nodes.iter().find(|node| node.node_name.as_deref() == Some(&disk.node));
    let bitmaps = node.into_iter().flat_map(|node| &node.dirty_bitmaps);
    bitmaps
        .filter_map(|bitmap| {
            let point = names::point_of_bitmap(bitmap.name.as_deref()?)?;
            Some(Ours { point, state: bitmap.into() })
        })
        .collect()
}

/// Settles the bitmaps of the images of a machine that is off.
pub(super) fn settle_stopped(point: Uuid, note: &Note, how: Release) -> Result<()> {
    for disk in note.disks.iter().filter(|disk| disk.format == ImageFormat::Qcow2) {
        if !disk.path.exists() {
            tracing::warn!(path = %disk.path.display(), "the image of a point is gone");
            continue;
        }
        let info = tool::image_info(&disk.path, disk.format)?;
        let found: Vec<Ours> = info
            .bitmaps()
            .iter()
            .filter_map(|bitmap| {
                let point = names::point_of_bitmap(&bitmap.name)?;
                Some(Ours { point, state: bitmap.into() })
            })
            .collect();
        for step in plan(point, lent_by(Some(note), &disk.key), &found, how) {
            match step {
                Step::GiveBack { from, to } => {
                    let change = BitmapChange::MergeAndEnable(&from);
                    tool::change_bitmap(&disk.path, &to, change)?;
                }
                Step::Remove(name) => {
                    tool::change_bitmap(&disk.path, &name, BitmapChange::Remove)?;
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: Uuid = Uuid::from_u128(1);
    const POINT: Uuid = Uuid::from_u128(2);
    const OLDER: Uuid = Uuid::from_u128(3);

    fn ours(point: Uuid, recording: bool, inconsistent: bool) -> Ours {
        Ours { point, state: BitmapState { recording, inconsistent, busy: false } }
    }

    fn remove(point: Uuid) -> Step {
        Step::Remove(names::bitmap(point))
    }

    #[test]
    fn a_point_that_is_given_up_gives_its_changes_back() {
        let plan = |found: &[Ours]| plan(POINT, Some(PARENT), found, Release::Abandoned);
        let back = Step::GiveBack { from: names::bitmap(POINT), to: names::bitmap(PARENT) };
        let (new, old) = (ours(POINT, true, false), ours(PARENT, false, false));
        assert_eq!(plan(&[new.clone(), old.clone()]), [back.clone(), remove(POINT)]);
        // Killed after the merge, and after the removal.
        let merged = ours(PARENT, true, false);
        assert_eq!(plan(&[new.clone(), merged.clone()]), [back, remove(POINT)]);
        assert_eq!(plan(&[merged]), []);
        // What the point recorded is lost: the parent must not be believed again.
        assert_eq!(plan(std::slice::from_ref(&old)), [remove(PARENT)]);
        for lost in [ours(POINT, false, true), ours(POINT, false, false)] {
            assert_eq!(plan(&[lost, old.clone()]), [remove(POINT), remove(PARENT)]);
        }
        assert_eq!(plan(&[new]), [remove(POINT)]);
        assert_eq!(plan(&[]), []);
    }

    #[test]
    fn a_parent_whose_map_was_not_used_is_left_alone() {
        let found = [ours(POINT, true, false), ours(PARENT, false, false)];
        assert_eq!(plan(POINT, None, &found, Release::Abandoned), [remove(POINT)]);
    }

    #[test]
    fn a_committed_point_is_the_only_one_that_stays() {
        let found =
            [ours(POINT, true, false), ours(PARENT, false, false), ours(OLDER, false, true)];
        let plan = plan(POINT, Some(PARENT), &found, Release::Committed);
        assert_eq!(plan, [remove(PARENT), remove(OLDER)]);
    }
}
