//! What is true and what may happen next: the resource model, validation, job state machines,
//! authorisation, the error catalogue and the use-cases, over one port ([`port::Tx`]).
//!
//! Pure and synchronous: time and randomness are arguments. It knows no SQL, HTTP, files, sockets,
//! hypervisors or blocks.
//!
//! * [`id`] – identities
//! * [`model`] – the nouns
//! * [`port`] – the store, as use-cases see it
//! * [`usecase`] – what can be asked for, one verb per file
//! * [`job`] – what may happen to a job next
//! * [`schedule`] – when backups are due
//! * [`retention`] – how long recovery points are kept
//! * [`factor`] – codes beside a password, [`attempts`] – who guesses is held back
//! * [`device`] – codes by which somebody lets in a program on another device
//! * [`authz`], [`error`], [`cx`] – who may, what is refused and why, who asks and when

pub mod attempts;
pub mod authz;
pub mod cx;
pub mod device;
pub mod error;
pub mod factor;
pub mod id;
pub mod job;
pub mod model;
pub mod port;
pub mod resource_id;
pub mod retention;
pub mod schedule;
pub mod usecase;

pub use authz::{Action, Caller, Role};
pub use cx::Cx;
pub use error::{Class, ErrorCode, Refusal};
