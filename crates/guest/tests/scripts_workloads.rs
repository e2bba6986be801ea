//! The scripts for databases that come with the extension, with real databases.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use coffre_guest::scripts::{Plugin, Precheck, ScriptFiles, precheck};
use serde_json::json;

fn call(program: &str, words: &[&str]) -> Output {
    let output = Command::new(program).args(words).output();
    output.unwrap_or_else(|failure| panic!("{program} is needed (cargo xtask setup): {failure}"))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The pair of scripts of that name, installed as an administrator would.
fn install(folder: &Path, name: &str, params: &[&str]) -> Plugin {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads").join(name);
    for script in ["pre.sh", "post.sh"] {
        fs::copy(shipped.join(script), folder.join(script)).unwrap();
        fs::set_permissions(folder.join(script), fs::Permissions::from_mode(0o700)).unwrap();
    }
    let config = json!({
        "preScriptLocation": folder.join("pre.sh"),
        "postScriptLocation": folder.join("post.sh"),
        "preScriptParams": params,
        "postScriptParams": params,
        "timeoutInSeconds": 60,
    });
    fs::write(folder.join("config"), config.to_string()).unwrap();
    fs::set_permissions(folder.join("config"), fs::Permissions::from_mode(0o600)).unwrap();
    let files = ScriptFiles {
        host: folder.join("host"),
        plugin: folder.join("config"),
        state: folder.join("state"),
        program: env!("CARGO_BIN_EXE_coffre-guest").into(),
    };
    match precheck(&files) {
        Precheck::Ready(plugin) => *plugin,
        other => panic!("{other:?}"),
    }
}

#[test]
fn sqlite_keeps_writers_out_and_empties_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("data.db");
    let database = database.to_str().unwrap();
    let sql = |words: &str| call("sqlite3", &["-batch", "-bail", database, words]);
    assert!(
        sql("PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES (1);")
            .status
            .success()
    );
    let plugin = install(folder.path(), "sqlite", &[database]);
    let (owed, outcome) = plugin.pre().unwrap();
    outcome.unwrap();
    let log = fs::metadata(format!("{database}-wal")).map_or(0, |log| log.len());
    assert_eq!(log, 0, "the log was not emptied");
    assert!(!sql("INSERT INTO t VALUES (2);").status.success(), "somebody wrote");
    assert_eq!(said(&sql("SELECT count(*) FROM t;")), "1");
    owed.post().unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    while !sql("INSERT INTO t VALUES (3);").status.success() {
        assert!(Instant::now() < until, "writers are still kept out");
    }
    assert_eq!(said(&sql("PRAGMA integrity_check;")), "ok");
}

/// A server with a socket in its own folder; ends with the test.
struct Postgres {
    folder: tempfile::TempDir,
}

const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";

impl Postgres {
    fn start() -> Postgres {
        let folder = tempfile::tempdir().unwrap();
        let server = Postgres { folder };
        fs::set_permissions(server.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(server.data()).unwrap();
        let owned = call("chown", &["postgres", server.data().to_str().unwrap()]);
        assert!(owned.status.success(), "the package postgresql makes the user postgres");
        let made = server.as_postgres("initdb", &["-A", "trust", "--no-sync"]);
        assert!(made.status.success(), "{made:?}");
        let options = format!("-c listen_addresses= -k {}", server.data().display());
        let log = server.data().join("log");
        let begun = server
            .as_postgres("pg_ctl", &["-w", "-o", &options, "-l", log.to_str().unwrap(), "start"]);
        assert!(begun.status.success(), "{begun:?}");
        server
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn as_postgres(&self, program: &str, words: &[&str]) -> Output {
        let program = format!("{PROGRAMS}/{program}");
        let data = self.data();
        let mut all = vec!["-u", "postgres", "--", &program, "-D", data.to_str().unwrap()];
        all.extend(words);
        call("runuser", &all)
    }

    fn sql(&self, words: &str) -> String {
        let data = self.data();
        let all =
            ["-u", "postgres", "--", "psql", "-XAt", "-h", data.to_str().unwrap(), "-c", words];
        said(&call("runuser", &all))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.as_postgres("pg_ctl", &["-m", "immediate", "stop"]);
    }
}

#[test]
fn postgresql_makes_a_checkpoint_and_refuses_settings_that_lose_data() {
    let server = Postgres::start();
    let folder = tempfile::tempdir().unwrap();
    let data = server.data();
    let plugin = install(folder.path(), "postgresql", &["-h", data.to_str().unwrap()]);
    server.sql("CREATE TABLE t AS SELECT generate_series(1, 20000) AS a");
    let place = || server.sql("SELECT checkpoint_lsn FROM pg_control_checkpoint()");
    let before = place();
    let (owed, outcome) = plugin.pre().unwrap();
    outcome.unwrap();
    assert_ne!(place(), before, "no checkpoint was made");
    assert!(owed.post().unwrap().output.trim().parse::<u64>().is_ok_and(|number| number > 0));
    server.sql("ALTER SYSTEM SET full_page_writes = off");
    server.sql("SELECT pg_reload_conf()");
    let until = Instant::now() + Duration::from_secs(10);
    while server.sql("SHOW full_page_writes") != "off" {
        assert!(Instant::now() < until, "the setting is not taken up");
    }
    let (owed, outcome) = plugin.pre().unwrap();
    let fault = outcome.unwrap_err();
    assert_eq!(fault.code, 300);
    assert!(fault.what.contains("full_page_writes is off"), "{fault}");
    owed.post().unwrap();
    server.as_postgres("pg_ctl", &["-m", "fast", "stop"]);
    let (owed, outcome) = plugin.pre().unwrap();
    assert_eq!(outcome.unwrap_err().code, 300);
    assert_eq!(owed.post().unwrap_err().code, 301);
}
