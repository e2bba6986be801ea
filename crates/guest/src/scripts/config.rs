//! The configuration of scripts, and what is checked before a point.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::trusted::{Distrust, open_trusted, read_trusted};
use super::{Phase, ScriptFault, ScriptFiles};
use crate::secret::Secret;

/// Longest time that a script can be given.
const TIMEOUT_MAX: Duration = Duration::from_secs(1800);
/// When the configuration says nothing.
const TIMEOUT_USUAL: f64 = 10.0;

/// One script, and how it is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Script {
    pub phase: Phase,
    pub path: PathBuf,
    pub params: Vec<String>,
    /// Of one start.
    pub timeout: Duration,
    pub retries: u32,
    /// Between two starts.
    pub pause: Duration,
    /// What it finds in its environment besides.
    #[serde(default)]
    pub environment: Vec<(String, String)>,
    /// Whether it is ours, for a database: its failures have other codes.
    #[serde(default)]
    pub of_workload: bool,
}

impl Script {
    /// The longest that all its starts can take.
    pub(super) fn budget(&self) -> Duration {
        (self.timeout + self.pause + Duration::from_secs(5)) * (self.retries + 1)
    }

    /// The code of an exit status. Our own scripts for databases say what failed: 66 is 506, 67 is 507, and so on.
    pub(super) fn code_of(&self, status: Option<i32>) -> u16 {
        match status {
            Some(number @ 66..=72) if self.of_workload => 506 + (number - 66) as u16,
            _ => self.phase.code(300, 301),
        }
    }

    /// A failure, with the code that a database's has.
    pub(super) fn named(&self, fault: ScriptFault) -> ScriptFault {
        let code = match fault.code {
            308 => 509,
            300 | 302 | 306 => 500,
            301 | 303 | 307 | 309 => 504,
            other => other,
        };
        if self.of_workload { ScriptFault { code, ..fault } } else { fault }
    }
}

/// A pair of scripts that can be run.
#[derive(Debug, Clone)]
pub struct Plugin {
    pub(super) files: ScriptFiles,
    pub(super) name: String,
    pub(super) pre: Script,
    pub(super) post: Script,
    continues: bool,
    freezes: bool,
}

impl Plugin {
    /// A pair of ours, for a database. A point is taken whatever comes of it.
    pub(super) fn of_workload(
        files: &ScriptFiles,
        name: &str,
        pre: Script,
        post: Script,
    ) -> Plugin {
        let (files, name) = (files.clone(), name.to_owned());
        Plugin { files, name, pre, post, continues: true, freezes: true }
    }

    /// Whether it is a pair of ours, for a database.
    pub fn is_of_workload(&self) -> bool {
        self.pre.of_workload
    }

    /// Parameters that may be passwords, as they stand.
    pub fn secrets(&self) -> Vec<Secret> {
        let words = self.pre.params.iter().filter(|_| self.pre.of_workload);
        words.filter_map(|word| password(word)).map(|text| Secret::new(text.to_owned())).collect()
    }

    /// Its name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a point is taken even if a script fails; it is file-system-consistent then.
    pub fn continues_on_failure(&self) -> bool {
        self.continues
    }

    /// Whether file systems are frozen besides.
    pub fn freezes(&self) -> bool {
        self.freezes
    }
}

/// What the configuration comes to.
#[derive(Debug)]
pub enum Precheck {
    /// There are no scripts to run, and the point is taken without. Code 316, the usual case, means that nobody
    /// configured any; 304, 305, 314 and 317 mean that the configuration cannot be used.
    WithoutScripts(ScriptFault),
    /// A script is missing (302, 303) or not safe to run (306, 307).
    Refused {
        /// Which, and why.
        fault: ScriptFault,
        /// Whether the point is taken without scripts.
        continues: bool,
        /// The name of the plugin.
        name: String,
    },
    /// Both scripts can be run.
    Ready(Box<Plugin>),
}

/// Reads the configuration and checks everything that can be checked before a point.
pub fn precheck(files: &ScriptFiles) -> Precheck {
    let host = match host(files) {
        Ok(host) => host,
        Err(fault) => return Precheck::WithoutScripts(fault),
    };
    let path = host.plugin.as_ref().unwrap_or(&files.plugin);
    let config = match read_trusted(path, |bits| bits & 0o177 == 0) {
        Ok(text) => plugin(&text, &host, files)
            .map_err(|what| ScriptFault::new(305, format!("{}: {what}", path.display()))),
        Err(Distrust::Missing) => {
            Err(ScriptFault::new(316, format!("{} is not there", path.display())))
        }
        Err(Distrust::Unsafe(what) | Distrust::Failed(what)) => Err(ScriptFault::new(317, what)),
    };
    let plugin = match config {
        Ok(plugin) => plugin,
        Err(fault) => return Precheck::WithoutScripts(fault),
    };
    for script in [&plugin.pre, &plugin.post] {
        if let Err(fault) = check(script) {
            let Plugin { continues, name, .. } = plugin;
            return Precheck::Refused { fault, continues, name };
        }
    }
    Precheck::Ready(Box::new(plugin))
}

/// Whether a script is there, and safe to run.
pub(super) fn check(script: &Script) -> Result<std::fs::File, ScriptFault> {
    let phase = script.phase;
    match open_trusted(&script.path) {
        Ok((file, stat)) if stat.st_mode & 0o077 == 0 => Ok(file),
        Ok((_, stat)) => {
            let (path, bits) = (script.path.display(), stat.st_mode & 0o777);
            let what = format!("{path} has mode {bits:o}; only root may have rights, as in 700");
            Err(ScriptFault::new(phase.code(306, 307), what))
        }
        Err(Distrust::Missing) => {
            let what = format!("{} is not there", script.path.display());
            Err(ScriptFault::new(phase.code(302, 303), what))
        }
        Err(Distrust::Unsafe(what) | Distrust::Failed(what)) => {
            Err(ScriptFault::new(phase.code(306, 307), what))
        }
    }
}

/// The settings of the host of plugins.
#[derive(Debug)]
struct Host {
    /// Where the configuration is, if not in the usual place.
    plugin: Option<PathBuf>,
    /// Longest time of any script.
    timeout: Duration,
}

fn host(files: &ScriptFiles) -> Result<Host, ScriptFault> {
    // Group and others may read, and no more.
    let allows = |bits: u32| bits & 0o033 == 0;
    match read_trusted(&files.host, allows) {
        Ok(text) => host_settings(&text)
            .map_err(|what| ScriptFault::new(304, format!("{}: {what}", files.host.display()))),
        // The usual case: what the package would say is built in.
        Err(Distrust::Missing) => Ok(Host { plugin: None, timeout: TIMEOUT_MAX }),
        Err(Distrust::Unsafe(what) | Distrust::Failed(what)) => Err(ScriptFault::new(314, what)),
    }
}

fn host_settings(text: &str) -> Result<Host, String> {
    let mut section = "";
    let mut host = Host { plugin: None, timeout: TIMEOUT_MAX };
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            section = name.strip_suffix(']').ok_or("a section without an end")?;
            continue;
        }
        let (key, value) = line.split_once(['=', ':']).ok_or("a line without a value")?;
        let (key, value) = (key.trim(), value.trim());
        if section != "pre_post" {
            continue;
        }
        if key.eq_ignore_ascii_case("pluginConfigPath0") {
            host.plugin = Some(PathBuf::from(value));
        } else if key.eq_ignore_ascii_case("timeoutInSeconds") {
            let seconds: u64 = value.parse().map_err(|_| format!("{value} is no number"))?;
            host.timeout = Duration::from_secs(seconds.max(1)).min(TIMEOUT_MAX);
        }
    }
    Ok(host)
}

fn plugin(text: &str, host: &Host, files: &ScriptFiles) -> Result<Plugin, String> {
    let value: Value = serde_json::from_str(text).map_err(|failure| failure.to_string())?;
    let pause = number(&value, "ScriptsExecutionPollTimeSeconds").unwrap_or(3.0).clamp(1.0, 5.0);
    let timeout = number(&value, "timeoutInSeconds").unwrap_or(TIMEOUT_USUAL).max(1.0);
    let timeout = Duration::try_from_secs_f64(timeout).unwrap_or(TIMEOUT_MAX).min(host.timeout);
    let script = |phase: Phase| -> Result<Script, String> {
        let key = |end: &str| format!("{}Script{end}", phase.name());
        let path = value[key("Location")].as_str().filter(|path| !path.is_empty());
        let path = path.ok_or_else(|| format!("{} is missing", key("Location")))?;
        let retries = number(&value, &key("NoOfRetries")).unwrap_or(0.0).clamp(0.0, 10.0);
        Ok(Script {
            phase,
            path: Path::new(path).to_owned(),
            params: value[key("Params")].as_array().into_iter().flatten().map(as_text).collect(),
            timeout,
            // Clamped above.
            retries: retries as u32,
            pause: Duration::from_secs_f64(pause),
            environment: Vec::new(),
            of_workload: false,
        })
    };
    Ok(Plugin {
        files: files.clone(),
        name: value["pluginName"].as_str().unwrap_or("ScriptRunner").to_owned(),
        pre: script(Phase::Pre)?,
        post: script(Phase::Post)?,
        continues: flag(&value, "continueBackupOnFailure"),
        freezes: flag(&value, "fsFreezeEnabled"),
    })
}

/// The password in an option of a client of a database: `-pX`, `--password=X`, `password=X`.
fn password(word: &str) -> Option<&str> {
    let after = |mark: &str| {
        let at = word.to_ascii_lowercase().find(mark)?;
        word.get(at + mark.len()..)
    };
    let short = || word.strip_prefix("-p").filter(|rest| rest.parse::<u16>().is_err());
    after("password=").or_else(short).filter(|text| !text.is_empty())
}

/// A parameter may be written as a number.
fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn number(value: &Value, key: &str) -> Option<f64> {
    let value = &value[key];
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|n| n.is_finite())
}

/// True unless it says otherwise.
fn flag(value: &Value, key: &str) -> bool {
    match &value[key] {
        Value::Bool(flag) => *flag,
        Value::String(text) => !text.eq_ignore_ascii_case("false"),
        _ => true,
    }
}

/// What the fuzzer calls.
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz {
    use super::*;

    /// Whatever is configured, a script has its limits.
    pub(crate) fn config(text: &str) {
        let host = Host { plugin: None, timeout: TIMEOUT_MAX };
        let Ok(plugin) = plugin(text, &host, &ScriptFiles::default()) else { return };
        for script in [&plugin.pre, &plugin.post] {
            assert!(script.timeout >= Duration::from_secs(1) && script.timeout <= TIMEOUT_MAX);
            assert!(script.retries <= 10 && script.pause <= Duration::from_secs(5));
            assert!(script.budget() < Duration::from_secs(24 * 3600));
            assert!(!script.path.as_os_str().is_empty());
        }
    }

    /// The same of the host of scripts.
    pub(crate) fn host(text: &str) {
        if let Ok(host) = host_settings(text) {
            assert!(host.timeout >= Duration::from_secs(1) && host.timeout <= TIMEOUT_MAX);
        }
    }
}
