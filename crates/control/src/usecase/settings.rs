//! Keys of the settings that use-cases read.

use crate::error::Refusal;
use crate::port::Tx;

/// `true`: a wish for soft delete that is always on is binding; else it is kept as *enabled*.
pub const SOFT_DELETE_BINDING: &str = "soft_delete.binding";

/// When the service was first set up; there is none before [`crate::usecase::first_run()`].
pub const FIRST_RUN: &str = "install.first_run";

/// Whether a setting is `true`; one that is not there is not.
pub(crate) fn flag(tx: &mut dyn Tx, key: &str) -> Result<bool, Refusal> {
    Ok(tx.setting(key)?.is_some_and(|setting| setting.value == "true"))
}
