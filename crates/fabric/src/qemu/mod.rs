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
//! ├ release   the end of a point                          teardown
//! ├ local     copies of points inside the images
//! └ roll_back back to such a copy                         stored
//! ```

pub mod config;

mod bitmap;
mod discover;
mod fabric;
mod guard;
mod guest;
mod launch;
mod live;
mod local;
mod machine;
mod names;
mod note;
mod operations;
mod paths;
mod reader;
mod release;
mod replace;
mod roll_back;
mod stopped;
mod stored;
mod teardown;
mod window;

pub use config::{Boot, DiskDefinition, MachineDefinition, QemuConfig};
pub use fabric::QemuFabric;
