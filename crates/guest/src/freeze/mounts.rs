//! What is mounted in this machine: the mount tables of all mount namespaces.
//!
//! Nothing is opened here but files in `/proc`, which answer whatever became of a server.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// Namespaces that are looked at. A machine with more runs thousands of containers; their file systems are nearly
/// always those of the first few.
const NAMESPACES_MAX: usize = 1024;

/// One line of a mount table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// A process in whose namespace this is mounted; `None` for our own namespace.
    pub process: Option<u32>,
    pub id: u64,
    pub parent: u64,
    /// Of the super block: the same for all bind mounts and all subvolumes.
    pub device: (u32, u32),
    /// Which folder of the file system is mounted.
    pub root: PathBuf,
    /// Where.
    pub at: PathBuf,
    pub fs_type: String,
    pub source: PathBuf,
    pub super_options: String,
}

impl Mount {
    /// Whether the whole file system cannot be written.
    pub(super) fn is_read_only(&self) -> bool {
        self.super_options.split(',').any(|option| option == "ro")
    }
}

/// All mounts: those of our own namespace first, then of process 1, then of others; in each the order of the table.
pub(super) fn all() -> io::Result<Vec<Mount>> {
    let mut seen = BTreeSet::new();
    seen.insert(fs::read_link("/proc/self/ns/mnt")?);
    let mut mounts = table(None, &fs::read("/proc/self/mountinfo")?);
    let mut processes: Vec<u32> = fs::read_dir("/proc")?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    processes.sort_unstable();
    for process in processes {
        // A process may end at any time, and a stranger may not be ours to see: both are nothing to us.
        let Ok(namespace) = fs::read_link(format!("/proc/{process}/ns/mnt")) else { continue };
        if seen.len() >= NAMESPACES_MAX || !seen.insert(namespace) {
            continue;
        }
        let Ok(text) = fs::read(format!("/proc/{process}/mountinfo")) else { continue };
        mounts.extend(table(Some(process), &text));
    }
    Ok(mounts)
}

/// Reads a table. Lines that are none are left out.
pub(super) fn table(process: Option<u32>, text: &[u8]) -> Vec<Mount> {
    text.split(|byte| *byte == b'\n').filter_map(|text| line(process, text)).collect()
}

fn line(process: Option<u32>, text: &[u8]) -> Option<Mount> {
    let mut fields = text.split(|byte| *byte == b' ');
    let id = number(fields.next()?)?;
    let parent = number(fields.next()?)?;
    let device = std::str::from_utf8(fields.next()?).ok()?.split_once(':')?;
    let root = path(fields.next()?);
    let at = path(fields.next()?);
    let _options = fields.next()?;
    // Any number of optional fields, ended by a dash.
    fields.find(|field| *field == b"-")?;
    let fs_type = String::from_utf8_lossy(fields.next()?).into_owned();
    let source = path(fields.next()?);
    let super_options = String::from_utf8_lossy(fields.next().unwrap_or_default()).into_owned();
    let device = (device.0.parse().ok()?, device.1.parse().ok()?);
    Some(Mount { process, id, parent, device, root, at, fs_type, source, super_options })
}

fn number(field: &[u8]) -> Option<u64> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

fn path(field: &[u8]) -> PathBuf {
    PathBuf::from(unescape(field))
}

/// Blank, tab, newline and backslash are written as three octal digits.
fn unescape(field: &[u8]) -> OsString {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, after @ ..] = rest {
        match (first, after) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..]) => {
                plain.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
                rest = tail;
            }
            _ => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    OsString::from_vec(plain)
}

/// The mount that a path of that namespace leads to: the one with the longest path, and of those the uppermost.
pub(super) fn holder<'a>(
    mounts: &'a [Mount],
    process: Option<u32>,
    path: &Path,
) -> Option<&'a Mount> {
    mounts
        .iter()
        .filter(|mount| mount.process == process && path.starts_with(&mount.at))
        .max_by_key(|mount| mount.at.as_os_str().as_bytes().len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TABLE: &[u8] = b"27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n\
        44 27 0:40 /@srv /srv rw shared:2 master:1 - btrfs /dev/vdb rw,subvol=/@srv\n\
        nonsense\n\
        45 27 7:1 / /a\\040b\\134c ro,noatime - xfs /dev/loop1 ro,attr2\n";

    #[test]
    fn a_table_is_read() {
        let mounts = table(None, TABLE);
        let places: Vec<_> =
            mounts.iter().map(|m| (m.id, m.device, m.at.to_str().unwrap())).collect();
        assert_eq!(places, [(27, (254, 0), "/"), (44, (0, 40), "/srv"), (45, (7, 1), "/a b\\c")]);
        assert_eq!(mounts[1].root, Path::new("/@srv"));
        assert_eq!(mounts[1].fs_type, "btrfs");
        assert!(!mounts[1].is_read_only());
        assert!(mounts[2].is_read_only());
    }

    #[test]
    fn the_uppermost_of_the_longest_holds_a_path() {
        let mut mounts = table(None, TABLE);
        mounts.push(Mount { id: 46, ..mounts[1].clone() });
        let at = |path: &str| holder(&mounts, None, Path::new(path)).unwrap().id;
        assert_eq!(at("/srvant/x"), 27);
        assert_eq!(at("/srv/x"), 46);
        assert!(holder(&mounts, Some(1), Path::new("/srv/x")).is_none());
    }

    #[test]
    fn our_own_table_has_a_root() {
        let mounts = all().unwrap();
        assert!(mounts.iter().any(|mount| mount.process.is_none() && mount.at == Path::new("/")));
    }

    proptest! {
        #[test]
        fn any_path_survives_the_table(bytes in proptest::collection::vec(1u8.., 1..40)) {
            let mut escaped = Vec::new();
            for byte in &bytes {
                match byte {
                    b' ' | b'\t' | b'\n' | b'\\' => escaped.extend(format!("\\{byte:03o}").bytes()),
                    other => escaped.push(*other),
                }
            }
            prop_assert_eq!(unescape(&escaped).into_vec(), bytes);
        }

        #[test]
        fn no_table_makes_us_fall_over(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            table(None, &bytes);
        }
    }
}
