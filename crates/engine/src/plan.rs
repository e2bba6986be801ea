//! What a backup reads of each disk, and the reason when it is more than what changed.

use coffre_fabric::{Changed, SnapshotDisk, SnapshotReport};
use coffre_vault::{Extent, PointInfo};
use uuid::Uuid;

use crate::BackupSpec;

/// What each disk of a point reads, and why.
pub(crate) struct Plan {
    pub(crate) disks: Vec<DiskPlan>,
    pub(crate) parent: Option<Uuid>,
    pub(crate) reason: Option<String>,
}

pub(crate) struct DiskPlan {
    pub(crate) key: String,
    pub(crate) size_bytes: u64,
    /// `None` = everything.
    pub(crate) changed: Option<Vec<Extent>>,
}

impl Plan {
    pub(crate) fn new(
        report: &SnapshotReport,
        base: Option<&PointInfo>,
        spec: &BackupSpec,
    ) -> Plan {
        let Some(base) = base else {
            return Plan::with(report, spec, None, |_| Err(None));
        };
        if let Some(reason) = &spec.distrust {
            return Plan::everything(report, spec, reason);
        }
        Plan::with(report, spec, Some(base.id), |disk| {
            let Some(old) = base.disks.iter().find(|old| old.key == disk.key) else {
                return Err(Some(format!("disk {} is new", disk.key)));
            };
            if old.size_bytes > disk.size_bytes {
                return Err(Some(format!("disk {} became smaller", disk.key)));
            }
            match &disk.changed {
                Changed::Unknown(reason) => Err(Some(format!("disk {}: {reason}", disk.key))),
                Changed::Extents(ranges) => Ok(ranges
                    .iter()
                    .map(|range| Extent { offset: range.offset, length: range.length })
                    .collect()),
            }
        })
    }

    pub(crate) fn everything(report: &SnapshotReport, spec: &BackupSpec, reason: &str) -> Plan {
        let mut plan = Plan::with(report, spec, None, |_| Err(None));
        plan.reason = Some(format!("re-read everything because {reason}"));
        plan
    }

    fn with(
        report: &SnapshotReport,
        spec: &BackupSpec,
        parent: Option<Uuid>,
        changed: impl Fn(&SnapshotDisk) -> Result<Vec<Extent>, Option<String>>,
    ) -> Plan {
        let mut reasons = Vec::new();
        let disks = report
            .disks
            .iter()
            .filter(|disk| !spec.excluded.contains(&disk.key))
            .map(|disk| {
                let changed = changed(disk).map_err(|reason| reasons.extend(reason)).ok();
                DiskPlan { key: disk.key.clone(), size_bytes: disk.size_bytes, changed }
            })
            .collect();
        let reason = (!reasons.is_empty())
            .then(|| format!("re-read everything because {}", reasons.join("; ")));
        Plan { disks, parent, reason }
    }

    pub(crate) fn has_base(&self) -> bool {
        self.disks.iter().any(|disk| disk.changed.is_some())
    }

    pub(crate) fn total_bytes(&self) -> u64 {
        let disk_bytes = |disk: &DiskPlan| match &disk.changed {
            None => disk.size_bytes,
            Some(ranges) => ranges.iter().map(|range| range.length).sum(),
        };
        self.disks.iter().map(disk_bytes).sum()
    }
}
