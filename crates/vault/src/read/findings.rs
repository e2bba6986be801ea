//! What a verification found, each finding once, with the points that it touches.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::verify::Damage;
use crate::VaultError;
use crate::bucket::BucketError;

/// Findings that a report holds; beyond that a vault is not damaged but gone.
const FINDINGS_MAX: usize = 10_000;

/// Findings by object, offset and text, each with the points that it touches.
#[derive(Default)]
pub(super) struct Findings(BTreeMap<(String, u64, String), BTreeSet<Uuid>>);

impl Findings {
    pub(super) fn add(&mut self, object: &str, offset: u64, what: &str, point: Option<Uuid>) {
        let key = (object.to_owned(), offset, what.to_owned());
        if self.0.len() < FINDINGS_MAX || self.0.contains_key(&key) {
            self.0.entry(key).or_default().extend(point);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn merge(&mut self, other: Self) {
        for ((object, offset, what), points) in other.0 {
            self.add(&object, offset, &what, None);
            if let Some(known) = self.0.get_mut(&(object, offset, what)) {
                known.extend(points);
            }
        }
    }

    /// Takes an error that is damage; gives back one that is not.
    pub(super) fn take(
        &mut self,
        error: VaultError,
        point: Option<Uuid>,
    ) -> Result<(), VaultError> {
        match error {
            VaultError::Damaged { object, offset, what } => self.add(&object, offset, &what, point),
            VaultError::MissingBlock { block, disk, offset } => {
                self.add(
                    "index/",
                    0,
                    &format!("block {block} of disk '{disk}' at byte {offset} is in no pack"),
                    point,
                );
            }
            VaultError::Bucket(BucketError::NotFound { key }) => {
                self.add(&key, 0, "the object is missing", point)
            }
            VaultError::Bucket(BucketError::OutOfRange { key, offset, .. }) => {
                self.add(&key, offset, "the object is too short", point);
            }
            other => return Err(other),
        }
        Ok(())
    }

    pub(super) fn into_damage(self) -> Vec<Damage> {
        let findings = self.0.into_iter();
        findings
            .map(|((object, offset, what), points)| Damage {
                object,
                offset,
                points: points.into_iter().collect(),
                what,
            })
            .collect()
    }
}
