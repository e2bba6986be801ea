//! Texts that must not be seen: they cannot be printed, and what is printed is searched for them.

use std::fmt;

use zeroize::Zeroizing;

/// A text that no log, message or debugger's print shows. Wiped when it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text in.
    #[must_use]
    pub fn new(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }

    /// The text itself, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Parameters of an address whose values open a door.
const KEYS: &[&str] = &["sig=", "sktid=", "skoid=", "token=", "password=", "pwd=", "secret="];

/// What stands in the place of a secret.
const BLANK: &str = "[redacted]";

/// A text without the signatures of addresses in it, and without the given secrets.
#[must_use]
pub fn redact(text: &str, known: &[Secret]) -> String {
    let mut clean = text.to_owned();
    for secret in known.iter().map(Secret::expose).filter(|secret| secret.len() >= 4) {
        clean = clean.replace(secret, BLANK);
    }
    for key in KEYS {
        clean = without_values(&clean, key);
    }
    clean
}

/// Blanks what follows each `key`, up to the end of a parameter.
fn without_values(text: &str, key: &str) -> String {
    // Lower-casing ASCII alone keeps every index.
    let lower = text.to_ascii_lowercase();
    let mut clean = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(found) = lower[from..].find(key) {
        let value = from + found + key.len();
        let ends = |c: char| c == '&' || c == '"' || c == '\'' || c == '<' || c.is_whitespace();
        let end = text[value..].find(ends).map_or(text.len(), |length| value + length);
        clean.push_str(&text[from..value]);
        if end > value {
            clean.push_str(BLANK);
        }
        from = end;
    }
    clean.push_str(&text[from..]);
    clean
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn signatures_and_known_secrets_go() {
        let token = Secret::new("TOKEN-1".to_owned());
        let text = "PUT https://a/b?sv=1&SIG=abc%2B&x=1 TOKEN-1 \"sig=q\"";
        let clean = redact(text, std::slice::from_ref(&token));
        assert_eq!(clean, "PUT https://a/b?sv=1&SIG=[redacted]&x=1 [redacted] \"sig=[redacted]\"");
        assert_eq!(format!("{token:?}"), "…");
    }

    proptest! {
        #[test]
        fn a_signature_never_stays(before in "\\PC{0,20}", sig in "[a-zA-Z0-9%+/=]{8,40}", after in "\\PC{0,20}") {
            let text = format!("{before}?sv=1&sig={sig}&{after}");
            let gone = format!("sig={sig}");
            prop_assert!(!redact(&text, &[]).contains(&gone));
        }
    }
}
