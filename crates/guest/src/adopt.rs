//! Taking up a package that the service put onto this machine where no agent of Azure does it.
//!
//! Every file is compared with the digest that the service took from the package whose signature it verified; only then
//! does anything move to where it is run from. The key pair for secrets is made here and its private half stays here.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::file;

/// Where handlers, certificates and keys live.
const HANDLERS: &str = "/var/lib/waagent";

/// Where logs live.
const LOGS: &str = "/var/log/azure";

/// Names the certificate of this machine.
const THUMBPRINT: &str = "coffre-thumbprint";

/// Larger requests are none.
const REQUEST_MAX: u64 = 1 << 20;

/// Larger files are not in a package.
const FILE_MAX: u64 = 64 << 20;

/// What the service says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Name of the handler, as publisher and type.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The folder that holds the files; it is moved away from there.
    pub staging: PathBuf,
    /// All files of the package.
    pub files: Vec<Listed>,
}

/// One file of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Path below the folder.
    pub path: PathBuf,
    /// SHA-256 in hex.
    pub sha256: String,
}

/// What the service is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Adopted {
    home: PathBuf,
    thumbprint: String,
    certificate: String,
}

impl Adopted {
    /// The answer as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("an answer has textual keys only")
    }
}

/// Why a package was not taken up. Nothing was moved then.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// The request did not come.
    #[error("read the request")]
    Read(#[source] io::Error),
    /// The request is broken.
    #[error("understand the request")]
    Form(#[source] serde_json::Error),
    /// A name or path leads elsewhere.
    #[error("{0} is no name for a package")]
    Name(String),
    /// A file is not what it should be.
    #[error("{0} was changed on its way")]
    Changed(PathBuf),
    /// There is a file that nobody listed.
    #[error("{0} is not in the package")]
    Unlisted(PathBuf),
    /// Something cannot be read or written.
    #[error("{0}")]
    Step(&'static str, #[source] io::Error),
    /// No key could be made.
    #[error("make a key pair: {0}")]
    Key(String),
}

/// Takes up the package of the request.
///
/// # Errors
/// See [`AdoptError`].
pub fn adopt(from: impl Read) -> Result<Adopted, AdoptError> {
    let mut bytes = Vec::new();
    from.take(REQUEST_MAX).read_to_end(&mut bytes).map_err(AdoptError::Read)?;
    let request: Request = serde_json::from_slice(&bytes).map_err(AdoptError::Form)?;
    adopt_at(Path::new(HANDLERS), Path::new(LOGS), &request)
}

/// The same with folders of one's choice.
///
/// # Errors
/// See [`AdoptError`].
pub fn adopt_at(handlers: &Path, logs: &Path, request: &Request) -> Result<Adopted, AdoptError> {
    check_names(request)?;
    verify(request)?;
    let (thumbprint, certificate) = certificate(handlers)?;
    let home = handlers.join(format!("{}-{}", request.name, request.version));
    let step = |what| move |error| AdoptError::Step(what, error);
    make_environment(request, &home, logs).map_err(step("describe the place of the extension"))?;
    match std::fs::remove_dir_all(&home) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(AdoptError::Step("remove what was there", error));
        }
        _ => {}
    }
    std::fs::rename(&request.staging, &home).map_err(step("move the extension to its place"))?;
    Ok(Adopted { home, thumbprint, certificate })
}

/// No name leads elsewhere, or is anything but a plain word.
pub(crate) fn check_names(request: &Request) -> Result<(), AdoptError> {
    for name in [&request.name, &request.version] {
        if !is_word(name) {
            return Err(AdoptError::Name(name.clone()));
        }
    }
    for Listed { path, .. } in &request.files {
        if !path.to_str().is_some_and(|path| path.split('/').all(is_word)) {
            return Err(AdoptError::Name(path.display().to_string()));
        }
    }
    Ok(())
}

/// Whether this can be the name of one file or folder, in any shell and log; hidden ones are not.
fn is_word(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && !name.starts_with('.') && name.chars().all(plain)
}

/// All files are there, none is another, and there are no more.
fn verify(request: &Request) -> Result<(), AdoptError> {
    let mut listed = BTreeSet::new();
    for one in &request.files {
        let path = request.staging.join(&one.path);
        let bytes = file::read(&path, FILE_MAX)
            .map_err(|error| AdoptError::Step("read a file of the package", error))?;
        let hash = digest::digest(&digest::SHA256, &bytes);
        if !hex(hash.as_ref()).eq_ignore_ascii_case(&one.sha256) {
            return Err(AdoptError::Changed(one.path.clone()));
        }
        listed.insert(path);
    }
    let found =
        walk(&request.staging).map_err(|error| AdoptError::Step("look into the package", error))?;
    match found.into_iter().find(|path| !listed.contains(path)) {
        Some(path) => Err(AdoptError::Unlisted(path)),
        None => Ok(()),
    }
}

/// All that is not a folder. Links are not followed.
fn walk(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}

/// What an agent would make beside the files: folders, and the file that says where they are.
fn make_environment(request: &Request, home: &Path, logs: &Path) -> io::Result<()> {
    let staging = &request.staging;
    for one in &request.files {
        // As agents do: an extension is root's alone.
        std::fs::set_permissions(staging.join(&one.path), Permissions::from_mode(0o700))?;
    }
    let logs = logs.join(&request.name);
    DirBuilder::new().recursive(true).mode(0o700).create(logs.join("events"))?;
    for name in ["config", "status"] {
        DirBuilder::new().mode(0o700).create(staging.join(name))?;
    }
    let environment = serde_json::json!([{
        "name": request.name,
        "version": 1.0,
        "handlerEnvironment": {
            "logFolder": logs,
            "configFolder": home.join("config"),
            "statusFolder": home.join("status"),
            "heartbeatFile": home.join("heartbeat.log"),
            "eventsFolder": logs.join("events"),
        },
    }]);
    let path = staging.join("HandlerEnvironment.json");
    file::replace(&path, &path.with_extension("new"), environment.to_string().as_bytes(), 0o600)
}

/// The certificate of this machine and its name; the first time, a new one.
fn certificate(handlers: &Path) -> Result<(String, String), AdoptError> {
    let read = |path: PathBuf| String::from_utf8(file::read(&path, 64 << 10).ok()?).ok();
    if let Some(thumbprint) = read(handlers.join(THUMBPRINT)) {
        let named = |end: &str| handlers.join(format!("{thumbprint}.{end}"));
        if let Some(certificate) = read(named("crt")).filter(|_| named("prv").is_file()) {
            return Ok((thumbprint, certificate));
        }
    }
    let (signed, private) = key_pair()?;
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, signed.der());
    let thumbprint = hex(hash.as_ref()).to_ascii_uppercase();
    let write = |name: &str, bytes: &[u8], mode| {
        let path = handlers.join(name);
        file::replace(&path, &path.with_extension("new"), bytes, mode)
            .map_err(|error| AdoptError::Step("keep the key pair", error))
    };
    write(&format!("{thumbprint}.prv"), private.as_bytes(), 0o600)?;
    write(&format!("{thumbprint}.crt"), signed.pem().as_bytes(), 0o600)?;
    write(THUMBPRINT, thumbprint.as_bytes(), 0o600)?;
    Ok((thumbprint, signed.pem()))
}

/// A new certificate and its key in PEM.
pub(crate) fn key_pair() -> Result<(rcgen::Certificate, Zeroizing<String>), AdoptError> {
    let key = |error: &dyn std::fmt::Display| AdoptError::Key(error.to_string());
    let pair = PrivateDecryptingKey::generate(KeySize::Rsa2048).map_err(|error| key(&error))?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|error| key(&error))?;
    let pair = rcgen::KeyPair::try_from(der.as_ref()).map_err(|error| key(&error))?;
    let mut wanted = rcgen::CertificateParams::default();
    wanted.distinguished_name.push(rcgen::DnType::CommonName, "Coffre");
    let signed = wanted.self_signed(&pair).map_err(|error| key(&error))?;
    Ok((signed, Zeroizing::new(pair.serialize_pem())))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cms;
    use crate::environment::Environment;

    fn package(handlers: &Path) -> Request {
        let staging = handlers.join(".coffre-1");
        std::fs::create_dir_all(staging.join("bin")).unwrap();
        let files = [("HandlerManifest.json", "[]"), ("bin/handler", "program")];
        let files = files.map(|(path, text)| {
            std::fs::write(staging.join(path), text).unwrap();
            let hash = digest::digest(&digest::SHA256, text.as_bytes());
            Listed { path: path.into(), sha256: hex(hash.as_ref()) }
        });
        let (name, version) = ("A.B".to_owned(), "1.2.3.4".to_owned());
        Request { name, version, staging, files: files.to_vec() }
    }

    #[test]
    fn a_package_is_taken_up_and_taken_up_again() {
        let root = tempfile::tempdir().unwrap();
        let logs = root.path().join("log");
        let first = adopt_at(root.path(), &logs, &package(root.path())).unwrap();
        assert_eq!(first.home, root.path().join("A.B-1.2.3.4"));
        let environment = Environment::read(&first.home).unwrap();
        assert_eq!(environment.extension_version(), "1.2.3.4");
        assert!(environment.config.is_dir() && environment.status.is_dir());
        assert!(environment.events.as_ref().unwrap().is_dir());
        assert_eq!(std::fs::read(first.home.join("bin/handler")).unwrap(), b"program");
        // The key opens what is sealed for the certificate, and stays the same.
        let again = adopt_at(root.path(), &logs, &package(root.path())).unwrap();
        assert_eq!(again, first);
        let sealed = cms::seal(b"secret", first.certificate.as_bytes()).unwrap();
        let key = std::fs::read(root.path().join(format!("{}.prv", first.thumbprint))).unwrap();
        let opened = cms::open(&sealed, first.certificate.as_bytes(), &key).unwrap();
        assert_eq!(opened.as_slice(), b"secret");
    }

    #[test]
    fn what_was_changed_or_added_on_the_way_is_refused_before_anything_moves() {
        let refused = |change: &dyn Fn(&mut Request)| {
            let root = tempfile::tempdir().unwrap();
            let mut request = package(root.path());
            change(&mut request);
            let error = adopt_at(root.path(), &root.path().join("log"), &request).unwrap_err();
            assert!(!root.path().join("A.B-1.2.3.4").exists());
            error.to_string()
        };
        let changed = refused(&|request| {
            std::fs::write(request.staging.join("bin/handler"), "progran").unwrap();
        });
        assert_eq!(changed, "bin/handler was changed on its way");
        let added = refused(&|request| std::fs::write(request.staging.join("x"), "").unwrap());
        assert!(added.ends_with("x is not in the package"), "{added}");
        let linked = refused(&|request| {
            std::os::unix::fs::symlink("/etc", request.staging.join("etc")).unwrap();
        });
        assert!(linked.ends_with("etc is not in the package"), "{linked}");
        assert!(refused(&|r| r.name = "..".to_owned()).contains("is no name"));
        assert!(refused(&|r| r.version = "a/b".to_owned()).contains("is no name"));
        assert!(refused(&|r| r.files[0].path = "../x".into()).contains("is no name"));
        assert!(refused(&|r| r.files[0].path = "gone".into()).contains("read a file"));
    }
}
