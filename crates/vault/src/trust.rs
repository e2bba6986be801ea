//! Who vouches for what is in a pack.
//!
//! A host that may only put holds the keys that make identities, maps and records. It could store garbage under the
//! identity of a block that every other machine has, and all of them would count on it. So each such host belongs to a
//! *dedup group* with a signing key of its own, which the delete key has confirmed, and its segments and points carry its
//! signature. A writer counts only on packs of its own group, of the holder of the delete key, and on those that a
//! verification has decoded, hashed and signed for (docs/format.md, section 9).
//!
//! A vault that never had a group is as it always was: everybody in it holds all keys, and nothing is signed.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::VaultError;
use crate::bucket::{BucketError, Created};
use crate::crypto::{Capability, deletion_is_signed, random};
use crate::format::{
    CommittedRecord, GroupRecord, PackId, PackListRecord, PackListing, RecordKind, Segment,
    Voucher, collection_text, group_text, point_text, segment_text,
};
use crate::gc::{Mutant, mistake};
use crate::inner::Inner;

/// Keys of dedup groups.
pub(crate) const GROUPS: &str = "groups/";
/// Lists of packs that were read and hashed.
pub(crate) const VERIFIED: &str = "verified/";

/// Bytes of a pack in a list of verified packs: its name, and what its listing says.
const ENTRY_BYTES: usize = 48;

/// Who is known to have written a pack. More trust is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trust {
    /// Nobody that we know.
    Nobody,
    /// A member of this group.
    Group(u32),
    /// Somebody with every key, or it was verified.
    Everybody,
}

/// The groups of a vault and what was verified.
#[derive(Debug, Default)]
pub(crate) struct Trusts {
    /// There is a group, so that trust matters.
    on: bool,
    /// Public keys by group; of those whose entry is sound.
    groups: HashMap<u32, [u8; 32]>,
    /// Entries that were read, sound or not.
    known: HashSet<String>,
    /// What the listing of a verified pack says.
    verified: HashMap<PackId, [u8; 32]>,
    /// The packs of each list of verified packs.
    pub(crate) lists: HashMap<String, Vec<PackId>>,
}

impl Trusts {
    /// Whether somebody in this vault is not to be trusted with everything.
    pub(crate) fn on(&self) -> bool {
        self.on && !mistake(Mutant::TrustEverybody)
    }

    /// How far a pack of this segment is to be trusted, if `voucher` is what its voucher is worth.
    pub(crate) fn of(&self, listing: &PackListing, voucher: Option<u32>) -> Trust {
        let verified =
            || self.verified.get(&listing.pack).is_some_and(|says| *says == listing.says());
        match voucher {
            // The collector signs: what it says of others is what it has checked.
            Some(0) if listing.verified => Trust::Everybody,
            _ if !self.verified.is_empty() && verified() => Trust::Everybody,
            Some(0) if listing.vouched => Trust::Group(listing.group),
            Some(group) if group != 0 && group == listing.group => Trust::Group(group),
            _ => Trust::Nobody,
        }
    }

    /// Whether a writer of group `own` (`None`: without one) may count on a pack.
    pub(crate) fn counts(&self, trust: Trust, own: Option<u32>) -> bool {
        !self.on() || trust == Trust::Everybody || own.is_some_and(|own| trust == Trust::Group(own))
    }
}

impl Inner {
    /// Learns of groups and verified packs.
    pub(crate) fn refresh_trust(&self) -> Result<(), VaultError> {
        let listed = self.bucket.list(GROUPS)?;
        if listed.is_empty() && self.keyring.group().is_none() {
            return Ok(());
        }
        for object in listed {
            if self.trusts().known.contains(&object.key) {
                continue;
            }
            let group = self.sound_group(&object.key)?;
            let mut trusts = self.trusts_mut();
            trusts.groups.extend(group);
            trusts.known.insert(object.key);
        }
        let mut news = !std::mem::replace(&mut self.trusts_mut().on, true);
        for object in self.bucket.list(VERIFIED)? {
            if self.trusts().lists.contains_key(&object.key) {
                continue;
            }
            let entries = self.sound_list(&object.key)?;
            let mut trusts = self.trusts_mut();
            trusts.lists.insert(object.key, entries.iter().map(|(pack, _)| *pack).collect());
            news |= !entries.is_empty();
            trusts.verified.extend(entries);
        }
        if news {
            // Judged anew: what was everybody's word counts for less now, what was verified for more.
            self.index_mut().segments.clear();
        }
        Ok(())
    }

    /// The entry of a group; `None` if it is gone, damaged, or not confirmed by the delete key: then the group vouches
    /// for nothing.
    fn sound_group(&self, key: &str) -> Result<Option<(u32, [u8; 32])>, VaultError> {
        let record = match self.get_json::<GroupRecord>(RecordKind::Group, key) {
            Err(error) if error.is_damage() => return Ok(None),
            other => other?,
        };
        Ok(record
            .filter(|record| self.group_is_sound(key, record))
            .map(|record| (record.group, record.public)))
    }

    pub(crate) fn group_is_sound(&self, key: &str, record: &GroupRecord) -> bool {
        let text = group_text(&self.vault, record.group, &record.public);
        key == group_key(record.group)
            && record.group != 0
            && deletion_is_signed(&self.root.delete_public, &text, &record.signature)
    }

    /// The packs of a list of verified packs; none if it is gone, damaged or not signed by the delete key.
    fn sound_list(&self, key: &str) -> Result<Vec<(PackId, [u8; 32])>, VaultError> {
        let record = match self.get_json::<PackListRecord>(RecordKind::Verified, key) {
            Err(error) if error.is_damage() => return Ok(Vec::new()),
            other => other?,
        };
        let sound = record.filter(|record| self.verified_is_sound(key, record));
        let packs = sound.map(|record| record.packs).unwrap_or_default();
        let entries = packs.as_chunks::<ENTRY_BYTES>().0.iter().map(|entry| {
            let (pack, says) = entry.split_at(16);
            let pack = PackId(pack.try_into().expect("sixteen bytes"));
            (pack, says.try_into().expect("the rest is a digest"))
        });
        Ok(entries.collect())
    }

    pub(crate) fn verified_is_sound(&self, key: &str, record: &PackListRecord) -> bool {
        let text = collection_text(&self.vault, key, &record.packs);
        record.packs.len().is_multiple_of(ENTRY_BYTES)
            && deletion_is_signed(&self.root.delete_public, &text, &record.signature)
    }

    /// Signs for packs that were decoded and hashed, if this keyring can. Gives whether it did.
    pub(crate) fn vouch_for(&self, packs: &[(PackId, [u8; 32])]) -> Result<bool, VaultError> {
        if packs.is_empty() || !self.keyring.holds_delete_key() {
            return Ok(false);
        }
        let run = Uuid::from_bytes(random()?);
        let key = format!("{VERIFIED}{}", run.simple());
        let names: Vec<u8> =
            packs.iter().flat_map(|(pack, says)| pack.0.into_iter().chain(*says)).collect();
        let signature = self.keyring.sign_deletion(&collection_text(&self.vault, &key, &names))?;
        let record = PackListRecord { run, packs: names, signature };
        self.create_json(RecordKind::Verified, &key, &record)?;
        Ok(true)
    }

    /// What the voucher of a segment is worth: the group that signed it, zero for the holder of the delete key.
    pub(crate) fn voucher_of(&self, key: &str, segment: &Segment) -> Option<u32> {
        let voucher = segment.voucher.as_ref()?;
        let text = segment_text(&self.vault, voucher.group, &voucher.body, key);
        let trusts = self.trusts();
        let public = match voucher.group {
            0 => &self.root.delete_public,
            group => trusts.groups.get(&group)?,
        };
        deletion_is_signed(public, &text, &voucher.signature).then_some(voucher.group)
    }

    /// The plain form of a segment, with our voucher where trust matters.
    pub(crate) fn write_segment(
        &self,
        key: &str,
        origin: [u8; 16],
        packs: &[PackListing],
    ) -> Result<Vec<u8>, VaultError> {
        let mut plain = Segment::write(origin, packs);
        if self.trusts().on() {
            let body = *blake3::hash(&plain).as_bytes();
            let text = |group| segment_text(&self.vault, group, &body, key);
            if let Some((group, signature)) = self.keyring.vouch(text)? {
                Voucher { group, signature, body }.write(&mut plain);
            }
        }
        Ok(plain)
    }

    /// Whether a point may be the base of another without a look at each of its blocks: not if somebody wrote it who
    /// could have named blocks that are not there, or the wrong ones.
    pub(crate) fn may_build_on(&self, record: &CommittedRecord) -> bool {
        let trusts = self.trusts();
        if !trusts.on() {
            return true;
        }
        let Some(voucher) = &record.voucher else { return false };
        let public = match voucher.group {
            0 => Some(&self.root.delete_public),
            group => trusts.groups.get(&group).filter(|_| self.keyring.group() == Some(group)),
        };
        let text =
            point_text(&self.vault, voucher.group, record.point, &record.name, &record.disks);
        public.is_some_and(|public| deletion_is_signed(public, &text, &voucher.signature))
    }

    /// Makes a group, or finds the one of this number. Gives its number.
    pub(crate) fn make_group(&self, number: Option<u32>) -> Result<u32, VaultError> {
        self.keyring.require(Capability::Admin, "make a dedup group")?;
        let number = match number {
            Some(0) => {
                return Err(VaultError::Invalid(
                    "a dedup group has a number above zero".to_owned(),
                ));
            }
            Some(number) => number,
            None => u32::from_le_bytes(random()?).max(1),
        };
        let public = self.keyring.group_public(number)?;
        let signature = self.keyring.sign_deletion(&group_text(&self.vault, number, &public))?;
        let key = group_key(number);
        let record = GroupRecord { group: number, public, signature };
        match self.create_json(RecordKind::Group, &key, &record)? {
            Created::New => Ok(number),
            // Its key follows from the number: the one that is there says the same, or is not sound.
            Created::Exists => match self.sound_group(&key)? {
                Some((_, there)) if there == public => Ok(number),
                _ => Err(VaultError::Damaged {
                    object: key,
                    offset: 0,
                    what: "the entry of a dedup group that the delete key did not sign".to_owned(),
                }),
            },
        }
    }

    /// Removes lists of verified packs of which nothing is left, or whose packs the collector signs for itself.
    pub(crate) fn drop_lists(&self, left: impl Fn(&PackId) -> bool) -> Result<(), VaultError> {
        let over: Vec<String> = {
            let trusts = self.trusts();
            let lists = trusts.lists.iter();
            lists
                .filter(|(_, packs)| !packs.iter().any(&left))
                .map(|(key, _)| key.clone())
                .collect()
        };
        for key in over {
            match self.bucket.delete(&key) {
                // A lock of the store protects it; a later collection removes it.
                Ok(()) | Err(BucketError::Io { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// The object of a group.
pub(crate) fn group_key(number: u32) -> String {
    format!("{GROUPS}{number:08x}")
}

#[cfg(any(test, coffre_sim))]
pub(crate) mod poison;
#[cfg(not(coffre_sim))]
#[cfg(test)]
mod tests;
