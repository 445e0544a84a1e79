//! Words for people: lines, tables, counts, bars.

use std::fmt;
use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Where lines for people go: standard output, unless that is for a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// Standard output.
    Output,
    /// Standard error.
    Beside,
}

impl Page {
    /// Prints a line. A reader that is gone does not stop the run.
    pub fn say(self, words: impl fmt::Display) {
        match self {
            Self::Output => line(format_args!("{words}")),
            Self::Beside => drop(writeln!(std::io::stderr(), "{words}")),
        }
    }

    /// Prints rows, columns as wide as their widest cell.
    pub fn table<const N: usize>(self, rows: &[[String; N]]) {
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; N] = std::array::from_fn(width);
        for row in rows {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            self.say(format_args!("  {}", cells.collect::<Vec<_>>().join("  ").trim_end()));
        }
    }
}

/// Prints a line to standard output, if anybody still reads it.
pub fn line(words: fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_fmt(words).and_then(|()| out.write_all(b"\n"));
}

/// A bar on standard error; nothing is drawn where that is no terminal.
pub fn bar(template: &str, length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(length).with_style(style.progress_chars("##-"));
    bar.enable_steady_tick(TICK);
    bar
}

/// A count with a comma at each thousand.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let parts: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    parts.join(",")
}

/// Simulated time in its two largest units.
pub fn span(seconds: f64) -> String {
    let s = seconds as u64;
    match s {
        0..60 => format!("{seconds:.1} s"),
        60..3_600 => format!("{} min {} s", s / 60, s % 60),
        3_600..172_800 => format!("{} h {} min", s / 3_600, s / 60 % 60),
        _ => format!("{} days {} h", s / 86_400, s / 3_600 % 24),
    }
}

/// One thing, or several of them.
pub fn several(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// How often a bar shows that it is alive.
const TICK: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_times_are_told_for_people() {
        assert_eq!([0, 999, 1_000, 1_046_910].map(count), ["0", "999", "1,000", "1,046,910"]);
        assert_eq!([1.25, 61.0, 7_260.0, 180_000.0].map(span), ["1.2 s", "1 min 1 s", "2 h 1 min", "2 days 2 h"]);
        assert_eq!([several(1, "store", "stores"), several(0, "store", "stores")], ["1 store", "0 stores"]);
    }
}
