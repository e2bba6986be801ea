//! The figures of the demonstration, as a person reads them.

use std::fmt;

use coffre_testkit::service::Point;

use super::journey::Run;

/// Rows of text, columns aligned.
pub(super) struct Table(Vec<[String; 6]>);

impl Table {
    pub(super) fn of(runs: &[Run], point: &Point) -> anyhow::Result<Table> {
        let head = ["", "read", "new", "stored", "seconds", "freeze"].map(str::to_owned);
        let mut rows = vec![head];
        for run in runs {
            let fact = |name: &str| run.job.fact(name).unwrap_or("-").to_owned();
            let seconds = format!("{:.1}", run.seconds);
            rows.push(if run.name == "restore" {
                [
                    run.name.to_owned(),
                    fact("Data Restored"),
                    "-".into(),
                    "-".into(),
                    seconds,
                    "-".into(),
                ]
            } else {
                let (read, new) = (run.job.number("ReadBytes")?, run.job.number("NewBytes")?);
                let stored = run.job.number("StoredBytes")?;
                let freeze = fact("Freeze window");
                [run.name.to_owned(), mib(read), mib(new), mib(stored), seconds, freeze]
            });
        }
        let (first, second) = (runs[0].job.number("ReadBytes")?, runs[1].job.number("ReadBytes")?);
        let ratio = format!("{:.3}", second as f64 / first as f64);
        let blank = || String::new();
        rows.push(["second ÷ first".into(), ratio, blank(), blank(), blank(), blank()]);
        rows.push([
            "consistency".into(),
            point.consistency().into(),
            blank(),
            blank(),
            blank(),
            blank(),
        ]);
        Ok(Table(rows))
    }
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            self.0.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..6).map(width).collect();
        for row in &self.0 {
            let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:>width$}"));
            writeln!(out, "    {}", cells.collect::<Vec<_>>().join("   ").trim_end())?;
        }
        Ok(())
    }
}
