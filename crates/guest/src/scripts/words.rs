//! A line of a configuration, cut into the words of a command.

/// More words are refused.
pub(super) const WORDS_MAX: usize = 64;

/// Words are parted by blanks; what stands in quotes, single or double, is one word. Nothing else is special: there is no
/// shell. An error ends a sentence that begins with the name of what was cut.
pub(super) fn words(text: &str) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in text.chars() {
        if character.is_control() && character != '\t' || (character == '\t' && quote.is_some()) {
            return Err("has a control character".to_owned());
        }
        match quote {
            Some(mark) if mark == character => quote = None,
            None if matches!(character, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            None if character.is_whitespace() => found.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    found.extend(word);
    match (quote, found.len()) {
        (Some(_), _) => Err("has a quote without an end".to_owned()),
        (None, 0..=WORDS_MAX) => Ok(found),
        (None, _) => Err(format!("has more than {WORDS_MAX} words")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_keep_words_together() {
        for (text, expected) in [
            ("", &[][..]),
            ("  a\tb ", &["a", "b"]),
            ("--file='a b' \"\"", &["--file=a b", ""]),
            ("$(id) `id` ; *", &["$(id)", "`id`", ";", "*"]),
        ] {
            assert_eq!(words(text).unwrap(), expected, "{text}");
        }
        for wrong in ["'a", "a\"", "a\u{1}", "'a\tb'", &"a ".repeat(WORDS_MAX + 1)] {
            assert!(words(wrong).is_err(), "{wrong}");
        }
    }
}
