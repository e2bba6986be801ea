//! Setting: one value that the service remembers about itself.

use serde::{Deserialize, Serialize};

/// A named value. Keys are dotted lower-case words (`install.first_run`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Key.
    pub key: String,
    /// Value.
    pub value: String,
}
