//! Deployments run on a thread of their own; whoever asked for one polls its record.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::StatusCode;
use coffre_control::model::Deployment;
use coffre_control::usecase::note_deployment;
use coffre_control::{Caller, port};
use serde_json::json;

use super::request::Request;
use super::run::{self, Checked};
use crate::call::{Call, Nested};
use crate::http::error::ArmError;
use crate::inner::Origin;
use crate::state::ArmState;

/// Most deployments that run at once.
const RUNNING_MAX: usize = 16;

/// A place among the deployments that run; it is free again when this is dropped.
pub(super) struct Place(ArmState);

impl Place {
    /// Refuses when too many run.
    pub(super) fn take(call: &Call<'_>) -> Result<Place, ArmError> {
        let place = Place(call.state.clone());
        if call.state.deployments.running.fetch_add(1, Ordering::Relaxed) < RUNNING_MAX {
            return Ok(place);
        }
        Err(ArmError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyRequests",
            "Too many deployments run at the moment. Try again when one has ended.",
        )
        .retry_after(1))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.deployments.running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A deployment that is on record and can begin.
pub(super) struct Work {
    pub(super) place: Place,
    pub(super) caller: Caller,
    pub(super) request: Request,
    pub(super) checked: Checked,
    pub(super) record: Deployment,
}

/// Begins.
pub(super) fn start(work: Work) -> Result<(), ArmError> {
    let span = tracing::Span::current();
    let thread = std::thread::Builder::new().name("deployment".to_owned());
    let begun = thread.spawn(move || {
        let _entered = span.enter();
        carry_out(work);
    });
    begun.map(drop).map_err(|error| {
        tracing::error!(%error, "no thread for a deployment");
        ArmError::internal()
    })
}

fn carry_out(work: Work) {
    let Work { place, caller, request, checked, mut record } = work;
    let state = &place.0;
    let nested = Nested::outside();
    let origin = Origin { state, base: &caller, nested: &nested };
    let note = |record: &mut Deployment| match keep(state, record) {
        Ok(kept) => *record = kept,
        // The next step or the end says it again.
        Err(error) => tracing::warn!(error = error.message(), "a deployment was not noted"),
    };
    let done = catch_unwind(AssertUnwindSafe(|| {
        run::run(origin, &request, &checked.plan, &mut record, &note);
    }));
    if done.is_err() {
        tracing::error!("a deployment ended without an answer");
        let detail = json!({ "code": "InternalServerError", "message": "The service met a fault of its own." });
        record.error = Some(run::failed(&request, vec![detail]));
        record.runner = None;
    }
    finish(state, &record);
}

fn keep(state: &ArmState, record: &Deployment) -> Result<Deployment, ArmError> {
    let kept = record.clone();
    let kept = port::tx(&*state.db, "note deployment", |tx| note_deployment(tx, kept.clone()))?;
    Ok(kept)
}

/// The end has to be on record, or clients would wait for it until the service is started anew.
fn finish(state: &ArmState, record: &Deployment) {
    const PAUSES: [Duration; 3] =
        [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(10)];
    for pause in PAUSES {
        let Err(error) = keep(state, record) else { return };
        tracing::warn!(error = error.message(), "the end of a deployment was not noted");
        std::thread::sleep(pause);
    }
    if let Err(error) = keep(state, record) {
        tracing::error!(error = error.message(), "the end of a deployment is lost");
    }
}
