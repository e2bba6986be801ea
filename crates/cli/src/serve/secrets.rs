//! Secrets that the service makes.

use std::path::Path;

use anyhow::{Context, anyhow};

use super::data_dir::write_secret;

/// Random bytes of a made-up secret: more than anybody can try.
const SECRET_BYTES: usize = 24;
/// Crockford's letters: none is mistaken for another when read aloud or copied by hand.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A new secret of 38 letters.
pub(crate) fn make() -> anyhow::Result<String> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("no random bytes: {error}"))?;
    // Five bits a letter.
    let mut text = String::new();
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in bytes {
        bits = (bits << 8 | u32::from(byte)) & 0xfff;
        held += 8;
        while held >= 5 {
            held -= 5;
            text.push(char::from(LETTERS[(bits >> held & 31) as usize]));
        }
    }
    Ok(text)
}

/// The random key in a file of the data folder, which is made when it is not there.
pub(crate) fn kept(path: &Path) -> anyhow::Result<[u8; 32]> {
    if !path.exists() {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| anyhow!("no random bytes: {error}"))?;
        write_secret(path, &bytes).with_context(|| format!("write {}", path.display()))?;
    }
    let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    <[u8; 32]>::try_from(bytes)
        .map_err(|_| anyhow!("{} is not a key of 32 bytes; remove it", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_and_differ() {
        let (one, two) = (make().unwrap(), make().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), SECRET_BYTES * 8 / 5);
        assert!(one.bytes().all(|letter| LETTERS.contains(&letter)));
    }
}
