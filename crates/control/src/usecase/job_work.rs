//! For workers.
