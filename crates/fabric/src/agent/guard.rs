//! Somebody in the guest who thaws it if we never do.
//!
//! The guest agent itself thaws only when it is told to: if we end while the guest is frozen, it would stay so until we
//! come back. So a shell in the guest is started before the freeze, sleeps, and thaws what is frozen then, unless it was
//! called off. Only a file in memory tells it; what it runs is read from file systems that are frozen, which is possible.

use std::time::Duration;

use uuid::Uuid;

use super::AgentClient;
use crate::qmp::QmpError;

/// Names the guard that is on duty, in the guest's memory.
const NOTE: &str = "/run/coffre-thaw";

/// The shell of every guest of this kind.
const SHELL: &str = "/bin/sh";

/// How long a few words of the shell may take.
const QUICK: Duration = Duration::from_secs(5);

/// Thaws what the agent can have frozen, the last mount first; the paths in the table have blanks as `\040`. Whatever is
/// not frozen refuses, and that is well.
const THAW: &str = r#"
sleep "$1"
[ "$(cat /run/coffre-thaw)" = "$2" ] || exit 0
rm -f /run/coffre-thaw
list=
while read -r device folder type rest; do
    case $type in
    ext[234] | xfs | btrfs | f2fs | jfs | nilfs2 | reiserfs | bcachefs) list="$folder $list" ;;
    esac
done </proc/self/mounts
for folder in $list; do
    case $folder in
    *\\*) folder=$(printf '%b' "$(echo "$folder" | sed 's/\\/\\0/g')") ;;
    esac
    fsfreeze -u "$folder"
done
"#;

/// A guard that is on duty.
#[derive(Debug)]
pub(super) struct Guard(());

impl Guard {
    /// Sets a guard who thaws after this time. `None` = the guest has not what it takes, or does not let us.
    ///
    /// # Errors
    /// When the talk with the agent is broken.
    pub(super) fn set(agent: &mut AgentClient, after: Duration) -> Result<Option<Guard>, QmpError> {
        let token = Uuid::new_v4().simple().to_string();
        let ready = format!("umask 077 && command -v fsfreeze && echo {token} >{NOTE}");
        let set = agent.exec(SHELL, &["-c", &ready], b"", QUICK).and_then(|output| {
            if output.exit_code != Some(0) {
                return Ok(None);
            }
            let seconds = after.as_secs().to_string();
            agent.spawn(SHELL, &["-c", THAW, "coffre-thaw", &seconds, &token])?;
            Ok(Some(Guard(())))
        });
        match set {
            // Many guests do not let programs be run.
            Err(QmpError::Command { .. }) => Ok(None),
            other => other,
        }
    }

    /// The guest is thawed: nobody shall thaw what is frozen later. If it cannot be told, the guard of the next freeze takes
    /// its place.
    pub(super) fn call_off(self, agent: &mut AgentClient) {
        let line = format!("rm -f {NOTE}");
        if let Err(error) = agent.exec(SHELL, &["-c", &line], b"", QUICK) {
            tracing::debug!(%error, "the guard in the guest was not called off");
        }
    }
}
