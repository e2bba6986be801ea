//! The language between brackets: `[concat(parameters('a'), 'b')]` as a tree.

use super::{Evaluated, TemplateFault};

/// Longest expression, as Resource Manager has it.
const CHARS_MAX: usize = 24_576;
/// Deepest nesting of calls.
const DEPTH_MAX: usize = 64;

/// A node of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expression {
    /// A text in single quotes.
    Text(String),
    /// A whole number.
    Number(i64),
    /// A call; the name is in lower case.
    Call {
        /// Name of the function.
        name: String,
        /// Its arguments.
        arguments: Vec<Expression>,
    },
    /// `base.name` or `base[index]`.
    Member {
        /// What has the member.
        base: Box<Expression>,
        /// Which one.
        index: Box<Expression>,
        /// `.?`: null when it is not there.
        lenient: bool,
    },
}

/// What a text of a template is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Text {
    /// Itself.
    Plain(String),
    /// An expression.
    Expression(Expression),
}

/// Reads a text of a template: `[…]` is an expression, `[[…` is a text that begins with `[`.
pub(crate) fn read(text: &str) -> Evaluated<Text> {
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match inner {
        None => Ok(Text::Plain(text.to_owned())),
        Some(inner) if inner.starts_with('[') => Ok(Text::Plain(text[1..].to_owned())),
        Some(inner) => parse(inner).map(Text::Expression),
    }
}

/// Reads what stands between the brackets.
pub(crate) fn parse(source: &str) -> Evaluated<Expression> {
    if source.len() > CHARS_MAX {
        return Err(TemplateFault::new(format!(
            "an expression has more than {CHARS_MAX} characters"
        )));
    }
    let mut parser = Parser { source, at: 0 };
    let tree = parser.expression(0)?;
    parser.blank();
    if parser.rest().is_empty() {
        Ok(tree)
    } else {
        Err(parser.fault("there is more after its end"))
    }
}

struct Parser<'a> {
    source: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn blank(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn fault(&self, what: &str) -> TemplateFault {
        let shown: String = self.source.chars().take(200).collect();
        TemplateFault::new(format!(
            "the expression '[{shown}]' cannot be read at character {}: {what}",
            self.source[..self.at].chars().count() + 2
        ))
    }

    fn take(&mut self, token: &str) -> bool {
        self.blank();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn expect(&mut self, token: &str) -> Evaluated<()> {
        if self.take(token) { Ok(()) } else { Err(self.fault(&format!("'{token}' is missing"))) }
    }

    fn expression(&mut self, depth: usize) -> Evaluated<Expression> {
        if depth > DEPTH_MAX {
            return Err(self.fault("calls are nested too deeply"));
        }
        let mut tree = self.primary(depth)?;
        let mut members = 0;
        loop {
            let (index, lenient) = if self.take(".") {
                let lenient = self.take("?");
                (Expression::Text(self.word()?.to_owned()), lenient)
            } else if self.take("[") {
                let lenient = self.take("?");
                let index = self.expression(depth + 1)?;
                self.expect("]")?;
                (index, lenient)
            } else {
                return Ok(tree);
            };
            members += 1;
            if members > DEPTH_MAX {
                return Err(self.fault("members are nested too deeply"));
            }
            tree = Expression::Member { base: Box::new(tree), index: Box::new(index), lenient };
        }
    }

    fn word(&mut self) -> Evaluated<&'a str> {
        self.blank();
        let rest = self.rest();
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '$' | '-'))
            .unwrap_or(rest.len());
        if end == 0 {
            return Err(self.fault("a name is missing"));
        }
        self.at += end;
        Ok(&rest[..end])
    }

    fn primary(&mut self, depth: usize) -> Evaluated<Expression> {
        self.blank();
        match self.rest().chars().next() {
            Some('\'') => self.text(),
            Some(c) if c == '-' || c == '+' || c.is_ascii_digit() => self.number(),
            Some(c) if c.is_ascii_alphabetic() || c == '_' => self.call(depth),
            Some(_) => Err(self.fault("a text, a number or a call is missing")),
            None => Err(self.fault("it ends too early")),
        }
    }

    fn text(&mut self) -> Evaluated<Expression> {
        let mut text = String::new();
        let mut rest = self.rest().chars();
        rest.next();
        while let Some(c) = rest.next() {
            if c != '\'' {
                text.push(c);
                continue;
            }
            if rest.as_str().starts_with('\'') {
                rest.next();
                text.push('\'');
                continue;
            }
            self.at = self.source.len() - rest.as_str().len();
            return Ok(Expression::Text(text));
        }
        Err(self.fault("a text has no closing quote"))
    }

    fn number(&mut self) -> Evaluated<Expression> {
        let rest = self.rest();
        let digits = rest[1..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |at| at + 1);
        let number = rest[..digits].parse().map_err(|_| self.fault("this is no whole number"))?;
        self.at += digits;
        Ok(Expression::Number(number))
    }

    fn call(&mut self, depth: usize) -> Evaluated<Expression> {
        let mut name = self.word()?.to_ascii_lowercase();
        // `namespace.function(…)`
        if self.rest().starts_with('.') {
            self.at += 1;
            name = format!("{name}.{}", self.word()?.to_ascii_lowercase());
        }
        self.expect("(")?;
        let mut arguments = Vec::new();
        if self.take(")") {
            return Ok(Expression::Call { name, arguments });
        }
        loop {
            arguments.push(self.expression(depth + 1)?);
            if self.take(")") {
                return Ok(Expression::Call { name, arguments });
            }
            self.expect(",")?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn call(name: &str, arguments: Vec<Expression>) -> Expression {
        Expression::Call { name: name.to_owned(), arguments }
    }

    #[test]
    fn calls_members_and_texts_are_read() {
        let tree = parse("concat( parameters('it''s').a[0] , -3)").unwrap();
        let base = call("parameters", vec![Expression::Text("it's".into())]);
        let member = Expression::Member {
            base: Box::new(base),
            index: Box::new(Expression::Text("a".into())),
            lenient: false,
        };
        let member = Expression::Member {
            base: Box::new(member),
            index: Box::new(Expression::Number(0)),
            lenient: false,
        };
        assert_eq!(tree, call("concat", vec![member, Expression::Number(-3)]));
    }

    #[test]
    fn brackets_decide_what_a_text_is() {
        assert_eq!(read("[[x]").unwrap(), Text::Plain("[x]".into()));
        assert_eq!(read("[x").unwrap(), Text::Plain("[x".into()));
        assert_eq!(read("x").unwrap(), Text::Plain("x".into()));
        assert!(matches!(read("[true()]").unwrap(), Text::Expression(_)));
    }

    #[test]
    fn faults_name_the_expression_and_the_place() {
        for text in ["", "concat(", "concat('a'", "a b()", "f(1,)", "'a", "f().", "f()[", "1x"] {
            let fault = parse(text).unwrap_err().to_string();
            assert!(fault.contains(&format!("[{text}]")) && fault.contains("character"), "{fault}");
        }
        assert!(parse(&"f(".repeat(5000)).is_err());
        assert!(parse(&format!("f(){}", ".a".repeat(5000))).is_err());
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "[a-c0-9'.\\[\\](), é?-]{0,60}") {
            let _ = read(&text);
            let _ = parse(&text);
        }
    }
}
