//! Files of acts by hand: written beside a run that somebody watched, read to play the same run again.

use std::path::Path;

use serde::{Deserialize, Serialize};
use stockroom_sim::hand::HandAct;

use super::Failure;
use super::run::write;
use super::wishes::{open, shown};

/// What such a file holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acts {
    /// The arguments that name the world in which they were done.
    pub world: String,
    /// In the order of time.
    pub acts: Vec<HandAct>,
    /// The hash of the run, once it is over.
    pub trace_hash: Option<String>,
}

impl Acts {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let acts: Self = serde_json::from_reader(open(path)?).map_err(|error| format!("{}: {error}", shown(path)))?;
        match acts.acts.len() {
            0..=ACTS_MAX => Ok(acts),
            count => Err(format!("{}: {count} acts, at most {ACTS_MAX}", shown(path))),
        }
    }

    /// Writes a file.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        write(path, &self.text())
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        format!("{text}\n")
    }
}

/// More than anybody does by hand.
pub const ACTS_MAX: usize = 10_000;
