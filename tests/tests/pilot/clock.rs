//! How long each step of the pilot took, for the guide that promises it to people.

use std::time::{Duration, Instant};

/// Steps in their order.
pub struct Steps {
    begun: Instant,
    taken: Vec<(String, Duration)>,
}

impl Steps {
    /// Begins now.
    pub fn new() -> Self {
        Self { begun: Instant::now(), taken: Vec::new() }
    }

    /// Does a step and remembers how long it took.
    pub fn step<T>(&mut self, what: &str, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = work();
        self.taken.push((what.to_owned(), begun.elapsed()));
        done
    }

    /// A table of all steps, and the whole.
    pub fn print(&self) {
        println!("{:>8}  step", "seconds");
        for (what, taken) in &self.taken {
            println!("{:>8.2}  {what}", taken.as_secs_f64());
        }
        println!("{:>8.2}  the whole pilot", self.begun.elapsed().as_secs_f64());
    }
}
