//! Policies for people: the form that reads like a sentence, and what a policy will do.
//!
//! * [`form`] – fields, from a policy and back to one
//! * [`wrong`] – which field a refusal is about, and the rule with an example
//! * [`forecast`] – runs, days of the year and points that a policy leads to
//! * [`preview`] – the same as part of a page
//! * [`json`] – a policy as `az` takes it

pub(crate) mod forecast;
pub(crate) mod form;
pub(crate) mod json;
pub(crate) mod preview;
pub(crate) mod wrong;
