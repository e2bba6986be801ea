//! Results that used to get lost: duplicates, missing fields, crashes.

use std::fs;

use serde_json::{Value, json};

use super::sandbox::agent::has;
use super::sandbox::servers::Shared;
use super::{Row, expect, soon};

const BOTH: Option<&[bool]> = Some(&[true, true]);

pub(crate) fn rows(peers: &Shared) {
    duplicates(peers);
    missing(peers);
    crashes(peers);
}

fn duplicates(peers: &Shared) {
    let row = Row::new(peers);
    let first = row.check("42", &expect("1", "success", 1, BOTH));
    let again = row.agent.enable(1);
    assert_eq!(again.file, first.file, "the same number: nothing changes");
    assert_eq!(row.snapshots_taken(), 2);

    row.write(2);
    let second = row.agent.enable(2);
    assert_eq!(second.file, first.file, "10: the same task: its result is given again");
    assert_eq!(row.snapshots_taken(), 2);
    assert!(has(&row.agent.home.join("status"), "1_status"), "put away");
    let settings = fs::read_to_string(row.agent.settings_path(2)).unwrap();
    assert!(!settings.contains("protectedSettings\""), "secrets go on this way too");
    println!("scenario 10: the earlier result is given again");
}

fn missing(peers: &Shared) {
    let mut row = Row::new(peers);
    row.object = Value::Null;
    row.custom = Value::Null;
    row.check("11: the article's shape of settings works", &expect("1", "success", 1, BOTH));

    let mut row = Row::new(peers);
    row.public.as_object_mut().unwrap().remove("vmType");
    row.check("32: reported as for Resource Manager", &expect("1", "success", 1, BOTH));

    let mut row = Row::new(peers);
    row.object = Value::Null;
    row.public["objectStr"] = "%%%".into();
    row.check("bad objectStr: a result", &expect("11", "error", 11, None));

    let mut row = Row::new(peers);
    row.disks(0);
    row.check("no disks: a result", &expect("76", "error", 76, None));

    let mut row = Row::new(peers);
    row.public.as_object_mut().unwrap().remove("commandToExecute");
    row.check("no command: a result", &expect("2", "error", 2, None));

    // An envelope for another machine, and nothing else.
    let row = Row::new(peers);
    let path = row.agent.settings_path(1);
    let settings = json!({"runtimeSettings": [{"handlerSettings": {
        "publicSettings": {}, "protectedSettings": "AAAA", "protectedSettingsCertThumbprint": "00AA"}}]});
    fs::write(path, settings.to_string()).unwrap();
    let ended = row.agent.enable(1);
    row.compare("unreadable: a result", &expect("16", "error", 16, None), &ended);

    let row = Row::new(peers);
    fs::write(row.agent.settings_path(1), "no JSON").unwrap();
    let ended = row.agent.enable(1);
    row.compare("no JSON: a result", &expect("16", "error", 16, None), &ended);
}

/// The worker is killed while it waits for the host, all being frozen.
fn crashes(peers: &Shared) {
    let mut row = Row::new(peers);
    row.way("onlyHost");
    row.dosnapshot(&[]);
    row.peers.lock().unwrap().dosnapshot.as_mut().unwrap().after =
        std::time::Duration::from_secs(60);
    row.write(1);
    assert!(row.agent.call("enable", 1).status.success());
    let asked = || {
        let peers = row.peers.lock().unwrap();
        peers.host_calls.iter().any(|call| call.target.contains("/dosnapshot"))
    };
    assert!(soon(asked), "the host is asked");
    let worker = process("worker").expect("the worker runs");
    rustix::process::kill_process(worker, rustix::process::Signal::KILL).unwrap();
    let ended = row.agent.ended(1);
    row.compare("killed: a result", &expect("2", "error", 2, None), &ended);
    let message = ended.inner[0]["status"]["formattedMessage"]["message"].as_str().unwrap();
    assert!(message.contains("signal 9"), "{message}");
    println!("scenario killed worker: code 2, in file and blob");
}

/// The process that runs a verb of the program.
fn process(verb: &str) -> Option<rustix::process::Pid> {
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        if words.nth(1) == Some(verb.as_bytes())
            && let Ok(number) = name.parse()
        {
            return rustix::process::Pid::from_raw(number);
        }
    }
    None
}
