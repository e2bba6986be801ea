//! The administrator's scripts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use super::sandbox::servers::Shared;
use super::{Row, expect};

const BOTH: Option<&[bool]> = Some(&[true, true]);
const TRACE: &str = "/run/trace";

pub(crate) fn rows(peers: &Shared) {
    let row = Row::new(peers);
    write("exit 0", 0, true);
    row.check("16", &expect("0", "success", 0, BOTH));
    assert_eq!(trace(), ["pre", "post"]);

    let row = Row::new(peers);
    write("exit 3", 0, false);
    let ended = row.check("17", &expect("300", "error", 300, None));
    assert_eq!(trace(), ["pre", "post"], "the second runs although the first failed");
    assert_eq!(row.snapshots_taken(), 0);
    let message = ended.inner[0]["status"]["formattedMessage"]["message"].as_str().unwrap();
    let words =
        "PreScript failed for the plugin ScriptRunner StatusCode.FailedPrepostPreScriptFailed,";
    assert!(message.contains(words), "{message}");

    let row = Row::new(peers);
    write("exit 3", 2, true);
    row.check("18: real retries", &expect("1", "success", 300, BOTH));
    assert_eq!(trace(), ["pre", "pre", "pre", "post"]);

    let row = Row::new(peers);
    write("sleep 60; echo late >> /run/trace", 0, true);
    row.check("34: a script that takes too long is ended", &expect("1", "success", 308, BOTH));
    assert_eq!(trace(), ["pre", "post"]);
    assert!(!alive("sleep"), "its processes are gone");
}

/// Scripts that leave a trace; `body` is what the first does.
pub(crate) fn write(body: &str, retries: u32, continues: bool) {
    let _ = fs::remove_file(TRACE);
    for (name, text) in [
        ("pre", format!("#!/bin/sh\necho pre >> {TRACE}\n{body}\n")),
        ("post", format!("#!/bin/sh\necho post >> {TRACE}\n")),
    ] {
        let path = format!("/run/{name}.sh");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    }
    let config = json!({
        "pluginName": "ScriptRunner",
        "preScriptLocation": "/run/pre.sh", "postScriptLocation": "/run/post.sh",
        "preScriptParams": [], "postScriptParams": [],
        "preScriptNoOfRetries": retries, "postScriptNoOfRetries": 0,
        "timeoutInSeconds": 2, "continueBackupOnFailure": continues, "fsFreezeEnabled": true,
        "ScriptsExecutionPollTimeSeconds": 1,
    });
    let path = "/etc/azure/VMSnapshotScriptPluginConfig.json";
    fs::write(path, config.to_string()).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

pub(crate) fn trace() -> Vec<String> {
    fs::read_to_string(TRACE).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn alive(program: &str) -> bool {
    // A process that ended but was not asked after has no command line any more.
    fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = fs::read(Path::new(&entry.path()).join("cmdline")).unwrap_or_default();
        line.starts_with(program.as_bytes())
    })
}
