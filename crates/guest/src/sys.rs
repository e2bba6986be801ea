//! The few calls that need `unsafe`.
