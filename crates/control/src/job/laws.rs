//! Laws of the job machine.
