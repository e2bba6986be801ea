//! The VMSnapshot extension in a guest: how it gets there, and how it and the host take a point together.
//!
//! Everything goes through the QEMU guest agent, so it needs no network in the guest. The package is put there once
//! (`deliver`); then each backup is one command of the extension (`session`):
//!
//! ```text
//! host                                   guest
//! settings, sealed for this guest  ───►  scripts, everything opened, written out
//!                                        freeze
//! one transaction over all disks   ◄───  ready, with a fresh number
//! done, with the same number       ───►  thaw
//! level of the point               ◄───  status of the command
//! ```
//!
//! The level is given by this order alone, and by no clock: the transaction begins after `ready` arrived and ends before
//! `done` is sent, and the guest says whether it thawed because of that `done`. Whatever the guest says can only lower
//! the level, because the guest is not trusted with more than its own data.

mod deliver;
mod hurry;
mod log;
mod package;
mod session;
mod shell;
mod status;

pub(crate) use deliver::{deliver, installed, upgrade_of};
pub(crate) use log::read_log;
pub use log::{EXTENSION_LOG, GuestLog};
pub use package::{Extension, ExtensionFile, Handler, Seal};
pub(crate) use session::{Ready, Session, Thawed, thaw_left};
pub use status::Verdict;

use serde::{Deserialize, Serialize};

/// The extension as it was put into a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Installed {
    /// Name of the handler, as publisher and type.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the package, in hex.
    pub digest: String,
    /// Its folder in the guest.
    pub home: String,
    /// SHA-1 of the certificate in upper-case hex: the name of the key in the guest.
    pub thumbprint: String,
    /// The certificate that settings are sealed for, in PEM. Its key never left the guest.
    pub certificate: String,
    /// What its handler is called by.
    pub handler: Handler,
}

/// What is known about the extension of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum ExtensionState {
    /// This host offers none, or the guest is of a kind that has none.
    #[default]
    NotOffered,
    /// Nobody looked yet, or the guest has none so far.
    Absent,
    /// It is there and was last used without trouble.
    Installed {
        /// Its version.
        version: String,
    },
    /// It is not there, or the last try to use it failed; in words.
    Failed {
        /// Version that was found; `None` = none.
        version: Option<String>,
        /// Why.
        reason: String,
    },
}
