//! The real binary: a service on a folder of its own, and the client verbs against it.

mod crash;
mod image;
mod service;
mod stand;
