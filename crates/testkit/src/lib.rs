//! Dev only: real guests under QEMU for the tests, and the tidy checks of the workspace.
//!
//! The harness speaks to QEMU and to the guest through sockets of its own, with a small client of its own: a test must
//! neither trust nor disturb the code under test. A machine has two of each socket:
//!
//! | for | QMP | guest agent |
//! |---|---|---|
//! | the code under test | [`Machine::qmp_socket`] | [`Machine::agent_socket`] |
//! | the harness | [`Machine::qmp`] | [`Machine::shell`] |
//!
//! so [`Shell::run`] works while the code under test holds the guest frozen (as long as the script writes nothing to a
//! frozen disk).
//!
//! ```no_run
//! use coffre_testkit::{Guest, Machine, Workload};
//! # fn main() -> anyhow::Result<()> {
//! // Two data disks, mounted at /mnt/vda (xfs) and /mnt/vdb (ext4); up in a fifth of a second from saved state.
//! let mut tiny = Machine::warm(Guest::Tiny)?;
//! tiny.shell().check("echo hello >/mnt/vda/file && sync")?;
//! let qmp_of_the_code_under_test = tiny.qmp_socket();
//! tiny.kill()?; // as a crash of the host would
//!
//! // systemd, ext4 root, xfs on /data. `cold` boots it from its disks.
//! let debian = Machine::build(Guest::Debian).flat_disks().cold()?;
//! let workload = Workload::on(debian.shell());
//! workload.start()?;
//! let promise = workload.promise()?; // rows acknowledged and files sealed by now
//! // … take a recovery point, lose the disks, restore, boot …
//! workload.check_promise(&promise)?;
//! # Ok(())
//! # }
//! ```
//!
//! The truth of a moment, to compare a recovery point with: [`Machine::pause`], take the point,
//! [`Machine::copy_disk`], [`Machine::unpause`]; later [`first_difference`] of that copy and the restored image.
//!
//! The first test that asks for a guest builds it with `guests/build.sh` (a few seconds; cached in `target/guests`).
//! `COFFRE_KEEP_MACHINES=1` keeps the folder of each machine (disks, serial log) for a look afterwards.

mod extension;
mod guest;
mod machine;
pub mod service;
mod shell;
#[cfg(feature = "simulator")]
pub mod sim;
mod wire;
mod workload;

pub use extension::extension_program;
pub use guest::{Guest, GuestDisk, GuestFiles, Guests};
pub use machine::{Format, Machine, MachineBuilder, MachineDisk, first_difference};
pub use shell::{Output, Shell};
pub use wire::{CallError, Qmp};
pub use workload::{DatabaseReport, Manifest, Promise, Scribbler, Workload};
