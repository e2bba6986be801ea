//! The `az` command for what a page shows or does, safe to paste into a shell whatever the names
//! in it are.

use std::fmt::Write as _;

/// An `az` command line.
#[derive(Clone, Debug)]
pub struct AzCommand {
    line: String,
}

impl AzCommand {
    /// Begins a command; `verbs` are words of our own (`backup vault list`).
    pub fn new(verbs: &'static str) -> Self {
        Self { line: format!("az {verbs}") }
    }

    /// Adds an option with its value. A value that begins with a hyphen is joined by `=`, else
    /// `az` would take it for an option.
    #[must_use]
    pub fn option(mut self, name: &'static str, value: &str) -> Self {
        let between = if value.starts_with('-') { '=' } else { ' ' };
        let _ = write!(self.line, " {name}{between}{}", quote(value));
        self
    }

    /// The line.
    pub fn line(&self) -> &str {
        &self.line
    }
}

/// Quotes one word for a POSIX shell. Characters that a terminal would obey or hide (controls,
/// text direction, zero width) are written as escapes inside `$'…'`.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if !word.chars().any(is_treacherous) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let mut out = String::from("$'");
    for c in word.chars() {
        match c {
            '\'' => out.push_str(r"\'"),
            '\\' => out.push_str(r"\\"),
            // Bytes, not \u: the value of \u depends on the locale of the shell.
            c if is_treacherous(c) => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(out, r"\x{byte:02x}");
                }
                // The next character must not be read as a further digit.
                out.push_str("'$'");
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// Whether a terminal or a browser would obey a character, or hide something because of it.
pub(crate) fn is_treacherous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    /// What a shell makes of the quoted words.
    fn through_bash(words: &[String]) -> Vec<String> {
        let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
        let script = format!("printf '%s\\0' {}", quoted.join(" "));
        let out = Command::new("bash").args(["-c", &script]).output().expect("bash runs");
        assert!(out.status.success(), "{script}");
        let text = String::from_utf8(out.stdout).expect("words are UTF-8");
        text.split_terminator('\0').map(str::to_owned).collect()
    }

    #[test]
    fn plain_words_stay_plain() {
        let line = AzCommand::new("backup vault show").option("--name", "Shop-1").line;
        assert_eq!(line, "az backup vault show --name Shop-1");
        let line = AzCommand::new("vm show").option("--name", "-rf").line;
        assert_eq!(line, "az vm show --name=-rf");
    }

    #[test]
    fn hostile_words_reach_the_command_whole() {
        let words: Vec<String> = [
            "",
            " ",
            "$(reboot)",
            "`id`",
            "a'b\"c",
            "x; rm -rf /",
            "a\nb",
            "\u{1b}]0;x\u{7}1f",
            "\u{202e}txt.exe",
            "<img src=x onerror=alert(1)>",
            "~root",
            "*",
            "!x",
            "\\",
            "é",
        ]
        .map(str::to_owned)
        .to_vec();
        assert_eq!(through_bash(&words), words);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_word_reaches_the_command_whole(words in prop::collection::vec("[^\0]{0,12}", 1..20)) {
            prop_assert_eq!(through_bash(&words), words);
        }
    }
}
