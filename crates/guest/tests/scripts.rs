//! Scripts before and after a point: which are run, how they end, and that the second is never forgotten.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use coffre_guest::scripts::{OUTPUT_MAX, Plugin, Precheck, ScriptFiles, precheck, recover};
use serde_json::{Value, json};

struct World {
    folder: tempfile::TempDir,
}

impl World {
    /// A good configuration: both scripts write their name to a file.
    fn new() -> World {
        assert!(
            rustix::process::geteuid().is_root(),
            "scripts are root's, so their tests need root"
        );
        let world = World { folder: tempfile::tempdir().unwrap() };
        world.script("pre", "#!/bin/sh\necho pre >> \"$1\"\n");
        world.script("post", "#!/bin/sh\necho post >> \"$1\"\n");
        world.configure(&json!({}));
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn script(&self, name: &str, text: &str) {
        self.write(name, text, 0o700);
    }

    fn configure(&self, more: &Value) {
        let mut all = json!({
            "pluginName": "ScriptRunner",
            "preScriptLocation": self.path("pre"),
            "postScriptLocation": self.path("post"),
            "preScriptParams": [self.path("log"), 7],
            "postScriptParams": [self.path("log")],
            "timeoutInSeconds": 30,
            "ScriptsExecutionPollTimeSeconds": 1,
        });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.write("config", &all.to_string(), 0o600);
    }

    fn files(&self) -> ScriptFiles {
        ScriptFiles {
            host: self.path("host"),
            plugin: self.path("config"),
            workload: self.path("workload.conf"),
            state: self.path("state"),
            program: env!("CARGO_BIN_EXE_coffre-guest").into(),
        }
    }

    fn plugin(&self) -> Plugin {
        match precheck(&self.files()) {
            Precheck::Ready(plugin) => *plugin,
            other => panic!("{other:?}"),
        }
    }

    fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The code of the check, and whether a point is taken without scripts.
    fn code(&self) -> (u16, bool) {
        match precheck(&self.files()) {
            Precheck::Ready(_) => (0, true),
            Precheck::WithoutScripts(fault) => (fault.code, true),
            Precheck::Refused { fault, continues, .. } => (fault.code, continues),
        }
    }
}

#[test]
fn both_scripts_run_in_order() {
    let world = World::new();
    let plugin = world.plugin();
    assert!(plugin.continues_on_failure() && plugin.freezes());
    let (owed, outcome) = plugin.pre().unwrap();
    assert_eq!(outcome.unwrap().starts, 1);
    assert_eq!(world.log(), ["pre"]);
    owed.post().unwrap();
    assert_eq!(world.log(), ["pre", "post"]);
    assert!(recover(&world.files()).is_none());
}

#[test]
fn a_machine_without_configuration_has_code_316() {
    let world = World::new();
    fs::remove_file(world.path("config")).unwrap();
    assert_eq!(world.code(), (316, true));
}

#[test]
fn whatever_is_wrong_has_its_own_code() {
    let mode = |name: &'static str, mode: u32| {
        move |world: &World| {
            fs::set_permissions(world.path(name), fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    let loose = mode("pre", 0o755);
    let setuid = mode("post", 0o4700);
    let executable = mode("config", 0o700);
    let readable = mode("config", 0o640);
    type Case<'a> = (u16, &'a dyn Fn(&World));
    let cases: &[Case<'_>] = &[
        (302, &|w| fs::remove_file(w.path("pre")).unwrap()),
        (303, &|w| fs::remove_file(w.path("post")).unwrap()),
        (306, &loose),
        (307, &setuid),
        (306, &|w| chown(w.path("pre"), Some(65534), None).unwrap()),
        (306, &|w| fs::hard_link(w.path("pre"), w.path("second-name")).unwrap()),
        (307, &|w: &World| {
            fs::rename(w.path("post"), w.path("elsewhere")).unwrap();
            symlink(w.path("elsewhere"), w.path("post")).unwrap();
        }),
        (317, &executable),
        (317, &readable),
        (317, &|w| chown(w.path("config"), Some(65534), None).unwrap()),
        (305, &|w| w.write("config", "{", 0o600)),
        (305, &|w| w.configure(&json!({ "preScriptLocation": null }))),
        (314, &|w| w.write("host", "[pre_post]\ntimeoutInSeconds = 5\n", 0o666)),
        (304, &|w| w.write("host", "nonsense", 0o644)),
    ];
    for (code, change) in cases {
        let world = World::new();
        change(&world);
        assert_eq!(world.code().0, *code);
    }
}

#[test]
fn a_refused_script_stops_the_point_only_if_wished() {
    let world = World::new();
    fs::remove_file(world.path("pre")).unwrap();
    assert_eq!(world.code(), (302, true));
    world.configure(&json!({ "continueBackupOnFailure": false }));
    assert_eq!(world.code(), (302, false));
}

#[test]
fn folders_on_the_way_must_be_roots_alone() {
    let world = World::new();
    let folder = world.path("folder");
    fs::create_dir(&folder).unwrap();
    world.script("folder/pre", "#!/bin/sh\n");
    world.configure(&json!({ "preScriptLocation": folder.join("pre") }));
    assert_eq!(world.code().0, 0);
    symlink(&folder, world.path("link")).unwrap();
    world.configure(&json!({ "preScriptLocation": world.path("link/pre") }));
    assert_eq!(world.code().0, 306);
    world.configure(&json!({ "preScriptLocation": folder.join("../folder/pre") }));
    assert_eq!(world.code().0, 306);
    world.configure(&json!({ "preScriptLocation": folder.join("pre") }));
    for (mode, code) in [(0o777, 306), (0o1777, 0), (0o755, 0)] {
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(world.code().0, code, "{mode:o}");
    }
    chown(&folder, Some(65534), None).unwrap();
    assert_eq!(world.code().0, 306);
}

#[test]
fn what_was_checked_is_what_runs() {
    let world = World::new();
    // Without an interpreter of its own, and not executable: the shell runs it.
    world.write("pre", "echo $COFFRE_PHASE $2 ${HIDDEN-clean} $(pwd) >> $1\n", 0o600);
    let (owed, outcome) = world.plugin().pre().unwrap();
    outcome.unwrap();
    assert_eq!(world.log(), ["pre 7 clean /"]);
    // Replaced in the meantime by one that is not safe: it is not run, and that is said.
    fs::set_permissions(world.path("post"), fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(owed.post().unwrap_err().code, 307);
    assert_eq!(world.log().len(), 1);
}

#[test]
fn a_script_that_fails_says_why() {
    let world = World::new();
    world.script("pre", "#!/bin/sh\necho the disk is on fire >&2\nexit 3\n");
    world.script("post", "#!/bin/sh\nkill -9 $$\n");
    let (owed, outcome) = world.plugin().pre().unwrap();
    let fault = outcome.unwrap_err();
    assert_eq!(fault.code, 300);
    assert!(fault.what.ends_with("ended with 3. the disk is on fire"), "{fault}");
    let fault = owed.post().unwrap_err();
    assert_eq!(fault.code, 301);
    assert!(fault.what.contains("signal 9"), "{fault}");
}

#[test]
fn output_never_blocks_a_script() {
    let world = World::new();
    world.script("pre", "#!/bin/sh\nhead -c 8000000 /dev/zero | tr '\\0' x\n");
    let (owed, outcome) = world.plugin().pre().unwrap();
    assert_eq!(outcome.unwrap().output.len(), OUTPUT_MAX);
    owed.post().unwrap();
}

/// Whether what was killed is gone soon, and so did not end by itself: a kill is done when its target gets a processor.
fn ends(number: &str) -> bool {
    let until = Instant::now() + Duration::from_secs(10);
    while is_running(number) {
        if Instant::now() > until {
            return false;
        }
    }
    true
}

fn is_running(marker: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut lines = processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.any(|line| String::from_utf8_lossy(&line).contains(marker))
}

#[test]
fn a_script_that_takes_too_long_is_killed_with_all_it_started() {
    let world = World::new();
    // Numbers that nobody else sleeps for.
    world.script(
        "pre",
        "#!/bin/sh\ntrap '' TERM\nsleep 98.76501 &\nsleep 98.76502\nsleep 98.76503\n",
    );
    world.configure(&json!({ "timeoutInSeconds": 1 }));
    let begun = Instant::now();
    let (owed, outcome) = world.plugin().pre().unwrap();
    assert_eq!(outcome.unwrap_err().code, 308);
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    assert!(ends("98.7650"), "something of the script lives on");
    world.script("post", "#!/bin/sh\nsleep 98.76504\n");
    assert_eq!(owed.post().unwrap_err().code, 309);
    assert!(ends("98.7650"));
}

#[test]
fn retries_start_the_script_again() {
    let world = World::new();
    world.script("pre", "#!/bin/sh\necho try >> $1\n[ $(wc -l < $1) -ge 3 ]\n");
    world.configure(&json!({ "preScriptNoOfRetries": 4 }));
    let (owed, outcome) = world.plugin().pre().unwrap();
    assert_eq!(outcome.unwrap().starts, 3);
    assert_eq!(world.log(), ["try", "try", "try"]);
    owed.post().unwrap();
}

#[test]
fn a_session_that_a_good_script_leaves_open_stays_open() {
    let world = World::new();
    world.script("pre", "#!/bin/sh\nsleep 97.5 > /dev/null 2>&1 &\necho $! > $1\n");
    world.script("post", "#!/bin/sh\nkill $(cat $1)\n");
    let (owed, outcome) = world.plugin().pre().unwrap();
    outcome.unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while !is_running("97.5") {
        assert!(Instant::now() < until, "it was ended with its script");
    }
    owed.post().unwrap();
}

/// Runs in a process of its own, told by a variable; alone it does nothing.
#[test]
fn a_process_that_takes_a_point() {
    let Some(folder) = std::env::var_os("COFFRE_TEST_SCRIPTS") else { return };
    let folder = PathBuf::from(folder);
    let files = ScriptFiles {
        host: folder.join("host"),
        plugin: folder.join("config"),
        workload: folder.join("workload.conf"),
        state: folder.join("state"),
        program: env!("CARGO_BIN_EXE_coffre-guest").into(),
    };
    let Precheck::Ready(plugin) = precheck(&files) else { panic!("not configured") };
    let (owed, _) = plugin.pre().unwrap();
    std::thread::sleep(Duration::from_millis(20));
    owed.post().unwrap();
}

fn take_a_point_apart(folder: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_process_that_takes_a_point"])
        .env("COFFRE_TEST_SCRIPTS", folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Until nothing is owed: a runner that outlived its process may just be at work.
fn settle(world: &World) {
    let until = Instant::now() + Duration::from_secs(20);
    let state = world.path("state");
    let is_open = || ["owed", "paying"].iter().any(|name| state.join(name).exists());
    loop {
        recover(&world.files());
        if !is_open() && !is_running(world.folder.path().to_str().unwrap()) {
            return;
        }
        assert!(Instant::now() < until, "a script is owed for ever");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn one_script_after_for_each_before_whenever_we_are_killed() {
    let world = World::new();
    world.script("pre", "#!/bin/sh\necho pre >> $1\nsleep 0.02\n");
    world.script("post", "#!/bin/sh\nsleep 0.02\necho post >> $1\n");
    let mut killed = 0;
    for step in 0..40 {
        let mut worker = take_a_point_apart(world.folder.path());
        std::thread::sleep(Duration::from_millis(step * 4));
        killed += u32::from(worker.try_wait().unwrap().is_none());
        worker.kill().unwrap();
        worker.wait().unwrap();
        settle(&world);
    }
    let log = world.log();
    assert!(killed > 5 && log.len() > 20, "{killed} were killed, {} lines", log.len());
    for pair in log.chunks(2) {
        assert_eq!(pair, ["pre", "post"], "{log:?}");
    }
}

#[test]
fn a_runner_that_is_killed_halfway_is_replaced() {
    let world = World::new();
    world.script(
        "post",
        "#!/bin/sh\necho begun >> $1\n[ -e $1.go ] || sleep 96.123\necho post >> $1\n",
    );
    let mut worker = take_a_point_apart(world.folder.path());
    let until = Instant::now() + Duration::from_secs(20);
    let leader = loop {
        let begun = world.log().last().is_some_and(|line| line == "begun");
        let group = fs::read(world.path("state/group")).unwrap_or_default();
        match serde_json::from_slice::<Value>(&group) {
            Ok(leader) if begun => break leader,
            _ => assert!(Instant::now() < until, "the script did not begin"),
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let stat = fs::read_to_string(format!("/proc/{}/stat", leader["pid"])).unwrap();
    let runner: i32 =
        stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().parse().unwrap();
    worker.kill().unwrap();
    worker.wait().unwrap();
    let runner = rustix::process::Pid::from_raw(runner).unwrap();
    rustix::process::kill_process(runner, rustix::process::Signal::KILL).unwrap();
    fs::write(world.path("log.go"), "").unwrap();
    while recover(&world.files()).is_none() {
        assert!(Instant::now() < until, "nothing was owed");
    }
    assert_eq!(world.log(), ["pre", "begun", "begun", "post"]);
    assert!(!is_running("96.123"), "what the killed runner had started lives on");
}
