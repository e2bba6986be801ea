//! The driver for QEMU: machines of the configuration and machines found by their QMP sockets.
//!
//! ```text
//! fabric      which machines there are
//! machine     one of them: its connections and locks      config, paths, names
//! operations  the verbs of the trait, each under the lock
//! ├ launch    start and stop                              discover: its disks and nodes
//! ├ live      a point of a machine that runs              bitmap: may a map be believed
//! ├ stopped   a point of a machine that is off            note: what a crash must find
//! ├ reader    reading a point                             guard: the guest comes first
//! └ release   the end of a point                          teardown
//! ```

pub mod config;

mod bitmap;
mod discover;
mod fabric;
mod guard;
mod guest;
mod launch;
mod live;
mod machine;
mod names;
mod note;
mod operations;
mod paths;
mod reader;
mod release;
mod replace;
mod stopped;
mod teardown;
mod window;

pub use config::{Boot, DiskDefinition, MachineDefinition, QemuConfig};
pub use fabric::QemuFabric;
