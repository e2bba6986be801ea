//! The judge: looks at the store itself after every step and says which promise does not hold.
//!
//! | name | promise |
//! |---|---|
//! | I1 | every committed, not deleted point can be read, byte for byte as acknowledged |
//! | I2 | what an index segment names was stored, whole and right, before the segment |
//! | I3 | a point is not visible before all of it is there |
//! | I5 | a deleted point does not come back |
//! | I7 | the name of a pack is used once |
//! | I11 | after quiescence there is no garbage, no intent, no condemned list |
//! | I12 | what the vault lists is what the store holds |
//! | I13 | no reader meets damage |
//!
//! Contents are opened once, when their segment appears, and compared with their identities. From then on "can be read"
//! is: a segment names a pack that is there and holds it. That is cheap enough to ask after every step.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use coffre_vault_under_test::Vault;
use coffre_vault_under_test::inspect::Name;
use uuid::Uuid;

use super::store::{Change, Store};
use super::world::{Disks, World};

/// A promise that does not hold, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which promise.
    pub invariant: &'static str,
    /// What was seen.
    pub what: String,
}

/// What the oracle knows of the store.
pub(super) struct Oracle {
    store: Store,
    /// Opens objects; reads the store as it is.
    vault: Vault,
    /// Packs by segment.
    segments: BTreeMap<String, Vec<String>>,
    /// What is in a pack, and in which frames.
    packs: BTreeMap<String, Rc<Contents>>,
    /// Every pack that was ever there.
    names_used: BTreeSet<String>,
    /// What a node names.
    children: BTreeMap<Name, Vec<Name>>,
    /// What a committed point that is not deleted needs.
    needs: BTreeMap<Uuid, BTreeSet<Name>>,
    ever_deleted: BTreeSet<Uuid>,
    /// Somebody lies about what is in packs: such a listing is no violation, but nothing may need it.
    hostile: bool,
}

#[derive(Debug)]
struct Contents {
    parts: BTreeSet<Name>,
    frames: Vec<Vec<Name>>,
}

fn violated(invariant: &'static str, what: String) -> Violation {
    Violation { invariant, what }
}

fn point_of(folder: &str, key: &str) -> Option<Uuid> {
    Uuid::try_parse(key.strip_prefix(folder)?).ok()
}

impl Oracle {
    pub(super) fn new(store: Store, vault: Vault, hostile: bool) -> Self {
        Self {
            store,
            vault,
            segments: BTreeMap::new(),
            packs: BTreeMap::new(),
            names_used: BTreeSet::new(),
            children: BTreeMap::new(),
            needs: BTreeMap::new(),
            ever_deleted: BTreeSet::new(),
            hostile,
        }
    }

    /// Looks at what one step changed.
    pub(super) fn check(&mut self, changes: &[Change], world: &mut World) -> Result<(), Violation> {
        let mut something_left = false;
        for change in changes {
            match change {
                Change::Created(key) if key.starts_with("packs/") => self.pack_created(key)?,
                Change::Created(key) if key.starts_with("index/") => self.segment_created(key)?,
                Change::Created(key) if key.starts_with("rp/") => self.decided(key, world)?,
                Change::Created(key) => {
                    if let Some(point) = point_of("rp-deleted/", key) {
                        self.needs.remove(&point);
                        self.ever_deleted.insert(point);
                        world.deleted.insert(point);
                    }
                }
                Change::Deleted(key) if key.starts_with("packs/") => something_left = true,
                Change::Deleted(key) if key.starts_with("index/") => {
                    self.segments.remove(key);
                    something_left = true;
                }
                Change::Deleted(key) => {
                    if let Some(point) = point_of("rp/", key)
                        && self.needs.contains_key(&point)
                    {
                        // A deletion that was asked for may not be done this way, but it is asked for.
                        if !world.points.get(&point).is_some_and(|point| point.deletion_asked) {
                            return Err(violated(
                                "I1 committed points stay",
                                format!("{key} was removed"),
                            ));
                        }
                        self.needs.remove(&point);
                        self.ever_deleted.insert(point);
                    }
                }
            }
        }
        if something_left {
            self.all_there()?;
        }
        match world.complaints.pop() {
            Some((invariant, what)) => Err(violated(invariant, what)),
            None => Ok(()),
        }
    }

    fn pack_created(&mut self, key: &str) -> Result<(), Violation> {
        // The same name may appear again only with the same content: a request that arrived twice.
        if !self.names_used.insert(key.to_owned())
            && let (Some(known), Some(bytes)) = (self.packs.get(key), self.store.object(key))
            && known.frames.is_empty() != bytes.is_empty()
        {
            return Err(violated("I7 names are used once", key.to_owned()));
        }
        Ok(())
    }

    fn segment_created(&mut self, key: &str) -> Result<(), Violation> {
        // Gone again within the same step.
        let Some(sealed) = self.store.object(key) else { return Ok(()) };
        let listed = self.vault.inspect_segment(key, &sealed);
        let listed =
            listed.map_err(|what| violated("I2 segments are whole", format!("{key}: {what}")))?;
        let mut names = Vec::new();
        for pack in listed {
            names.push(pack.object.clone());
            if self.packs.contains_key(&pack.object) {
                continue;
            }
            let Some(bytes) = self.store.object(&pack.object) else {
                if self.names_used.contains(&pack.object) {
                    // It was there and was collected before its segment: its writer will find out.
                    continue;
                }
                return Err(violated(
                    "I2 packs come before segments",
                    format!("{} of {key}", pack.object),
                ));
            };
            let parts = self.vault.inspect_pack(&pack, &bytes);
            if self.hostile && parts.is_err() {
                continue;
            }
            let parts = parts.map_err(|what| {
                violated("I2 packs are right", format!("{}: {what}", pack.object))
            })?;
            let frames = pack.frames.iter().map(|(_, _, names)| names.clone()).collect();
            let contents =
                Contents { parts: parts.iter().map(|(name, _)| *name).collect(), frames };
            self.children.extend(parts.into_iter().filter(|(_, children)| !children.is_empty()));
            self.packs.insert(pack.object, Rc::new(contents));
        }
        self.segments.insert(key.to_owned(), names);
        Ok(())
    }

    fn decided(&mut self, key: &str, world: &World) -> Result<(), Violation> {
        let Some(point) = point_of("rp/", key) else { return Ok(()) };
        let Some(sealed) = self.store.object(key) else { return Ok(()) };
        let roots = self.vault.inspect_decision(key, &sealed);
        let roots =
            roots.map_err(|what| violated("I3 commits are whole", format!("{key}: {what}")))?;
        let Some(roots) = roots else { return Ok(()) };
        if self.ever_deleted.contains(&point) {
            return Err(violated("I5 deleted points stay deleted", key.to_owned()));
        }
        let mut needs = BTreeSet::new();
        let mut stack = roots;
        while let Some(name) = stack.pop() {
            if needs.insert(name)
                && let Some(children) = self.children.get(&name)
            {
                stack.extend(children);
            }
        }
        let there = self.there();
        if let Some(lost) = needs.iter().find(|name| !there.contains(*name)) {
            return Err(violated(
                "I3 not visible before complete",
                format!("{key} lacks {}", hex(lost)),
            ));
        }
        self.needs.insert(point, needs);
        // Nobody was told yet that it exists; what it holds must be what one of its writers meant.
        let read =
            self.read(point).map_err(|what| violated("I3 not visible before complete", what))?;
        let known = world.points.get(&point);
        if !known.is_some_and(|known| known.attempts.contains(&read)) {
            return Err(violated("I1 no wrong byte", format!("{key} holds what nobody backed up")));
        }
        Ok(())
    }

    /// Everything that can be read now.
    fn there(&self) -> BTreeSet<Name> {
        let named: BTreeSet<&String> = self.segments.values().flatten().collect();
        let present = self.store.keys("packs/").into_iter().filter(|key| named.contains(key));
        let contents = present.filter_map(|key| self.packs.get(&key).cloned());
        contents.flat_map(|contents| contents.parts.iter().copied().collect::<Vec<_>>()).collect()
    }

    fn all_there(&self) -> Result<(), Violation> {
        let there = self.there();
        for (point, needs) in &self.needs {
            if let Some(lost) = needs.iter().find(|name| !there.contains(*name)) {
                return Err(violated(
                    "I1 every point readable",
                    format!("{point} lost {}", hex(lost)),
                ));
            }
        }
        Ok(())
    }

    /// Reads a point through a vault that knows nothing yet.
    fn read(&self, point: Uuid) -> Result<Disks, String> {
        let vault = self.vault.fresh();
        let info = vault.point(point).map_err(|error| error.to_string())?;
        let info = info.ok_or_else(|| format!("{point} is not listed"))?;
        let mut disks = Disks::new();
        for disk in info.disks {
            let mut data =
                vec![0xEE; usize::try_from(disk.size_bytes).map_err(|error| error.to_string())?];
            let reader =
                vault.disk(point, &disk.key).map_err(|error| format!("{point}: {error}"))?;
            reader.read_at(0, &mut data).map_err(|error| format!("{point}: {error}"))?;
            disks.insert(disk.key, data);
        }
        Ok(disks)
    }

    /// After everybody has come to an end and was cleaned up after: nothing lost, nothing left.
    pub(super) fn check_quiet(&self, world: &World) -> Result<(), Violation> {
        for folder in ["pending/", "active/", "gc/condemned/"] {
            if let Some(key) = self.store.keys(folder).first() {
                return Err(violated("I11 nothing left at rest", key.clone()));
            }
        }
        for (point, known) in &world.points {
            let Some(acknowledged) = &known.acknowledged else { continue };
            if !self.ever_deleted.contains(point) && !self.needs.contains_key(point) {
                return Err(violated("I1 acknowledged points exist", point.to_string()));
            }
            if self.needs.contains_key(point) {
                let read =
                    self.read(*point).map_err(|what| violated("I1 every point readable", what))?;
                if read != *acknowledged {
                    return Err(violated("I1 no wrong byte", format!("{point} reads otherwise")));
                }
            }
        }
        self.no_garbage()?;
        let listed = self
            .vault
            .fresh()
            .points()
            .map_err(|error| violated("I12 the list is right", error.to_string()))?;
        let listed: BTreeSet<Uuid> = listed.into_iter().map(|info| info.id).collect();
        if !listed.iter().eq(self.needs.keys()) {
            let needs: Vec<_> = self.needs.keys().collect();
            return Err(violated(
                "I12 the list is right",
                format!("{listed:?} instead of {needs:?}"),
            ));
        }
        Ok(())
    }

    fn no_garbage(&self) -> Result<(), Violation> {
        let needed: BTreeSet<&Name> = self.needs.values().flatten().collect();
        let named: BTreeSet<&String> = self.segments.values().flatten().collect();
        let present = self.store.keys("packs/");
        if let Some(key) = present.iter().find(|key| !named.contains(key)) {
            return Err(violated("I11 nothing left at rest", format!("{key} is in no segment")));
        }
        if let Some(key) = named.iter().find(|key| !present.contains(key)) {
            return Err(violated(
                "I11 nothing left at rest",
                format!("a segment names {key}, which is gone"),
            ));
        }
        for key in &present {
            let frames =
                self.packs.get(key).map(|contents| contents.frames.as_slice()).unwrap_or_default();
            if frames.iter().any(|frame| !frame.iter().any(|name| needed.contains(name))) {
                return Err(violated(
                    "I11 nothing left at rest",
                    format!("{key} holds what nobody needs"),
                ));
            }
        }
        Ok(())
    }
}

fn hex(name: &Name) -> String {
    name[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
