//! Files of the form `[section]`, `key = value`.

use std::path::Path;

/// Larger files are not configurations.
const BYTES_MAX: u64 = 1 << 20;

/// A configuration file. Sections and keys are found whatever their case; of two equal keys the last counts.
#[derive(Debug, Clone, Default)]
pub struct Conf {
    entries: Vec<(String, String, String)>,
    /// Section and number of each line that says nothing.
    nonsense: Vec<(String, usize)>,
}

impl Conf {
    /// Reads a file. One that is missing, too large or no text reads as empty.
    #[must_use]
    pub fn read(path: &Path) -> Conf {
        let small = std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() <= BYTES_MAX);
        let text = if small { std::fs::read_to_string(path).ok() } else { None };
        Conf::parse(&text.unwrap_or_default())
    }

    /// Understands a text. Lines that are neither section, entry nor comment are passed over.
    #[must_use]
    pub fn parse(text: &str) -> Conf {
        let mut section = String::new();
        let (mut entries, mut nonsense) = (Vec::new(), Vec::new());
        for (number, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name.trim().to_ascii_lowercase();
            } else if let Some((key, value)) = line.split_once(['=', ':']) {
                let key = key.trim().to_ascii_lowercase();
                entries.push((section.clone(), key, value.trim().to_owned()));
            } else {
                nonsense.push((section.clone(), number + 1));
            }
        }
        Conf { entries, nonsense }
    }

    /// Whether a section is as strict readers want it: no line that is neither entry nor comment, and no key twice.
    ///
    /// # Errors
    /// What is wrong with it, by the number of the line or the name of the key. Never quotes a value.
    pub fn check(&self, section: &str) -> Result<(), String> {
        let nonsense = self.nonsense.iter().find(|(of, _)| of.eq_ignore_ascii_case(section));
        if let Some((_, line)) = nonsense {
            return Err(format!("line {line} is neither a section, an entry nor a comment"));
        }
        let mut keys: Vec<_> =
            self.entries.iter().filter(|(of, ..)| of == section).map(|(_, key, _)| key).collect();
        keys.sort_unstable();
        match keys.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(format!("{} is there twice", pair[0])),
            None => Ok(()),
        }
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, section: &str, key: &str) -> Option<&str> {
        let wanted = |(s, k, _): &&(String, String, String)| {
            s.eq_ignore_ascii_case(section) && k.eq_ignore_ascii_case(key)
        };
        self.entries.iter().rev().find(wanted).map(|(_, _, value)| value.as_str())
    }
}

/// `/etc/azure/vmbackup.conf`: what the administrator of the machine decides.
#[derive(Debug, Clone, Default)]
pub struct BackupConf(Conf);

impl BackupConf {
    /// Reads the file; a missing one means all defaults.
    #[must_use]
    pub fn read() -> BackupConf {
        BackupConf(Conf::read(Path::new("/etc/azure/vmbackup.conf")))
    }

    /// Understands a text.
    #[must_use]
    pub fn parse(text: &str) -> BackupConf {
        BackupConf(Conf::parse(text))
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.0.get("SnapshotThread", key)
    }

    /// Longest time anything stays frozen, in seconds: 1 to 60; 10 when the file says nothing.
    #[must_use]
    pub fn ceiling_seconds(&self) -> u64 {
        self.get("timeout").and_then(|text| text.parse().ok()).unwrap_or(10).clamp(1, 60)
    }

    /// Mount points that are never frozen.
    #[must_use]
    pub fn mounts_to_skip(&self) -> Vec<String> {
        let list = self.get("MountsToSkip").unwrap_or_default();
        list.split(',').map(str::trim).filter(|path| !path.is_empty()).map(str::to_owned).collect()
    }

    /// Whether disks are asked for snapshots one after another.
    #[must_use]
    pub fn is_sequential(&self) -> bool {
        matches!(self.get("seqsnapshot"), Some("1" | "2"))
    }

    /// The way to take snapshots that overrides what the command says.
    #[must_use]
    pub fn snapshot_method(&self) -> Option<&str> {
        self.get("SnapshotMethod").filter(|method| !method.is_empty())
    }

    /// Whether status and log go to their blobs.
    #[must_use]
    pub fn uploads(&self) -> bool {
        self.get("UploadStatusAndLog").is_none_or(|value| value == "True")
    }

    /// Whether a log file is written.
    #[must_use]
    pub fn writes_log(&self) -> bool {
        self.get("WriteLog").is_none_or(|value| value == "True")
    }

    /// Whether nothing is said of the time while frozen.
    #[must_use]
    pub fn is_silent_while_frozen(&self) -> bool {
        self.get("LoggingOff") == Some("1")
    }

    /// Whether event files are written for the agent.
    #[must_use]
    pub fn writes_events(&self) -> bool {
        self.get("disable_logging") != Some("1")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_equal_keys_counts_and_case_does_not() {
        let conf = BackupConf::parse(
            "# x\n[other]\ntimeout=1\n[snapshotthread]\nTimeout: 7\nMountsToSkip = /a, /b,,\nseqsnapshot=2\nnonsense\nTIMEOUT=99\nUploadStatusAndLog=true\n",
        );
        assert_eq!(conf.ceiling_seconds(), 60);
        assert_eq!(conf.mounts_to_skip(), ["/a", "/b"]);
        assert!(conf.is_sequential() && !conf.uploads() && conf.writes_log());
        let empty = BackupConf::default();
        assert_eq!(empty.ceiling_seconds(), 10);
        assert!(empty.uploads() && empty.snapshot_method().is_none());
    }
}
