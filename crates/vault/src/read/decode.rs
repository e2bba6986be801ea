//! From the bytes of a frame to blocks: open, decompress, and let the caller compare with the identity.

use std::cell::RefCell;

use zstd::bulk::Decompressor;

use crate::VaultError;
use crate::crypto::{Keyring, SealKey, hpke_open};
use crate::format::{
    Codec, FRAME_HEADER_BYTES, FrameHeader, Id, KeyEntry, Malformed, PackHeader, Seal,
    frame_meaning, pack_key_info,
};

/// The keys of one pack, ready to open its frames.
pub(crate) struct PackOpener {
    vault: [u8; 16],
    kind: Seal,
    group: u32,
    keys: Vec<SealKey>,
}

impl std::fmt::Debug for PackOpener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PackOpener")
            .field("kind", &self.kind)
            .field("keys", &self.keys.len())
            .finish()
    }
}

impl PackOpener {
    /// Unseals every key of a pack. The inner error is damage of the header, the outer a key that we do not hold.
    pub(crate) fn new(
        keyring: &Keyring,
        header: &PackHeader,
    ) -> Result<Result<Self, Malformed>, VaultError> {
        let mut keys = Vec::with_capacity(header.keys.len());
        for (at, entry) in header.keys.iter().enumerate() {
            let key = match (header.kind, entry) {
                (Seal::Data, KeyEntry::Sealed { generation, enc, wrapped }) => {
                    let info = pack_key_info(&header.vault, *generation);
                    let opened = hpke_open(keyring.data_secret(*generation)?, enc, &info, wrapped);
                    opened
                        .and_then(|key| <[u8; 32]>::try_from(key).ok())
                        .map(|key| SealKey::new(&key))
                }
                (Seal::Node, KeyEntry::Derived { salt }) => {
                    Some(SealKey::new(&keyring.node_pack_key(salt)))
                }
                (Seal::Data, KeyEntry::Derived { .. }) | (Seal::Node, KeyEntry::Sealed { .. }) => {
                    None
                }
            };
            match key {
                Some(key) => keys.push(key),
                None => {
                    return Ok(Err(Malformed {
                        offset: 52 + at * 88,
                        what: "the seal of a pack key does not hold",
                    }));
                }
            }
        }
        Ok(Ok(Self { vault: header.vault, kind: header.kind, group: header.group, keys }))
    }

    /// For the writer of a pack, which has its key at hand.
    pub(crate) fn of_writer(vault: [u8; 16], kind: Seal, group: u32, key: SealKey) -> Self {
        Self { vault, kind, group, keys: vec![key] }
    }

    pub(crate) fn key(&self, number: u16) -> Option<&SealKey> {
        self.keys.get(usize::from(number))
    }

    pub(crate) fn kind(&self) -> Seal {
        self.kind
    }
}

/// Contexts that are kept for each thread: making one costs as much as decoding several small frames.
const IDLE_MAX: usize = 2;

thread_local! {
    static IDLE: RefCell<Vec<Decompressor<'static>>> = const { RefCell::new(Vec::new()) };
}

/// Decodes frames for one thread.
pub(crate) struct Decoder {
    /// Taken out only when it is dropped.
    zstd: Option<Decompressor<'static>>,
    opened: Vec<u8>,
}

impl Drop for Decoder {
    fn drop(&mut self) {
        let zstd = self.zstd.take();
        // A thread that ends has no place for it any more.
        let _ = IDLE.try_with(|idle| {
            let mut idle = idle.borrow_mut();
            if idle.len() < IDLE_MAX {
                idle.extend(zstd);
            }
        });
    }
}

impl Decoder {
    pub(crate) fn new() -> Result<Self, VaultError> {
        let idle = IDLE.with_borrow_mut(Vec::pop);
        let zstd = idle.map_or_else(Decompressor::new, Ok);
        let zstd = zstd.map_err(|_| VaultError::Crypto("start the decompressor"))?;
        Ok(Self { zstd: Some(zstd), opened: Vec::new() })
    }

    /// The decoded size of a frame, from its header.
    pub(crate) fn raw_bytes(opener: &PackOpener, frame: &[u8]) -> Result<usize, Malformed> {
        Ok(FrameHeader::parse(frame, opener.kind)?.raw_bytes as usize)
    }

    /// Decodes a whole frame (header and sealed part) into `out`, which is as long as its header says. `ids` are what
    /// the directory or index says is in it; that is compared with the seal, not yet with the content.
    pub(crate) fn decode(
        &mut self,
        opener: &PackOpener,
        frame: &[u8],
        ids: Option<&[Id]>,
        out: &mut [u8],
    ) -> Result<(), Malformed> {
        let header = FrameHeader::parse(frame, opener.kind)?;
        let wrong = |what| Malformed { offset: 0, what };
        if ids.is_some_and(|ids| {
            ids.len() != usize::from(header.parts) || frame_meaning(ids) != header.meaning
        }) {
            return Err(wrong("a frame of other blocks than the index says"));
        }
        let sealed = &frame[FRAME_HEADER_BYTES..];
        if sealed.len() != header.sealed_bytes as usize || out.len() != header.raw_bytes as usize {
            return Err(wrong("a frame of another length than the index says"));
        }
        let key = opener
            .key(header.key)
            .ok_or(wrong("a frame under a key that the pack does not have"))?;
        let associated = header.associated(&opener.vault, opener.kind, opener.group);
        match header.codec {
            Codec::Raw => {
                if !key.open(header.counter, &associated, sealed, out) {
                    return Err(wrong("the seal of a frame does not hold"));
                }
            }
            Codec::Zstd => {
                self.opened.resize(sealed.len() - crate::crypto::TAG_BYTES, 0);
                if !key.open(header.counter, &associated, sealed, &mut self.opened) {
                    return Err(wrong("the seal of a frame does not hold"));
                }
                match self
                    .zstd
                    .as_mut()
                    .expect("there until the drop")
                    .decompress_to_buffer(&self.opened, out)
                {
                    Ok(length) if length == out.len() => {}
                    _ => return Err(wrong("a frame does not decompress")),
                }
            }
        }
        Ok(())
    }
}
