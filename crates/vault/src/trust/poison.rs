//! The worst that a host with put-only keys can do to others, for tests and the simulator: it says that it stored blocks
//! which it did not store. It holds the keys of identities, maps and records, so all of it looks right but the content.

use uuid::Uuid;

use crate::VaultError;
use crate::crypto::{SealKey, TAG_BYTES, hpke_seal, random};
use crate::format::{
    BLOCK_BYTES, Codec, FRAME_HEADER_BYTES, Frame, FrameHeader, Id, KeyEntry, NODE_BYTES_MAX,
    PackHeader, PackId, PackListing, RecordKind, Seal, Segment, Voucher, frame_meaning,
    pack_key_info, seal_record, segment_text, trailer, write_directory,
};
use crate::inner::{Inner, create_new};
use crate::write::seal_directory;

/// How it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    /// As a member of its own group, with its own signature.
    Own,
    /// As a member of another group, or of the holder of the delete key (zero), signed by itself.
    As(u32),
    /// With no signature.
    Unsigned,
    /// With no signature, about a pack of somebody else: other blocks than it holds.
    About(PackId),
}

impl Inner {
    /// Stores noise as these blocks (or nodes) and publishes it.
    pub(crate) fn poison(&self, names: &[Id], kind: Seal, lie: Lie) -> Result<PackId, VaultError> {
        let group = match lie {
            Lie::As(group) => group,
            _ => self.keyring.group().unwrap_or(0),
        };
        let mut listing = match lie {
            Lie::About(pack) => {
                let size = self.bucket.size(&pack.object())?.unwrap_or(0);
                let truth = self.get_pack_listing(pack, size)?;
                let ids = |at: usize| vec![names[at % names.len()]];
                let frames = truth.frames.iter().enumerate();
                let frames = frames.map(|(at, frame)| Frame { ids: ids(at), ..*frame }).collect();
                PackListing { frames, ..truth }
            }
            _ => self.store_noise(names, kind, group)?,
        };
        (listing.verified, listing.vouched) = (true, true);
        let pack = listing.pack;
        let key = format!("index/{}", Uuid::from_bytes(random()?).simple());
        let mut plain = Segment::write(random()?, &[listing]);
        if matches!(lie, Lie::Own | Lie::As(_)) {
            let body = *blake3::hash(&plain).as_bytes();
            let text = |_| segment_text(&self.vault, group, &body, &key);
            if let Some((_, signature)) = self.keyring.vouch(text)? {
                Voucher { group, signature, body }.write(&mut plain);
            }
        }
        let sealed = seal_record(&self.keyring, &self.vault, RecordKind::Segment, &key, &plain)?;
        create_new(&*self.bucket, &key, &sealed)?;
        Ok(pack)
    }

    /// A pack whose every part is sound but for what its frames hold.
    fn store_noise(&self, names: &[Id], kind: Seal, group: u32) -> Result<PackListing, VaultError> {
        let secret: [u8; 32] = random()?;
        let (entry, key) = match kind {
            Seal::Data => {
                let generation = self.keyring.newest_generation()?;
                let info = pack_key_info(&self.vault, generation.number);
                let (enc, wrapped) = hpke_seal(&generation.public, &info, &secret)?;
                let wrapped = wrapped.try_into().map_err(|_| VaultError::Crypto("seal a key"))?;
                let number = generation.number;
                (KeyEntry::Sealed { generation: number, enc, wrapped }, SealKey::new(&secret))
            }
            Seal::Node => {
                let key = SealKey::new(&self.keyring.node_pack_key(&secret));
                (KeyEntry::Derived { salt: secret }, key)
            }
        };
        let pack = PackId(random()?);
        let header = PackHeader { kind, group, vault: self.vault, pack, keys: vec![entry] };
        let mut bytes = Vec::new();
        header.write(&mut bytes);
        let mut frames = Vec::new();
        for (counter, name) in (0..).zip(names) {
            let length = if kind == Seal::Data { BLOCK_BYTES } else { NODE_BYTES_MAX.min(100) };
            let noise = vec![0xBA; length];
            let frame = FrameHeader {
                codec: Codec::Raw,
                parts: 1,
                key: 0,
                counter,
                raw_bytes: u32::try_from(length).expect("a block is small"),
                sealed_bytes: u32::try_from(length + TAG_BYTES).expect("a block is small"),
                meaning: frame_meaning(&[*name]),
            };
            let offset = bytes.len();
            bytes.extend_from_slice(&frame.to_bytes());
            bytes.resize(offset + FRAME_HEADER_BYTES + length + TAG_BYTES, 0);
            let associated = frame.associated(&self.vault, kind, group);
            key.seal(counter, &associated, &noise, &mut bytes[offset + FRAME_HEADER_BYTES..])?;
            let number = |n: usize| u32::try_from(n).expect("a small pack");
            frames.push(Frame {
                offset: number(offset),
                bytes: number(bytes.len() - offset),
                ids: vec![*name],
            });
        }
        let offset = bytes.len();
        let mut plain = Vec::new();
        write_directory(&frames, &mut plain);
        let directory = seal_directory(&self.keyring, &header, &plain)?;
        bytes.extend_from_slice(&directory);
        bytes.extend_from_slice(&trailer(offset, directory.len()));
        create_new(&*self.bucket, &pack.object(), &bytes)?;
        let (digest, size) = (*blake3::hash(&bytes).as_bytes(), bytes.len());
        let bytes = u32::try_from(size).expect("a small pack");
        Ok(PackListing { pack, kind, group, bytes, digest, verified: true, vouched: true, frames })
    }
}
