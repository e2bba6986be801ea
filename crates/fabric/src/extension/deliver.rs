//! Putting the extension into a guest.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::shell::{check, quote};
use super::{Extension, Installed};
use crate::agent::AgentClient;

/// Where handlers live in a guest.
const HANDLERS: &str = "/var/lib/waagent";

/// Says what is installed. Written last, so that it never speaks of less than a whole extension.
const RECORD: &str = "/var/lib/waagent/coffre-extension.json";

/// Larger records are none.
const RECORD_BYTES_MAX: usize = 64 << 10;

/// As an agent of Azure gives each command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(300);

/// The first run in a guest makes a key pair, which takes its time in an emulated one.
const ADOPT_TIMEOUT: Duration = Duration::from_secs(300);

/// For what only moves names.
const QUICK: Duration = Duration::from_secs(60);

/// What the agent must carry out for us.
const NEEDED: [&str; 7] = [
    "guest-exec",
    "guest-exec-status",
    "guest-file-open",
    "guest-file-close",
    "guest-file-read",
    "guest-file-write",
    "guest-file-flush",
];

/// What is installed in the guest; `None` = nothing that can be used.
pub(crate) fn installed(agent: &mut AgentClient) -> Option<Installed> {
    let bytes = agent.read_file(RECORD, RECORD_BYTES_MAX).ok()?;
    let installed: Installed = serde_json::from_slice(&bytes).ok()?;
    installed.home.starts_with(HANDLERS).then_some(installed)
}

/// Whether a package should replace what is installed: it is another one, and not older.
pub(crate) fn upgrade_of(installed: &Installed, extension: &Extension) -> bool {
    let numbers = |version: &str| -> Vec<u64> {
        version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
    };
    let (old, new) = (numbers(&installed.version), numbers(&extension.version));
    new > old || (new == old && installed.digest != extension.digest)
}

/// Puts the package into the guest and installs it; an older one is updated. The error is in words.
///
/// Nobody may be taking a point of the machine meanwhile.
pub(crate) fn deliver(agent: &mut AgentClient, extension: &Extension) -> Result<Installed, String> {
    if !extension.is_sound() {
        return Err("the package of the extension has names that cannot be used".to_owned());
    }
    can_be_used(agent)?;
    let before = installed(agent);
    let staging = format!("{HANDLERS}/.coffre-{}", Uuid::new_v4().simple());
    let delivered =
        push(agent, extension, &staging).and_then(|()| adopt(agent, extension, &staging));
    let adopted = match delivered {
        Ok(adopted) => adopted,
        Err(reason) => {
            // The reason counts, not whether the rest could be removed.
            let _ = agent.exec("/bin/rm", &["-rf", &staging], b"", QUICK);
            return Err(reason);
        }
    };
    let new = Installed {
        name: extension.name.clone(),
        version: extension.version.clone(),
        digest: extension.digest.clone(),
        home: adopted.home,
        thumbprint: adopted.thumbprint,
        certificate: adopted.certificate,
        handler: extension.handler.clone(),
    };
    install(agent, before.as_ref().filter(|before| before.home != new.home), &new)?;
    let record = serde_json::to_vec(&new).expect("plain data becomes JSON");
    agent
        .write_file(RECORD, &record)
        .map_err(|error| format!("noting what was installed in the guest: {error}"))?;
    tracing::info!(version = new.version, home = new.home, "the extension is in the guest");
    Ok(new)
}

/// Distributions switch commands of the agent off; then there is no way in.
fn can_be_used(agent: &mut AgentClient) -> Result<(), String> {
    let commands = agent.commands().map_err(|error| format!("asking the guest agent: {error}"))?;
    let missing = NEEDED.iter().find(|needed| !commands.iter().any(|command| command == *needed));
    match missing {
        Some(missing) => Err(format!("the guest agent of this guest does not allow {missing}")),
        None => Ok(()),
    }
}

/// All files into a folder that only root can look into.
fn push(agent: &mut AgentClient, extension: &Extension, staging: &str) -> Result<(), String> {
    let folders = extension.files.iter().filter_map(|file| file.path.rsplit_once('/'));
    let mut folders: Vec<String> = folders.map(|(folder, _)| quote(folder)).collect();
    folders.sort();
    folders.dedup();
    let inner = if folders.is_empty() {
        String::new()
    } else {
        format!(" && mkdir -p {}", folders.join(" "))
    };
    let line = format!(
        "umask 077 && mkdir -p {HANDLERS} && rm -rf {HANDLERS}/.coffre-* && mkdir {staging} && \
         cd {staging}{inner}"
    );
    check(agent, &line, b"", "making a folder for the extension", QUICK)?;
    for file in &extension.files {
        agent
            .write_file(&format!("{staging}/{}", file.path), &file.bytes)
            .map_err(|error| format!("writing {} into the guest: {error}", file.path))?;
    }
    Ok(())
}

/// What the program in the guest says when it has verified its files.
#[derive(Deserialize)]
struct Adopted {
    home: String,
    thumbprint: String,
    certificate: String,
}

/// Lets the program verify every file and move them to their place.
fn adopt(agent: &mut AgentClient, extension: &Extension, staging: &str) -> Result<Adopted, String> {
    let files = extension
        .files
        .iter()
        .map(|file| json!({ "path": file.path, "sha256": file.sha256 }))
        .collect::<Vec<_>>();
    let request = json!({
        "name": extension.name, "version": extension.version, "staging": staging, "files": files,
    });
    let program = extension.handler.program();
    let line = format!("cd {staging} && chmod 700 {program} && exec ./{program} adopt");
    let request = serde_json::to_vec(&request).expect("plain data becomes JSON");
    let said = check(agent, &line, &request, "unpacking the extension", ADOPT_TIMEOUT)?;
    serde_json::from_slice(&said)
        .map_err(|error| format!("what the extension said in the guest is not understood: {error}"))
}

/// The commands of the handlers, in the order in which an agent of Azure gives them.
fn install(
    agent: &mut AgentClient,
    before: Option<&Installed>,
    new: &Installed,
) -> Result<(), String> {
    if let Some(old) = before {
        // An old version that does not let go must not keep a new one out.
        for command in [&old.handler.disable] {
            if let Err(reason) = run(agent, old, command, "") {
                tracing::warn!(reason, "the old version of the extension");
            }
        }
        run(agent, new, &new.handler.update, &format!("VERSION={} ", quote(&new.version)))?;
        if let Err(reason) = run(agent, old, &old.handler.uninstall, "") {
            tracing::warn!(reason, "the old version of the extension");
        }
    }
    run(agent, new, &new.handler.install, "")?;
    if let Some(old) = before {
        let _ = agent.exec("/bin/rm", &["-rf", &old.home], b"", QUICK);
    }
    Ok(())
}

fn run(
    agent: &mut AgentClient,
    of: &Installed,
    command: &str,
    environment: &str,
) -> Result<(), String> {
    let line = format!("cd {} && {environment}{command}", quote(&of.home));
    let doing = format!("`{command}` of the extension {}", of.version);
    check(agent, &line, b"", &doing, COMMAND_TIMEOUT).map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::extension::Handler;

    #[test]
    fn an_older_package_never_replaces_a_newer_one() {
        let handler = Handler {
            install: String::new(),
            uninstall: String::new(),
            update: String::new(),
            enable: String::new(),
            disable: String::new(),
        };
        let installed = |version: &str| Installed {
            name: String::new(),
            version: version.to_owned(),
            digest: "a".to_owned(),
            home: String::new(),
            thumbprint: String::new(),
            certificate: String::new(),
            handler: handler.clone(),
        };
        let package = |version: &str, digest: &str| Extension {
            name: String::new(),
            version: version.to_owned(),
            digest: digest.to_owned(),
            handler: handler.clone(),
            files: Vec::new(),
            seal: Arc::new(|_, _| Err(String::new())),
        };
        assert!(upgrade_of(&installed("1.0.9.0"), &package("1.0.10.0", "b")));
        assert!(!upgrade_of(&installed("1.0.10.0"), &package("1.0.9.0", "b")));
        assert!(!upgrade_of(&installed("1.0.10.0"), &package("1.0.10.0", "a")));
        assert!(upgrade_of(&installed("1.0.10.0"), &package("1.0.10.0", "b")));
    }
}
