//! What a benchmark found: a table for people, figures for programs.

use serde::Serialize;

/// One figure.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// Who: ours, or what we compare with.
    pub subject: String,
    /// Under which conditions.
    pub case: String,
    /// What was measured, with its unit: `bytes/line`.
    pub measure: String,
    /// How much.
    pub value: f64,
    /// What we want to reach, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

/// All figures of one run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The benchmark's name.
    pub benchmark: &'static str,
    /// What one must know to read the figures.
    pub notes: Vec<String>,
    /// The figures.
    pub figures: Vec<Figure>,
}

impl Report {
    /// A report without figures.
    pub fn new(benchmark: &'static str) -> Self {
        let debug = cfg!(debug_assertions).then(|| "debug build: times mean nothing, use --release".to_owned());
        Self { benchmark, notes: debug.into_iter().collect(), figures: Vec::new() }
    }

    /// Adds something that one must know to read the figures.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Adds a figure.
    pub fn add(&mut self, subject: &str, case: &str, measure: &str, value: f64) {
        self.push(subject, case, measure, value, None);
    }

    /// Adds a figure that should not be larger than `most`.
    pub fn add_at_most(&mut self, subject: &str, case: &str, measure: &str, value: f64, most: f64) {
        self.push(subject, case, measure, value, Some(Target::AtMost(most)));
    }

    /// Adds a figure that should not be smaller than `least`.
    pub fn add_at_least(&mut self, subject: &str, case: &str, measure: &str, value: f64, least: f64) {
        self.push(subject, case, measure, value, Some(Target::AtLeast(least)));
    }

    fn push(&mut self, subject: &str, case: &str, measure: &str, value: f64, target: Option<Target>) {
        let (subject, case, measure) = (subject.to_owned(), case.to_owned(), measure.to_owned());
        self.figures.push(Figure { subject, case, measure, value, target });
    }

    /// One table per measure: a row per case, a column per subject.
    pub fn table(&self) -> String {
        let mut out = format!("{}\n", self.benchmark);
        self.notes.iter().for_each(|note| out += &format!("  {note}\n"));
        for measure in distinct(self.figures.iter().map(|figure| &figure.measure)) {
            let figures: Vec<_> = self.figures.iter().filter(|figure| figure.measure == *measure).collect();
            let subjects = distinct(figures.iter().map(|figure| &figure.subject));
            out += &format!("\n{measure:<44}");
            subjects.iter().for_each(|subject| out += &format!("{subject:>22}"));
            for case in distinct(figures.iter().map(|figure| &figure.case)) {
                out += &format!("\n  {case:<42}");
                for subject in &subjects {
                    let cell = figures.iter().find(|figure| figure.case == *case && figure.subject == **subject);
                    out += &format!("{:>22}", cell.map(|figure| figure.cell()).unwrap_or_default());
                }
            }
            out.push('\n');
        }
        out
    }
}

impl Figure {
    fn cell(&self) -> String {
        let value = match self.value.abs() {
            small if small < 100.0 => format!("{:.2}", self.value),
            _ => format!("{:.0}", self.value),
        };
        match self.target {
            None => value,
            Some(Target::AtMost(most)) if self.value <= most => format!("{value} (<= {most})"),
            Some(Target::AtLeast(least)) if self.value >= least => format!("{value} (>= {least})"),
            Some(Target::AtMost(most)) => format!("{value} MISSES {most}"),
            Some(Target::AtLeast(least)) => format!("{value} MISSES {least}"),
        }
    }
}

fn distinct<'a>(names: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
    let mut seen = Vec::new();
    names.for_each(|name| {
        if !seen.contains(&name) {
            seen.push(name);
        }
    });
    seen
}
