//! Starts an emulator on a free port and ends it. `cargo xtask setup` installs them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use coffre_vault::bucket::Bucket;

/// The account of every Azurite; written in its documentation, so no secret.
const ACCOUNT: &str = "devstoreaccount1";
const ACCOUNT_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// Moto answers with as many threads as it likes by itself, and then two can create one object.
const S3_SERVER: &str = "
import sys
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
run_simple('127.0.0.1', int(sys.argv[1]), DomainDispatcherApplication(create_backend_app), threaded=False)
";

/// A running emulator with one bucket, `vaults`.
pub(crate) struct Emulator {
    child: Child,
    pub(crate) port: u16,
    /// Credentials and endpoint.
    profile: tempfile::NamedTempFile,
    scheme: &'static str,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tool(relative: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = std::env::var_os("COFFRE_EMULATORS").map(PathBuf::from);
    let path = folder.unwrap_or_else(|| root.join("target/emulators")).join(relative);
    assert!(path.exists(), "{} is missing: run `cargo xtask setup`", path.display());
    path
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn start(mut command: Command, port: u16) -> Child {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(child.try_wait().unwrap().is_none(), "the emulator ended at once");
        assert!(begun.elapsed() < Duration::from_secs(60), "the emulator does not answer");
        std::thread::sleep(Duration::from_millis(50));
    }
    child
}

/// One HTTP request without a body; gives the status.
fn request(port: u16, head: &str) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = format!(
        "{head}\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer);
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

impl Emulator {
    /// An S3.
    pub(crate) fn s3() -> Emulator {
        let port = free_port();
        let mut command = Command::new(tool("venv/bin/python"));
        command.args(["-c", S3_SERVER, &port.to_string()]);
        let child = start(command, port);
        assert_eq!(request(port, "PUT /vaults HTTP/1.1"), 200);
        let lockable = "PUT /lockable HTTP/1.1\r\nx-amz-bucket-object-lock-enabled: true";
        assert_eq!(request(port, lockable), 200);
        let scheme = "s3";
        Emulator { child, port, profile: Emulator::s3_profile(port), scheme }
    }

    /// Settings for an S3 at a port of this machine.
    pub(crate) fn s3_profile(port: u16) -> tempfile::NamedTempFile {
        private(&format!(
            "[s3]\nendpoint = \"http://127.0.0.1:{port}\"\nallow_http = true\nregion = \"us-east-1\"\n\
             access_key_id = \"test\"\nsecret_access_key = \"test-secret\"\n"
        ))
    }

    /// An Azure Blob Storage.
    pub(crate) fn azblob() -> Emulator {
        let port = free_port();
        let mut command = Command::new("node");
        command.arg(tool("node_modules/azurite/dist/src/blob/main.js"));
        command.args(["--inMemoryPersistence", "--skipApiVersionCheck", "--silent"]);
        command.args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()]);
        let child = start(command, port);
        assert_eq!(create_container(port), 201);
        let profile = private(&format!(
            "[azblob]\nendpoint = \"http://127.0.0.1:{port}/{ACCOUNT}\"\nallow_http = true\n\
             account_name = \"{ACCOUNT}\"\naccount_key = \"{ACCOUNT_KEY}\"\n"
        ));
        Emulator { child, port, profile, scheme: "azblob" }
    }

    pub(crate) fn url(&self, prefix: &str) -> String {
        format!("{}://vaults/{prefix}", self.scheme)
    }

    /// The store below a prefix of the bucket that knows locks (S3 only).
    pub(crate) fn lockable(&self, prefix: &str) -> Arc<dyn Bucket> {
        let url = format!("s3://lockable/{prefix}");
        coffre_buckets::open_with(&url, Some(self.profile.path())).unwrap()
    }

    /// The store below a prefix of the one bucket.
    pub(crate) fn open(&self, prefix: &str) -> Arc<dyn Bucket> {
        coffre_buckets::open_with(&self.url(prefix), Some(self.profile.path())).unwrap()
    }
}

/// A file that only its owner reads, as a profile must be.
fn private(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut out = std::fs::File::options().write(true).mode(0o600).open(file.path()).unwrap();
    out.write_all(text.as_bytes()).unwrap();
    file
}

fn create_container(port: u16) -> u16 {
    let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let version = "2021-08-06";
    let nothing = "\n".repeat(12);
    let text = format!(
        "PUT{nothing}x-ms-date:{date}\nx-ms-version:{version}\n/{ACCOUNT}/{ACCOUNT}/vaults\nrestype:container"
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, &BASE64_STANDARD.decode(ACCOUNT_KEY).unwrap());
    let signature = BASE64_STANDARD.encode(hmac::sign(&key, text.as_bytes()));
    request(
        port,
        &format!(
            "PUT /{ACCOUNT}/vaults?restype=container HTTP/1.1\r\nx-ms-date: {date}\r\n\
             x-ms-version: {version}\r\nAuthorization: SharedKey {ACCOUNT}:{signature}"
        ),
    )
}
