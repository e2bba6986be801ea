//! What the simulator's oracle may see: contents of objects, opened without any cache and compared with their names.

use crate::format::{
    BLOCK_BYTES, DecisionRecord, FrameHeader, Id, Node, PackHeader, RecordKind, Seal, Segment,
};
use crate::inner::Inner;
use crate::read::{Decoder, PackOpener};
use crate::trust::poison::Lie;
use crate::write::content_fits;
use crate::{Vault, VaultError};

/// The identity of a block or node.
pub type Name = [u8; 32];

/// A part of a pack: its identity, and the identities that it names if it is a node.
pub type Part = (Name, Vec<Name>);

/// A pack as a segment names it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its object.
    pub object: String,
    /// Its frames, each with the identities of its parts.
    pub frames: Vec<(u32, u32, Vec<Name>)>,
    kind: Seal,
}

impl Vault {
    /// The same store and keys, and no memory of anything.
    #[must_use]
    pub fn fresh(&self) -> Self {
        let inner = &self.inner;
        let mut fresh = Inner::new(
            inner.bucket.clone(),
            inner.keyring.clone(),
            inner.root.clone(),
            inner.root_digest,
        );
        fresh.threads = 1;
        Self { inner: std::sync::Arc::new(fresh) }
    }

    /// The packs that a segment names.
    pub fn inspect_segment(&self, key: &str, sealed: &[u8]) -> Result<Vec<Listed>, String> {
        let plain =
            self.inner.open(RecordKind::Segment, key, sealed).map_err(|error| error.to_string())?;
        let segment = Segment::parse(&plain).map_err(|error| error.what.to_owned())?;
        let listed = segment.packs.into_iter().map(|pack| Listed {
            object: pack.pack.object(),
            kind: pack.kind,
            frames: pack
                .frames
                .iter()
                .map(|frame| (frame.offset, frame.bytes, frame.ids.iter().map(|id| id.0).collect()))
                .collect(),
        });
        Ok(listed.collect())
    }

    /// Says that blocks were stored which were not: those of `disk`, and some that the vault has. `way` picks the lie.
    pub fn poison(&self, disk: &[u8], way: u64) -> Result<(), VaultError> {
        let inner = &self.inner;
        inner.refresh()?;
        let (known, packs) = inner.index().some_names(way, 6)?;
        let blocks = disk.chunks_exact(BLOCK_BYTES).filter(|block| block.iter().any(|b| *b != 0));
        let mut names: Vec<Id> = blocks.map(|block| Id::of(&inner.block_key, block)).collect();
        let turn = way as usize % names.len().max(1);
        names.rotate_left(turn);
        names.truncate(5);
        names.extend(known);
        let lies = [Lie::Own, Lie::Unsigned, Lie::As(0), Lie::As(1), Lie::As(2)];
        let about = packs.get(way as usize % packs.len().max(1)).map(|pack| Lie::About(*pack));
        let lie =
            about.filter(|_| way.is_multiple_of(3)).unwrap_or(lies[way as usize % lies.len()]);
        let kind = if way.is_multiple_of(4) { Seal::Node } else { Seal::Data };
        if !names.is_empty() {
            inner.poison(&names, kind, lie)?;
        }
        Ok(())
    }

    /// Everything in a pack, decoded and compared with its identity.
    pub fn inspect_pack(&self, listed: &Listed, bytes: &[u8]) -> Result<Vec<Part>, String> {
        let header = PackHeader::parse(bytes).map_err(|error| error.what.to_owned())?;
        let opener =
            PackOpener::new(&self.inner.keyring, &header).map_err(|error| error.to_string())?;
        let opener = opener.map_err(|error| error.what.to_owned())?;
        let mut decoder = Decoder::new().map_err(|error| error.to_string())?;
        let mut parts = Vec::new();
        for (offset, length, names) in &listed.frames {
            let (start, length) = (*offset as usize, *length as usize);
            let sealed = bytes.get(start..start + length).ok_or("a frame outside of its pack")?;
            let ids: Vec<_> = names.iter().map(|name| Id(*name)).collect();
            let parsed =
                FrameHeader::parse(sealed, listed.kind).map_err(|error| error.what.to_owned())?;
            let mut raw = vec![0; parsed.raw_bytes as usize];
            decoder
                .decode(&opener, sealed, Some(&ids), &mut raw)
                .map_err(|error| error.what.to_owned())?;
            if !content_fits(&self.inner, listed.kind, &ids, &raw) {
                return Err("content of another identity".to_owned());
            }
            match listed.kind {
                Seal::Data => parts.extend(names.iter().map(|name| (*name, Vec::new()))),
                Seal::Node => {
                    let node = Node::parse(&raw).map_err(|error| error.what.to_owned())?;
                    parts.push((names[0], node.children().map(|(_, id)| id.0).collect()));
                }
            }
        }
        Ok(parts)
    }

    /// The roots of a committed point, `None` for an aborted one.
    pub fn inspect_decision(&self, key: &str, sealed: &[u8]) -> Result<Option<Vec<Name>>, String> {
        let plain = self
            .inner
            .open(RecordKind::Decision, key, sealed)
            .map_err(|error| error.to_string())?;
        match serde_json::from_slice(&plain).map_err(|error| error.to_string())? {
            DecisionRecord::Committed(committed) => {
                Ok(Some(committed.disks.iter().filter_map(|disk| disk.root).collect()))
            }
            DecisionRecord::Aborted { .. } => Ok(None),
        }
    }
}
