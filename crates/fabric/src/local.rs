//! Copies of points beside the disks: internal snapshots of their images, from which a machine that is off is rolled back
//! in a moment.
//!
//! A copy is a convenience beside the vault, never instead of it: that it cannot be had fails nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The wish that a snapshot leaves a copy of the point in the images.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalWish {
    /// Keys of disks that the point leaves out. All others are copied, or none is.
    pub except: Vec<String>,
}

/// What became of the wish for a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum LocalCopy {
    /// The images hold the point.
    Kept,
    /// They do not.
    Not {
        /// Why, in words for people.
        reason: String,
        /// It should have been possible: a person may want to do something.
        alarm: bool,
    },
}

impl LocalCopy {
    /// Never possible with such a machine.
    pub(crate) fn cannot(reason: impl Into<String>) -> Self {
        Self::Not { reason: reason.into(), alarm: false }
    }

    /// Not possible this time.
    pub(crate) fn failed(reason: impl Into<String>) -> Self {
        Self::Not { reason: reason.into(), alarm: true }
    }
}

/// What the images of a machine hold of ours. What others keep in them is not told, and never touched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalCopies {
    /// Points, and the keys of the disks that have a copy of each.
    pub points: BTreeMap<Uuid, Vec<String>>,
    /// What was on the disks before a roll-back, by the job that did it and did not end it.
    pub before: BTreeMap<Uuid, Vec<String>>,
}
