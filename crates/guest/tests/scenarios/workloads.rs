//! A database that `workload.conf` names.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::sandbox::servers::Shared;
use super::{Row, expect, scripts};

const BOTH: Option<&[bool]> = Some(&[true, true]);
const CONF: &str = "/etc/azure/workload.conf";
const CLIENTS: &str = "/run/clients";
const ASKED: &str = "/run/asked";
const USUAL: &str = "workload_name = postgres\nlinux_user = root\ncommand_path = /run/clients/";

pub(crate) fn rows(peers: &Shared) {
    client("case \"$*\" in *SHOW*) echo on ;; esac");
    let row = Row::new(peers);
    write(USUAL);
    scripts::write("exit 0", 0, true);
    let ended = row.check("W2: the shipped scripts", &expect("0", "success", 0, BOTH));
    let asked = fs::read_to_string(ASKED).unwrap();
    assert_eq!(asked.matches("CHECKPOINT").count(), 1, "{asked}");
    assert_eq!(asked.matches("txid_current").count(), 1, "{asked}");
    assert!(scripts::trace().is_empty(), "never are both run");
    assert_eq!(ended.inner[0]["status"]["status"], "success");

    // What is wrong before, during and after is a warning: the point is taken, and says what it is.
    for (name, body, health, client_says) in [
        ("W3: no server", USUAL, 506, "exit 2"),
        (
            "W4: the lock fails",
            USUAL,
            500,
            "case \"$*\" in *CHECKPOINT*) exit 1 ;; *SHOW*) echo on ;; esac",
        ),
        ("W5: after it", USUAL, 504, "case \"$*\" in *txid*) exit 1 ;; *SHOW*) echo on ;; esac"),
        ("W6: no role", "workload_name = mysql\nlinux_user = root\nrole = x", 502, ""),
        ("W7: nobody", "workload_name = mysql", 505, ""),
        ("W8: broken", "workload_name = mysql\nlinux_user = root\nnonsense", 501, ""),
        (
            "W9: loose folder",
            "workload_name = mysql\nlinux_user = root\ncommand_path = /run/loose",
            501,
            "",
        ),
        ("W10: oracle", "workload_name = oracle\nlinux_user = oracle", 503, ""),
    ] {
        client(client_says);
        let row = Row::new(peers);
        write(body);
        scripts::write("exit 0", 0, true);
        let ended = row.check(name, &expect("1", "success", health, BOTH));
        let message = ended.inner[0]["status"]["formattedMessage"]["message"].as_str().unwrap();
        assert!(message.contains("Workload Patch failed with warning message: "), "{message}");
        assert!(message.contains("\"snapshotConsistency\": 1"), "{message}");
        assert!(scripts::trace().is_empty(), "{name}: never are both run");
    }

    for (name, body, mode, health) in [
        ("W11: unknown", "workload_name = postgresql\nlinux_user = root", 0o600, 503),
        ("W12: anybody may write", USUAL, 0o666, 501),
        ("W13: no name", "workload_name =\nnonsense", 0o600, 0),
    ] {
        let row = Row::new(peers);
        write(body);
        fs::set_permissions(CONF, fs::Permissions::from_mode(mode)).unwrap();
        scripts::write("exit 0", 0, true);
        row.check(name, &expect("0", "success", health, BOTH));
        assert_eq!(scripts::trace(), ["pre", "post"], "{name}: the administrator's own are run");
    }
    installed(peers);
}

/// What `install` leaves does nothing, and what somebody wrote stays.
fn installed(peers: &Shared) {
    let row = Row::new(peers);
    assert!(row.agent.call("install", 0).status.success());
    assert_eq!(fs::metadata(CONF).unwrap().permissions().mode() & 0o777, 0o600);
    row.check("W14: as installed", &expect("1", "success", 1, BOTH));
    fs::write(CONF, "mine").unwrap();
    assert!(row.agent.call("install", 0).status.success());
    assert_eq!(fs::read_to_string(CONF).unwrap(), "mine");
}

fn write(body: &str) {
    fs::create_dir_all("/run/loose").unwrap();
    fs::set_permissions("/run/loose", fs::Permissions::from_mode(0o777)).unwrap();
    fs::write(CONF, format!("[workload]\n{body}\n")).unwrap();
    fs::set_permissions(CONF, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A `psql` that notes what it is asked, and answers so.
fn client(body: &str) {
    let _ = fs::remove_file(ASKED);
    fs::create_dir_all(CLIENTS).unwrap();
    let path = format!("{CLIENTS}/psql");
    fs::write(&path, format!("#!/bin/sh\necho \"$*\" >> {ASKED}\n{body}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
}
