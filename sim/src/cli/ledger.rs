//! The ledger: a line of JSON for every seed that was ever played, so that campaigns add up.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Failure;
use super::say::{count, several, span};

/// One seed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    /// The seed.
    pub seed: u64,
    /// The scenario that it played.
    pub scenario: String,
    /// The verdict's word, or `panicked` when the simulator itself did.
    pub verdict: String,
    /// Deeds that were acknowledged.
    pub ops: u64,
    /// Simulated seconds.
    pub simulated_s: f64,
    /// Seconds on the wall.
    pub wall_s: f64,
    /// Hash of everything seen.
    pub trace_hash: String,
    /// Faults that struck.
    pub faults: u64,
    /// Version of the simulator.
    pub version: String,
}

/// An open ledger.
pub struct Ledger {
    file: File,
    path: PathBuf,
}

/// What a ledger adds up to.
#[derive(Default)]
pub struct Totals {
    seeds: u64,
    verdicts: BTreeMap<String, u64>,
    ops: u64,
    faults: u64,
    simulated_s: f64,
}

impl Ledger {
    /// Opens or makes it, and adds up what it holds.
    ///
    /// # Errors
    /// It cannot be read or written, or a line is not one of ours; it is left as it is.
    pub fn open(path: &Path) -> Result<(Self, Totals), Failure> {
        let mut totals = Totals::default();
        match File::open(path) {
            Ok(file) => totals.read(BufReader::new(file), path)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(format!("{}: {error}", path.display())),
        }
        let file = OpenOptions::new().append(true).create(true).open(path);
        let file = file.map_err(|error| format!("{}: {error}", path.display()))?;
        Ok((Self { file, path: path.to_owned() }, totals))
    }

    /// Appends a line. It is whole or not there: a run that is broken off leaves no half of it behind.
    pub fn append(&mut self, line: &Line) -> Result<(), Failure> {
        let text = serde_json::to_string(line).map_err(|error| error.to_string())?;
        self.file.write_all(format!("{text}\n").as_bytes()).map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

impl Totals {
    fn read(&mut self, lines: impl BufRead, path: &Path) -> Result<(), Failure> {
        for (number, line) in (1..).zip(lines.lines()) {
            let fault = |error: &dyn std::fmt::Display| format!("{}:{number}: {error}", path.display());
            let line = line.map_err(|error| fault(&error))?;
            self.add(&serde_json::from_str(&line).map_err(|error| fault(&error))?);
        }
        Ok(())
    }

    fn add(&mut self, line: &Line) {
        self.seeds += 1;
        *self.verdicts.entry(line.verdict.clone()).or_default() += 1;
        self.ops += line.ops;
        self.faults += line.faults;
        self.simulated_s += line.simulated_s;
    }

    /// In one line.
    pub fn words(&self) -> String {
        let verdicts: Vec<_> =
            self.verdicts.iter().map(|(word, number)| format!("{} {word}", count(*number))).collect();
        format!(
            "{} so far ({}), {} simulated, {}, {}",
            several(self.seeds, "seed", "seeds"),
            if verdicts.is_empty() { "none".into() } else { verdicts.join(", ") },
            span(self.simulated_s),
            several(self.ops, "deed", "deeds"),
            several(self.faults, "fault", "faults"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELD: &str = r#"{"seed":7,"scenario":"calm","verdict":"held","ops":3,"simulated_s":3600.0,"wall_s":0.5,"trace_hash":"00","faults":2,"version":"0.1.0"}"#;

    #[test]
    fn lines_add_up_and_a_foreign_one_is_named() {
        let mut totals = Totals::default();
        totals.read(format!("{HELD}\n{HELD}\n").as_bytes(), Path::new("ledger")).expect("both are ours");
        assert_eq!(totals.words(), "2 seeds so far (2 held), 2 h 0 min simulated, 6 deeds, 4 faults");
        let error =
            totals.read(format!("{HELD}\nseed 8\n").as_bytes(), Path::new("ledger")).expect_err("the second is not");
        assert!(error.starts_with("ledger:2: "), "{error}");
    }
}
