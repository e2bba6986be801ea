//! Command lines for the guest's shell.

use std::time::Duration;

use crate::agent::AgentClient;

/// How much of what a failing command said is told on.
const SAID_MAX: usize = 400;

/// The only program that every guest of this kind has at the same place.
pub(super) const SHELL: &str = "/bin/sh";

/// A word that the shell takes as it is.
pub(super) fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Runs a line that must succeed; gives what it wrote. The error is in words for people.
pub(super) fn check(
    agent: &mut AgentClient,
    line: &str,
    input: &[u8],
    doing: &str,
    timeout: Duration,
) -> Result<Vec<u8>, String> {
    let output = agent
        .exec(SHELL, &["-c", line], input, timeout)
        .map_err(|error| format!("{doing} in the guest: {error}"))?;
    if output.exit_code == Some(0) {
        return Ok(output.stdout);
    }
    let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
    let said: String = String::from_utf8_lossy(said).trim().chars().take(SAID_MAX).collect();
    let how = output.exit_code.map_or("was killed".to_owned(), |code| format!("ended with {code}"));
    Err(format!("{doing} in the guest {how}: {said}"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_quoted_word_stays_one_word() {
        assert_eq!(super::quote("a b'c;$d"), r"'a b'\''c;$d'");
    }
}
