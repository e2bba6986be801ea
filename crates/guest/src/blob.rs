//! Snapshots of disks by the addresses of their blobs, all at once.
//!
//! Everything slow comes before the freeze: names are looked up, connections made, certificates checked. What is left for
//! the window is one request and one answer for each disk.

use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::net::{BLOB_TIMEOUT, Client, Connection, Request, Response, Sas};
use crate::report::SnapshotInfo;
use crate::ticks;

/// Longer error texts are cut.
const ANSWER_MAX: usize = 64 << 10;

/// Pause before a storage that is out of breath is asked again.
const PAUSE: Duration = Duration::from_millis(200);

/// Header that carries the encryption settings of a disk.
const ADE_HEADER: &str = "x-ms-meta-DiskEncryptionSettings";

/// One disk, ready to be snapshotted.
pub struct Prepared {
    sas: Sas,
    request: Request,
    connection: Option<Connection>,
    error: Option<String>,
}

/// What came of one disk.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// For the report.
    pub info: SnapshotInfo,
    /// Whether there is a snapshot.
    pub ok: bool,
    /// What went wrong, with the host, the stage and the status; for the log.
    pub error: Option<String>,
}

/// Makes a connection for each disk. With `ade`, the encryption settings of each disk are fetched first. A disk that
/// cannot be reached now is tried once more in the window.
#[must_use]
pub fn prepare(
    client: &Client,
    blobs: &[Sas],
    metadata: &[(String, String)],
    ade: bool,
) -> Vec<Prepared> {
    all(blobs, |sas| {
        let mut request = Request::new("PUT", sas.target("&comp=snapshot")).body("");
        for (key, value) in metadata {
            request = request.header(&format!("x-ms-meta-{key}"), value);
        }
        if ade && let Some(settings) = encryption_settings(client, sas) {
            request = request.header(ADE_HEADER, &settings);
        }
        let (connection, error) = match client.secure(sas.host(), BLOB_TIMEOUT) {
            Ok(connection) => (Some(connection), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Prepared { sas: sas.clone(), request, connection, error }
    })
}

fn encryption_settings(client: &Client, sas: &Sas) -> Option<String> {
    let request = Request::new("GET", sas.target("&comp=metadata"))
        .header("x-ms-date", &ticks::http_date(SystemTime::now()))
        .header("x-ms-version", "2018-03-28");
    let connection = client.secure(sas.host(), BLOB_TIMEOUT).ok()?;
    let response = connection.call(&request, BLOB_TIMEOUT, ANSWER_MAX).ok()?;
    let named = response.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(ADE_HEADER));
    named.map(|(_, value)| value.clone()).filter(|value| response.is_ok() && !value.is_empty())
}

/// Takes the snapshots: all at once, or one after another. None is waited for after `budget`.
#[must_use]
pub fn take(
    client: &Client,
    disks: Vec<Prepared>,
    sequentially: bool,
    budget: Duration,
) -> Vec<Outcome> {
    let until = Instant::now() + budget;
    if sequentially {
        return disks.into_iter().map(|disk| one(client, disk, until)).collect();
    }
    let running: Vec<_> = disks
        .into_iter()
        .map(|disk| {
            let (client, sas) = (client.clone(), disk.sas.clone());
            let spawned = thread::Builder::new().spawn(move || one(&client, disk, until));
            (sas, spawned)
        })
        .collect();
    running
        .into_iter()
        .map(|(sas, spawned)| {
            let failed = |why: String| outcome(&sas, Err(why));
            match spawned {
                Ok(thread) => {
                    thread.join().unwrap_or_else(|_| failed("the snapshot was abandoned".into()))
                }
                Err(error) => failed(format!("start a thread: {error}")),
            }
        })
        .collect()
}

/// Runs `work` for each item on a thread of its own; results in the order of the items.
fn all<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    thread::scope(|scope| {
        let running: Vec<_> = items.iter().map(|item| scope.spawn(|| work(item))).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, R>| match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        running.into_iter().map(join).collect()
    })
}

/// One disk: asked again after 500, 503 or a broken connection, while there is time.
fn one(client: &Client, mut disk: Prepared, until: Instant) -> Outcome {
    let mut result = Err(disk.error.take().unwrap_or_default());
    for attempt in 0..3 {
        let left = until.saturating_duration_since(Instant::now()).min(BLOB_TIMEOUT);
        if attempt > 0 {
            if left <= PAUSE * 2 {
                break;
            }
            thread::sleep(PAUSE);
        }
        if left.is_zero() {
            let unasked = || format!("{}: no time left", disk.sas.host());
            result = result.map_err(|why| if why.is_empty() { unasked() } else { why });
            break;
        }
        result =
            match disk.connection.take().map_or_else(|| client.secure(disk.sas.host(), left), Ok) {
                Ok(connection) => connection
                    .call(&disk.request, left, ANSWER_MAX)
                    .map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
        match &result {
            Ok(response) if matches!(response.status, 500 | 503) => {}
            Ok(_) => break,
            Err(_) => {}
        }
    }
    outcome(&disk.sas, result)
}

fn outcome(sas: &Sas, result: Result<Response, String>) -> Outcome {
    let mut info = SnapshotInfo {
        is_successful: false.into(),
        snapshot_uri: None,
        error_message: None,
        blob_uri: None,
        direct_drive_snapshot_identifier: None,
    };
    match result {
        Ok(response) if response.is_ok() => {
            let id = response.header("x-ms-snapshot").unwrap_or("None");
            info.is_successful = true.into();
            info.snapshot_uri = Some(format!("{}?snapshot={id}", sas.public()));
            info.blob_uri = Some(sas.public());
            info.error_message = Some(response.text());
            Outcome { info, ok: true, error: None }
        }
        Ok(response) => {
            let text = response.text();
            let error = format!("{}: answered {}: {text}", sas.public(), response.status);
            info.error_message = Some(text);
            Outcome { info, ok: false, error: Some(error) }
        }
        Err(why) => Outcome { info, ok: false, error: Some(format!("{}: {why}", sas.public())) },
    }
}
