//! Properties that rerun from the seed they print.
//!
//! A run takes a fresh seed and prints it first; `STOCKROOM_SEED=<seed>` repeats that run. A failing case is appended to
//! `tests/regressions.txt` and tried first ever after, so commit the line with the fix. `STOCKROOM_EFFORT=<n>` multiplies
//! the number of cases, for a run over night.

use std::fmt::Debug;
use std::hash::{BuildHasher, RandomState};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, FileFailurePersistence, RngSeed, TestCaseError, TestError, TestRunner};

/// What a property gives for one case: `Ok`, or what is wrong (see `prop_assert!`).
pub type Verdict = Result<(), TestCaseError>;

/// Tries `property` on `cases` values of `strategy` and panics with the smallest failing value that it finds.
pub fn check<S: Strategy>(name: &str, cases: u32, strategy: S, property: impl Fn(S::Value) -> Verdict)
where
    S::Value: Debug,
{
    let seed = number_from_env("STOCKROOM_SEED").unwrap_or_else(|| RandomState::new().hash_one(name));
    let effort = number_from_env("STOCKROOM_EFFORT").unwrap_or(1);
    eprintln!("{name}: STOCKROOM_SEED={seed}");
    let mut runner = TestRunner::new(Config {
        cases: cases.saturating_mul(u32::try_from(effort).unwrap_or(u32::MAX)),
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        ..Config::default()
    });
    match runner.run(&strategy, property) {
        Ok(()) => {}
        Err(TestError::Fail(reason, value)) => panic!("{name}, STOCKROOM_SEED={seed}: {reason}\n{value:?}"),
        Err(TestError::Abort(reason)) => panic!("{name}, STOCKROOM_SEED={seed}: gave up: {reason}"),
    }
}

fn number_from_env(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/regressions.txt");
