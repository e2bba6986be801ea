//! New images are whole or not there, and take the place of a machine's disks.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use coffre_fabric::image::{self, ImageSpec, part_path};
use coffre_fabric::{FabricError, ImageFormat};
use common::host::{DISK_BYTES, Host, MIB, read_all};
use common::{noise, run, text, wait_until};
use tempfile::TempDir;
use uuid::Uuid;

const FORMATS: [ImageFormat; 2] = [ImageFormat::Raw, ImageFormat::Qcow2];

/// The bytes of an image as a guest sees them.
fn content(path: &Path, format: ImageFormat) -> Vec<u8> {
    let raw = path.with_extension("raw-copy");
    run("qemu-img", &["convert", "-f", format.as_str(), "-O", "raw", text(path), text(&raw)]);
    std::fs::read(&raw).unwrap()
}

fn make(path: &Path, format: ImageFormat, parts: &[(u64, &[u8])]) {
    let target = image::create(path, &ImageSpec { format, size_bytes: DISK_BYTES }).unwrap();
    let mut writers = [target.writer().unwrap(), target.writer().unwrap()];
    for (index, (offset, bytes)) in parts.iter().enumerate() {
        writers[index % 2].write_at(*offset, bytes).unwrap();
    }
    writers[0].flush().unwrap();
    drop(writers);
    target.finish().unwrap();
}

#[test]
fn an_image_holds_what_was_written_and_is_sparse() {
    for format in FORMATS {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("new");
        let (one, two) = (noise(1, 3 * MIB as usize + 5), noise(2, 1000));
        make(&path, format, &[(MIB, &one), (DISK_BYTES - 1000, &two)]);
        let mut expected = vec![0; DISK_BYTES as usize];
        expected[MIB as usize..][..one.len()].copy_from_slice(&one);
        expected[DISK_BYTES as usize - 1000..].copy_from_slice(&two);
        assert!(content(&path, format) == expected, "{format:?}");
        let used = path.metadata().unwrap().blocks() * 512;
        assert!(used < 5 * MIB, "{used}");
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "a guest's data is for its owner");
        assert!(!part_path(&path).exists());
        let again = image::create(&path, &ImageSpec { format, size_bytes: MIB });
        assert!(matches!(again, Err(FabricError::Io { .. })), "never over an image");
    }
}

#[test]
fn an_image_that_is_not_finished_leaves_nothing() {
    for format in FORMATS {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("new");
        std::fs::write(part_path(&path), "left by a crash").unwrap();
        let target = image::create(&path, &ImageSpec { format, size_bytes: MIB }).unwrap();
        let mut writer = target.writer().unwrap();
        writer.write_at(0, &[1; 4096]).unwrap();
        assert!(writer.write_at(MIB - 1, &[1; 2]).is_err(), "outside of the image");
        drop(writer);
        drop(target);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

/// Writes an image in a process of its own, told by a variable; alone it does nothing.
#[test]
fn a_process_that_writes_an_image() {
    let Ok(path) = std::env::var("COFFRE_TEST_IMAGE") else { return };
    let spec = ImageSpec { format: ImageFormat::Qcow2, size_bytes: MIB };
    let target = image::create(Path::new(&path), &spec).unwrap();
    let mut writer = target.writer().unwrap();
    let mut at = 0;
    loop {
        writer.write_at(at % MIB, &[1; 4096]).unwrap();
        at += 4096;
    }
}

#[test]
fn a_restore_that_is_killed_leaves_no_server_behind() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("new");
    let mut restore = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_process_that_writes_an_image"])
        .env("COFFRE_TEST_IMAGE", &path)
        .spawn()
        .unwrap();
    let part = part_path(&path);
    let holders = || servers_of(&part);
    wait_until("the image is written", || {
        part.metadata().is_ok_and(|data| data.blocks() > 1000) && !holders().is_empty()
    });
    restore.kill().unwrap();
    restore.wait().unwrap();
    wait_until("the server ended", || holders().is_empty());
    assert!(!path.exists());
    make(&path, ImageFormat::Qcow2, &[(0, &[2; 512])]);
    assert!(!part.exists());
}

/// Processes whose arguments name a file.
fn servers_of(file: &Path) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines =
        processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.contains("qemu-nbd") && line.contains(text(file))).collect()
}

#[test]
fn restored_images_take_the_place_of_disks_and_can_be_taken_back() {
    let mut host = Host::new(&FORMATS);
    host.start();
    host.write("os", 0, MIB);
    let new: Vec<_> = [("os", FORMATS[0]), ("data1", FORMATS[1])]
        .map(|(key, format)| {
            let path = host.folder.path().join(format!("{key}.new"));
            make(&path, format, &[(0, &noise(7, 4096))]);
            (key.to_owned(), path)
        })
        .into();
    let running = host.machine.replace_disks(&new);
    assert!(matches!(running, Err(FabricError::NotStopped(_))), "{running:?}");
    host.stop();
    let strange = host.machine.replace_disks(&[("other".to_owned(), new[0].1.clone())]);
    assert!(matches!(strange, Err(FabricError::UnknownDisk { .. })));
    let missing = host.machine.replace_disks(&[("os".to_owned(), "/missing".into())]);
    // The disk is there and the new image is gone: taken for done by an earlier call.
    missing.unwrap();
    host.machine.replace_disks(&new).unwrap();
    host.machine.replace_disks(&new).unwrap();
    let paths: Vec<_> = host.machine.info().unwrap().disks.into_iter().map(|d| d.path).collect();
    for (path, format) in paths.iter().zip(FORMATS) {
        assert!(content(path, format)[..4096] == noise(7, 4096));
    }
    // Another restore must not drop the image that nobody confirmed.
    make(&new[0].1, FORMATS[0], &[]);
    let kept = host.machine.replace_disks(&new[..1]);
    assert!(matches!(kept, Err(FabricError::OldImageKept(_))), "{kept:?}");
    host.machine.revert_replaced_disks().unwrap();
    assert!(content(&paths[0], FORMATS[0]) == host.truth["os"]);
    host.machine.replace_disks(&new[..1]).unwrap();
    host.machine.confirm_replaced_disks().unwrap();
    host.machine.revert_replaced_disks().unwrap();
    assert!(content(&paths[0], FORMATS[0]) == vec![0; DISK_BYTES as usize]);
    // A disk that vanished is put back, too, and the machine starts on it.
    std::fs::remove_file(&paths[1]).unwrap();
    assert!(matches!(host.machine.start(), Err(FabricError::DiskMissing { .. })));
    make(&new[1].1, FORMATS[1], &[(0, &noise(9, 512))]);
    host.machine.replace_disks(&new[1..]).unwrap();
    host.start();
    let point = Uuid::new_v4();
    host.take(point, None);
    assert!(read_all(&*host.snapshot(point), "data1")[..512] == noise(9, 512));
}
