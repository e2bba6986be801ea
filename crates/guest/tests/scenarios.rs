//! The scenarios that were observed on the handler that this one takes the place of, each on a machine of its own. A row
//! is equal to what was observed, or names what was mended.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(clippy::print_stdout, reason = "the numbers are what somebody runs it for")]

mod sandbox;

use std::fs;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coffre_guest::ticks;
use serde_json::{Value, json};

use sandbox::agent::{Agent, Ended, SECRETS, make_keys};
use sandbox::servers::{Answer, Blob, Shared, start};

const ARM: &str = "microsoft.compute/virtualmachines";
const RATE: &str = "The rate of snapshot blob calls is exceeded. Try later.";
const LIMIT: &str = "The snapshot count against this blob has been exceeded.";

/// What a run must end with.
struct Expect {
    code: &'static str,
    /// Status on top of the file, and in the blob.
    status: (&'static str, &'static str),
    health: u64,
    /// Whether each snapshot succeeded; nothing when it did not come to that.
    snapshots: Option<&'static [bool]>,
}

const fn expect(
    code: &'static str,
    blob: &'static str,
    health: u64,
    snapshots: Option<&'static [bool]>,
) -> Expect {
    Expect { code, status: ("success", blob), health, snapshots }
}

/// One row: a machine, its peers, and the settings to be changed before the command runs.
struct Row {
    agent: Agent,
    peers: Shared,
    public: Value,
    object: Value,
    custom: Value,
    protected: Value,
    disks: Vec<String>,
}

fn host(name: &str) -> String {
    format!("{name}.blob.core.windows.net")
}

fn sas(blob: &str) -> String {
    format!("https://{}/c/{blob}?sv=2014-02-14&sr=b&sp=rw&sig={}%3D", host("acct"), SECRETS[0])
}

fn pack(value: &Value) -> Value {
    // Slashes come escaped from some services.
    STANDARD.encode(value.to_string().replace('/', "\\/")).into()
}

fn host_info(ok: Value, message: &str) -> Value {
    json!({"isSuccessful": ok, "snapshotUri": "https://a.b/c/d?snapshot=1", "errorMessage": message, "statusCode": 200})
}

impl Row {
    /// Two disks, a status blob and a log blob that are empty block blobs, and a host that knows no snapshots.
    fn new(peers: &Shared) -> Row {
        {
            let mut peers = peers.lock().unwrap();
            *peers = sandbox::servers::Peers::default();
        }
        let mut row = Row {
            agent: Agent::new(),
            peers: peers.clone(),
            public: json!({
                "locale": "en-US", "taskId": "1e4d9c8b_1", "commandToExecute": "snapshot",
                "commandStartTimeUTCTicks": ticks::render(SystemTime::now()), "vmType": ARM,
            }),
            object: json!({
                "backupMetadata": [{"Key": "taskId", "Value": "1e4d9c8b_1"}, {"Key": "Case", "Value": "v"}],
                "snapshotTaskToken": SECRETS[1],
                "includedDisks": {"dataDiskLunList": [0], "isOSDiskIncluded": true},
            }),
            custom: json!({"takeSnapshotFrom": "onlyGuest", "isManagedVm": true}),
            protected: json!({"logsBlobUri": sas("log"), "statusBlobUri": sas("status")}),
            disks: Vec::new(),
        };
        row.blob("status", false, 0);
        row.blob("log", false, 0);
        row.disks(2);
        row
    }

    fn blob(&mut self, name: &str, is_page: bool, bytes: usize) {
        let blob = Blob {
            is_page,
            bytes: vec![0; bytes],
            metadata: Vec::new(),
            snapshots: 0,
            refuses: None,
        };
        self.peers.lock().unwrap().blobs.insert(format!("{}/c/{name}", host("acct")), blob);
    }

    fn disks(&mut self, count: usize) {
        self.disks = (0..count).map(|n| format!("disk{n}")).collect();
        for disk in self.disks.clone() {
            self.blob(&disk, true, 1024);
        }
    }

    fn refuse(&mut self, blob: &str, status: u16, text: &str) {
        let mut peers = self.peers.lock().unwrap();
        let blob = peers.blobs.get_mut(&format!("{}/c/{blob}", host("acct"))).unwrap();
        blob.refuses = Some((status, text.to_owned()));
    }

    fn way(&mut self, way: &str) {
        self.custom["takeSnapshotFrom"] = way.into();
    }

    fn presnapshot(&mut self, status: u16) {
        let body = json!({"responseTime": null, "bhsVersion": "1", "isOsDiskADEEncrypted": true,
            "areDataDisksADEEncrypted": false, "DiskEncryptionSettings": "ADE-HOST"});
        self.peers.lock().unwrap().presnapshot = vec![Answer::new(status, &body.to_string())];
    }

    fn dosnapshot(&mut self, infos: &[Value]) {
        self.presnapshot(200);
        let body = json!({"snapshotInfo": infos}).to_string();
        self.peers.lock().unwrap().dosnapshot = Some(Answer::new(200, &body));
    }

    fn write(&self, sequence: u64) {
        let (mut public, mut protected) = (self.public.clone(), self.protected.clone());
        if !self.object.is_null() {
            public["objectStr"] = pack(&self.object);
        }
        if !self.custom.is_null() {
            public["customSettings"] = self.custom.to_string().into();
        }
        if !self.disks.is_empty() {
            let uris: Vec<String> = self.disks.iter().map(|disk| sas(disk)).collect();
            protected["objectStr"] = pack(&json!({"blobSASUri": uris}));
        }
        self.agent.write_settings(sequence, &public, &protected);
    }

    fn run(&self) -> Ended {
        self.write(1);
        self.agent.enable(1)
    }

    fn status_blob(&self) -> Option<Value> {
        let peers = self.peers.lock().unwrap();
        let blob = &peers.blobs[&format!("{}/c/status", host("acct"))];
        serde_json::from_slice(&blob.bytes).ok()
    }

    fn snapshots_taken(&self) -> usize {
        self.peers.lock().unwrap().blobs.values().map(|blob| blob.snapshots).sum()
    }

    /// Runs the command and compares.
    fn check(&self, number: &str, expected: &Expect) -> Ended {
        let began = Instant::now();
        let ended = self.run();
        self.compare(number, expected, &ended);
        let mended = if number.contains(':') { "" } else { " equal" };
        println!("scenario {number}:{mended} code {} in {:?}", expected.code, began.elapsed());
        ended
    }

    fn compare(&self, number: &str, expected: &Expect, ended: &Ended) {
        let (file, inner) = (&ended.file[0]["status"], &ended.inner[0]["status"]);
        let shown = || format!("{number}: {}", serde_json::to_string_pretty(&ended.inner).unwrap());
        assert_eq!(file["code"], expected.code, "{}", shown());
        assert_eq!(inner["code"], expected.code, "{}", shown());
        assert_eq!(file["status"], expected.status.0, "{}", shown());
        assert_eq!(inner["status"], expected.status.1, "{}", shown());
        assert_eq!(inner["vmHealthInfo"]["vmHealthStatusCode"], expected.health, "{}", shown());
        let snapshots = inner["snapshotInfo"].as_array().map(|list| {
            let ok = |info: &Value| info["isSuccessful"] == true || info["isSuccessful"] == "true";
            list.iter().map(ok).collect::<Vec<_>>()
        });
        assert_eq!(snapshots.as_deref(), expected.snapshots, "{}", shown());
        if let Some(blob) = self.status_blob() {
            assert_eq!(blob, ended.inner, "{number}: the blob says what the file says");
        }
        let settings = fs::read_to_string(self.agent.settings_path(1)).unwrap();
        assert!(!settings.contains("protectedSettings\""), "{number}: secrets stay on disk");
        self.agent.assert_no_secret_is_left();
        let peers = self.peers.lock().unwrap();
        let log = &peers.blobs[&format!("{}/c/log", host("acct"))].bytes;
        for secret in SECRETS {
            let log = String::from_utf8_lossy(log);
            assert!(!log.contains(secret), "{number}: the log's blob has {secret}");
        }
        drop(peers);
        sandbox::assert_nothing_is_frozen();
    }
}

#[path = "scenarios/guest.rs"]
mod guest;
#[path = "scenarios/host.rs"]
mod host_rows;
#[path = "scenarios/lost.rs"]
mod lost;
#[path = "scenarios/proxy.rs"]
mod proxy;
#[path = "scenarios/scripts.rs"]
mod scripts;
#[path = "scenarios/workloads.rs"]
mod workloads;

#[test]
fn the_scenarios() {
    sandbox::enter("the_scenarios", "memory", || {
        let peers = begin();
        guest::rows(&peers);
        host_rows::rows(&peers);
        lost::rows(&peers);
        scripts::rows(&peers);
        workloads::rows(&peers);
        proxy::rows(&peers);
    });
}

#[test]
fn with_the_root_frozen() {
    sandbox::enter("with_the_root_frozen", "ext4", || {
        let peers = begin();
        guest::with_frozen_root(&peers);
        host_rows::with_frozen_root(&peers);
    });
}

fn begin() -> Shared {
    let hosts = format!("127.0.0.1 localhost {}\n", host("acct"));
    fs::write("/etc/hosts", hosts).unwrap();
    make_keys();
    start()
}

/// Whether `look` becomes true soon.
fn soon(look: impl Fn() -> bool) -> bool {
    let until = Instant::now() + Duration::from_secs(10);
    while Instant::now() < until {
        if look() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    false
}
