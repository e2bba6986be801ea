//! Deterministic simulation of the vault: the real code of writers, collectors, janitors, readers and the verifier, on
//! one thread, in an order that a seed decides, on a store that fails as the seed says.
//!
//! * [`Plan::of`] draws a simulation from a seed, [`run`] runs it, [`shrink`] makes one that fails smaller.
//! * [`Plan`] names everything that happens, so a seed is all that is needed to see it again.
//! * The code under test is compiled a second time, as `coffre-vault-under-test`: the same sources with blocks of 128
//!   bytes, names from the seed, and mistakes that can be switched on ([`Mutant`]), so that the simulator is shown to
//!   find what it is there to find.
//!
//! What remains outside: the code within one operation runs whole (one worker, no threads), and the clock of the host
//! is not read at all.

mod actors;
mod campaign;
mod crash;
mod oracle;
mod plan;
mod rng;
mod run;
mod store;
mod sys;
mod world;

pub use campaign::{FAILURES_MAX, Findings, Hunt, campaign, hunt};
pub use coffre_vault_under_test::Mutant;
pub use crash::{CrashReport, crash_everywhere};
pub use oracle::Violation;
pub use plan::{ActorPlan, Keys, Plan, Role, Scenario};
pub use run::{Outcome, run, run_with_log, shrink};
pub use store::{Fault, FaultKind};
pub use world::Counts;
