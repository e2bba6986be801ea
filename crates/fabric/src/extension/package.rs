//! The package of the extension, as this room gets it: already proved to be ours, and unpacked.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Puts a text into an envelope for the owner of a certificate in PEM. The error is in words.
pub type Seal = dyn Fn(&[u8], &str) -> Result<Vec<u8>, String> + Send + Sync;

/// A package whose signature was verified before it was unpacked.
#[derive(Clone)]
pub struct Extension {
    /// Name of the handler, as publisher and type. It becomes a folder in the guest.
    pub name: String,
    /// Version, as numbers with dots. It becomes a folder in the guest.
    pub version: String,
    /// SHA-256 of the package, in hex.
    pub digest: String,
    /// What its handler is called by.
    pub handler: Handler,
    /// What is in it.
    pub files: Vec<ExtensionFile>,
    /// Seals settings for a guest.
    pub seal: Arc<Seal>,
}

/// One file of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtensionFile {
    /// Path below the folder of the extension, with `/`; no `..`, no `.`.
    pub path: String,
    /// SHA-256 of the bytes, in hex.
    pub sha256: String,
    /// What is in it.
    pub bytes: Arc<[u8]>,
}

/// The commands of a handler: lines for a shell in the folder of the extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Handler {
    /// After the files are there.
    #[serde(rename = "installCommand")]
    pub install: String,
    /// Before the files go.
    #[serde(rename = "uninstallCommand")]
    pub uninstall: String,
    /// Of the new version, when an old one was there.
    #[serde(rename = "updateCommand")]
    pub update: String,
    /// Carries out what the settings say.
    #[serde(rename = "enableCommand")]
    pub enable: String,
    /// Of the old version, before an update.
    #[serde(rename = "disableCommand")]
    pub disable: String,
}

impl Handler {
    /// Reads `HandlerManifest.json`. `None` = it is not one.
    pub fn parse(manifest: &[u8]) -> Option<Handler> {
        #[derive(Deserialize)]
        struct Manifest {
            #[serde(rename = "handlerManifest")]
            handler: Handler,
        }
        let manifests: Vec<Manifest> = serde_json::from_slice(manifest).ok()?;
        manifests.into_iter().next().map(|manifest| manifest.handler)
    }

    /// The program that carries out the commands: it also verifies the files in the guest.
    pub(crate) fn program(&self) -> &str {
        self.install.split_whitespace().next().unwrap_or_default()
    }
}

impl Extension {
    /// Whether names and paths can be used in a guest.
    pub(crate) fn is_sound(&self) -> bool {
        let word = |text: &str| {
            !text.is_empty()
                && !text.starts_with('.')
                && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
        };
        let paths = self.files.iter().map(|file| file.path.as_str());
        word(&self.name)
            && word(&self.version)
            && paths.clone().all(|path| path.split('/').all(word))
            && paths.clone().any(|path| path == self.handler.program())
    }
}

impl fmt::Debug for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extension")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("digest", &self.digest)
            .field("files", &self.files.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extension(name: &str, path: &str) -> Extension {
        let line = |verb: &str| format!("bin/handler {verb}");
        let file = |path: &str| ExtensionFile {
            path: path.to_owned(),
            sha256: String::new(),
            bytes: Arc::from([]),
        };
        Extension {
            name: name.to_owned(),
            version: "1.0.0.0".to_owned(),
            digest: String::new(),
            handler: Handler {
                install: line("install"),
                uninstall: line("uninstall"),
                update: line("update"),
                enable: line("enable"),
                disable: line("disable"),
            },
            files: vec![file("bin/handler"), file(path)],
            seal: Arc::new(|_, _| Err(String::new())),
        }
    }

    #[test]
    fn paths_that_leave_the_folder_are_refused() {
        assert!(extension("A.B", "HandlerManifest.json").is_sound());
        for path in ["../x", "/x", "a//b", "a/..", "a b", "", "a/$(x)", "-/\n"] {
            assert!(!extension("A.B", path).is_sound(), "{path:?}");
        }
        assert!(!extension("A/B", "x").is_sound());
        assert!(!extension("..", "x").is_sound());
    }

    #[test]
    fn the_manifest_names_the_commands() {
        let text = br#"[{"name":"N","version":"1","handlerManifest":{
            "installCommand":"bin/handler install","uninstallCommand":"bin/handler uninstall",
            "updateCommand":"bin/handler update","enableCommand":"bin/handler enable",
            "disableCommand":"bin/handler disable","rebootAfterInstall":false}}]"#;
        let handler = Handler::parse(text).unwrap();
        assert_eq!(handler, extension("A", "x").handler);
        assert_eq!(handler.program(), "bin/handler");
        for wrong in [&b"[]"[..], b"{}", b"[{}]", b""] {
            assert_eq!(Handler::parse(wrong), None);
        }
    }
}
