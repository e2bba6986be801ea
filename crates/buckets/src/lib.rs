//! Stores of a vault that are reached over HTTP.
