//! `/etc/azure/workload.conf`: a database of this machine is named, and the shipped pair of scripts for it is run.
//!
//! A file that names no database is as good as none. One that names a database takes the place of the administrator's
//! own scripts: never are both run. Whatever is wrong then, the point is taken, and the report says why it is not
//! application-consistent.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::config::Script;
use super::trusted::{Distrust, read_trusted, trusted_folder};
use super::words::words;
use super::{Phase, Plugin, ScriptFault, ScriptFiles};
use crate::conf::Conf;
use crate::file;

/// What `install` puts there. A file that differs from this is the administrator's.
pub(crate) const TEMPLATE: &str = include_str!("../../workloads/workload.conf");

/// Larger files are no such configurations.
const BYTES_MAX: usize = 64 * 1024;
/// How long a database may be held when the file says nothing, and at most; in seconds.
const LIMIT_USUAL: u64 = 90;
const LIMIT_MAX: u64 = 1800;
/// What the script before a point is given besides, to end by itself.
const SLACK: Duration = Duration::from_secs(5);
/// The script after a point holds nothing; it only asks whether all is well.
const POST: Duration = Duration::from_secs(60);

/// What the file comes to.
#[derive(Debug)]
pub enum Workload {
    /// There is none, or it names no database.
    None,
    /// It cannot be heeded: others than root can write it (501), or the name is unknown (503). The administrator's own
    /// scripts are run, if there are any.
    Ignored(ScriptFault),
    /// It names a database, and cannot be carried out (500 to 505). The point is taken without scripts.
    Refused(ScriptFault),
    /// The shipped pair, ready to be run.
    Ready(Box<Plugin>),
}

/// A file that is as it should be.
#[derive(Debug)]
struct Orders {
    pair: &'static Pair,
    clients: Option<PathBuf>,
    user: Option<String>,
    words: Vec<String>,
    limit: Duration,
}

/// Scripts that are shipped.
#[derive(Debug)]
struct Pair {
    folder: &'static str,
    pre: &'static str,
    post: &'static str,
}

const MYSQL: Pair = Pair {
    folder: "mysql",
    pre: include_str!("../../workloads/mysql/pre.sh"),
    post: include_str!("../../workloads/mysql/post.sh"),
};

const POSTGRESQL: Pair = Pair {
    folder: "postgresql",
    pre: include_str!("../../workloads/postgresql/pre.sh"),
    post: include_str!("../../workloads/postgresql/post.sh"),
};

/// Reads the file and makes the scripts ready.
pub fn workload(files: &ScriptFiles) -> Workload {
    // Group and others may read, and no more.
    let text = match read_trusted(&files.workload, |bits| bits & 0o033 == 0) {
        Ok(text) => text,
        Err(Distrust::Missing) => return Workload::None,
        Err(Distrust::Unsafe(what) | Distrust::Failed(what)) => {
            return Workload::Ignored(ScriptFault::new(501, what));
        }
    };
    match orders(&text) {
        Ok(None) => Workload::None,
        Ok(Some(orders)) => match ready(files, &orders) {
            Ok(plugin) => Workload::Ready(Box::new(plugin)),
            Err(fault) => Workload::Refused(fault),
        },
        Err(wrong) => {
            let what = format!("{}: {}", files.workload.display(), wrong.fault.what);
            let fault = ScriptFault::new(wrong.fault.code, what);
            if wrong.names_one { Workload::Refused(fault) } else { Workload::Ignored(fault) }
        }
    }
}

/// Why a file is not carried out.
#[derive(Debug)]
struct Wrong {
    fault: ScriptFault,
    /// Whether it names a database that the extension knows by name.
    names_one: bool,
}

fn orders(text: &str) -> Result<Option<Orders>, Wrong> {
    let conf = Conf::parse(text);
    let get = |key: &str| conf.get("workload", key).map(unquoted).filter(|value| !value.is_empty());
    let Some(name) = get("workload_name") else { return Ok(None) };
    let wrong = |code: u16, what: String| {
        let names_one = matches!(name, "oracle" | "mysql" | "mariadb" | "postgres");
        Wrong { fault: ScriptFault::new(code, what), names_one }
    };
    let pair = match name {
        "mysql" | "mariadb" => &MYSQL,
        "postgres" => &POSTGRESQL,
        "oracle" => {
            let what = "Oracle is not supported here; leave workload_name empty and name scripts of \
                        your own in VMSnapshotScriptPluginConfig.json";
            return Err(wrong(503, what.to_owned()));
        }
        _ => {
            let what = "workload_name is none of mysql, mariadb, postgres and oracle, so the file is ignored";
            return Err(wrong(503, what.to_owned()));
        }
    };
    let parsed = |what: String| wrong(501, what);
    if text.len() > BYTES_MAX {
        return Err(parsed(format!("it has more than {BYTES_MAX} bytes")));
    }
    conf.check("workload").map_err(parsed)?;
    if get("customScriptEnabled").is_some_and(|value| value != "0") {
        let what = "customScriptEnabled is not supported; leave workload_name empty and name the \
                    scripts in VMSnapshotScriptPluginConfig.json";
        return Err(parsed(what.to_owned()));
    }
    let role = get("role").unwrap_or("master").to_ascii_lowercase();
    let only_slaves = get("enforceSlaveOnly").is_some_and(|value| value != "0");
    match role.as_str() {
        "slave" => {}
        "master" if !only_slaves => {}
        "master" => {
            return Err(wrong(502, "the role is master, and enforceSlaveOnly is set".into()));
        }
        _ => return Err(wrong(502, "the role is neither master nor slave".to_owned())),
    }
    let (credentials, user) = (get("credString"), get("linux_user"));
    if credentials.is_none() && user.is_none() {
        return Err(wrong(505, "neither credString nor linux_user is given".to_owned()));
    }
    if user.is_some_and(|user| !is_user(user)) {
        return Err(parsed("linux_user is not the name of a user".to_owned()));
    }
    Ok(Some(Orders {
        pair,
        clients: get("command_path").map(folder).transpose().map_err(parsed)?,
        user: user.map(str::to_owned),
        words: words(credentials.unwrap_or_default())
            .map_err(|what| parsed(format!("credString {what}")))?,
        limit: limit(get("timeout")).map_err(parsed)?,
    }))
}

/// A value may stand in quotes, as in a shell.
fn unquoted(value: &str) -> &str {
    let inside = |mark: char| value.strip_prefix(mark)?.strip_suffix(mark);
    // Quotes within, as in `"a" "b"`, are for the words of a command.
    inside('"').or_else(|| inside('\'')).filter(|text| !text.contains(['"', '\''])).unwrap_or(value)
}

fn folder(value: &str) -> Result<PathBuf, String> {
    let path = Path::new(value);
    match path.is_absolute() && !value.contains([':', '\n']) {
        true => Ok(path.to_owned()),
        false => Err("command_path is not absolute".to_owned()),
    }
}

fn limit(value: Option<&str>) -> Result<Duration, String> {
    let seconds = match value {
        None => LIMIT_USUAL,
        Some(text) => text.parse().map_err(|_| "timeout is no number of seconds".to_owned())?,
    };
    Ok(Duration::from_secs(seconds.clamp(1, LIMIT_MAX)))
}

/// The names that `useradd` makes.
fn is_user(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    name.len() <= 32 && !name.starts_with(['-', '.']) && name.bytes().all(fits)
}

/// Puts the scripts where the runner finds them: in memory, and root's alone.
fn ready(files: &ScriptFiles, orders: &Orders) -> Result<Plugin, ScriptFault> {
    let clients = match &orders.clients {
        None => String::new(),
        Some(path) => trusted_folder(path)
            .map_err(|why| ScriptFault::new(501, format!("command_path: {why}")))?
            .to_string_lossy()
            .into_owned(),
    };
    let place = files.state.join("shipped").join(orders.pair.folder);
    let put = |phase: Phase, text: &str| -> io::Result<PathBuf> {
        DirBuilder::new().recursive(true).mode(0o700).create(&place)?;
        let path = place.join(format!("{}.sh", phase.name()));
        let temporary = place.join(format!(".{}.new", phase.name()));
        file::replace(&path, &temporary, text.as_bytes(), 0o700)?;
        Ok(path)
    };
    let environment = vec![
        ("COFFRE_CLIENTS".to_owned(), clients),
        ("COFFRE_USER".to_owned(), orders.user.clone().unwrap_or_default()),
        ("COFFRE_LIMIT".to_owned(), orders.limit.as_secs().to_string()),
    ];
    let script = |phase: Phase, text: &str, timeout: Duration| -> Result<Script, ScriptFault> {
        let path = put(phase, text).map_err(|failure| {
            ScriptFault::new(500, format!("{} cannot be written: {failure}", place.display()))
        })?;
        let (params, environment) = (orders.words.clone(), environment.clone());
        let (retries, pause) = (0, Duration::ZERO);
        let of_workload = true;
        Ok(Script { phase, path, params, timeout, retries, pause, environment, of_workload })
    };
    let pre = script(Phase::Pre, orders.pair.pre, orders.limit + SLACK)?;
    let post = script(Phase::Post, orders.pair.post, POST)?;
    Ok(Plugin::of_workload(files, orders.pair.folder, pre, post))
}

/// What the fuzzer calls.
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz {
    use super::*;

    /// Whatever is written there: no word reaches a shell but as a parameter, and nothing is held for ever.
    pub(crate) fn conf(text: &str) {
        let orders = match orders(text) {
            Ok(Some(orders)) => orders,
            Ok(None) => return,
            Err(wrong) => {
                assert!((501..=505).contains(&wrong.fault.code) && !wrong.fault.what.is_empty());
                return;
            }
        };
        assert!(text.len() <= BYTES_MAX);
        assert!((1..=LIMIT_MAX).contains(&orders.limit.as_secs()));
        assert!(orders.clients.iter().all(|path| path.is_absolute()));
        assert!(orders.user.iter().all(|user| !user.is_empty() && is_user(user)));
        assert!(orders.words.iter().all(|word| !word.chars().any(char::is_control)));
        assert!(orders.words.len() <= super::super::words::WORDS_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(body: &str) -> u16 {
        match orders(&format!("[workload]\n{body}\n")) {
            Ok(Some(_)) => 0,
            Ok(None) => 1,
            Err(wrong) => wrong.fault.code + if wrong.names_one { 0 } else { 1000 },
        }
    }

    #[test]
    fn each_mistake_has_its_code() {
        for (body, expected) in [
            ("workload_name = mysql\nlinux_user = root", 0),
            ("workload_name = \"mariadb\"\ncredString = --defaults-file=/etc/b.cnf", 0),
            (
                "workload_name = postgres\nlinux_user = postgres\nrole = slave\nenforceSlaveOnly = 1",
                0,
            ),
            ("", 1),
            ("workload_name =\nrole = nonsense", 1),
            ("workload_name = Mysql\nlinux_user = root", 1503),
            ("workload_name = oracle\nlinux_user = oracle", 503),
            ("workload_name = mysql", 505),
            ("workload_name = mysql\ncredString = ''", 505),
            ("workload_name = mysql\nlinux_user = root\nrole = both", 502),
            ("workload_name = mysql\nlinux_user = root\nenforceSlaveOnly = 1", 502),
            ("workload_name = mysql\nlinux_user = root; rm -rf /", 501),
            ("workload_name = mysql\nlinux_user = -c", 501),
            ("workload_name = mysql\nlinux_user = root\ntimeout = soon", 501),
            ("workload_name = mysql\nlinux_user = root\ncommand_path = bin", 501),
            ("workload_name = mysql\nlinux_user = root\ncredString = '-p", 501),
            ("workload_name = mysql\nlinux_user = root\ncustomScriptEnabled = 1", 501),
            ("workload_name = mysql\nlinux_user = root\nnonsense", 501),
            ("workload_name = mysql\nlinux_user = root\nlinux_user = other", 501),
        ] {
            assert_eq!(code(body), expected, "{body}");
        }
        assert_eq!(
            code(&format!("workload_name=mysql\nlinux_user=a\n#{}", "x".repeat(BYTES_MAX))),
            501
        );
    }

    #[test]
    fn what_means_something_is_taken_over() {
        let text = "[Workload]\nworkload_name=mysql\ncommand_path=/opt/m/bin/\nlinux_user=mysql\n\
                    credString=--defaults-file=\"/etc/my backup.cnf\" -P 3307\ntimeout=99999\n\
                    ipc_folder=/x\n[logbackup]\nnonsense\n";
        let orders = orders(text).unwrap().unwrap();
        assert_eq!(orders.words, ["--defaults-file=/etc/my backup.cnf", "-P", "3307"]);
        assert_eq!(orders.clients.as_deref(), Some(Path::new("/opt/m/bin/")));
        assert_eq!((orders.user.as_deref(), orders.limit.as_secs()), (Some("mysql"), LIMIT_MAX));
    }

    #[test]
    fn the_template_names_no_database() {
        assert!(matches!(orders(TEMPLATE), Ok(None)));
        let named = TEMPLATE.replace("workload_name =", "workload_name = mysql");
        assert_eq!(orders(&named).unwrap_err().fault.code, 505);
    }
}
