//! What people and scripts see: data on stdout, talk on stderr.

use std::io::{self, IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    /// Columns for people.
    #[default]
    Table,
    /// The whole answer, for scripts.
    Json,
}

/// A column: its heading and the place of its value in the answer (a JSON pointer).
pub(crate) type Column = (&'static str, &'static str);

/// Prints one line of data. A reader that went away ends the program quietly.
pub(crate) fn data(text: &str) -> io::Result<()> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => other,
    }
}

/// Prints one line for the person at the terminal. Nobody listening is no failure.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Whether somebody looks at stderr.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Prints a list.
pub(crate) fn list(format: Format, rows: &[Value], columns: &[Column]) -> io::Result<()> {
    match format {
        Format::Json => json(&Value::Array(rows.to_vec())),
        Format::Table if rows.is_empty() => {
            note("(none)");
            Ok(())
        }
        Format::Table => data(&table(rows, columns)),
    }
}

/// Prints one thing.
pub(crate) fn one(format: Format, thing: &Value, columns: &[Column]) -> io::Result<()> {
    match format {
        Format::Json => json(thing),
        Format::Table => data(&table(std::slice::from_ref(thing), columns)),
    }
}

/// Prints JSON, indented.
pub(crate) fn json(value: &Value) -> io::Result<()> {
    data(&serde_json::to_string_pretty(value).map_err(io::Error::from)?)
}

fn table(rows: &[Value], columns: &[Column]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.iter().map(|(heading, _)| *heading));
    for row in rows {
        table.add_row(columns.iter().map(|(_, pointer)| cell(row.pointer(pointer))));
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Bytes for people: three digits and a unit.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut unit = 0;
    let mut whole = count;
    let mut tenths = 0;
    while whole >= 1024 && unit + 1 < UNITS.len() {
        tenths = (whole % 1024) * 10 / 1024;
        whole /= 1024;
        unit += 1;
    }
    if unit == 0 || whole >= 100 {
        format!("{whole} {}", UNITS[unit])
    } else {
        format!("{whole}.{tenths} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bytes_read_well() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (150 << 20, "150 MiB"),
            (u64::MAX, "15.9 EiB"),
        ];
        for (count, wanted) in cases {
            assert_eq!(bytes(count), wanted);
        }
    }

    #[test]
    fn tables_show_what_is_there_and_a_dash_for_the_rest() {
        let rows = [json!({"name": "web", "p": {"n": 3}}), json!({"name": ""})];
        let text = table(&rows, &[("Name", "/name"), ("Count", "/p/n")]);
        let words: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(words, [["Name", "Count"], ["web", "3"], ["-", "-"]]);
    }
}
