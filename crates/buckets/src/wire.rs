//! The thread that talks to the network, so that nobody else needs a runtime.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::mpsc::sync_channel;
use std::thread;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One thread with a runtime; many requests at once. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Wire {
    jobs: UnboundedSender<Job>,
}

impl Wire {
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (jobs, mut asked) = unbounded_channel::<Job>();
        thread::Builder::new().name("object-store".to_owned()).spawn(move || {
            runtime.block_on(async {
                while let Some(job) = asked.recv().await {
                    tokio::spawn(job);
                }
            });
        })?;
        Ok(Self { jobs })
    }

    /// Waits for what the work gives. May be called from any thread but the wire's own.
    pub(crate) fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> io::Result<T> {
        let gone = || io::Error::other("the thread of the store has ended");
        let (tell, told) = sync_channel(1);
        let job = Box::pin(async move {
            // Whoever asked waits for it.
            let _ = tell.send(work.await);
        });
        self.jobs.send(job).map_err(|_| gone())?;
        told.recv().map_err(|_| gone())
    }
}
