//! A small installation around the surface: the real use-cases on an in-memory store, two virtual
//! machines, a clock that stands still, and a worker that does every step at once.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used)] // Each test file uses a part of it.

pub mod contract;
mod facts;
pub mod journey;
mod paths;
mod tokens;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use coffre_arm::{ArmState, Claims, Deployments};
use coffre_control::Role;
use coffre_control::id::{PrincipalId, SubscriptionId, TenantId, VmId};
use coffre_control::job::{Event, Next};
use coffre_control::model::{
    AgentState, DiskFormat, OsType, PowerState, Principal, PrincipalKind, Region, Step,
    StorageAccount, Subscription, VmDisk,
};
use coffre_control::port::{Db, tx};
use coffre_control::usecase::{
    DiscoveredVm, Discovery, Seed, begin_step, first_run, hash_secret, lease_job, record_vms,
    report_job,
};
use coffre_store::SqliteDb;
use jiff::Timestamp;
use serde_json::Value;
use tower::ServiceExt as _;
use uuid::Uuid;

use facts::facts;
pub use paths::{item, sub, vault, vm_id};
pub use tokens::HashedTokens;

/// The subscription of every world.
pub const SUBSCRIPTION: &str = "5ab5c717-0000-4000-8000-000000000001";
/// The tenant of every world.
pub const TENANT: &str = "7e4a4700-0000-4000-8000-000000000001";
/// A program that may do everything.
pub const OWNER: &str = "aaaaaaaa-0000-4000-8000-000000000001";
/// A program that may only look.
pub const READER: &str = "aaaaaaaa-0000-4000-8000-000000000002";
/// A person.
pub const USER_NAME: &str = "ann@coffre.local";
/// The secret of all of them.
pub const SECRET: &str = "correct horse battery staple";
/// The clock of a test.
pub const NOW: &str = "2026-11-21T10:00:00.1234560Z";

/// An answer of the surface.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    pub fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }
}

/// The installation.
pub struct World {
    pub db: Arc<dyn Db>,
    pub state: ArmState,
    pub now: Arc<Mutex<Timestamp>>,
    pub token: String,
}

impl World {
    /// A world whose clock stands still.
    pub fn new() -> World {
        let now = Arc::new(Mutex::new(NOW.parse().expect("a valid time")));
        let clock = Arc::clone(&now);
        World::build(
            "https://coffre.test:8443",
            now,
            Arc::new(move || *clock.lock().expect("no test panics with the clock")),
        )
    }

    /// A world with the clock of the machine, for a client that is not ours.
    pub fn live(public_url: &str) -> World {
        let now = Arc::new(Mutex::new(Timestamp::now()));
        World::build(public_url, now, Arc::new(Timestamp::now))
    }

    /// A world on a database of its own, with the clock of the machine.
    pub fn on(public_url: &str, db: Arc<dyn Db>) -> World {
        let now = Arc::new(Mutex::new(Timestamp::now()));
        World::build_on(db, public_url, now, Arc::new(Timestamp::now))
    }

    fn build(
        public_url: &str,
        now: Arc<Mutex<Timestamp>>,
        clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> World {
        let db = Arc::new(SqliteDb::memory().expect("a database in memory opens"));
        World::build_on(db, public_url, now, clock)
    }

    fn build_on(
        db: Arc<dyn Db>,
        public_url: &str,
        now: Arc<Mutex<Timestamp>>,
        clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> World {
        let at = clock();
        tx(&*db, "seed", |tx| {
            first_run(tx, seed(), at)?;
            record_vms(tx, discovery(), at)
        })
        .expect("an empty store takes the seed");
        let state = ArmState {
            page_key: coffre_arm::PageKey::new([9; 32]),
            devices: Arc::default(),
            attempts: Arc::default(),
            guest_logs: Arc::new(|_| Vec::new()),
            db: Arc::clone(&db),
            clock,
            deployments: Deployments::new(Uuid::new_v4()),
            ids: Arc::new(Uuid::new_v4),
            tokens: Arc::new(HashedTokens(42)),
            poke: Arc::new(|| {}),
            public_url: public_url.to_owned(),
        };
        let mut world = World { db, state, now, token: String::new() };
        world.token = world.token_of(OWNER, 0);
        world
    }

    /// An access token of a principal that was issued `age_secs` ago.
    pub fn token_of(&self, principal: &str, age_secs: i64) -> String {
        let iat = (self.state.clock)().as_second() - age_secs;
        let claims = Claims {
            iss: format!("{}/adfs", self.state.public_url),
            aud: format!("{}/", self.state.public_url),
            sub: principal.to_owned(),
            oid: principal.to_owned(),
            tid: TENANT.to_owned(),
            appid: principal.to_owned(),
            name: "test".to_owned(),
            iat,
            nbf: iat,
            exp: iat + 3599,
            preferred_username: None,
            upn: None,
        };
        self.state.tokens.issue(&claims).expect("claims are serialisable")
    }

    pub fn advance(&self, by: Duration) {
        let mut now = self.now.lock().expect("no test panics with the clock");
        *now = now.saturating_add(by).expect("the clock stays in range");
    }

    /// Sends a request as it is.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let router = coffre_arm::router(self.state.clone());
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = router.oneshot(request).await.expect("the router answers everything");
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("a body in memory");
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).expect("every body is JSON")
        };
        contract::check(&method, &path, parts.status, &body);
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Sends a request with a token; adds the API version when the path has none.
    pub async fn call_as(&self, token: &str, method: &str, path: &str, body: Value) -> Answer {
        let path = path.replace(' ', "%20").replace('\'', "%27");
        let joint = if path.contains('?') { '&' } else { '?' };
        let uri = if path.contains("api-version") {
            path
        } else {
            format!("{path}{joint}api-version=2026-08-01")
        };
        let mut request = Request::builder()
            .method(method.parse::<Method>().expect("a method"))
            .uri(uri)
            .header("authorization", format!("Bearer {token}"));
        let body = match body {
            Value::Null => Body::empty(),
            body => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
        };
        self.send(request.body(body).expect("a well-formed request")).await
    }

    pub async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        self.call_as(&self.token, method, path, body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, Value::Null).await
    }

    /// Does all work that is due; says how many steps it did.
    pub fn work(&self) -> usize {
        work(&*self.db, (self.state.clock)())
    }
}

/// Does every due step of every due job at once.
pub fn work(db: &dyn Db, now: Timestamp) -> usize {
    let owner = Uuid::new_v4();
    let mut steps = 0;
    loop {
        let ttl = Duration::from_secs(60);
        let leased = tx(db, "lease", |tx| lease_job(tx, owner, now, ttl)).expect("the store works");
        let Some((token, _)) = leased else { return steps };
        loop {
            let (job, next) =
                tx(db, "begin", |tx| begin_step(tx, token, now)).expect("the lease holds");
            let event = match next {
                Next::Do(step) => {
                    if step == Step::DiscoverMachines {
                        tx(db, "discover", |tx| record_vms(tx, discovery(), now))
                            .expect("the store works");
                    }
                    Event::StepDone { step, facts: facts(&job, step, now) }
                }
                Next::Undo(step) => Event::StepUndone { step },
                Next::Wait(_) | Next::Done => break,
            };
            let job =
                tx(db, "report", |tx| report_job(tx, token, event, now)).expect("the lease holds");
            steps += 1;
            if job.lease.is_none() {
                break;
            }
        }
    }
}

pub fn principal(id: &str, name: &str, kind: PrincipalKind, role: Role) -> Principal {
    Principal {
        id: id.parse().expect("a uuid"),
        name: name.to_owned(),
        kind,
        secret_hash: hash_secret(SECRET, b"salt of sixteen."),
        roles: vec![role],
        etag: 0,
    }
}

fn seed() -> Seed {
    let subscription: SubscriptionId = SUBSCRIPTION.parse().expect("a uuid");
    let tenant: TenantId = TENANT.parse().expect("a uuid");
    let user = PrincipalId(Uuid::from_u128(0xa11)).to_string();
    Seed {
        subscription: Subscription { id: subscription, name: "Coffre".to_owned(), tenant, etag: 0 },
        region: Region {
            name: "eastus".to_owned(),
            display_name: "East US".to_owned(),
            paired: None,
            store_url: "file:///vaults".to_owned(),
            etag: 0,
        },
        group: "lab".to_owned(),
        principals: vec![
            principal(OWNER, "admin", PrincipalKind::ServicePrincipal, Role::Owner),
            principal(READER, "viewer", PrincipalKind::ServicePrincipal, Role::Reader),
            principal(&user, USER_NAME, PrincipalKind::User, Role::Owner),
        ],
        storage_account: StorageAccount {
            subscription,
            group: "lab".to_owned(),
            name: "restores1".to_owned(),
            region: "eastus".to_owned(),
            folder: "/restores".to_owned(),
            etag: 0,
        },
    }
}

fn disks() -> Vec<VmDisk> {
    let disk = |key: &str, lun, gib: u64| {
        let (key, name, format) = (key.to_owned(), format!("disk-{key}"), DiskFormat::Qcow2);
        VmDisk { key, lun, name, size_bytes: gib << 30, format }
    };
    vec![disk("os", None, 8), disk("data0", Some(0), 2), disk("data1", Some(1), 4)]
}

fn discovery() -> Discovery {
    let machine = |id: u128, name: &str, power, agent| DiscoveredVm {
        id: VmId(Uuid::from_u128(id)),
        name: name.to_owned(),
        os_type: OsType::Linux,
        power,
        extension: Default::default(),
        agent,
        cpus: 2,
        memory_bytes: 4 << 30,
        managed: true,
        disks: disks(),
    };
    Discovery {
        hypervisor: "qemu".to_owned(),
        subscription: SUBSCRIPTION.parse().expect("a uuid"),
        group: "Lab-VMs".to_owned(),
        region: "eastus".to_owned(),
        machines: vec![
            machine(1, "Web-1", PowerState::Running, AgentState::Ready { version: "7.2".into() }),
            machine(2, "db-1", PowerState::Stopped, AgentState::Silent),
        ],
    }
}
