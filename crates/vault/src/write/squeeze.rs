//! Compression of frames. How much effort a frame gets is decided by what the frame before it gained: neighbours on a
//! disk are mostly of one kind.

use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, ParamSwitch};

use crate::VaultError;

/// zstd level 1: about the speed of the rest of the path, and within 5 % of level 3 on disk images.
const LEVEL: i32 = 1;
/// The shortest repeat that is looked for: 7 rather than level 1's 6 takes 7 % off the time of both directions for 1 %
/// more bytes on disk images.
const MATCH_MIN: u32 = 7;
/// Places where a frame is looked at before it is tried, and bytes of each.
const PROBES: usize = 16;
const PROBE_BYTES: usize = 256;

/// What the frame before gained.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gain {
    /// A twentieth of it is left, or less.
    Most,
    /// Three eighths or less.
    Much,
    Little,
    /// It is stored as it is.
    Nothing,
}

/// Compresses the frames of one worker.
pub(super) struct Squeezer {
    usual: Compressor<'static>,
    /// Where next to nothing is left: what is no repeat is not coded further.
    plain: Compressor<'static>,
    /// Where little is gained: skips ahead faster, with a table of repeats of 32 KiB, which a core's first cache holds.
    quick: Compressor<'static>,
    before: Gain,
}

impl Squeezer {
    pub(super) fn new() -> Result<Self, VaultError> {
        Ok(Self {
            usual: compressor(&[])?,
            plain: compressor(&[CParameter::HashLog(12), CParameter::TargetLength(1)])?,
            quick: compressor(&[
                CParameter::HashLog(13),
                CParameter::TargetLength(2),
                CParameter::LiteralCompressionMode(ParamSwitch::Enable),
            ])?,
            before: Gain::Much,
        })
    }

    /// Compresses a frame into `out`, which is at least as long. Gives the compressed length; `None` if the frame is to
    /// be stored raw, since compression saves nothing worth the decompression (one part in 64).
    pub(super) fn squeeze(&mut self, raw: &[u8], out: &mut [u8]) -> Option<usize> {
        if self.before == Gain::Nothing && is_dense(raw) {
            return None;
        }
        let worth = raw.len() - raw.len() / 64;
        // It also fails when the result does not fit into the space given.
        let mut with = |zstd: &mut Compressor<'static>| {
            let length = zstd.compress_to_buffer(raw, &mut out[..worth]).ok();
            length.filter(|length| *length < worth)
        };
        let length = match self.before {
            // Where that leaves much, another kind of data begins.
            Gain::Most => with(&mut self.plain)
                .filter(|length| *length <= raw.len() / 8)
                .or_else(|| with(&mut self.usual)),
            Gain::Much => with(&mut self.usual),
            Gain::Little | Gain::Nothing => with(&mut self.quick),
        };
        self.before = match length {
            Some(length) if length <= raw.len() / 20 => Gain::Most,
            Some(length) if length <= raw.len() * 3 / 8 => Gain::Much,
            Some(_) => Gain::Little,
            None => Gain::Nothing,
        };
        length
    }
}

/// Level 1 with these parameters on top.
fn compressor(parameters: &[CParameter]) -> Result<Compressor<'static>, VaultError> {
    let failed = |_| VaultError::Crypto("start the compressor");
    let mut zstd = Compressor::new(LEVEL).map_err(failed)?;
    let all = [
        CParameter::MinMatch(MATCH_MIN),
        // Sizes are in the frame header and damage is found by the seal: no need to store either twice.
        CParameter::ContentSizeFlag(false),
        CParameter::ChecksumFlag(false),
        CParameter::DictIdFlag(false),
    ];
    for parameter in all.iter().chain(parameters) {
        zstd.set_parameter(*parameter).map_err(failed)?;
    }
    Ok(zstd)
}

/// Whether samples of a frame look like noise: two bytes taken from them are equal hardly more often than by chance
/// (1 in 256). Repeats of long noise are missed; the block index finds those that matter.
fn is_dense(raw: &[u8]) -> bool {
    let step = raw.len() / PROBES;
    if step < PROBE_BYTES {
        return false;
    }
    let mut counts = [0u64; 256];
    for probe in raw.chunks_exact(step) {
        for byte in &probe[..PROBE_BYTES] {
            counts[usize::from(*byte)] += 1;
        }
    }
    let all = (PROBES * PROBE_BYTES) as u64;
    let equal: u64 = counts.iter().map(|count| count * count.saturating_sub(1)).sum();
    equal * 256 < all * (all - 1) * 11 / 10
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: usize = 256 * 1024;

    fn noise(seed: u8) -> Vec<u8> {
        let mut noise = vec![0; FRAME];
        blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut noise);
        noise
    }

    /// Whatever came before, what comes out is what went in, noise grows by nothing, and text is never stored as it is.
    #[test]
    fn every_order_of_frames_is_stored_well() {
        let text = b"coffre keeps what changed, and proves it. ".repeat(FRAME / 42 + 1);
        let half: Vec<u8> = noise(1).iter().map(|byte| byte & 0x3f).collect();
        let frames =
            [(noise(2), 1.0), (text[..FRAME].to_vec(), 0.01), (half, 0.8), (noise(3), 1.0)];
        let mut squeezer = Squeezer::new().unwrap();
        let mut out = vec![0; FRAME];
        for (first, _) in &frames {
            for (frame, share) in &frames {
                squeezer.squeeze(first, &mut out);
                let squeezed = squeezer.squeeze(frame, &mut out);
                let stored = squeezed.unwrap_or(FRAME);
                assert!(stored as f64 <= *share * FRAME as f64, "{stored}");
                if let Some(length) = squeezed {
                    let back = zstd::bulk::decompress(&out[..length], FRAME).unwrap();
                    assert!(back == *frame);
                }
            }
        }
    }

    #[test]
    fn noise_is_told_from_what_can_be_compressed() {
        assert!((0..100).all(|seed| is_dense(&noise(seed))));
        let coded: Vec<u8> = noise(7).iter().map(|byte| byte % 200).collect();
        assert!(!is_dense(&coded));
        assert!(!is_dense(&[]) && !is_dense(&noise(1)[..PROBES * PROBE_BYTES - 1]));
    }
}
