//! The steps of the engine on a machine and a store in memory.

mod backup;
mod restore;
mod world;
