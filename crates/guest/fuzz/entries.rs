//! What the fuzzer calls: one function for each parser of bytes that come from an agent, a service, a host, a storage, an
//! administrator or another process. Each says what holds for any input; what the fuzzer found is replayed by the test
//! below.

use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;
use zeroize::Zeroizing;

use crate::command::Command;
use crate::conf::BackupConf;
use crate::environment::Environment;
use crate::net::{Response, Sas, read_response};
use crate::settings::Settings;
use crate::{
    adopt, channel, cms, freeze, hostsvc, identity, json, net, package, scripts, sequence, ticks,
};

/// A parser as the fuzzer knows it.
pub type Entry = (&'static str, fn(&[u8]));

/// All of them, by the names of their targets.
pub const ENTRIES: &[Entry] = &[
    ("adopt_request", adopt_request),
    ("backup_conf", backup_conf),
    ("blob_list", blob_list),
    ("blob_address", blob_address),
    ("channel_answer", channel_answer),
    ("envelope", envelope),
    ("freeze_words", freeze_words),
    ("handler_environment", handler_environment),
    ("host_answer", host_answer),
    ("hosting_xml", hosting_xml),
    ("http_answer", http_answer),
    ("mount_table", mount_table),
    ("package_tail", package_tail),
    ("package_zip", package_zip),
    ("program_header", program_header),
    ("proxy", proxy),
    ("script_config", script_config),
    ("script_host", script_host),
    ("settings", settings),
    ("status_file", status_file),
    ("stripping", stripping),
    ("ticks", ticks),
    ("workload_conf", workload_conf),
];

/// What the service asks when it puts a package into the machine: what passes leads nowhere else.
pub fn adopt_request(bytes: &[u8]) {
    let Ok(request) = serde_json::from_slice::<adopt::Request>(bytes) else { return };
    if adopt::check_names(&request).is_ok() {
        let home = format!("{}-{}", request.name, request.version);
        assert_eq!(Path::new("/h").join(home).parent(), Some(Path::new("/h")));
        let inside = |path: &Path| {
            path.components().all(|part| matches!(part, std::path::Component::Normal(_)))
        };
        assert!(request.files.iter().all(|file| inside(&file.path)));
    }
}

/// What an administrator decides: whatever he writes, a freeze has its limits.
pub fn backup_conf(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let conf = BackupConf::parse(text);
    assert!((1..=60).contains(&conf.ceiling_seconds()));
    assert!(conf.mounts_to_skip().iter().all(|path| !path.is_empty() && !path.contains(',')));
    assert!(conf.snapshot_method().is_none_or(|method| !method.is_empty()));
    let _ = (conf.is_sequential(), conf.uploads(), conf.writes_log(), conf.writes_events());
}

/// A command in either shape, and in it the list of disks: what came is echoed, and no secret shows.
pub fn blob_list(bytes: &[u8]) {
    let Ok(Value::Array(parts)) = serde_json::from_slice::<Value>(bytes) else { return };
    let mut parts = parts.into_iter();
    let mut part = || parts.next().unwrap_or(Value::Null);
    let (public, protected) = (part(), part());
    let settings = Settings { public, protected, unreadable: None };
    let command = Command::of(&settings);
    assert!(command.blobs.iter().flatten().count() <= 1024 && command.disks.luns.len() <= 1024);
    for sas in command.blobs.iter().flatten().chain(&command.logs_blob) {
        let secret = sas.secret();
        let shown = format!("{sas:?}");
        assert!(secret.expose().is_empty() || !shown.contains(&format!("?{}", secret.expose())));
    }
    let body = hostsvc::dosnapshot_body(&command, None);
    assert!(body.is_ascii() && serde_json::from_str::<Value>(&body).is_ok());
}

/// The address of a blob: none breaks out of a line of HTTP.
pub fn blob_address(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(sas) = Sas::parse(text) {
        let line = format!("PUT {} HTTP/1.1 {}", sas.target("&comp=snapshot"), sas.host());
        assert!(line.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
        assert_eq!(line.matches(' ').count(), 3);
        assert!(!sas.public().contains('?'));
    }
}

/// What the host says when it has its point.
pub fn channel_answer(bytes: &[u8]) {
    let Ok(answer) = serde_json::from_slice::<channel::Answer>(bytes) else { return };
    // Whoever does not know the nonce can say no, and never yes.
    if channel::is_answer(&answer, "nonce of this run", "task") && answer.ok {
        assert_eq!(answer.nonce.as_deref(), Some("nonce of this run"));
    }
}

/// Protected settings: nobody who has not our certificate makes some, and nothing makes us fall over.
pub fn envelope(bytes: &[u8]) {
    let _ = cms::parse(bytes);
    let (certificate, key) = keys();
    assert!(cms::open(bytes, certificate, key).is_err(), "an envelope for a key of this process");
}

/// What worker and freezer say to each other.
pub fn freeze_words(bytes: &[u8]) {
    freeze::fuzz::words(bytes);
}

/// Where an agent says we are.
pub fn handler_environment(bytes: &[u8]) {
    if let Ok(environment) = Environment::parse(Path::new("/h/Name-1.2"), bytes) {
        let _ = (environment.extension_version(), environment.folder_name());
    }
}

/// Answers of the snapshot service of a host. The first byte says which.
pub fn host_answer(bytes: &[u8]) {
    let Some((kind, body)) = bytes.split_first() else { return };
    let status = [200, 201, 400, 500, 503, 556][usize::from(kind >> 2) % 6];
    let response = Response { status, headers: Vec::new(), body: body.to_vec() };
    if kind & 1 == 0 {
        let answer = hostsvc::read_presnapshot(&response, kind & 2 != 0);
        assert!(answer.offers() == matches!(answer.code, 200 | 201));
    } else {
        let answer = hostsvc::read_dosnapshot(&response);
        json::render(&answer.snapshots).expect("a report of what a host said");
    }
}

/// The file in which an agent names the machine: what is taken fits into a file name.
pub fn hosting_xml(bytes: &[u8]) {
    if let Some(guid) = identity::role_guid(&String::from_utf8_lossy(bytes)) {
        assert!(guid.len() <= 64 && !guid.contains('/'));
    }
}

/// An answer over HTTP: never more than was allowed.
pub fn http_answer(bytes: &[u8]) {
    let Some((limit, mut rest)) = bytes.split_first() else { return };
    let limit = usize::from(*limit);
    if let Ok(response) = read_response(&mut rest, limit) {
        assert!(response.body.len() <= limit);
        let _ = (response.text(), response.header("x-ms-snapshot"), response.is_ok());
    }
}

/// The kernel's table of mounts, in which anybody who may mount chooses the names.
pub fn mount_table(bytes: &[u8]) {
    freeze::fuzz::table(bytes);
}

/// A package: nobody without the key makes one.
pub fn package_tail(bytes: &[u8]) {
    static TRUSTED: OnceLock<package::TrustedKey> = OnceLock::new();
    let trusted = TRUSTED
        .get_or_init(|| package::SigningKey::generate().expect("random numbers").0.trusted());
    assert!(package::Package::verify(bytes, std::slice::from_ref(trusted)).is_err());
}

/// What is inside of a package whose signature is good.
pub fn package_zip(bytes: &[u8]) {
    if let Ok(package) = package::Package::unverified(bytes)
        && let Ok(contents) = package.contents()
    {
        let total: usize = contents.iter().map(|content| content.bytes.len()).sum();
        assert!(total <= 64 << 20, "more than a package holds");
    }
}

/// A program that is to be shipped.
pub fn program_header(bytes: &[u8]) {
    if package::check_program(bytes).is_ok() {
        assert!(bytes.starts_with(b"\x7fELF"));
    }
}

/// Where a proxy is, and after a NUL what it answers.
pub fn proxy(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let Ok(setting) = std::str::from_utf8(&bytes[..end]) else { return };
    net::proxy_fuzz::proxy(setting, bytes.get(end + 1..).unwrap_or_default());
}

/// The configuration of scripts.
pub fn script_config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    scripts::fuzz::config(text);
}

/// The settings of the host of scripts.
pub fn script_host(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    scripts::fuzz::host(text);
}

/// A settings file with keys of this machine.
pub fn settings(bytes: &[u8]) {
    let (certificate, key) = keys();
    let given = |_: &str| Ok((certificate.to_vec(), Zeroizing::new(key.to_vec())));
    if let Ok(settings) = Settings::parse(bytes, given) {
        assert!(settings.public.is_object() && settings.protected.is_object());
        let _ = Command::of(&settings).secrets();
    }
}

/// A status that an earlier run left.
pub fn status_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = (sequence::code_of(text), sequence::inner_report(text));
}

/// Taking the secrets out of a settings file: none stays, and what was public stays what it was.
pub fn stripping(bytes: &[u8]) {
    let Ok(Some(stripped)) = crate::settings::without_secrets(bytes) else { return };
    // What an administrator calls so among the public settings is none. Those may be nested too deeply to be read.
    if let Ok(Value::Object(document)) = serde_json::from_str(&stripped) {
        let runtimes = document["runtimeSettings"].as_array().expect("it was a list");
        let stays = |runtime: &Value| runtime["handlerSettings"].get("protectedSettings").is_some();
        assert!(!runtimes.iter().any(stays), "a secret stayed");
    }
    let none = |_: &str| Err(std::io::Error::other("no key"));
    let (before, after) =
        (Settings::parse(bytes, none), Settings::parse(stripped.as_bytes(), none));
    match (before, after) {
        (Ok(before), Ok(after)) => assert_eq!(before.public, after.public),
        (Err(_), _) => {}
        (Ok(_), Err(error)) => panic!("what we write is not read: {error}"),
    }
}

/// Instants as services write them.
pub fn ticks(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(at) = ticks::parse(text) {
        assert_eq!(ticks::parse(&ticks::render(at)), Some(at));
        let _ = (ticks::iso_micros(at), ticks::http_date(at), ticks::unix_ms(at));
    }
    let _ = ticks::parse_iso_ms(text);
}

/// The file that names a database.
pub fn workload_conf(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    scripts::workload_fuzz::conf(text);
}

/// Certificate and key of this process, in PEM.
fn keys() -> (&'static [u8], &'static [u8]) {
    static KEYS: OnceLock<(String, Zeroizing<String>)> = OnceLock::new();
    let (certificate, key) = KEYS.get_or_init(|| {
        let (certificate, key) = adopt::key_pair().expect("random numbers");
        (certificate.pem(), key)
    });
    (certificate.as_bytes(), key.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the fuzzer collected: a find stays found.
    #[test]
    fn every_parser_withstands_what_was_found() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
        for (target, entry) in ENTRIES {
            let folder = corpus.join(target);
            let mut files = 0;
            for file in std::fs::read_dir(&folder).unwrap() {
                entry(&std::fs::read(file.unwrap().path()).unwrap());
                files += 1;
            }
            assert!(files > 0, "{} is empty", folder.display());
        }
    }
}
