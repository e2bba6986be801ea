//! What can be asked for.
//!
//! Each use-case is a plain function of a transaction, a [`crate::Cx`] and its input. It asks
//! first whether the caller may, checks everything that can be checked, and only then writes. A
//! [`crate::Refusal`] means that nothing was changed.

pub mod job_work;
