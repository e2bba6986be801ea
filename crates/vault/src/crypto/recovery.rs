//! The key on paper.

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use super::random;
use crate::VaultError;

/// Letters of Crockford's base 32: no I, L, O, U, so that a hand-copied key is read back without doubt.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// 32 bytes of key and 3 of check are 56 letters.
const LETTERS: usize = 56;
const CHECK_BYTES: usize = 3;
const GROUP_LETTERS: usize = 7;

/// The key on paper that opens the vault when the passphrase is lost: 256 random bits. `Display` shows it (once, to its
/// owner); `FromStr` reads it back in any case, however spaced, and knows a mistyped letter.
#[derive(Clone)]
pub struct RecoveryKey(Zeroizing<[u8; 32]>);

impl RecoveryKey {
    pub(crate) fn generate() -> Result<Self, VaultError> {
        Ok(Self(Zeroizing::new(random()?)))
    }

    pub(crate) fn secret(&self) -> &[u8; 32] {
        &self.0
    }
}

fn check(key: &[u8; 32]) -> [u8; CHECK_BYTES] {
    let hash = blake3::derive_key("coffre v1 recovery key check", key);
    [hash[0], hash[1], hash[2]]
}

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryKey(..)")
    }
}

impl fmt::Display for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let check = check(&self.0);
        let bytes = self.0.iter().chain(&check);
        let (mut bits, mut held, mut written) = (0u32, 0u32, 0);
        for byte in bytes {
            bits = bits << 8 | u32::from(*byte);
            held += 8;
            while held >= 5 {
                held -= 5;
                if written > 0 && written % GROUP_LETTERS == 0 {
                    f.write_str("-")?;
                }
                let letter = ALPHABET[(bits >> held & 31) as usize];
                write!(f, "{}", char::from(letter))?;
                written += 1;
            }
            bits &= (1 << held) - 1;
        }
        Ok(())
    }
}

impl FromStr for RecoveryKey {
    type Err = VaultError;

    fn from_str(text: &str) -> Result<Self, VaultError> {
        let malformed = |reason| VaultError::MalformedRecoveryKey { reason };
        let mut bytes = Zeroizing::new([0u8; 32 + CHECK_BYTES]);
        let (mut bits, mut held, mut filled, mut letters) = (0u32, 0u32, 0, 0);
        for letter in text.chars().filter(|letter| !letter.is_whitespace() && *letter != '-') {
            let value = value(letter)
                .ok_or_else(|| malformed("a letter is not one of the key's alphabet"))?;
            letters += 1;
            if letters > LETTERS {
                return Err(malformed("it is too long"));
            }
            bits = bits << 5 | value;
            held += 5;
            if held >= 8 {
                held -= 8;
                bytes[filled] = u8::try_from(bits >> held & 255).expect("masked to eight bits");
                filled += 1;
            }
            bits &= (1 << held) - 1;
        }
        if letters != LETTERS {
            return Err(malformed("it is too short"));
        }
        let mut key = Zeroizing::new([0u8; 32]);
        key.copy_from_slice(&bytes[..32]);
        if check(&key) != bytes[32..] {
            return Err(malformed("the check letters do not fit; a letter is mistyped"));
        }
        Ok(Self(key))
    }
}

/// The value of a letter; those that look alike are read as the one of the alphabet.
fn value(letter: char) -> Option<u32> {
    let letter = match letter.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let found = ALPHABET.iter().position(|known| char::from(*known) == letter)?;
    u32::try_from(found).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_shows_in_any_case_and_spacing() {
        for _ in 0..50 {
            let key = RecoveryKey::generate().unwrap();
            let shown = key.to_string();
            assert_eq!(shown.len(), LETTERS + LETTERS / GROUP_LETTERS - 1);
            for typed in [
                shown.clone(),
                shown.to_lowercase(),
                shown.replace('-', " "),
                shown.replace('0', "o"),
            ] {
                assert_eq!(typed.parse::<RecoveryKey>().unwrap().secret(), key.secret());
            }
            assert!(!format!("{key:?}").contains(&shown[..7]));
        }
    }

    #[test]
    fn knows_a_mistyped_letter() {
        let shown = RecoveryKey::generate().unwrap().to_string();
        let mut missed = 0;
        for at in 0..shown.len() {
            for letter in ALPHABET {
                let mut typed = shown.clone().into_bytes();
                if typed[at] == b'-' || typed[at] == *letter {
                    continue;
                }
                typed[at] = *letter;
                let typed = String::from_utf8(typed).unwrap();
                missed += usize::from(typed.parse::<RecoveryKey>().is_ok());
            }
        }
        assert_eq!(missed, 0);
        assert!("".parse::<RecoveryKey>().is_err() && "U".parse::<RecoveryKey>().is_err());
        assert!(format!("{shown}0").parse::<RecoveryKey>().is_err());
    }
}
