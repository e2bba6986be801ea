//! What protection costs: protected instances by their size, and the storage that their points
//! take.
//!
//! An instance counts from its first successful backup until its data is gone, also while
//! protection is stopped. Its size is what its disks hold, not what they could hold; temporary
//! disks do not count.

use super::find;
use crate::authz::Action;
use crate::cx::Cx;
use crate::error::Refusal;
use crate::id::VaultId;
use crate::model::{ProtectedItem, RecoveryPoint, Vm};
use crate::port::Tx;

/// Bytes of a GB, as sizes are charged.
pub const GB: u64 = 1 << 30;

/// A disk of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskUse {
    /// Its name.
    pub name: String,
    /// What the guest sees, in bytes.
    pub size_bytes: u64,
    /// What it holds, in bytes.
    pub used_bytes: u64,
    /// Whether it is a temporary disk, which does not count.
    pub temporary: bool,
}

/// The size of an instance: what its disks hold, without temporary ones.
pub fn instance_bytes(disks: &[DiskUse]) -> u64 {
    disks.iter().filter(|disk| !disk.temporary).map(|disk| disk.used_bytes).sum()
}

/// The band that a size falls into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Band {
    /// No more than 50 GB.
    Small,
    /// More than 50 GB, no more than 500 GB.
    Medium,
    /// So many times 500 GB, begun ones counted whole.
    Large(u64),
}

impl Band {
    /// The band of a size in bytes.
    pub fn of(bytes: u64) -> Self {
        if bytes <= 50 * GB {
            Self::Small
        } else if bytes <= 500 * GB {
            Self::Medium
        } else {
            Self::Large(bytes.div_ceil(500 * GB))
        }
    }

    /// How people call it.
    pub fn name(self) -> String {
        match self {
            Self::Small => "up to 50 GB".to_owned(),
            Self::Medium => "50 to 500 GB".to_owned(),
            Self::Large(times) => format!("{times} x 500 GB"),
        }
    }
}

/// Where the size of an instance comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeBasis {
    /// Its disks were read whole by a backup: so many bytes were allocated.
    Allocated,
    /// No backup read all of it: the sizes of its disks, which is more.
    Provisioned,
}

/// One instance of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceCost {
    /// The item.
    pub item: ProtectedItem,
    /// Its size in bytes.
    pub bytes: u64,
    /// Where the size comes from.
    pub basis: SizeBasis,
    /// Its band.
    pub band: Band,
    /// Points that it has.
    pub points: usize,
    /// What its points added to the store, after dedup and compression, in bytes.
    pub stored_bytes: u64,
}

/// What the items of a vault cost. Items without a successful backup cost nothing and are not in it.
pub fn cost_report(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    vault: VaultId,
) -> Result<Vec<InstanceCost>, Refusal> {
    cx.may(Action::Read)?;
    let vault = find::vault(tx, vault)?;
    let mut report = Vec::new();
    for item in tx.items(vault.id)? {
        let points = tx.points(item.id)?;
        if points.is_empty() {
            continue;
        }
        let vm = tx.vm(item.vm)?;
        report.push(cost_of(item, &points, vm.as_ref()));
    }
    Ok(report)
}

fn cost_of(item: ProtectedItem, points: &[RecoveryPoint], vm: Option<&Vm>) -> InstanceCost {
    let newest_whole = points.iter().find(|point| point.read_reason.is_some());
    let (bytes, basis) = match (newest_whole, vm) {
        (Some(point), _) => (point.stats.read_bytes, SizeBasis::Allocated),
        (None, Some(vm)) => {
            (vm.disks.iter().map(|disk| disk.size_bytes).sum(), SizeBasis::Provisioned)
        }
        (None, None) => (points[0].size_bytes, SizeBasis::Provisioned),
    };
    InstanceCost {
        item,
        bytes,
        basis,
        band: Band::of(bytes),
        points: points.len(),
        stored_bytes: points.iter().map(|point| point.stats.stored_bytes).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(name: &str, size_gb: u64, used_gb: u64, temporary: bool) -> DiskUse {
        let name = name.to_owned();
        DiskUse { name, size_bytes: size_gb * GB, used_bytes: used_gb * GB, temporary }
    }

    /// The example of the articles.
    #[test]
    fn seventeen_and_thirty_are_forty_seven_whatever_the_disks_could_hold() {
        let disks = [
            disk("os", 4095, 17, false),
            disk("temporary", 16, 5, true),
            disk("data1", 4095, 30, false),
            disk("data2", 4095, 0, false),
        ];
        assert_eq!(instance_bytes(&disks), 47 * GB);
        assert_eq!(Band::of(instance_bytes(&disks)), Band::Small);
    }

    #[test]
    fn bands_begin_after_their_borders() {
        for (bytes, band) in [
            (0, Band::Small),
            (50 * GB, Band::Small),
            (50 * GB + 1, Band::Medium),
            (500 * GB, Band::Medium),
            (500 * GB + 1, Band::Large(2)),
            (1000 * GB, Band::Large(2)),
            (1001 * GB, Band::Large(3)),
        ] {
            assert_eq!(Band::of(bytes), band, "{bytes}");
        }
    }
}
