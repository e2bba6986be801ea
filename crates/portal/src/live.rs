//! Tells open pages that jobs changed, so that they ask again at once instead of every while.
//!
//! One watcher looks at the jobs once a second, and only while somebody listens. Listeners are
//! told names of jobs, nothing else: what is to be seen of them the page asks for, as the reader
//! that it is for. There are few listeners in all and for each person; whoever comes too late goes
//! on asking, which every page does without this.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use coffre_control::id::{JobId, PrincipalId};
use coffre_control::model::JobStatus;
use coffre_control::port::{self, JobFilter, Tx};
use coffre_control::{Caller, Refusal};
use futures_util::stream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::state::App;
use crate::view::View;

/// The watcher looks so often.
const EVERY: Duration = Duration::from_secs(1);
/// A listener is asked to come again after so long: then it is seen whether it still may.
const LISTENS_MAX: Duration = Duration::from_secs(60);
/// Listeners in all.
const LISTENERS_MAX: usize = 64;
/// Listeners of one person: tabs that are open at a time.
const LISTENERS_OF_ONE_MAX: usize = 8;
/// Newest jobs that are watched beside those that run.
const JOBS_MAX: u32 = 50;

/// The version of each job that is watched.
type Beat = BTreeMap<JobId, u64>;

/// Who listens, and what they were told last.
#[derive(Debug, Default)]
pub(crate) struct Live {
    beat: watch::Sender<Arc<Beat>>,
    listeners: Mutex<Listeners>,
}

#[derive(Debug, Default)]
struct Listeners {
    of: HashMap<PrincipalId, usize>,
    all: usize,
    /// The watcher is at work.
    watched: bool,
}

/// A listener's place, given back when it is dropped.
#[derive(Debug)]
struct Seat {
    live: Arc<Live>,
    person: PrincipalId,
}

impl Live {
    fn lock(&self) -> MutexGuard<'_, Listeners> {
        // Nothing in here panics half-way.
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place, and whether the watcher has to be woken for it; none when all are taken.
    fn sit(self: &Arc<Self>, person: PrincipalId) -> Option<(Seat, bool)> {
        let mut listeners = self.lock();
        let own = listeners.of.get(&person).copied().unwrap_or_default();
        if own >= LISTENERS_OF_ONE_MAX || listeners.all >= LISTENERS_MAX {
            return None;
        }
        listeners.of.insert(person, own + 1);
        listeners.all += 1;
        let wake = !std::mem::replace(&mut listeners.watched, true);
        Some((Seat { live: Arc::clone(self), person }, wake))
    }

    /// Whether the watcher goes home: nobody listens.
    fn goes_home(&self) -> bool {
        let mut listeners = self.lock();
        listeners.watched = listeners.all > 0;
        !listeners.watched
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut listeners = self.live.lock();
        listeners.all -= 1;
        if let Some(own) = listeners.of.get_mut(&self.person) {
            *own -= 1;
            if *own == 0 {
                listeners.of.remove(&self.person);
            }
        }
    }
}

/// `GET /portal/events`: a stream of events `jobs`, each with the names of jobs that changed.
pub(crate) async fn events(State(app): State<App>, view: View) -> Response {
    let Caller { principal, .. } = view.caller();
    // Before the watcher looks: what it finds first is news to whoever listens first.
    let heard = app.live.beat.subscribe();
    let told = Arc::clone(&heard.borrow());
    let Some((seat, wake)) = app.live.sit(principal) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    if wake {
        tokio::spawn(watch_jobs(app.clone()));
    }
    let listener = Listener { seat, heard, told, until: Instant::now() + LISTENS_MAX, new: true };
    let stream = stream::unfold(listener, Listener::next);
    Sse::new(stream).keep_alive(KeepAlive::default()).into_response()
}

struct Listener {
    #[expect(dead_code, reason = "holds the place until the listener is gone")]
    seat: Seat,
    heard: watch::Receiver<Arc<Beat>>,
    told: Arc<Beat>,
    until: Instant,
    new: bool,
}

impl Listener {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        if std::mem::take(&mut self.new) {
            let event = Event::default().retry(EVERY).comment("listening");
            return Some((Ok(event), self));
        }
        loop {
            timeout_at(self.until, self.heard.changed()).await.ok()?.ok()?;
            let now = Arc::clone(&self.heard.borrow_and_update());
            let changed = changed(&self.told, &now);
            self.told = now;
            if !changed.is_empty() {
                return Some((Ok(Event::default().event("jobs").data(changed)), self));
            }
        }
    }
}

/// The names of jobs that are new or have another version.
fn changed(before: &Beat, now: &Beat) -> String {
    let names: Vec<String> = now
        .iter()
        .filter(|(id, version)| before.get(id) != Some(version))
        .map(|(id, _)| id.to_string())
        .collect();
    names.join(" ")
}

async fn watch_jobs(app: App) {
    loop {
        let beat = app.blocking(|given| port::read(&*given.db, "portal_live", read_beat)).await;
        match beat {
            Ok(beat) => {
                app.live.beat.send_if_modified(|told| {
                    let new = **told != beat;
                    if new {
                        *told = Arc::new(beat);
                    }
                    new
                });
            }
            Err(refusal) => tracing::warn!(%refusal, "cannot tell pages what jobs do"),
        }
        tokio::time::sleep(EVERY).await;
        if app.live.goes_home() {
            return;
        }
    }
}

fn read_beat(tx: &mut dyn Tx) -> Result<Beat, Refusal> {
    let newest = JobFilter { limit: Some(JOBS_MAX), ..JobFilter::default() };
    let statuses = vec![JobStatus::InProgress, JobStatus::Cancelling];
    let running = JobFilter { statuses, ..newest.clone() };
    let mut beat = Beat::new();
    for filter in [newest, running] {
        beat.extend(tx.jobs(&filter)?.into_iter().map(|job| (job.id, job.etag)));
    }
    Ok(beat)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn places_are_few_and_come_back() {
        let live = Arc::new(Live::default());
        let person = |number| PrincipalId(Uuid::from_u128(number));
        let mut seats = Vec::new();
        for number in 0..LISTENERS_OF_ONE_MAX {
            let (seat, wake) = live.sit(person(1)).unwrap();
            assert_eq!(wake, number == 0, "one watcher is enough");
            seats.push(seat);
        }
        assert!(live.sit(person(1)).is_none());
        for number in 2.. {
            let Some((seat, _)) = live.sit(person(number)) else { break };
            seats.push(seat);
        }
        assert_eq!(seats.len(), LISTENERS_MAX);
        assert!(!live.goes_home());
        seats.clear();
        assert!(live.goes_home());
        assert!(live.lock().of.is_empty());
        assert!(live.sit(person(1)).unwrap().1, "the watcher comes back");
    }

    #[test]
    fn only_what_changed_is_told() {
        let job = |number| JobId(Uuid::from_u128(number));
        let before = Beat::from([(job(1), 1), (job(2), 4)]);
        let now = Beat::from([(job(2), 5), (job(3), 1)]);
        assert_eq!(changed(&before, &now), format!("{} {}", job(2), job(3)));
        assert_eq!(changed(&now, &now), "");
    }
}
