//! Checking one pack: every byte of it is accounted for and every block in it decodes to its identity.

use super::fetch::listing_of;
use super::{Decoder, PackOpener};
use crate::VaultError;
use crate::bucket::BucketError;
use crate::direct::AlignedBuffer;
use crate::format::{
    Frame, Malformed, PackHeader, PackId, TRAILER_BYTES, parse_directory, parse_trailer,
};
use crate::inner::{Inner, damaged};
use crate::write::{content_fits, open_directory};

/// What was found in a pack.
#[derive(Debug, Default)]
pub(super) struct PackReport {
    pub(super) bytes: u64,
    pub(super) blocks: u64,
    /// Damage outside of the frames: offset and what.
    pub(super) whole: Option<(u64, String)>,
    /// With `whole`: no frame of it can be read.
    pub(super) unreadable: bool,
    /// The collector took it away while we looked: no damage by itself, only where something still needs it.
    pub(super) collected: bool,
    /// Damaged frames: offset and what.
    pub(super) frames: Vec<(u32, String)>,
    /// What its listing says, if all of it was found to hold.
    pub(super) sound: Option<(PackId, [u8; 32])>,
}

/// Checks packs, one after the other, in memory that is taken once.
pub(super) struct PackChecker {
    decoder: Decoder,
    stored: AlignedBuffer,
    raw: Vec<u8>,
}

impl PackChecker {
    pub(super) fn new() -> Result<Self, VaultError> {
        Ok(Self { decoder: Decoder::new()?, stored: AlignedBuffer::new(0), raw: Vec::new() })
    }

    /// Checks the pack of this number. An error is a failure to reach the store; damage is in the report.
    pub(super) fn check(&mut self, inner: &Inner, number: u32) -> Result<PackReport, VaultError> {
        let (pack, size, says) = {
            let index = inner.index();
            let facts = index.pack(number);
            (facts.id, facts.bytes, facts.says)
        };
        let mut report = PackReport::default();
        let unreadable = |report: PackReport, at: u64, what: &str| {
            Ok(PackReport { whole: Some((at, what.to_owned())), unreadable: true, ..report })
        };
        let object = pack.object();
        let bytes = match inner.bucket.get_stored(&object, &mut self.stored) {
            Ok(bytes) => bytes,
            Err(BucketError::NotFound { .. }) => {
                // What is deleted was condemned before, and what was needed of it was moved and published before that.
                inner.refresh_to_read()?;
                let facts = inner.index().pack(number).clone();
                report.collected = facts.dead || facts.condemned;
                return unreadable(report, 0, "the pack is missing");
            }
            Err(error) => return Err(error.into()),
        };
        report.bytes = bytes.len() as u64;
        let (header, opener) = match opener_of(inner, pack, &bytes)? {
            Ok(opened) => opened,
            Err(error) => return unreadable(report, error.offset as u64, error.what),
        };
        let frames = match check_layout(inner, &header, &bytes) {
            Ok(frames) => {
                let listing = listing_of(&header, size, frames);
                if listing.says() != says {
                    return unreadable(
                        report,
                        0,
                        "the index says something else of the pack than its directory",
                    );
                }
                report.sound = Some((pack, says));
                listing.frames
            }
            Err(VaultError::Damaged { offset, what, .. }) => {
                report.whole = Some((offset, what));
                // The frames can still be told from the index.
                inner.index().frames_of(number)?
            }
            Err(error) => return Err(error),
        };
        if bytes.len() != size as usize {
            report
                .whole
                .get_or_insert((0, "a pack of another size than the index says".to_owned()));
        }
        check_frames(
            inner,
            &opener,
            &bytes,
            &frames,
            (&mut self.decoder, &mut self.raw),
            &mut report,
        );
        report.sound = report.sound.filter(|_| report.whole.is_none() && report.frames.is_empty());
        Ok(report)
    }
}

/// The front of a pack and the keys of its frames. The inner error is damage.
fn opener_of(
    inner: &Inner,
    pack: PackId,
    bytes: &[u8],
) -> Result<Result<(PackHeader, PackOpener), Malformed>, VaultError> {
    let wrong = |offset, what| Ok(Err(Malformed { offset, what }));
    let header = match PackHeader::parse(bytes) {
        Ok(header) if header.vault == inner.vault && header.pack == pack => header,
        Ok(_) => return wrong(16, "a pack of another vault or name"),
        Err(error) => return Ok(Err(error)),
    };
    match PackOpener::new(&inner.keyring, &header) {
        Ok(opener) => Ok(opener.map(|opener| (header, opener))),
        // A flipped generation number names a key that nobody has.
        Err(VaultError::MissingKey { .. }) => wrong(52, "a key of an unknown generation"),
        Err(error) => Err(error),
    }
}

/// Decodes every frame and compares the identities.
fn check_frames(
    inner: &Inner,
    opener: &PackOpener,
    bytes: &[u8],
    frames: &[Frame],
    (decoder, raw): (&mut Decoder, &mut Vec<u8>),
    report: &mut PackReport,
) {
    for frame in frames {
        let start = frame.offset as usize;
        let checked = (|| {
            let sealed = bytes.get(start..start.checked_add(frame.bytes as usize)?)?;
            raw.resize(Decoder::raw_bytes(opener, sealed).ok()?, 0);
            decoder.decode(opener, sealed, Some(&frame.ids), raw).ok()?;
            content_fits(inner, opener.kind(), &frame.ids, raw).then_some(())
        })();
        match checked {
            Some(()) => report.blocks += frame.ids.len() as u64,
            None => report
                .frames
                .push((frame.offset, "a frame that does not hold what the index says".to_owned())),
        }
    }
}

/// The frames of a pack, if header, frames, directory and trailer cover it without a gap.
fn check_layout(
    inner: &Inner,
    header: &PackHeader,
    bytes: &[u8],
) -> Result<Vec<Frame>, VaultError> {
    let object = header.pack.object();
    let wrong = |offset: usize, what: &str| VaultError::Damaged {
        object: object.clone(),
        offset: offset as u64,
        what: what.to_owned(),
    };
    let at = bytes.len().saturating_sub(TRAILER_BYTES);
    let (offset, length) = parse_trailer(&bytes[at..], bytes.len() as u64)
        .map_err(|error| damaged(&object, at as u64, error))?;
    let offset =
        usize::try_from(offset).map_err(|_| wrong(at, "a directory outside of the pack"))?;
    let sealed = bytes
        .get(offset..offset + length)
        .ok_or_else(|| wrong(at, "a directory outside of the pack"))?;
    let plain = open_directory(&inner.keyring, header, sealed)
        .map_err(|e| damaged(&object, offset as u64, e))?;
    let frames = parse_directory(&plain).map_err(|error| damaged(&object, offset as u64, error))?;
    let mut end = header.length();
    for frame in &frames {
        if frame.offset as usize != end {
            return Err(wrong(end, "bytes that belong to nothing"));
        }
        end += frame.bytes as usize;
    }
    if end != offset {
        return Err(wrong(end, "bytes that belong to nothing"));
    }
    Ok(frames)
}
