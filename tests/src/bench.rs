//! Benchmarks: figures with their units, compared with targets but never failing on them, since machines differ.
//!
//! A benchmark is a file below `bench/` and a line in [`ALL`].

mod checkout;
mod codec;
mod cost;
mod day;
mod feed;
mod fleet;
mod ingest;
mod live;
mod market;
mod members;
mod memory;
mod merge;
mod orders;
mod pages;
mod pair;
mod quote;
mod report;
mod reserve;
mod route;
mod sale;

use std::time::{Duration, Instant};

pub use memory::{RESIDENT, say_resident};
pub use report::{Figure, Report};

/// One benchmark.
pub struct Benchmark {
    /// What to call it on the command line.
    pub name: &'static str,
    /// One line about what it measures.
    pub about: &'static str,
    /// Measures.
    pub run: fn(Effort) -> Report,
}

/// Every benchmark.
pub const ALL: &[Benchmark] = &[
    codec::BENCHMARK,
    merge::BENCHMARK,
    ingest::BENCHMARK,
    sale::BENCHMARK,
    checkout::BENCHMARK,
    reserve::BENCHMARK,
    route::BENCHMARK,
    quote::BENCHMARK,
    feed::BENCHMARK,
    memory::BENCHMARK,
    members::BENCHMARK,
    orders::BENCHMARK,
    live::BENCHMARK,
    pages::BENCHMARK,
    fleet::BENCHMARK,
];

/// How long a benchmark may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effort {
    /// As long as good figures need.
    Full,
    /// Long enough to see that it works.
    Quick,
}

impl Effort {
    /// `full`, or a smaller number for a quick run.
    fn pick(self, full: usize, quick: usize) -> usize {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }
}

/// The shortest of `rounds` runs: on a noisy machine the one that was disturbed least.
fn fastest(rounds: usize, mut run: impl FnMut() -> Duration) -> Duration {
    (0..rounds).map(|_| run()).min().unwrap_or_default()
}

/// How long `run` takes, without building what it takes and without dropping what it gives.
fn time<T>(run: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let given = std::hint::black_box(run());
    (start.elapsed(), given)
}
