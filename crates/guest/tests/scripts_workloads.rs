//! The scripts for databases that come with the extension, with real databases.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use coffre_guest::scripts::{Plugin, Precheck, ScriptFiles, Workload, precheck, workload};
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
        workload: folder.join("workload.conf"),
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

/// What a `workload.conf` with this body comes to.
fn named(folder: &Path, body: &str) -> Plugin {
    let conf = folder.join("workload.conf");
    fs::write(&conf, format!("[workload]\n{body}\n")).unwrap();
    fs::set_permissions(&conf, fs::Permissions::from_mode(0o600)).unwrap();
    let files = ScriptFiles {
        host: folder.join("host"),
        plugin: folder.join("config"),
        workload: conf,
        state: folder.join("state"),
        program: env!("CARGO_BIN_EXE_coffre-guest").into(),
    };
    match workload(&files) {
        Workload::Ready(plugin) => *plugin,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_postgresql_that_workload_conf_names_gets_its_checkpoint() {
    let server = Postgres::start();
    let folder = tempfile::tempdir().unwrap();
    let body = format!(
        "workload_name = postgres\ncommand_path = {PROGRAMS}\nlinux_user = postgres\ncredString = -h '{}'",
        server.data().display()
    );
    let plugin = named(folder.path(), &body);
    let place = || server.sql("SELECT checkpoint_lsn FROM pg_control_checkpoint()");
    server.sql("CREATE TABLE t AS SELECT generate_series(1, 2000) AS a");
    let before = place();
    let (owed, outcome) = plugin.pre().unwrap();
    outcome.unwrap();
    assert_ne!(place(), before, "no checkpoint was made");
    owed.post().unwrap();
    server.as_postgres("pg_ctl", &["-m", "fast", "stop"]);
    let (owed, outcome) = plugin.pre().unwrap();
    assert_eq!(outcome.unwrap_err().code, 506);
    assert_eq!(owed.post().unwrap_err().code, 504);
}

/// A MariaDB with its socket in its own folder; ends with the test.
struct Maria {
    folder: tempfile::TempDir,
    server: std::process::Child,
}

impl Maria {
    fn start() -> Maria {
        let folder = tempfile::tempdir().unwrap();
        let data = format!("--datadir={}/data", folder.path().display());
        let made =
            call("mariadb-install-db", &["--no-defaults", "--user=root", "--skip-test-db", &data]);
        assert!(made.status.success(), "{made:?}");
        let socket = format!("--socket={}/socket", folder.path().display());
        let server = Command::new("mariadbd")
            .args(["--no-defaults", "--user=root", "--skip-networking", &data, &socket])
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("mariadbd (cargo xtask setup)");
        let maria = Maria { folder, server };
        let until = Instant::now() + Duration::from_secs(60);
        while !maria.sql("SELECT 1").status.success() {
            assert!(Instant::now() < until, "the server does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        maria
    }

    fn socket(&self) -> String {
        format!("--socket={}/socket", self.folder.path().display())
    }

    fn sql(&self, words: &str) -> Output {
        call("mariadb", &["--no-defaults", &self.socket(), "-BN", "-e", words])
    }
}

impl Drop for Maria {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn a_mariadb_is_held_until_the_point_is_taken_and_no_longer() {
    let maria = Maria::start();
    assert!(
        maria.sql("CREATE DATABASE d; CREATE TABLE d.t (a INT) ENGINE=InnoDB").status.success()
    );
    let write = "SET lock_wait_timeout=1; INSERT INTO d.t VALUES (1)";
    assert!(maria.sql(write).status.success());
    let folder = tempfile::tempdir().unwrap();
    let body = |more: &str| {
        let socket = maria.socket();
        format!("workload_name = mariadb\ncredString = --no-defaults {socket}\n{more}")
    };
    let plugin = named(folder.path(), &body("timeout = 60"));
    let (owed, outcome) = plugin.pre().unwrap();
    outcome.unwrap();
    assert!(!maria.sql(write).status.success(), "somebody wrote while the point was taken");
    owed.post().unwrap();
    assert!(maria.sql(write).status.success(), "the server is still held");
    // A replica is read-only before and after, and that is well.
    assert!(maria.sql("SET GLOBAL read_only = 1").status.success());
    let (owed, outcome) = plugin.pre().unwrap();
    outcome.unwrap();
    owed.post().unwrap();
    // A session that ends before the point lets nobody believe that the database was held.
    let plugin = named(folder.path(), &body("timeout = 3"));
    let (owed, outcome) = plugin.pre().unwrap();
    outcome.unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while !maria.sql(write).status.success() {
        assert!(Instant::now() < until, "the server is held for ever");
    }
    assert_eq!(owed.post().unwrap_err().code, 510);
    let plugin = named(folder.path(), &body("timeout = 60"));
    let (owed, outcome) = plugin.pre().unwrap();
    outcome.unwrap();
    let others = "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND user = 'root'";
    let session = said(&maria.sql(others));
    assert!(maria.sql(&format!("KILL {session}")).status.success(), "{session}");
    assert_eq!(owed.post().unwrap_err().code, 510);
    let plugin = named(
        folder.path(),
        "workload_name = mariadb\ncredString = --no-defaults --socket=/nowhere",
    );
    let (owed, outcome) = plugin.pre().unwrap();
    assert_eq!(outcome.unwrap_err().code, 506);
    assert_eq!(owed.post().unwrap_err().code, 504);
}
