//! Which deployments this run of the service works on.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use uuid::Uuid;

/// The deployments that one run of the service works on.
#[derive(Debug)]
pub struct Deployments {
    /// A deployment of another id was interrupted by the end of the service.
    runner: Uuid,
    /// How many run now.
    pub(crate) running: AtomicUsize,
}

impl Deployments {
    /// None run yet. `runner` is an id that no run of the service had.
    pub fn new(runner: Uuid) -> Arc<Deployments> {
        Arc::new(Deployments { runner, running: AtomicUsize::new(0) })
    }

    /// The id of this run of the service.
    pub fn runner(&self) -> Uuid {
        self.runner
    }
}
