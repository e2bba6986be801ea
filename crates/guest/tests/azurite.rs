//! A real storage: Azurite holds three page blobs; the snapshots keep what the live ones lose.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod sandbox;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coffre_guest::net::{Client, Request, Response, Sas};
use serde_json::{Value, json};

use sandbox::agent::{Agent, make_keys};

const HOST: &str = "acct.blob.core.windows.net";
const KEY: &str = "c29tZSBrZXkgb2YgYW4gYWNjb3VudCB0aGF0IGlzIG9ubHkgZm9yIHRlc3Rz";
const BYTES: usize = 64 << 10;

struct Storage(Child);

impl Drop for Storage {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main_script() -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/emulators");
    let folder = std::env::var("COFFRE_EMULATORS").unwrap_or_else(|_| root.to_owned());
    format!("{folder}/node_modules/azurite/dist/src/blob/main.js")
}

fn start() -> Storage {
    sandbox::servers::certificate();
    std::fs::write("/etc/hosts", format!("127.0.0.1 localhost {HOST}\n")).unwrap();
    let script = main_script();
    assert!(std::path::Path::new(&script).exists(), "{script} is missing: `cargo xtask setup`");
    let child = Command::new("node")
        .arg(script)
        .args(["--inMemoryPersistence", "--skipApiVersionCheck", "--silent"])
        .args(["--blobHost", "127.0.0.1", "--blobPort", "443"])
        .args(["--cert", "/run/leaf.pem", "--key", "/run/leaf.key"])
        .env("AZURITE_ACCOUNTS", format!("acct:{KEY}"))
        .current_dir("/run")
        .stdout(Stdio::null())
        .spawn()
        .expect("node is there (Debian package nodejs)");
    let until = Instant::now() + Duration::from_secs(60);
    while std::net::TcpStream::connect("127.0.0.1:443").is_err() {
        assert!(Instant::now() < until, "Azurite does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    Storage(child)
}

/// A signature that opens the whole account.
fn signature() -> String {
    let (rights, until, version) = ("rwdlac", "2040-01-01T00:00:00Z", "2018-11-09");
    let text = format!("acct\n{rights}\nb\nsco\n\n{until}\n\n\n{version}\n");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(KEY).unwrap());
    let signed = STANDARD.encode(hmac::sign(&key, text.as_bytes()));
    let signed = signed.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    format!("sv={version}&ss=b&srt=sco&sp={rights}&se={until}&sig={signed}")
}

fn address(blob: &str) -> String {
    format!("https://{HOST}/disks/{blob}?{}", signature())
}

fn call(
    method: &'static str,
    uri: &str,
    and: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response {
    let sas = Sas::parse(uri).unwrap();
    let mut request = Request::new(method, sas.target(and));
    for (name, value) in headers.iter().chain(&[("x-ms-version", "2018-11-09")]) {
        request = request.header(name, value);
    }
    if method == "PUT" {
        request = request.body(body);
    }
    let patience = Duration::from_secs(20);
    let connection = Client::default().secure(sas.host(), patience).unwrap();
    let answer = connection.call(&request, patience, 1 << 20).unwrap();
    assert!(answer.status < 300, "{method} {sas:?}{and}: {} {}", answer.status, answer.text());
    answer
}

fn write_pages(blob: &str, byte: u8) {
    let range = format!("bytes=0-{}", BYTES - 1);
    let headers = [("x-ms-page-write", "update"), ("x-ms-range", range.as_str())];
    call("PUT", &address(blob), "&comp=page", &headers, &vec![byte; BYTES]);
}

fn read(uri: &str, and: &str) -> Vec<u8> {
    call("GET", uri, and, &[], b"").body
}

#[test]
fn three_page_blobs_have_snapshots_that_differ_from_the_live_ones() {
    sandbox::enter(
        "three_page_blobs_have_snapshots_that_differ_from_the_live_ones",
        "memory",
        || {
            make_keys();
            let _storage = start();
            call(
                "PUT",
                &format!("https://{HOST}/disks?{}", signature()),
                "&restype=container",
                &[],
                b"",
            );
            let disks = ["disk0", "disk1", "disk2"];
            for disk in disks {
                let size = BYTES.to_string();
                let headers =
                    [("x-ms-blob-type", "PageBlob"), ("x-ms-blob-content-length", size.as_str())];
                call("PUT", &address(disk), "", &headers, b"");
                write_pages(disk, b'a');
            }
            for blob in ["status", "log"] {
                call("PUT", &address(blob), "", &[("x-ms-blob-type", "BlockBlob")], b"");
            }
            let status = taken(&disks.map(address));
            for disk in disks {
                write_pages(disk, b'b');
            }
            let infos = status["snapshotInfo"].as_array().unwrap();
            assert_eq!(infos.len(), 3);
            for (info, disk) in infos.iter().zip(disks) {
                assert_eq!(info["isSuccessful"], true);
                let snapshot = format!("{}&{}", info["snapshotUri"].as_str().unwrap(), signature());
                assert_eq!(
                    read(&snapshot, ""),
                    vec![b'a'; BYTES],
                    "{disk}: the snapshot keeps its content"
                );
                assert_eq!(
                    read(&address(disk), ""),
                    vec![b'b'; BYTES],
                    "{disk}: the live blob has gone on"
                );
            }
            sandbox::assert_nothing_is_frozen();
            println!("Azurite: 3 page blobs, 3 snapshots, each differs from its live blob");
        },
    );
}

/// Runs the handler; gives the status that it wrote into the storage.
fn taken(disks: &[String]) -> Value {
    let agent = Agent::new();
    let sealed = json!({"blobSASUri": disks}).to_string();
    let public = json!({
        "taskId": "azurite_1", "commandToExecute": "snapshot", "locale": "en-US",
        "commandStartTimeUTCTicks": "", "vmType": "microsoft.compute/virtualmachines",
    });
    let protected = json!({
        "objectStr": STANDARD.encode(sealed),
        "statusBlobUri": address("status"), "logsBlobUri": address("log"),
    });
    agent.write_settings(1, &public, &protected);
    let ended = agent.enable(1);
    let blob: Value = serde_json::from_slice(&read(&address("status"), "")).unwrap();
    assert_eq!(blob, ended.inner);
    assert_eq!(blob[0]["status"]["code"], "1", "{blob:#}");
    assert!(!read(&address("log"), "").is_empty());
    blob[0]["status"].clone()
}
