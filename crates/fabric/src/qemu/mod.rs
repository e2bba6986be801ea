//! The driver for QEMU: machines of the configuration and machines found by their QMP sockets.

pub mod config;

pub use config::{Boot, DiskDefinition, MachineDefinition, QemuConfig};
