//! Tables and ages for people at a terminal.

use std::fmt;
use std::io::Write;

/// Prints one line to standard output, if anybody still reads it.
pub fn line(words: fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    if out.write_fmt(words).and_then(|()| out.write_all(b"\n")).is_err() {
        tracing::debug!("standard output is closed");
    }
}

/// Prints rows under their headings, columns as wide as their widest cell.
pub fn print<const N: usize>(headings: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    let mut all = vec![headings.map(String::from)];
    all.extend(rows);
    let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    for row in &all {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        out!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// How long ago a moment was, in the largest unit that fits.
pub fn age(now_ms: u64, at_ms: u64) -> String {
    let seconds = now_ms.saturating_sub(at_ms) / 1_000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_its_largest_unit() {
        let told: Vec<_> = [0, 119_999, 120_000, 7_200_000, 200_000_000].map(|ms| age(ms, 0)).into();
        assert_eq!(told, ["0 s", "119 s", "2 min", "2 h", "2 days"]);
        assert_eq!(age(5, 10), "0 s");
    }
}
