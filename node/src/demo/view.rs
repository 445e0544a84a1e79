//! What a person sees while the demo runs: a sentence for every step, and below it how every node fares. On a terminal that
//! is redrawn in place; elsewhere a line is printed every few seconds.

use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::board::{Board, Status};
use super::till::Tills;

/// Where progress is shown.
pub enum View {
    /// A terminal.
    Live {
        /// All rows.
        rows: MultiProgress,
        /// The hub's row, then the stores'.
        bars: Vec<ProgressBar>,
    },
    /// A file or a pipe.
    Plain {
        /// When the last line was printed.
        printed: Cell<Instant>,
    },
}

impl View {
    /// Progress goes to standard error; `sales` says how many each store will ring up.
    pub fn new(sales: &[usize]) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Plain { printed: Cell::new(Instant::now()) };
        }
        let rows = MultiProgress::new();
        let mut bars = vec![row(&rows, "hub", "{prefix:8} {msg}", 1)];
        for (index, &sales) in sales.iter().enumerate() {
            let prefix = format!("store {}", index + 1);
            bars.push(row(&rows, &prefix, "{prefix:8} {bar:24} {pos:>4} of {len} sales  {msg}", sales as u64));
        }
        Self::Live { rows, bars }
    }

    /// One sentence about what happens now.
    pub fn say(&self, words: impl AsRef<str>) {
        match self {
            // A terminal that is gone does not stop the demo.
            Self::Live { rows, .. } => rows.println(words).unwrap_or_default(),
            Self::Plain { .. } => note(words),
        }
    }

    /// Shows how the nodes fare. Call it a few times a second.
    pub fn show(&self, clock: &str, board: &Board, tills: &Tills) {
        let newest = board.newest();
        let hub = newest.first().and_then(Option::as_ref);
        match self {
            Self::Live { bars, .. } => {
                for (index, (bar, status)) in bars.iter().zip(&newest).enumerate() {
                    if index == 0 {
                        bar.set_message(format!("{clock}  {}", hub_words(hub)));
                    } else {
                        bar.set_position(tills.acked(index as u32) as u64);
                        bar.set_message(store_words(status.as_ref(), age_at_hub(hub, index as u32)));
                    }
                    bar.tick();
                }
            }
            Self::Plain { printed } if printed.get().elapsed() >= PRINT_AFTER => {
                printed.set(Instant::now());
                let store = |(index, status): (usize, &Option<Status>)| {
                    let (sales, age) = (tills.acked(index as u32), age_at_hub(hub, index as u32));
                    format!("store {index}: {sales} sales, {}", store_words(status.as_ref(), age))
                };
                let stores: Vec<_> = newest.iter().enumerate().skip(1).map(store).collect();
                note(format!("  {clock}  {}", stores.join(" | ")));
            }
            Self::Plain { .. } => {}
        }
    }
}

impl Drop for View {
    /// Takes the rows away.
    fn drop(&mut self) {
        if let Self::Live { rows, bars } = self {
            bars.iter().for_each(ProgressBar::finish_and_clear);
            rows.clear().unwrap_or_default();
        }
    }
}

/// What the demo is for goes to standard output. A reader that is gone does not stop the demo.
pub fn print(words: impl AsRef<str>) {
    let _ = writeln!(std::io::stdout(), "{}", words.as_ref());
}

/// What happens on the way goes to standard error.
pub fn note(words: impl AsRef<str>) {
    let _ = writeln!(std::io::stderr(), "{}", words.as_ref());
}

fn row(rows: &MultiProgress, prefix: &str, template: &str, length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = rows.add(ProgressBar::new(length).with_style(style.progress_chars("##-")));
    bar.set_prefix(prefix.to_owned());
    bar
}

fn hub_words(hub: Option<&Status>) -> String {
    match hub.map(Status::neighbours) {
        None => "does not answer".into(),
        Some(stores) => format!("{stores} stores on the line"),
    }
}

fn store_words(status: Option<&Status>, age_s: Option<u64>) -> String {
    let Some(status) = status else { return "does not answer".into() };
    let line = match (status.reaches_hub(), status.neighbours()) {
        (true, _) => "hub up".into(),
        (false, 0) => String::from("alone"),
        (false, neighbours) => format!("hub DOWN, {neighbours} neighbours"),
    };
    let waits = match status.backlog.entries {
        0 => String::from("all at the hub"),
        entries => format!("{entries} wait, {} s", status.backlog.oldest_age_s),
    };
    let age = age_s.map_or_else(|| "never heard".into(), |age| format!("hub's view {age} s old"));
    format!("{line}, {waits}, {age}")
}

fn age_at_hub(hub: Option<&Status>, store: u32) -> Option<u64> {
    hub?.stores.iter().find(|known| known.store == store)?.age_s
}

const PRINT_AFTER: Duration = Duration::from_secs(3);
