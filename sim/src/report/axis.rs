//! Axes: where their marks stand and what is written at them.

use super::words;

/// One axis of a picture.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Its first value: left, or at the bottom.
    pub from: f64,
    /// Its last value; less than the first for rows that are counted from the top.
    pub to: f64,
    /// Where something is written, and what.
    pub ticks: Vec<(f64, String)>,
    /// What it measures, with the unit.
    pub title: String,
    /// Draw a line across the picture at each tick.
    pub grid: bool,
}

/// How far apart the labels of a time axis may stand, in milliseconds.
const TIME_STEPS: &[u64] = &[
    1_000,
    5_000,
    15_000,
    60_000,
    300_000,
    900_000,
    1_800_000,
    3_600_000,
    7_200_000,
    10_800_000,
    21_600_000,
    43_200_000,
    86_400_000,
    172_800_000,
    432_000_000,
    864_000_000,
    1_728_000_000,
];
const DAY_MS: u64 = 86_400_000;

impl Axis {
    /// The time of a run, from its start to `end_ms`.
    pub fn time(end_ms: u64, ticks_max: u64) -> Self {
        let end = end_ms.max(1_000);
        let fits = |step: &&u64| end / **step < ticks_max;
        let step = TIME_STEPS.iter().find(fits).copied();
        let step = step.unwrap_or_else(|| end.div_ceil(ticks_max.max(1)).div_ceil(DAY_MS) * DAY_MS);
        let label = |ms: u64| match (ms.is_multiple_of(DAY_MS), step < 60_000) {
            (true, _) => format!("day {}", words::count(ms / DAY_MS + 1)),
            (false, true) => words::hour(ms),
            (false, false) => words::hour(ms)[..5].to_owned(),
        };
        let ticks =
            (0..=end / step).map(|tick| (tick * step) as f64).zip((0..=end / step).map(|tick| label(tick * step)));
        let title = "day and hour of the run".to_owned();
        Self { from: 0.0, to: end as f64, ticks: ticks.collect(), title, grid: true }
    }

    /// Amounts from none to `most`, written by `name`.
    pub fn amount(most: u64, title: &str, name: impl Fn(u64) -> String) -> Self {
        let most = most.max(1);
        let step = round_step(most);
        let steps = (1..).take_while(|tick| tick * u128::from(step) <= u128::from(most)).count() as u64;
        let ticks = (0..=steps).map(|tick| (tick as f64 * step as f64, name(tick * step)));
        Self { from: 0.0, to: most as f64, ticks: ticks.collect(), title: title.to_owned(), grid: true }
    }

    /// Names of rows, the first at the top. A row is one unit high; its name stands at its middle.
    pub fn rows(names: impl Iterator<Item = String>) -> Self {
        let ticks: Vec<_> = names.enumerate().map(|(row, name)| (row as f64 + 0.5, name)).collect();
        Self { from: ticks.len().max(1) as f64, to: 0.0, ticks, title: String::new(), grid: false }
    }

    /// Drops what is written nearer than `least` to what is written before it.
    pub fn keep_apart(&mut self, least: f64) {
        let mut last = f64::NEG_INFINITY;
        self.ticks.retain(|(tick, _)| {
            let apart = tick - last >= least;
            last = if apart { *tick } else { last };
            apart
        });
    }

    /// What is written at a tick.
    pub fn label(&self, value: f64) -> String {
        let near = |(tick, _): &&(f64, String)| (tick - value).abs() <= (self.to - self.from).abs() * 1e-9;
        self.ticks.iter().find(near).map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

/// A step of 1, 2 or 5 times a power of ten that fits two to six times, if `most` allows it.
fn round_step(most: u64) -> u64 {
    let aim = most.div_ceil(6);
    let power = 10_u64.pow(aim.max(1).ilog10());
    [1, 2, 5, 10].into_iter().map(|times: u64| power.saturating_mul(times)).find(|step| *step >= aim).unwrap_or(aim)
}

/// How amounts are laid along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Even,
    /// By powers of ten, with zero in its place.
    Powers,
}

impl Scale {
    /// Powers of ten if an even scale would hide what is small.
    pub fn for_most(most: u64) -> Self {
        if most > 200 { Self::Powers } else { Self::Even }
    }

    /// Where an amount lies.
    pub fn place(self, amount: u64) -> f64 {
        match self {
            Self::Even => amount as f64,
            Self::Powers => (amount as f64).ln_1p() / std::f64::consts::LN_10,
        }
    }

    /// An axis from none to `most`.
    pub fn axis(self, most: u64, title: &str) -> Axis {
        match self {
            Self::Even => Axis::amount(most, title, words::short),
            Self::Powers => {
                let powers = (0..=most.max(1).ilog10()).map(|power| 10_u64.pow(power));
                let ticks = [0].into_iter().chain(powers).map(|tick| (self.place(tick), words::short(tick)));
                let title = format!("{title}, by powers of ten");
                Axis { from: 0.0, to: self.place(most.max(1)), ticks: ticks.collect(), title, grid: true }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn a_time_axis_names_days_and_hours() {
        assert_eq!(labels(&Axis::time(86_400_000, 6)), ["day 1", "06:00", "12:00", "18:00", "day 2"]);
        assert_eq!(labels(&Axis::time(3_000, 6)), ["day 1", "00:00:01", "00:00:02", "00:00:03"]);
        assert_eq!(labels(&Axis::time(0, 6)), ["day 1", "00:00:01"]);
    }

    #[test]
    fn an_axis_stays_short_whatever_its_length() {
        for power in 0..64 {
            let most = 1_u64 << power;
            assert!((1..=12).contains(&Axis::time(most, 10).ticks.len()), "time to {most}");
            assert!((2..=7).contains(&Axis::amount(most, "", words::bytes).ticks.len()), "amounts to {most}");
            assert!((2..=21).contains(&Scale::Powers.axis(most, "").ticks.len()), "powers to {most}");
        }
        assert!(Axis::time(u64::MAX, 10).ticks.len() <= 11);
        assert!(Axis::amount(u64::MAX, "", words::bytes).to.is_finite());
    }

    #[test]
    fn powers_have_room_for_nothing() {
        assert_eq!(Scale::Powers.place(0), 0.0);
        assert!((Scale::Powers.place(999) - 3.0).abs() < 1e-9);
        assert_eq!(labels(&Scale::Powers.axis(1_200, "")), ["0", "1", "10", "100", "1k"]);
    }

    #[test]
    fn labels_that_would_touch_are_dropped() {
        let mut axis = Scale::Powers.axis(1_200, "");
        axis.keep_apart(0.8);
        assert_eq!(labels(&axis), ["0", "10", "100", "1k"]);
    }

    #[test]
    fn a_tick_is_found_by_its_value() {
        let axis = Axis::rows(["a", "b"].map(str::to_owned).into_iter());
        assert_eq!([axis.label(0.5), axis.label(1.5), axis.label(1.0)], ["a", "b", ""]);
    }
}
