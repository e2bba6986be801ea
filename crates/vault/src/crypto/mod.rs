//! Keys and seals.

use std::fmt;

use zeroize::Zeroizing;

/// A passphrase as typed. Never shown.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes a passphrase as it is; callers strip the line end of a file.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// The key on paper that opens the vault when the passphrase is lost. `Display` shows it (once, to its owner);
/// `FromStr` reads it back, however spaced and in any case.
#[derive(Clone)]
pub struct RecoveryKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryKey(..)")
    }
}

/// What opens a vault.
#[derive(Debug, Clone)]
pub enum Unlock {
    /// The passphrase.
    Passphrase(Passphrase),
    /// The key on paper.
    RecoveryKey(RecoveryKey),
}
