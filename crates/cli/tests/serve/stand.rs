//! A service that a test owns.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Nothing in these tests takes longer on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The binary under test.
pub(crate) fn coffre() -> Command {
    Command::new(env!("CARGO_BIN_EXE_coffre"))
}

/// A data folder and the process that serves it.
pub(crate) struct Stand {
    pub(crate) data: PathBuf,
    folder: tempfile::TempDir,
    process: Option<Child>,
}

impl Stand {
    /// A data folder; nothing runs yet.
    pub(crate) fn new() -> Stand {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        std::fs::create_dir(&data).expect("a data folder");
        Stand { data, folder, process: None }
    }

    /// Where the test may put files of its own.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the service; `crash_at` names the place where it ends itself.
    pub(crate) fn start(&mut self, crash_at: Option<&str>) {
        self.spawn(crash_at);
        let ready = self.data.join("service.json");
        wait_for("the service to answer", || {
            if let Some(status) = self.process.as_mut().unwrap().try_wait().unwrap() {
                panic!("the service ended at once: {status}\n{}", self.log());
            }
            ready.exists()
        });
    }

    /// Starts the service and does not wait until it answers.
    pub(crate) fn spawn(&mut self, crash_at: Option<&str>) {
        let _ = std::fs::remove_file(self.data.join("service.json"));
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log_path());
        let mut command = coffre();
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(&self.data)
            .arg("--admin-secret-file")
            .arg(self.secret())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("a log"));
        match crash_at {
            Some(name) => command.env("COFFRE_CRASH_AT", name),
            None => command.env_remove("COFFRE_CRASH_AT"),
        };
        self.process = Some(command.spawn().expect("the service starts"));
    }

    pub(crate) fn secret(&self) -> PathBuf {
        self.folder.path().join("secret")
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// Waits until the service ended by itself.
    pub(crate) fn wait_for_end(&mut self) {
        let process = self.process.as_mut().expect("it runs");
        wait_for("the service to end", || process.try_wait().unwrap().is_some());
        self.process = None;
    }

    /// Ends the service as a power cut would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Ends the service politely; its exit must be clean.
    pub(crate) fn stop(&mut self) {
        let mut process = self.process.take().expect("it runs");
        let pid = rustix::process::Pid::from_child(&process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        wait_for("the service to stop", || process.try_wait().unwrap().is_some());
        let status = process.wait().unwrap();
        assert!(status.success(), "{status}\n{}", self.log());
    }

    /// A client verb with the profile of this stand.
    pub(crate) fn client(&self, words: &[&str]) -> Output {
        let mut command = coffre();
        command.env("COFFRE_PROFILE", self.folder.path().join("profile/profile.json"));
        command.args(words).stdin(Stdio::null()).output().expect("the client runs")
    }

    /// The same; it must succeed, and its answer is JSON (or nothing).
    pub(crate) fn ask(&self, words: &[&str]) -> Value {
        let output = self.client(&[words, &["--output", "json"]].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {errors}\n{}", self.log());
        if output.stdout.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{words:?} gave no JSON: {error}"))
    }

    pub(crate) fn login(&self) {
        self.login_with(&self.secret());
    }

    /// Signs in; a service that was started again has another port.
    pub(crate) fn login_with(&self, secret: &Path) {
        let data = self.data.to_str().unwrap();
        self.ask(&["login", "--data", data, "--secret-file", secret.to_str().unwrap()]);
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.kill();
        // Machines that the service started outlive it, on purpose.
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let ours = String::from_utf8_lossy(&line).contains(&*self.data.to_string_lossy());
            let pid = entry.file_name().to_string_lossy().parse::<i32>().ok();
            if let (true, Some(pid)) = (ours, pid.and_then(rustix::process::Pid::from_raw)) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
}

/// Bytes that do not repeat.
pub(crate) fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as u8
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

/// Waits until a condition holds.
pub(crate) fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
