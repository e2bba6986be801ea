//! Results of public-key operations, remembered. Not in a normal build.
//!
//! A simulation opens the same small vault again and again, and would spend half its time on curves. The functions
//! remembered here are pure, so a run with this is the run without it.

use std::cell::RefCell;
use std::collections::HashMap;

/// Entries after which all is forgotten: a few simulations' worth.
const ENTRIES_MAX: usize = 20_000;

type Results = HashMap<[u8; 32], Option<Vec<u8>>>;

thread_local! {
    static RESULTS: RefCell<Results> = RefCell::default();
}

/// What `compute` gives for these inputs, computed at most once as long as it is remembered.
pub(super) fn remember(
    what: &'static str,
    inputs: &[&[u8]],
    compute: impl FnOnce() -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let mut hasher = blake3::Hasher::new_derive_key(what);
    for input in inputs {
        hasher.update(&(input.len() as u64).to_le_bytes()).update(input);
    }
    let name = *hasher.finalize().as_bytes();
    RESULTS.with_borrow_mut(|results| {
        if results.len() >= ENTRIES_MAX {
            results.clear();
        }
        results.entry(name).or_insert_with(compute).clone()
    })
}
