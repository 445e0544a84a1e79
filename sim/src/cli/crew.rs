//! Several threads at one list of jobs; results come in the order of the list.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

/// Does jobs `0..count` on so many threads, and gives `done` each result in order. `done` may end it: jobs under way are finished
/// and forgotten.
pub fn work<R: Send>(
    threads: usize,
    count: u64,
    job: impl Fn(u64) -> R + Sync,
    mut done: impl FnMut(u64, R) -> ControlFlow<()>,
) {
    let next = AtomicU64::new(0);
    // A result waits here for those before it, so that no more than this many are held.
    let (give, take) = mpsc::sync_channel(RESULTS_WAITING);
    thread::scope(|scope| {
        for _ in 0..threads {
            let (give, next, job) = (give.clone(), &next, &job);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count || give.send((number, job(number))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(give);
        let (mut waiting, mut wanted) = (BTreeMap::new(), 0);
        for (number, result) in take {
            waiting.insert(number, result);
            while let Some(result) = waiting.remove(&wanted) {
                if done(wanted, result).is_break() {
                    // The end of the channel goes with this loop, and every thread sees that it is gone.
                    return;
                }
                wanted += 1;
            }
        }
    });
}

/// Threads for as many cores as there are.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Results on their way from a thread.
const RESULTS_WAITING: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_all_of_them() {
        let mut got = Vec::new();
        work(
            4,
            200,
            |number| number * 2,
            |number, result| {
                got.push((number, result));
                ControlFlow::Continue(())
            },
        );
        assert_eq!(got, (0..200).map(|number| (number, number * 2)).collect::<Vec<_>>());
    }

    #[test]
    fn it_can_be_ended_before_the_list_is_done() {
        let mut got = 0;
        work(
            2,
            u64::MAX,
            |number| number,
            |number, _| {
                got = number;
                if number == 30 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        );
        assert_eq!(got, 30);
    }
}
