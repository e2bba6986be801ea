//! Our NBD client against the servers of others: qemu-nbd and nbdkit.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::path::{Path, PathBuf};
use std::time::Duration;

use coffre_fabric::nbd::client::IO_TIMEOUT_DEFAULT;
use coffre_fabric::nbd::wire::{STATUS_DIRTY, STATUS_ZERO};
use coffre_fabric::nbd::{CONTEXT_ALLOCATION, ConnectSpec, NbdClient, NbdError, bitmap_context};
use common::{Process, noise, run, start, text, wait_until};
use tempfile::TempDir;

const MIB: u64 = 1 << 20;

struct Server {
    _process: Process,
    socket: PathBuf,
    folder: TempDir,
}

impl Server {
    fn image(folder: &TempDir) -> PathBuf {
        folder.path().join("disk")
    }

    fn begin(folder: TempDir, program: &str, args: &[&str]) -> Self {
        let socket = folder.path().join("s");
        let mut all: Vec<&str> = args.to_vec();
        let pid_file = folder.path().join("pid");
        match program {
            "qemu-nbd" => all.splice(0..0, ["-t", "-e", "8", "-k", text(&socket)]),
            _ => all.splice(0..0, ["-f", "-P", text(&pid_file), "-U", text(&socket)]),
        };
        let process = start(program, &all);
        wait_until("the NBD server listens", || {
            std::os::unix::net::UnixStream::connect(&socket).is_ok()
        });
        Self { _process: process, socket, folder }
    }

    fn qemu(format: &str, size: &str, extra: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let image = Self::image(&folder);
        run("qemu-img", &["create", "-q", "-f", format, text(&image), size]);
        Self::begin(folder, "qemu-nbd", &[&["-f", format], extra, &[text(&image)]].concat())
    }

    fn connect(&self, export: &str) -> Result<NbdClient, NbdError> {
        NbdClient::connect(&self.socket, &ConnectSpec::allocation(export))
    }
}

#[test]
fn what_is_written_is_read_back_in_pieces_of_any_size() {
    for format in ["raw", "qcow2"] {
        let server = Server::qemu(format, "16M", &[]);
        let mut client = server.connect("").unwrap();
        assert_eq!(client.size_bytes(), 16 * MIB);
        let data = noise(1, 5 * MIB as usize + 777);
        client.write_at(MIB + 3, &data).unwrap();
        client.flush().unwrap();
        let mut second = server.connect("").unwrap();
        let mut back = vec![1; 7 * MIB as usize];
        second.read_at(MIB / 2, &mut back).unwrap();
        let start = (MIB / 2 + 3) as usize;
        assert!(back[..start].iter().all(|byte| *byte == 0), "{format}");
        assert!(back[start..start + data.len()] == data, "{format}");
        second.read_at(MIB + 3 + 4096, &mut back[..1]).unwrap();
        assert_eq!(back[0], data[4096]);
        second.read_at(0, &mut []).unwrap();
        second.write_at(16 * MIB, &[]).unwrap();
    }
}

#[test]
fn zeros_and_holes_are_told_and_data_is_not_called_zero() {
    let server = Server::qemu("qcow2", "3G", &[]);
    let mut client = server.connect("").unwrap();
    client.write_at(64 * 1024, &noise(2, 64 * 1024)).unwrap();
    client.write_at(2 * 1024 * MIB, &noise(3, 64 * 1024)).unwrap();
    client.write_zeroes(2 * 1024 * MIB, 4096).unwrap();
    let size = client.size_bytes();
    let status = client.block_status(CONTEXT_ALLOCATION, 0, size).unwrap();
    assert_eq!(status.iter().map(|extent| extent.length).sum::<u64>(), size);
    let data: u64 =
        status.iter().filter(|e| e.flags & STATUS_ZERO == 0).map(|extent| extent.length).sum();
    assert!((2 * 64 * 1024 - 4096..=2 * 64 * 1024).contains(&data), "{status:?}");
    let part = client.block_status(CONTEXT_ALLOCATION, 64 * 1024, 64 * 1024).unwrap();
    assert_eq!(part.len(), 1, "exactly what was asked: {part:?}");
    assert!(client.block_status(CONTEXT_ALLOCATION, 5, 0).unwrap().is_empty());
}

#[test]
fn a_stored_bitmap_is_a_map_of_the_export() {
    let folder = TempDir::new().unwrap();
    let image = Server::image(&folder);
    run("qemu-img", &["create", "-q", "-f", "qcow2", text(&image), "64M"]);
    run("qemu-img", &["bitmap", "-f", "qcow2", "--add", text(&image), "b0"]);
    run("qemu-io", &["-f", "qcow2", "-c", "write 1M 128k", "-c", "write 9M 1", text(&image)]);
    let server = Server::begin(
        folder,
        "qemu-nbd",
        &["-r", "-f", "qcow2", "-B", "b0", text(&Path::new("").join(&image))],
    );
    let context = bitmap_context("b0");
    let spec = ConnectSpec {
        export: String::new(),
        contexts: vec![CONTEXT_ALLOCATION.to_owned(), context.clone()],
        timeout: IO_TIMEOUT_DEFAULT,
    };
    let mut client = NbdClient::connect(&server.socket, &spec).unwrap();
    let mut dirty = Vec::new();
    let mut at = 0;
    for extent in client.block_status(&context, 0, 64 * MIB).unwrap() {
        if extent.flags & STATUS_DIRTY != 0 {
            dirty.push((at, extent.length));
        }
        at += extent.length;
    }
    assert_eq!(dirty, [(MIB, 128 * 1024), (9 * MIB, 64 * 1024)]);
    let missing = client.block_status("qemu:dirty-bitmap:other", 0, MIB);
    assert!(matches!(missing, Err(NbdError::NoContext(_))), "{missing:?}");
    assert!(matches!(client.write_at(0, &[1]), Err(NbdError::Unsupported(_))));
    client.read_at(0, &mut [0; 10]).unwrap();
    assert!(server.folder.path().exists());
}

#[test]
fn refusals_are_typed() {
    let server = Server::qemu("raw", "1M", &["-x", "it"]);
    assert!(matches!(server.connect("other"), Err(NbdError::Refused { .. })));
    let mut client = server.connect("it").unwrap();
    let range = client.read_at(MIB - 1, &mut [0; 2]);
    assert!(matches!(range, Err(NbdError::OutOfRange { .. })), "{range:?}");
    let range = client.write_at(u64::MAX, &[0; 2]);
    assert!(matches!(range, Err(NbdError::OutOfRange { .. })), "{range:?}");
    client.read_at(0, &mut [0; 2]).unwrap();
    let nobody = NbdClient::connect(Path::new("/nonexistent/s"), &ConnectSpec::allocation(""));
    assert!(matches!(nobody, Err(NbdError::Connect { .. })));
}

#[test]
fn nbdkit_is_understood_with_and_without_structured_replies() {
    for mode in [&["pattern", "8M"][..], &["--no-sr", "pattern", "8M"]] {
        let folder = TempDir::new().unwrap();
        let server = Server::begin(folder, "nbdkit", mode);
        let mut client = server.connect("").unwrap();
        assert_eq!(client.export().structured, mode.len() == 2);
        let mut back = vec![0; 3 * MIB as usize];
        client.read_at(MIB, &mut back).unwrap();
        for (index, word) in back.chunks_exact(8).enumerate() {
            let expected = MIB + 8 * index as u64;
            assert_eq!(u64::from_be_bytes(word.try_into().unwrap()), expected);
        }
    }
}

#[test]
fn an_error_of_the_server_leaves_the_connection_usable() {
    let folder = TempDir::new().unwrap();
    let trigger = folder.path().join("fail");
    let option = format!("error-file={}", text(&trigger));
    let server = Server::begin(
        folder,
        "nbdkit",
        &["--filter=error", "memory", "8M", "error-pread=EIO", "error-pread-rate=100%", &option],
    );
    let mut client = server.connect("").unwrap();
    client.write_at(0, &noise(5, 4 * MIB as usize)).unwrap();
    std::fs::write(&trigger, "").unwrap();
    let failed = client.read_at(0, &mut vec![0; 4 * MIB as usize]);
    assert!(matches!(failed, Err(NbdError::Server { errno: 5, .. })), "{failed:?}");
    std::fs::remove_file(&trigger).unwrap();
    let mut back = vec![0; 4 * MIB as usize];
    client.read_at(0, &mut back).unwrap();
    assert!(back == noise(5, 4 * MIB as usize));
}

#[test]
fn a_server_that_is_slow_or_gone_is_an_error_in_time() {
    let folder = TempDir::new().unwrap();
    let mut server =
        Server::begin(folder, "nbdkit", &["--filter=delay", "memory", "1M", "rdelay=10"]);
    let spec = ConnectSpec { timeout: Duration::from_millis(200), ..ConnectSpec::allocation("") };
    let mut client = NbdClient::connect(&server.socket, &spec).unwrap();
    assert!(matches!(client.read_at(0, &mut [0; 8]), Err(NbdError::Io(_))));
    assert!(matches!(client.read_at(0, &mut [0; 8]), Err(NbdError::Broken)));
    let mut client = server.connect("").unwrap();
    server._process.0.kill().unwrap();
    server._process.0.wait().unwrap();
    let gone = client.read_at(0, &mut [0; 8]);
    assert!(matches!(gone, Err(NbdError::Closed | NbdError::Io(_))), "{gone:?}");
}
