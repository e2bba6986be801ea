//! Which disks a running QEMU has, and which node of the graph each one is.

use std::collections::HashSet;
use std::path::PathBuf;

use super::config::MachineDefinition;
use crate::qmp::command::{Drive, Medium, Node};
use crate::{DiskInfo, FabricError, ImageFormat, Result};

/// A disk of a running machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LiveDisk {
    pub(crate) info: DiskInfo,
    /// The node of the image that the guest writes to, below any filters. Looked up each time:
    /// names of nodes that were not named by hand differ at each start.
    pub(crate) node: String,
    /// Bitmaps of the node can be stored in the image.
    pub(crate) stores_bitmaps: bool,
}

/// The disks that a backup covers: writable, not removable; those of the definition if there is
/// one, in its order.
pub(crate) fn live_disks(
    definition: Option<&MachineDefinition>,
    drives: Vec<Drive>,
    nodes: &[Node],
) -> Result<Vec<LiveDisk>> {
    let found = found_disks(drives, nodes);
    let Some(definition) = definition else { return Ok(found) };
    let pick = |disk: &super::DiskDefinition| {
        let by_key = found.iter().find(|live| live.info.key == disk.key);
        let live = by_key.or_else(|| found.iter().find(|live| live.info.path == disk.path));
        let live = live.ok_or_else(|| FabricError::DiskMissing {
            machine: definition.name.clone(),
            disk: disk.key.clone(),
            path: disk.path.clone(),
        })?;
        let name = disk.name.clone().unwrap_or_else(|| disk.key.clone());
        let (key, lun, format) = (disk.key.clone(), disk.lun, disk.format);
        let info = DiskInfo { key, lun, name, format, ..live.info.clone() };
        Ok(LiveDisk { info, ..live.clone() })
    };
    definition.disks.iter().map(pick).collect()
}

fn found_disks(drives: Vec<Drive>, nodes: &[Node]) -> Vec<LiveDisk> {
    let mut disks: Vec<LiveDisk> = Vec::new();
    let mut keys = HashSet::new();
    for drive in drives {
        let Drive { device, qdev, removable, inserted: Some(medium) } = drive else { continue };
        let Some((node, driver)) = image_node(&medium, nodes) else { continue };
        if removable || medium.ro {
            continue;
        }
        let index = disks.len();
        let wanted = qdev
            .as_deref()
            .and_then(device_id)
            .or((!device.is_empty()).then_some(device.as_str()))
            .map_or_else(|| format!("disk{index}"), str::to_owned);
        let key = if keys.contains(&wanted) { format!("{wanted}-{index}") } else { wanted };
        keys.insert(key.clone());
        let stores_bitmaps = driver == "qcow2";
        let format = if stores_bitmaps { ImageFormat::Qcow2 } else { ImageFormat::Raw };
        let info = DiskInfo {
            name: key.clone(),
            key,
            // The first disk is taken for that of the operating system.
            lun: u32::try_from(index).ok().and_then(|index| index.checked_sub(1)),
            size_bytes: medium.image.virtual_size,
            format,
            path: PathBuf::from(medium.image.filename),
        };
        disks.push(LiveDisk { info, node, stores_bitmaps });
    }
    disks
}

/// Name and driver of the node of the image. While a point is open, a filter stands above it, which
/// tells the name of the image's file as its own.
fn image_node(medium: &Medium, nodes: &[Node]) -> Option<(String, String)> {
    if medium.drv == "copy-before-write" {
        let below = nodes.iter().find(|node| {
            matches!(node.drv.as_str(), "qcow2" | "raw")
                && node.image.filename == medium.image.filename
        });
        if let Some(Node { node_name: Some(name), drv, .. }) = below {
            return Some((name.clone(), drv.clone()));
        }
    }
    Some((medium.node_name.clone()?, medium.drv.clone()))
}

/// The id of a device from what QEMU calls it: the id, or a path in its tree of objects.
fn device_id(qdev: &str) -> Option<&str> {
    if !qdev.starts_with('/') {
        return Some(qdev);
    }
    let id = qdev.strip_prefix("/machine/peripheral/")?;
    id.split('/').next()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn drives() -> Vec<Drive> {
        let drive = |device: &str, qdev: Option<&str>, node: &str, ro: bool, removable: bool| {
            json!({
                "device": device, "qdev": qdev, "removable": removable,
                "inserted": { "node-name": node, "drv": "qcow2", "ro": ro,
                    "image": { "filename": format!("/{node}"), "virtual-size": 512 } },
            })
        };
        let all = json!([
            drive("", Some("/machine/peripheral/vroot/virtio-backend"), "root0", false, false),
            drive("cd", None, "#block1", false, true),
            drive("", Some("iso"), "iso", true, false),
            { "device": "floppy", "removable": true },
            drive("", Some("scsi0"), "data0", false, false),
            drive("virtio1", Some("/machine/peripheral-anon/device[0]/virtio-backend"), "n", false, false),
            drive("", Some("/machine/peripheral-anon/device[1]/virtio-backend"), "m", false, false),
        ]);
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn disks_are_named_by_their_device() {
        let disks = live_disks(None, drives(), &[]).unwrap();
        let told: Vec<_> = disks
            .iter()
            .map(|disk| (disk.info.key.as_str(), disk.info.lun, disk.node.as_str()))
            .collect();
        let expected = [
            ("vroot", None, "root0"),
            ("scsi0", Some(0), "data0"),
            ("virtio1", Some(1), "n"),
            ("disk3", Some(2), "m"),
        ];
        assert_eq!(told, expected);
    }
}
