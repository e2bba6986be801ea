//! Building one pack: compress, seal, and check all of it before it may be stored.

use crate::VaultError;
use crate::crypto::{Keyring, SealKey, TAG_BYTES, hpke_seal, random};
use crate::format::{
    BLOCK_BYTES, Codec, FRAME_HEADER_BYTES, Frame, FrameHeader, Id, KeyEntry, Malformed,
    PACK_FRAMES_MAX, PackHeader, PackId, PackListing, Seal, TRAILER_BYTES, frame_meaning,
    pack_key_info, parse_directory, parse_trailer, trailer, write_directory,
};
use crate::inner::Inner;
use crate::read::{Decoder, PackOpener};

use super::buffer::PackBuffer;
use super::squeeze::Squeezer;

/// When a pack of blocks is closed: 12 MiB, so that two workers and two uploads stay within 48 MiB.
pub(crate) const DATA_PACK_BYTES_TARGET: usize =
    if cfg!(coffre_sim) { 1000 } else { 12 * 1024 * 1024 };
/// When a pack of nodes is closed: 4 MiB.
pub(crate) const NODE_PACK_BYTES_TARGET: usize =
    if cfg!(coffre_sim) { 700 } else { 4 * 1024 * 1024 };

/// Bytes of the end of a pack without frames: count, salt and tag of its directory, and its trailer.
pub(crate) const END_BYTES: usize = 4 + 32 + TAG_BYTES + TRAILER_BYTES;

/// Bytes of a frame of so many parts in a directory.
pub(crate) fn listed_bytes(parts: usize) -> usize {
    9 + 32 * parts
}

/// A pack in the making. One worker owns it.
pub(crate) struct Packer {
    kind: Seal,
    open: Option<OpenPack>,
    squeezer: Squeezer,
    decoder: Decoder,
    decoded: Vec<u8>,
    /// A buffer to use again.
    spare: Option<PackBuffer>,
}

struct OpenPack {
    header: PackHeader,
    opener: PackOpener,
    counter: u64,
    frames: Vec<Frame>,
    /// What the directory and the trailer will take; counted, so that the buffer never grows at the end.
    listing_bytes: usize,
    bytes: PackBuffer,
}

/// A pack that is ready to be stored.
pub(crate) struct FinishedPack {
    pub(crate) listing: PackListing,
    pub(crate) bytes: PackBuffer,
}

impl Packer {
    pub(crate) fn new(kind: Seal) -> Result<Self, VaultError> {
        Ok(Self {
            kind,
            open: None,
            squeezer: Squeezer::new()?,
            decoder: Decoder::new()?,
            decoded: Vec::new(),
            spare: None,
        })
    }

    fn target(&self) -> usize {
        match self.kind {
            Seal::Data => DATA_PACK_BYTES_TARGET,
            Seal::Node => NODE_PACK_BYTES_TARGET,
        }
    }

    /// Closes the pack that is open if a frame of `parts` parts and `raw_bytes` may not fit into it any more. Called
    /// before [`Packer::add`]; what it gives is stored before anything is added, so that its buffer serves again.
    pub(crate) fn make_room(
        &mut self,
        inner: &Inner,
        parts: usize,
        raw_bytes: usize,
    ) -> Result<Option<FinishedPack>, VaultError> {
        let frame = FRAME_HEADER_BYTES + raw_bytes + TAG_BYTES + listed_bytes(parts);
        let target = self.target();
        let full = self.open.as_ref().is_some_and(|open| {
            open.bytes.len() + open.listing_bytes + frame > target
                || open.frames.len() >= PACK_FRAMES_MAX
        });
        if full { self.finish(inner) } else { Ok(None) }
    }

    /// Whether the next frame begins a pack, and there is no buffer to use again.
    pub(crate) fn wants_buffer(&self) -> bool {
        self.open.is_none() && self.spare.is_none()
    }

    /// Adds one frame.
    pub(crate) fn add(&mut self, inner: &Inner, ids: &[Id], raw: &[u8]) -> Result<(), VaultError> {
        if self.open.is_none() {
            let bytes = self.spare.take();
            let bytes = bytes.unwrap_or_else(|| PackBuffer::with_capacity(self.target()));
            self.open = Some(OpenPack::begin(inner, self.kind, bytes)?);
        }
        let open = self.open.as_mut().expect("opened above");
        open.seal_frame(inner, &mut self.squeezer, ids, raw)
    }

    /// Closes the pack, if one is open, and checks it: what is about to be stored is opened, decompressed and hashed
    /// again from the finished bytes. Bad memory or a broken codec is found here, before anything is acknowledged.
    pub(crate) fn finish(&mut self, inner: &Inner) -> Result<Option<FinishedPack>, VaultError> {
        let Some(mut open) = self.open.take() else { return Ok(None) };
        let directory_offset = open.bytes.len();
        let mut plain = Vec::new();
        write_directory(&open.frames, &mut plain);
        let directory = seal_directory(&inner.keyring, &open.header, &plain)?;
        open.bytes.extend_from_slice(&directory);
        open.bytes.extend_from_slice(&trailer(directory_offset, directory.len()));
        self.check(inner, &open).map_err(|_| VaultError::VerifyBeforeAck)?;
        let listing = PackListing {
            pack: open.header.pack,
            kind: self.kind,
            group: open.header.group,
            bytes: u32::try_from(open.bytes.len()).expect("a pack is below its target"),
            digest: *blake3::hash(&open.bytes).as_bytes(),
            verified: true,
            vouched: open.header.group != 0,
            frames: open.frames,
        };
        Ok(Some(FinishedPack { listing, bytes: open.bytes }))
    }

    /// Takes back the buffer of a pack that was stored.
    pub(crate) fn recycle(&mut self, bytes: PackBuffer) {
        self.spare = Some(bytes);
    }

    fn check(&mut self, inner: &Inner, open: &OpenPack) -> Result<(), Malformed> {
        let wrong = |what| Malformed { offset: 0, what };
        let bytes = &open.bytes;
        if PackHeader::parse(bytes)? != open.header {
            return Err(wrong("header"));
        }
        let (offset, length) =
            parse_trailer(&bytes[bytes.len() - TRAILER_BYTES..], bytes.len() as u64)?;
        let offset = usize::try_from(offset).map_err(|_| wrong("directory"))?;
        let plain = open_directory(&inner.keyring, &open.header, &bytes[offset..offset + length])?;
        if parse_directory(&plain)? != open.frames {
            return Err(wrong("directory"));
        }
        for frame in &open.frames {
            let start = frame.offset as usize;
            let sealed = bytes.get(start..start + frame.bytes as usize).ok_or(wrong("frame"))?;
            self.decoded.resize(Decoder::raw_bytes(&open.opener, sealed)?, 0);
            self.decoder.decode(&open.opener, sealed, Some(&frame.ids), &mut self.decoded)?;
            if !content_fits(inner, self.kind, &frame.ids, &self.decoded) {
                return Err(wrong("content"));
            }
        }
        Ok(())
    }
}

/// Whether decoded content has these identities.
pub(crate) fn content_fits(inner: &Inner, kind: Seal, ids: &[Id], raw: &[u8]) -> bool {
    match kind {
        Seal::Node => ids.len() == 1 && Id::of(&inner.node_key, raw) == ids[0],
        Seal::Data => {
            let blocks = raw.chunks_exact(BLOCK_BYTES);
            blocks.len() == ids.len()
                && blocks.zip(ids).all(|(block, id)| Id::of(&inner.block_key, block) == *id)
        }
    }
}

impl OpenPack {
    fn begin(inner: &Inner, kind: Seal, mut bytes: PackBuffer) -> Result<Self, VaultError> {
        let (entry, key) = match kind {
            Seal::Data => {
                let secret: [u8; 32] = random()?;
                let generation = inner.keyring.newest_generation()?;
                let info = pack_key_info(&inner.vault, generation.number);
                let (enc, wrapped) = hpke_seal(&generation.public, &info, &secret)?;
                let wrapped = wrapped.try_into().map_err(|_| VaultError::Crypto("seal a key"))?;
                (
                    KeyEntry::Sealed { generation: generation.number, enc, wrapped },
                    SealKey::new(&secret),
                )
            }
            Seal::Node => {
                let salt = random()?;
                (KeyEntry::Derived { salt }, SealKey::new(&inner.keyring.node_pack_key(&salt)))
            }
        };
        let header = PackHeader {
            kind,
            group: inner.keyring.group().unwrap_or(0),
            vault: inner.vault,
            pack: PackId(random()?),
            keys: vec![entry],
        };
        bytes.clear();
        let mut front = Vec::new();
        header.write(&mut front);
        bytes.extend_from_slice(&front);
        let opener = PackOpener::of_writer(inner.vault, kind, header.group, key);
        let frames = Vec::new();
        Ok(Self { header, opener, counter: 0, frames, listing_bytes: END_BYTES, bytes })
    }

    fn seal_frame(
        &mut self,
        inner: &Inner,
        squeezer: &mut Squeezer,
        ids: &[Id],
        raw: &[u8],
    ) -> Result<(), VaultError> {
        let offset = self.bytes.len();
        let room = self.bytes.room(FRAME_HEADER_BYTES + raw.len() + TAG_BYTES);
        let (head, body) = room.split_at_mut(FRAME_HEADER_BYTES);
        let (codec, stored) = match squeezer.squeeze(raw, body) {
            Some(length) => (Codec::Zstd, length),
            None => (Codec::Raw, raw.len()),
        };
        let sealed = &mut body[..stored + TAG_BYTES];
        let header = FrameHeader {
            codec,
            parts: u8::try_from(ids.len()).expect("a frame has at most 16 blocks"),
            key: 0,
            counter: self.counter,
            raw_bytes: u32::try_from(raw.len()).expect("a frame is at most 1 MiB"),
            sealed_bytes: u32::try_from(sealed.len()).expect("a frame is at most 1 MiB"),
            meaning: frame_meaning(ids),
        };
        self.counter += 1;
        head.copy_from_slice(&header.to_bytes());
        let associated = header.associated(&inner.vault, self.header.kind, self.header.group);
        let key = self.opener.key(0).expect("a pack in the making has one key");
        match codec {
            Codec::Raw => key.seal(header.counter, &associated, raw, sealed)?,
            Codec::Zstd => key.seal_in_place(header.counter, &associated, sealed)?,
        }
        let bytes = head.len() + sealed.len();
        self.bytes.take(bytes);
        self.frames.push(Frame {
            offset: u32::try_from(offset).expect("a pack is below its target"),
            bytes: u32::try_from(bytes).expect("a frame is at most 1 MiB"),
            ids: ids.to_vec(),
        });
        self.listing_bytes += listed_bytes(ids.len());
        Ok(())
    }
}

/// What a directory's seal binds: the whole front of its pack.
fn directory_context(header: &PackHeader, salt: &[u8; 32]) -> Vec<u8> {
    let mut context = b"coffre v1 directory".to_vec();
    context.extend_from_slice(salt);
    header.write(&mut context);
    context
}

/// Seals a directory under a key of its own: salt, then ciphertext.
pub(crate) fn seal_directory(
    keyring: &Keyring,
    header: &PackHeader,
    plain: &[u8],
) -> Result<Vec<u8>, VaultError> {
    let salt: [u8; 32] = random()?;
    let mut sealed = vec![0; salt.len() + plain.len() + TAG_BYTES];
    let (front, body) = sealed.split_at_mut(salt.len());
    front.copy_from_slice(&salt);
    let key = SealKey::new(&keyring.directory_key(&salt));
    key.seal(0, &directory_context(header, &salt), plain, body)?;
    Ok(sealed)
}

/// Opens a directory.
pub(crate) fn open_directory(
    keyring: &Keyring,
    header: &PackHeader,
    sealed: &[u8],
) -> Result<Vec<u8>, Malformed> {
    let wrong = |what| Malformed { offset: 0, what };
    let (salt, sealed) =
        sealed.split_first_chunk::<32>().ok_or(wrong("a directory that ends too early"))?;
    let length =
        sealed.len().checked_sub(TAG_BYTES).ok_or(wrong("a directory that ends too early"))?;
    let mut plain = vec![0; length];
    let key = SealKey::new(&keyring.directory_key(salt));
    if key.open(0, &directory_context(header, salt), sealed, &mut plain) {
        Ok(plain)
    } else {
        Err(wrong("the seal of the directory does not hold"))
    }
}

/// Stores a finished pack.
pub(crate) fn put_pack(inner: &Inner, pack: &FinishedPack) -> Result<(), VaultError> {
    inner.store_pack(pack.listing.pack, &pack.bytes)
}
