//! What the agent tells a handler about its place: `HandlerEnvironment.json`.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::file;

/// The place of a handler on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Name of the handler, as publisher and type.
    pub name: String,
    /// Version of the schema, `1.0`; not the version of the extension.
    pub schema_version: String,
    /// Folder of the extension: the working directory of every command.
    pub home: PathBuf,
    /// Folder of the logs.
    pub logs: PathBuf,
    /// Folder of the settings, one file a command.
    pub config: PathBuf,
    /// Folder of the statuses, one file a command.
    pub status: PathBuf,
    /// Folder of the event files; an agent may have none.
    pub events: Option<PathBuf>,
}

/// Why the place is not known.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// The file cannot be read.
    #[error("read HandlerEnvironment.json")]
    Read(#[source] std::io::Error),
    /// The file is not what an agent writes.
    #[error("understand HandlerEnvironment.json")]
    Form(#[source] serde_json::Error),
    /// The file is an empty list.
    #[error("HandlerEnvironment.json describes no handler")]
    Empty,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Outer>),
    One(Outer),
}

#[derive(Deserialize)]
struct Outer {
    name: String,
    version: serde_json::Value,
    #[serde(rename = "handlerEnvironment")]
    inner: Inner,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inner {
    log_folder: PathBuf,
    config_folder: PathBuf,
    status_folder: PathBuf,
    #[serde(default)]
    events_folder: Option<PathBuf>,
}

impl Environment {
    /// Reads the file in a folder of an extension.
    ///
    /// # Errors
    /// When the file is missing or not what an agent writes.
    pub fn read(home: &Path) -> Result<Environment, EnvironmentError> {
        let bytes = file::read(&home.join("HandlerEnvironment.json"), 1 << 20)
            .map_err(EnvironmentError::Read)?;
        Environment::parse(home, &bytes)
    }

    /// Understands the bytes of the file.
    ///
    /// # Errors
    /// When they are not what an agent writes.
    pub fn parse(home: &Path, bytes: &[u8]) -> Result<Environment, EnvironmentError> {
        let outer = match serde_json::from_slice(bytes).map_err(EnvironmentError::Form)? {
            OneOrMany::One(outer) => outer,
            OneOrMany::Many(many) => many.into_iter().next().ok_or(EnvironmentError::Empty)?,
        };
        let schema_version = match outer.version {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        Ok(Environment {
            name: outer.name,
            schema_version,
            home: home.to_owned(),
            logs: outer.inner.log_folder,
            config: outer.inner.config_folder,
            status: outer.inner.status_folder,
            events: outer.inner.events_folder,
        })
    }

    /// Version of the extension: what follows the last `-` in the name of its folder.
    #[must_use]
    pub fn extension_version(&self) -> String {
        let name = self.folder_name();
        name.rsplit('-').next().unwrap_or_default().to_owned()
    }

    /// Name of the folder of the extension.
    #[must_use]
    pub fn folder_name(&self) -> String {
        self.home.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_and_object_are_understood() {
        let inner = r#"{"name":"A.B","version":1.0,"handlerEnvironment":{"logFolder":"/l","configFolder":"/c","statusFolder":"/s","heartbeatFile":"/h"}}"#;
        let home = Path::new("/var/lib/waagent/A.B-1.2.3.4");
        for text in [inner.to_owned(), format!("[{inner}]")] {
            let environment = Environment::parse(home, text.as_bytes()).unwrap();
            assert_eq!(environment.schema_version, "1.0");
            assert_eq!(environment.extension_version(), "1.2.3.4");
            assert_eq!(environment.events, None);
        }
        assert!(matches!(Environment::parse(home, b"[]"), Err(EnvironmentError::Empty)));
        assert!(matches!(Environment::parse(home, b"[{}]"), Err(EnvironmentError::Form(_))));
    }
}
