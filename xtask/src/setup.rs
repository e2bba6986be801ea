//! The Debian packages that tests and demo need.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::emulators;
use crate::places::Places;
use crate::steps::{call, output};

/// A program that must be there, the package it comes in, and what it is for.
struct Tool {
    program: &'static str,
    package: &'static str,
    why: &'static str,
}

const fn tool(program: &'static str, package: &'static str, why: &'static str) -> Tool {
    Tool { program, package, why }
}

const TOOLS: &[Tool] = &[
    tool("qemu-system-x86_64", "qemu-system-x86", "runs the virtual machines"),
    tool("qemu-img", "qemu-utils", "makes and exports disk images"),
    tool("nbdkit", "nbdkit", "the other NBD server of the contract tests"),
    tool("nbdinfo", "libnbd-bin", "the other NBD client of the contract tests"),
    tool("mkfs.xfs", "xfsprogs", "file system of the guests, and one that is frozen"),
    tool("mkfs.btrfs", "btrfs-progs", "a file system that is frozen"),
    tool("unshare", "util-linux", "keeps the mounts of tests to themselves"),
    tool("fsfreeze", "util-linux", "plays another program that freezes"),
    tool("sqlite3", "sqlite3", "a database that scripts prepare for a point"),
    tool("/usr/lib/postgresql/15/bin/initdb", "postgresql-15", "another one"),
    tool("mariadbd", "mariadb-server", "a third one"),
    tool("mke2fs", "e2fsprogs", "file system of the guests"),
    tool("depmod", "kmod", "finds the kernel modules the guests need"),
    tool("cpio", "cpio", "packs the initramfs of the guests"),
    tool("lz4", "lz4", "unpacks the kernel of the guests"),
    tool("zstd", "zstd", "unpacks the kernel of the guests"),
    tool("python3", "python3", "builds the guests"),
    tool("strace", "strace", "kills a program and fails its writes at chosen system calls"),
    tool("taskset", "util-linux", "keeps a program on one processor"),
    tool("flock", "util-linux", "lets one build of the guests run at a time"),
    tool("node", "nodejs", "runs the emulator of Azure Blob, and drives the browser"),
    tool("npm", "npm", "installs the emulator of Azure Blob, and the checker of accessibility"),
    tool("chromium", "chromium", "shows the portal as people see it"),
    tool("debugfs", "e2fsprogs", "reads the file system of a mounted point"),
    tool("fusermount3", "fuse3", "mounts a point for who is not root"),
    tool("time", "time", "measures the memory of a benchmark"),
    tool("openssl", "openssl", "makes the envelopes that the extension opens"),
    tool("ip", "iproute2", "gives a test the address of a host"),
    tool("musl-gcc", "musl-tools", "builds the extension for any Linux"),
    tool("objcopy", "binutils", "makes the extension small"),
    tool("git", "git", "tells whether a test left something behind"),
];

/// The tests have been written against this pair; they must come from the same release.
const QEMU: &str = "qemu-system-x86";
const QEMU_UTILS: &str = "qemu-utils";

/// All that tests need: packages, and emulators of object stores.
pub(crate) fn everything(places: &Places) -> anyhow::Result<()> {
    packages()?;
    target()?;
    agent(places)?;
    emulators::install(places)
}

/// The files of Debian's agent of Azure, into `target/waagent`. Not installed: its service must not run here.
fn agent(places: &Places) -> anyhow::Result<()> {
    let folder = places.root.join("target/waagent");
    if folder.join("usr/sbin/waagent").is_file() {
        return Ok(());
    }
    println!("    fetching the Debian package waagent into {}", folder.display());
    let download = places.root.join("target/waagent-package");
    std::fs::create_dir_all(&download).context("make a folder for the package")?;
    call(Command::new("apt-get").args(["download", "-qq", "waagent"]).current_dir(&download))?;
    for entry in std::fs::read_dir(&download).context("read the folder of the package")? {
        let path = entry.context("read the folder of the package")?.path();
        call(Command::new("dpkg-deb").arg("-x").arg(path).arg(&folder))?;
    }
    std::fs::remove_dir_all(&download).context("remove the package")
}

/// The library of Rust for programs that need nothing of the machine they run on: the extension is one.
fn target() -> anyhow::Result<()> {
    const TARGET: &str = "x86_64-unknown-linux-musl";
    let folder =
        output(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]))?;
    if Path::new(folder.trim()).is_dir() {
        return Ok(());
    }
    println!("    the Rust target {TARGET} is missing");
    call(Command::new("rustup").args(["target", "add", TARGET]))
}

/// Installs what is missing, in one call; says so before.
pub(crate) fn packages() -> anyhow::Result<()> {
    let missing: Vec<&Tool> = TOOLS.iter().filter(|tool| !on_path(tool.program)).collect();
    if missing.is_empty() {
        println!("    every tool is there");
        return Ok(());
    }
    for tool in &missing {
        println!("    {} is missing: {} (Debian package {})", tool.program, tool.why, tool.package);
    }
    if !on_path("apt-get") {
        let names: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
        bail!("no apt-get on this machine; install {} by hand", names.join(" "));
    }
    println!("    reading the package lists");
    call(as_root("apt-get").args(["update", "-qq"]))?;
    let mut packages: Vec<String> = missing.iter().map(|tool| tool.package.to_owned()).collect();
    if missing.iter().any(|tool| tool.package.starts_with("qemu-")) {
        pin_qemu(&mut packages)?;
    }
    println!("    installing {}", packages.join(" "));
    let flags = ["install", "-y", "-qq", "--no-install-recommends", "--allow-downgrades"];
    let mut install = as_root("apt-get");
    // A hundred lines of unpacking help nobody; errors come on the other stream.
    install.env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
    call(install.args(flags).args(&packages))
}

/// A machine may carry a newer qemu-utils than the repository has (from backports, say). apt would not replace it by
/// itself and then calls the system emulator uninstallable; so both are named, at the repository's version.
fn pin_qemu(packages: &mut Vec<String>) -> anyhow::Result<()> {
    let policy = output(Command::new("apt-cache").args(["policy", QEMU]))?;
    let candidate = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "));
    let version = candidate
        .filter(|v| *v != "(none)")
        .with_context(|| format!("apt knows no package {QEMU}"))?;
    let offered = output(Command::new("apt-cache").args(["madison", QEMU_UTILS]))?;
    let versions: Vec<&str> =
        offered.lines().filter_map(|line| line.split('|').nth(1)).map(str::trim).collect();
    let same = versions.iter().find(|v| **v == version).or(versions.first());
    let utils = same.with_context(|| format!("apt knows no package {QEMU_UTILS}"))?;
    packages.retain(|package| package != QEMU && package != QEMU_UTILS);
    packages.push(format!("{QEMU}={version}"));
    packages.push(format!("{QEMU_UTILS}={utils}"));
    Ok(())
}

/// Whether a program is on the PATH, or where only root looks for it.
pub(crate) fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin".into(), "/sbin".into()]);
    folders.iter().any(|folder| folder.join(program).is_file())
}

/// A command that runs as root: through `sudo` when we are not.
pub(crate) fn as_root(program: &str) -> Command {
    let is_root = output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if is_root || !Path::new("/usr/bin/sudo").exists() {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.arg(program);
    command
}
