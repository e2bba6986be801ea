//! Which file systems are frozen, and in what order. Decides by type and table alone, and opens nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::mounts::{Mount, holder};
use super::result::LeftOut;
use super::spec::FreezeSpec;

/// What is known about a type of file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    /// Local, and the kernel can freeze it.
    Freezable,
    /// Local, but the kernel cannot freeze it; it can be written out.
    SyncOnly,
    /// Local, and out of our reach.
    OutOfReach,
    /// In memory, made up by the kernel, or a view of another file system: nothing of its own is on a disk.
    NoDisk,
    /// Somebody must answer before a path in it can be opened, and perhaps never does.
    MayHang,
}

pub(super) fn nature(fs_type: &str) -> Nature {
    match fs_type {
        "ext2" | "ext3" | "ext4" | "xfs" | "btrfs" | "f2fs" | "jfs" | "nilfs2" | "reiserfs"
        | "bcachefs" => Nature::Freezable,
        "vfat" | "msdos" | "exfat" | "ntfs3" | "hfsplus" | "hfs" | "minix" | "udf" | "affs" => {
            Nature::SyncOnly
        }
        "zfs" | "fuseblk" | "gfs2" | "ocfs2" | "ntfs" => Nature::OutOfReach,
        "tmpfs" | "ramfs" | "rootfs" | "devtmpfs" | "proc" | "sysfs" | "overlay" | "squashfs"
        | "erofs" | "iso9660" | "cramfs" | "romfs" | "cgroup" | "cgroup2" | "devpts" | "mqueue"
        | "hugetlbfs" | "debugfs" | "tracefs" | "securityfs" | "selinuxfs" | "configfs"
        | "pstore" | "bpf" | "efivarfs" | "binfmt_misc" | "nsfs" | "fusectl" | "rpc_pipefs"
        | "nfsd" | "aufs" | "ecryptfs" => Nature::NoDisk,
        // Network, FUSE, autofs, and all that we have never heard of.
        _ => Nature::MayHang,
    }
}

/// A file system to freeze: one super block, however often it is mounted.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub device: (u32, u32),
    pub fs_type: String,
    /// Where it may be opened, best place first. Places in the table of mounts.
    pub places: Vec<usize>,
}

/// What was decided.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// In the order of freezing: what stands on a file of another comes before that other.
    pub freeze: Vec<Candidate>,
    /// To be written out before, and no more.
    pub sync: Vec<Candidate>,
    pub left_out: Vec<LeftOut>,
}

/// Decides. `backing` tells the files that a mount's file system stands on.
pub(super) fn choose(
    mounts: &[Mount],
    spec: &FreezeSpec,
    backing: &dyn Fn(&Mount) -> Vec<PathBuf>,
) -> Choice {
    let mut choice = Choice::default();
    let systems = by_super_block(mounts);
    let stack = Stack { mounts, backing };
    let mut chosen = Vec::new();
    for (&device, places) in &systems {
        let Some(&first) = places.iter().find(|&&place| is_wanted(&mounts[place], spec)) else {
            continue;
        };
        let mount = &mounts[first];
        let left_out = |why: &str, partial: bool| LeftOut {
            mount: mount.at.clone(),
            fs_type: mount.fs_type.clone(),
            why: why.to_owned(),
            partial,
        };
        let nature = nature(&mount.fs_type);
        if matches!(nature, Nature::NoDisk | Nature::MayHang) || mount.is_read_only() {
            continue;
        }
        let mut places: Vec<usize> =
            places.iter().copied().filter(|&p| is_wanted(&mounts[p], spec)).collect();
        if places.iter().any(|&p| is_skipped(&mounts[p], spec)) {
            choice.left_out.push(left_out("an administrator excluded it", false));
            continue;
        }
        let Some(depth) = stack.depth(mount, 0) else {
            choice.left_out.push(left_out("it stands on a file that another machine serves", true));
            continue;
        };
        // Our own namespace before others, whole file systems before parts of them.
        places.sort_by_key(|&p| (mounts[p].process.is_some(), mounts[p].root != Path::new("/")));
        let candidate = Candidate { device, fs_type: mount.fs_type.clone(), places };
        match nature {
            Nature::Freezable => chosen.push((depth, first, candidate)),
            Nature::SyncOnly => {
                let boot = mount.at.starts_with("/boot") || mount.at.starts_with("/efi");
                choice.left_out.push(left_out("this type cannot be frozen", !boot));
                choice.sync.push(candidate);
            }
            _ => choice.left_out.push(left_out("this type is out of reach", true)),
        }
    }
    // Innermost first; then the last mounted first, so that the root comes last.
    chosen.sort_by_key(|(depth, place, _)| std::cmp::Reverse((*depth, *place)));
    choice.freeze = chosen.into_iter().map(|(_, _, candidate)| candidate).collect();
    choice
}

fn is_wanted(mount: &Mount, spec: &FreezeSpec) -> bool {
    spec.only.as_ref().is_none_or(|folder| mount.at.starts_with(folder))
}

/// An administrator names mount points of the machine, not of some container.
fn is_skipped(mount: &Mount, spec: &FreezeSpec) -> bool {
    mount.process.is_none_or(|process| process == 1) && spec.skip.contains(&mount.at)
}

type Systems = BTreeMap<(u32, u32), Vec<usize>>;

fn by_super_block(mounts: &[Mount]) -> Systems {
    let mut systems = Systems::new();
    for (place, mount) in mounts.iter().enumerate() {
        systems.entry(mount.device).or_default().push(place);
    }
    systems
}

/// File systems stand on files of file systems.
struct Stack<'a> {
    mounts: &'a [Mount],
    backing: &'a dyn Fn(&Mount) -> Vec<PathBuf>,
}

/// Deeper than any real stack: a circle, or a file that nobody can find any more. Frozen before all others.
const DEPTH_UNKNOWN: u32 = 16;

impl Stack<'_> {
    /// How many file systems this one stands on; `None` when one of them may hang.
    fn depth(&self, mount: &Mount, above: u32) -> Option<u32> {
        if above >= DEPTH_UNKNOWN {
            return Some(DEPTH_UNKNOWN);
        }
        let mut depth = 0;
        for file in (self.backing)(mount) {
            depth = depth.max(self.depth_of_file(&file, above + 1)? + 1);
        }
        Some(depth.min(DEPTH_UNKNOWN))
    }

    fn depth_of_file(&self, file: &Path, above: u32) -> Option<u32> {
        // Our own table is asked first; the file may have been named in that of process 1.
        let holder = holder(self.mounts, None, file).or_else(|| holder(self.mounts, Some(1), file));
        let Some(holder) = holder.filter(|_| above < DEPTH_UNKNOWN) else {
            return Some(DEPTH_UNKNOWN);
        };
        // The kernel says so behind the name, and then the name tells nothing.
        let deleted = file.as_os_str().as_encoded_bytes().ends_with(b" (deleted)");
        match nature(&holder.fs_type) {
            Nature::MayHang => None,
            _ if deleted => Some(DEPTH_UNKNOWN),
            Nature::NoDisk if holder.fs_type == "overlay" => {
                let mut options = holder.super_options.split(',');
                match options.find_map(|option| option.strip_prefix("upperdir=")) {
                    Some(upper) => self.depth_of_file(Path::new(upper), above + 1),
                    None => Some(DEPTH_UNKNOWN),
                }
            }
            Nature::NoDisk => Some(0),
            _ => self.depth(holder, above),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::mounts::table;
    use super::*;

    fn chosen(text: &str, spec: &FreezeSpec, files: &[(&str, &str)]) -> (Vec<String>, Choice) {
        let mounts = table(None, text.as_bytes());
        let backing = |mount: &Mount| {
            let of = files.iter().filter(|(source, _)| mount.source == Path::new(source));
            of.map(|(_, file)| PathBuf::from(file)).collect()
        };
        let choice = choose(&mounts, spec, &backing);
        let names = choice
            .freeze
            .iter()
            .map(|c| mounts[c.places[0]].at.to_str().unwrap().to_owned())
            .collect();
        (names, choice)
    }

    const MACHINE: &str = "\
        20 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
        21 20 0:5 / /proc rw - proc proc rw\n\
        22 20 8:2 / /boot/efi rw - vfat /dev/sda2 rw\n\
        23 20 8:16 / /data rw - xfs /dev/sdb rw\n\
        24 20 8:16 /sub /bind rw - xfs /dev/sdb rw\n\
        25 23 7:0 / /data/inner rw - ext4 /dev/loop0 rw\n\
        26 25 7:1 / /data/inner/most rw - btrfs /dev/loop1 rw\n\
        27 20 0:44 / /net rw - nfs4 server:/x rw\n\
        28 20 7:2 / /onnet rw - ext4 /dev/loop2 rw\n\
        29 20 7:3 / /snap/core ro - squashfs /dev/loop3 ro\n\
        30 20 0:45 / /pool rw - zfs pool rw\n\
        31 20 8:32 / /media ro - ext4 /dev/sdc ro\n";
    const FILES: &[(&str, &str)] = &[
        ("/dev/loop0", "/data/images/a"),
        ("/dev/loop1", "/data/inner/b"),
        ("/dev/loop2", "/net/c"),
    ];

    #[test]
    fn innermost_first_and_the_root_last() {
        let (names, choice) = chosen(MACHINE, &FreezeSpec::default(), FILES);
        assert_eq!(names, ["/data/inner/most", "/data/inner", "/data", "/"]);
        let left: Vec<_> = choice
            .left_out
            .iter()
            .map(|left| (left.mount.to_str().unwrap(), left.partial))
            .collect();
        assert_eq!(left, [("/pool", true), ("/onnet", true), ("/boot/efi", false)]);
        assert_eq!(choice.sync.len(), 1);
    }

    #[test]
    fn a_stack_goes_before_the_order_of_mounting() {
        // The loop device was mounted before the disk that holds its file was mounted again.
        let text = "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
            21 20 7:0 / /first rw - ext4 /dev/loop0 rw\n\
            22 20 8:16 / /later rw - xfs /dev/sdb rw\n";
        let (names, _) = chosen(text, &FreezeSpec::default(), &[("/dev/loop0", "/later/x")]);
        assert_eq!(names, ["/first", "/later", "/"]);
    }

    #[test]
    fn what_an_administrator_excludes_is_left_alone_even_the_root() {
        let skip = vec!["/".into(), "/bind".into()];
        let (names, choice) = chosen(MACHINE, &FreezeSpec { skip, ..FreezeSpec::default() }, FILES);
        assert_eq!(names, ["/data/inner/most", "/data/inner"]);
        assert!(choice.left_out.iter().filter(|left| !left.partial).count() >= 2);
    }

    #[test]
    fn only_below_a_folder() {
        let only = Some("/data/inner".into());
        let (names, _) = chosen(MACHINE, &FreezeSpec { only, ..FreezeSpec::default() }, FILES);
        assert_eq!(names, ["/data/inner/most", "/data/inner"]);
    }

    #[test]
    fn a_circle_comes_to_an_end() {
        let text =
            "20 1 7:0 / /a rw - ext4 /dev/loop0 rw\n21 20 7:1 / /b rw - ext4 /dev/loop1 rw\n";
        let files = [("/dev/loop0", "/b/x"), ("/dev/loop1", "/a/x")];
        assert_eq!(chosen(text, &FreezeSpec::default(), &files).0.len(), 2);
    }

    #[test]
    fn a_type_that_nobody_knows_is_never_touched() {
        for unknown in ["fuse.sshfs", "nfs", "cifs", "9p", "ceph", "autofs", "lustre", "new"] {
            assert_eq!(nature(unknown), Nature::MayHang, "{unknown}");
        }
    }
}
