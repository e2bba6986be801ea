//! What the portal is given by the service, and how its pages reach the use-cases.

use std::fmt;
use std::sync::Arc;

use coffre_control::attempts::{Attempts, Source};
use coffre_control::device::DeviceCodes;
use coffre_control::factor::FactorKey;
use coffre_control::id::VmId;
use coffre_control::port::{self, Db, Tx};
use coffre_control::usecase::{Door, act};
use coffre_control::{Caller, Cx, ErrorCode, Refusal};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::cookie::CookieScope;
use crate::half::Halves;
use crate::live::Live;
use crate::provider::{Flows, Provider};
use crate::session::Sessions;

/// A log of a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestLog {
    /// Where it is in the guest.
    pub path: String,
    /// Its end, as the guest says it: anything may be in it.
    pub text: String,
}

/// What the portal is given by the service.
#[derive(Clone)]
pub struct PortalState {
    /// The store.
    pub db: Arc<dyn Db>,
    /// What time it is.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Gives an id that was never used.
    pub ids: Arc<dyn Fn() -> Uuid + Send + Sync>,
    /// Reads the logs of a machine's guest, as they are now: none when it has none, the reason when
    /// it cannot be asked.
    pub guest_logs: Arc<dyn Fn(VmId) -> Result<Vec<GuestLog>, String> + Send + Sync>,
    /// Tells the worker that there may be something to do.
    pub poke: Arc<dyn Fn() + Send + Sync>,
    /// The codes of programs that wait for somebody to let them in.
    pub devices: Arc<DeviceCodes>,
    /// Who guesses at sign-ins is held back.
    pub attempts: Arc<Attempts>,
    /// Seals the secrets of codes.
    pub factor_key: FactorKey,
    /// An outside provider through which people may sign in too.
    pub provider: Option<Arc<dyn Provider>>,
    /// Address under which people reach the portal (`https://host:port`). With `http://` cookies
    /// are not marked as secure.
    pub public_url: String,
}

impl PortalState {
    /// The door for sign-ins from a source.
    pub(crate) fn door(&self, source: Source) -> Door<'_> {
        let (db, attempts, ids) = (&*self.db, &*self.attempts, &*self.ids);
        Door { db, attempts, source, now: (self.clock)(), ids }
    }
}

impl fmt::Debug for PortalState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortalState").field("public_url", &self.public_url).finish_non_exhaustive()
    }
}

/// The running portal: what it was given, and who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) given: PortalState,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) halves: Arc<Halves>,
    pub(crate) flows: Arc<Flows>,
    /// Talks with the provider at the same time: each may take seconds.
    pub(crate) provider_turns: Arc<Semaphore>,
    pub(crate) cookies: CookieScope,
    pub(crate) live: Arc<Live>,
    /// Checking a secret costs tens of MiB and ms; so many at once and no more.
    pub(crate) sign_ins: Arc<Semaphore>,
}

/// Secrets that are checked at the same time.
const SIGN_INS_MAX: usize = 2;
/// Talks with the provider at the same time.
const PROVIDER_TURNS_MAX: usize = 4;

impl App {
    pub(crate) fn new(given: PortalState) -> Self {
        let cookies = CookieScope::of(&given.public_url);
        let sign_ins = Arc::new(Semaphore::new(SIGN_INS_MAX));
        Self {
            given,
            sessions: Arc::default(),
            halves: Arc::default(),
            flows: Arc::default(),
            provider_turns: Arc::new(Semaphore::new(PROVIDER_TURNS_MAX)),
            cookies,
            live: Arc::default(),
            sign_ins,
        }
    }

    /// Where the provider sends people back to.
    pub(crate) fn back_address(&self) -> String {
        let url = self.given.public_url.trim_end_matches('/');
        format!("{url}/portal/sign-in/provider/back")
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.given.clock)()
    }

    /// Runs work that only looks.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        name: &'static str,
        caller: Caller,
        work: impl FnOnce(&mut dyn Tx, &Cx<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.blocking(move |given| {
            let cx = Cx::new(&caller, (given.clock)(), &*given.ids);
            port::read(&*given.db, name, |tx| work(tx, &cx))
        })
        .await
    }

    /// Runs work that changes something, and wakes the worker when it did.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        name: &'static str,
        caller: Caller,
        work: impl FnOnce(&mut dyn Tx, &Cx<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.blocking(move |given| {
            let cx = Cx::new(&caller, (given.clock)(), &*given.ids);
            let value = act(&*given.db, name, &cx, |tx| work(tx, &cx))?;
            (given.poke)();
            Ok(value)
        })
        .await
    }

    /// Prepares what costs time (a hash), then changes something with it; no transaction is held
    /// meanwhile, and few prepare at the same time.
    pub(crate) async fn blocking_change<P: Send + 'static, T: Send + 'static>(
        &self,
        name: &'static str,
        caller: Caller,
        prepare: impl FnOnce() -> Result<P, Refusal> + Send + 'static,
        work: impl FnOnce(&mut dyn Tx, &Cx<'_>, P) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let permit = self.sign_ins.acquire().await;
        let prepared = self.blocking(move |_| prepare()).await?;
        drop(permit);
        self.change(name, caller, move |tx, cx| work(tx, cx, prepared)).await
    }

    /// Runs blocking work on a thread that may block.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&PortalState) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let given = self.given.clone();
        match tokio::task::spawn_blocking(move || work(&given)).await {
            Ok(result) => result,
            Err(error) => {
                tracing::error!(%error, "a page's work did not come to its end");
                Err(Refusal::new(
                    ErrorCode::InternalServerError,
                    "The service could not finish the request. Its log says more.",
                ))
            }
        }
    }
}
