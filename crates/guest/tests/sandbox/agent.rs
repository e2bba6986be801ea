//! What the agent of a machine does for the handler: folders, keys, settings, commands.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};

use super::PROGRAM;

pub(crate) const NAME: &str = "Microsoft.Azure.RecoveryServices.VMSnapshotLinux";

/// Texts that must be nowhere but in the request that needs them.
pub(crate) const SECRETS: [&str; 2] = ["5eCr3tSiGnAtUrE", "TOKEN-5eCr3t"];

/// A machine with the handler on it.
pub(crate) struct Agent {
    pub(crate) home: PathBuf,
    thumbprint: String,
}

/// What a command ended with.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) file: Value,
    pub(crate) inner: Value,
}

/// Calls `openssl` where the keys are.
pub(crate) fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(arguments)
        .current_dir("/run")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is there (Debian package openssl)");
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Makes the key pair of the machine, once.
pub(crate) fn make_keys() {
    let words = "req -x509 -newkey rsa:2048 -nodes -subj /CN=LinuxTransport -days 2 -keyout k.pem -out c.pem";
    openssl(&words.split(' ').collect::<Vec<_>>(), b"");
}

/// The name of the key pair of the machine.
pub(crate) fn thumbprint() -> String {
    let printed = openssl(&["x509", "-in", "c.pem", "-noout", "-fingerprint", "-sha1"], b"");
    let printed = String::from_utf8(printed).unwrap();
    printed.trim().split('=').nth(1).unwrap().replace(':', "")
}

/// The settings of a command, its secrets in an envelope as fabrics make it.
pub(crate) fn settings(thumbprint: &str, public: &Value, protected: &Value) -> String {
    let words = ["cms", "-encrypt", "-binary", "-outform", "DER", "-aes256", "-recip", "c.pem"];
    let sealed = STANDARD.encode(openssl(&words, protected.to_string().as_bytes()));
    json!({"runtimeSettings": [{"handlerSettings": {
        "publicSettings": public,
        "protectedSettings": sealed,
        "protectedSettingsCertThumbprint": thumbprint,
    }}]})
    .to_string()
}

impl Agent {
    /// A machine on which the handler was never before.
    pub(crate) fn new() -> Agent {
        for folder in ["/var/lib/waagent", "/var/log/azure", "/etc/azure", "/run/coffre-guest"] {
            let _ = fs::remove_dir_all(folder);
            fs::create_dir_all(folder).unwrap();
        }
        let thumbprint = thumbprint();
        fs::copy("/run/c.pem", format!("/var/lib/waagent/{thumbprint}.crt")).unwrap();
        fs::copy("/run/k.pem", format!("/var/lib/waagent/{thumbprint}.prv")).unwrap();
        fs::write(
            "/var/lib/waagent/HostingEnvironmentConfig.xml",
            "<HostingEnvironmentConfig><Role guid=\"{73d95f1c-6472-e58e-7a1a-523554e11d46}\" name=\"x\"/></HostingEnvironmentConfig>",
        )
        .unwrap();
        let home = PathBuf::from(format!("/var/lib/waagent/{NAME}-1.0.0.0"));
        let logs = format!("/var/log/azure/{NAME}");
        for folder in ["config", "status"] {
            fs::create_dir_all(home.join(folder)).unwrap();
        }
        fs::create_dir_all(format!("{logs}/events")).unwrap();
        let environment = json!([{"name": NAME, "version": 1.0, "handlerEnvironment": {
            "logFolder": logs,
            "configFolder": home.join("config"),
            "statusFolder": home.join("status"),
            "heartbeatFile": home.join("heartbeat.log"),
            "eventsFolder": format!("{logs}/events"),
            "eventsFolder_preview": format!("{logs}/events"),
        }}]);
        fs::write(home.join("HandlerEnvironment.json"), environment.to_string()).unwrap();
        Agent { home, thumbprint }
    }

    pub(crate) fn settings_path(&self, sequence: u64) -> PathBuf {
        self.home.join(format!("config/{sequence}.settings"))
    }

    pub(crate) fn status_path(&self, sequence: u64) -> PathBuf {
        self.home.join(format!("status/{sequence}.status"))
    }

    /// Writes the settings of a command.
    pub(crate) fn write_settings(&self, sequence: u64, public: &Value, protected: &Value) {
        let settings = settings(&self.thumbprint, public, protected);
        fs::write(self.settings_path(sequence), settings).unwrap();
    }

    /// Calls a verb as the agent does.
    pub(crate) fn call(&self, verb: &str, sequence: u64) -> Output {
        Command::new(PROGRAM)
            .arg(verb)
            .current_dir(&self.home)
            .env("ConfigSequenceNumber", sequence.to_string())
            .env("SSL_CERT_FILE", "/run/authority.pem")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Calls `enable` and waits until the run is over.
    pub(crate) fn enable(&self, sequence: u64) -> Ended {
        let began = Instant::now();
        let output = self.call("enable", sequence);
        assert!(output.status.success(), "{output:?}");
        assert!(began.elapsed() < Duration::from_secs(20), "the agent waits for this verb");
        self.ended(sequence)
    }

    /// Waits until a run is over: its status is final, and its processes are gone.
    pub(crate) fn ended(&self, sequence: u64) -> Ended {
        let until = Instant::now() + Duration::from_secs(90);
        let file = loop {
            let read = fs::read(self.status_path(sequence)).ok();
            let file = read.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
            if let Some(file) = file.filter(|file| file[0]["status"]["code"] != "4") {
                break file;
            }
            let log = || fs::read_to_string(format!("/var/log/azure/{NAME}/extension.log"));
            assert!(Instant::now() < until, "no final status: {:?}", log());
            std::thread::sleep(Duration::from_millis(10));
        };
        let lock = fs::File::options().create(true).append(true).open("/run/coffre-guest/run.lock");
        flock(lock.unwrap(), FlockOperation::LockExclusive).unwrap();
        let inner = file[0]["status"]["substatus"][0]["name"].as_str().unwrap();
        Ended { inner: serde_json::from_str(inner).unwrap(), file }
    }

    /// Every file that the handler left, with its content.
    pub(crate) fn left(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut open: Vec<PathBuf> =
            ["/var/log/azure", "/etc/azure", "/run/coffre-guest"].map(PathBuf::from).to_vec();
        open.push(self.home.clone());
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    let bytes = fs::read(&path).unwrap_or_default();
                    found.insert(path, bytes);
                }
            }
        }
        found
    }

    /// Fails when a secret is in a file.
    pub(crate) fn assert_no_secret_is_left(&self) {
        for (path, bytes) in self.left() {
            let text = String::from_utf8_lossy(&bytes);
            for secret in SECRETS {
                assert!(!text.contains(secret), "{} has {secret}", path.display());
            }
        }
    }
}

/// Whether a folder holds a file of this name.
pub(crate) fn has(folder: &Path, name: &str) -> bool {
    folder.join(name).exists()
}
