//! Names of what we make in QEMU. All follow from the point, so that what a crash left is found.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use uuid::Uuid;

/// All jobs, exports, bitmaps and files of ours begin like this.
const PREFIX: &str = "coffre-";

/// All copies of points in images begin like this.
const COPY_PREFIX: &str = "coffre-point-";

/// All that keeps what was there before a roll-back begins like this.
const BEFORE_PREFIX: &str = "coffre-before-";

/// All nodes of ours begin like this: QEMU's node names have at most 31 bytes.
const NODE_PREFIX: &str = "cf-";

/// Name of the bitmap that records changes since the point.
pub(crate) fn bitmap(point: Uuid) -> String {
    format!("{PREFIX}{}", point.simple())
}

/// Name of the job and of the export of one disk; the index is its place in the note.
pub(crate) fn job(point: Uuid, index: usize) -> String {
    format!("{PREFIX}{}-{index}", point.simple())
}

/// Name of the node of one disk's scratch image.
pub(crate) fn node(point: Uuid, index: usize) -> String {
    format!("{NODE_PREFIX}{}-{index}", BASE64URL.encode(point.as_bytes()))
}

/// Name of the file of one disk's scratch image.
pub(crate) fn scratch_file(point: Uuid, index: usize) -> String {
    format!("{PREFIX}{}-{index}.qcow2", point.simple())
}

/// Name of the copy of a point inside an image.
pub(crate) fn local_copy(point: Uuid) -> String {
    format!("{COPY_PREFIX}{}", point.simple())
}

/// Name of the snapshot that keeps what an image held before a job rolled it back.
pub(crate) fn before(job: Uuid) -> String {
    format!("{BEFORE_PREFIX}{}", job.simple())
}

/// The point of a copy of ours.
pub(crate) fn point_of_local_copy(name: &str) -> Option<Uuid> {
    exact(name.strip_prefix(COPY_PREFIX)?)
}

/// The job that keeps what was there before.
pub(crate) fn job_of_before(name: &str) -> Option<Uuid> {
    exact(name.strip_prefix(BEFORE_PREFIX)?)
}

/// Only as we write it: what a person named in another way is theirs.
fn exact(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|uuid| uuid.simple().to_string() == text)
}

/// The point of a bitmap of ours.
pub(crate) fn point_of_bitmap(name: &str) -> Option<Uuid> {
    Uuid::try_parse(name.strip_prefix(PREFIX)?).ok()
}

/// The point of a job or an export of ours.
pub(crate) fn point_of_job(name: &str) -> Option<Uuid> {
    let (uuid, index) = name.strip_prefix(PREFIX)?.split_once('-')?;
    index.parse::<usize>().ok()?;
    Uuid::try_parse(uuid).ok()
}

/// The point of a node of ours.
pub(crate) fn point_of_node(name: &str) -> Option<Uuid> {
    let rest = name.strip_prefix(NODE_PREFIX)?;
    let (uuid, index) = rest.split_at_checked(22)?;
    index.strip_prefix('-')?.parse::<usize>().ok()?;
    Uuid::from_slice(&BASE64URL.decode(uuid).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_point_and_fit() {
        for _ in 0..200 {
            let point = Uuid::new_v4();
            for index in [0, 7, 63] {
                assert_eq!(point_of_node(&node(point, index)), Some(point));
                assert_eq!(point_of_job(&job(point, index)), Some(point));
                assert!(node(point, index).len() <= 31);
                assert_eq!(point_of_bitmap(&job(point, index)), None);
            }
            assert_eq!(point_of_bitmap(&bitmap(point)), Some(point));
            assert_eq!(point_of_job(&bitmap(point)), None);
            assert_eq!(point_of_local_copy(&local_copy(point)), Some(point));
            assert_eq!(job_of_before(&before(point)), Some(point));
            for ours in [local_copy(point), before(point)] {
                assert_eq!(point_of_bitmap(&ours).or(point_of_job(&ours)), None, "{ours}");
            }
            let by_hand = format!("coffre-point-{point}");
            assert_eq!(point_of_local_copy(&by_hand), None, "not as we write it");
            assert_eq!(point_of_local_copy(&before(point)), None);
            assert_eq!(job_of_before(&local_copy(point)), None);
        }
        for other in ["", "cf-", "coffre-", "coffre-x-1", "cf-ää", "libvirt-1-format", "#block1"]
        {
            assert_eq!(point_of_node(other).or(point_of_job(other)), None, "{other}");
            assert_eq!(point_of_bitmap(other), None, "{other}");
        }
    }
}
