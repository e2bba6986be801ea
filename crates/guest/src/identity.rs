//! Which machine this is, so that a clone or a restored copy is noticed.

use std::io;
use std::path::Path;

use crate::environment::Environment;
use crate::file;

const AGENT_FILE: &str = "/var/lib/waagent/HostingEnvironmentConfig.xml";
const OURS: &str = "machine_identity_FD76C85E-406F-4CFA-8EB0-CF18B123365C";
const SHARED: &str = "/etc/azure/machine_identity_FD76C85E-406F-4CFA-8EB0-CF18B123358B";

/// The identity that the agent was given, braces included; empty with agents that do not say.
#[must_use]
pub(crate) fn current() -> String {
    let bytes = file::read(Path::new(AGENT_FILE), 4 << 20).unwrap_or_default();
    role_guid(&String::from_utf8_lossy(&bytes)).unwrap_or_default()
}

/// The attribute `guid` of the first element `Role`.
pub(crate) fn role_guid(xml: &str) -> Option<String> {
    let mut rest = xml;
    loop {
        let found = rest.find("<Role")?;
        rest = &rest[found + "<Role".len()..];
        // `<RoleInstance` begins alike.
        if rest.starts_with(|c: char| c.is_ascii_whitespace()) {
            let element = &rest[..rest.find('>')?];
            let value = element.split_once("guid=").map(|(_, value)| value)?;
            let quote = value.chars().next().filter(|c| *c == '"' || *c == '\'')?;
            let guid = value[1..].split(quote).next()?;
            let plain = |c: char| c.is_ascii_hexdigit() || "{}-".contains(c);
            return (guid.len() <= 64 && guid.chars().all(plain)).then(|| guid.to_owned());
        }
    }
}

/// Saves the identity; true when another one was saved before.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn save(environment: &Environment) -> io::Result<bool> {
    let path = environment.home.join(OURS);
    let now = current();
    let before = file::read(&path, 4096).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    if before.as_ref().is_ok_and(|before| *before == now) {
        return Ok(false);
    }
    file::replace(&path, &path.with_extension("new"), now.as_bytes(), 0o600)?;
    Ok(before.is_ok_and(|before| !before.is_empty() && !now.is_empty()))
}

/// What reports call the machine: made at the first run, and kept through updates. Empty when nobody knows.
#[must_use]
pub(crate) fn unique_id(environment: &Environment) -> String {
    let shared = Path::new(SHARED);
    if let Ok(bytes) = file::read(shared, 4096) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        return text.lines().next().unwrap_or_default().trim().to_owned();
    }
    let saved = file::read(&environment.home.join(OURS), 4096).unwrap_or_default();
    let id = String::from_utf8_lossy(&saved).trim().trim_matches(['{', '}']).to_owned();
    if !id.is_empty() {
        // Without the file the next run finds the same identity in ours.
        let _ = std::fs::create_dir_all("/etc/azure");
        let _ = file::replace(shared, &shared.with_extension("new"), id.as_bytes(), 0o600);
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guid_of_the_first_role() {
        let xml = r#"<H><RoleInstance guid="{no}"/><Deployment guid="{1}"/><Role guid="{73D95F1C-6472}" name="x"/></H>"#;
        assert_eq!(role_guid(xml).as_deref(), Some("{73D95F1C-6472}"));
        for wrong in
            ["", "<Role", "<Role >", "<Role guid=>", "<Role guid=\"../x\">", "<Role \u{e9}"]
        {
            assert_eq!(role_guid(wrong), None, "{wrong}");
        }
    }
}
