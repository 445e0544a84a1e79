//! What people do: baskets at tills over the hours of a week, deliveries, counts, retries, catalogue changes.

use std::collections::BTreeMap;

use super::{Draw, HOUR_MS};
use crate::data::baskets::{Baskets, Placed};
use crate::data::hours::{HourlyShape, WEEK_HOURS};
use crate::plan::{Action, Plan, Step};

/// How much goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Baskets per store and day.
    pub(crate) per_day: u32,
    /// Lines of a basket beyond which it is cut short.
    pub(crate) lines_max: usize,
    /// Shelves are filled first, and deliveries come.
    pub(crate) stocked: bool,
}

impl Load {
    /// A convenience store.
    pub(crate) fn usual() -> Self {
        Self { per_day: 800, lines_max: 12, stocked: true }
    }

    /// A quiet one.
    pub(crate) fn light() -> Self {
        Self { per_day: 400, lines_max: 6, stocked: true }
    }
}

impl Draw<'_> {
    /// Fills a plan with work.
    pub(crate) fn work(&mut self, plan: &mut Plan, load: Load) {
        let sample;
        let baskets = match &self.wishes.baskets {
            Some(baskets) => baskets.as_ref(),
            None => {
                sample = shipped();
                &sample
            }
        };
        let shape = match &self.wishes.hours {
            Some(recorded) => recorded.scaled(load.per_day),
            None => HourlyShape::assumed(load.per_day),
        };
        let overlay = baskets.overlay(plan.fleet.stores as usize, load.per_day as usize);
        let cut =
            if load.lines_max < 50 { format!("; baskets are cut at {} lines", load.lines_max) } else { String::new() };
        plan.scaling = format!(
            "{}{cut}; products are mapped onto {}; times of day follow {}",
            overlay.scaling, plan.fleet.products, shape.scale,
        );
        for (store, day) in (1..).zip(&overlay.stores) {
            if load.stocked {
                self.deliveries(plan, store);
            }
            self.sales(plan, store, (day, &shape), load);
        }
        if load.stocked {
            self.chores(plan);
        }
    }

    /// Baskets of one store, hour by hour.
    fn sales(&mut self, plan: &mut Plan, store: u32, (day, shape): (&[Placed<'_>], &HourlyShape), load: Load) {
        let mut next = 0;
        let retries = self.chance(40);
        for hour in 0..plan.safety_ms.div_ceil(HOUR_MS) {
            let of_week = (START_HOUR + hour as usize) % WEEK_HOURS;
            for _ in 0..shape.per_hour[of_week] {
                let at_ms = hour * HOUR_MS + self.from(0, HOUR_MS - 1);
                let (till, repeats) = (self.from(1, TILLS), u8::from(retries && self.chance(5)));
                let Some(placed) = day.get(next % day.len().max(1)) else { return };
                next += 1;
                let lines = lines(placed, plan.fleet.products, load.lines_max);
                if at_ms < plan.safety_ms && !lines.is_empty() {
                    let action = Action::Sell { store, till: till as u32, lines, repeats };
                    plan.steps.push(Step { at_ms, action });
                }
            }
        }
    }

    /// What lies on the shelves in the morning, and what comes during the run.
    fn deliveries(&mut self, plan: &mut Plan, store: u32) {
        for product in 0..plan.fleet.products {
            let quantity = self.from(20, 200) as i64;
            plan.steps.push(Step { at_ms: self.from(0, 20_000), action: Action::Receive { store, product, quantity } });
        }
        for _ in 0..self.from(1, 6) {
            let (at_ms, product) = (self.from(0, plan.safety_ms - 1), self.product(plan));
            let quantity = self.from(1, 100) as i64;
            plan.steps.push(Step { at_ms, action: Action::Receive { store, product, quantity } });
        }
    }

    /// Counts while selling, retry storms, shrinkage, catalogue changes.
    fn chores(&mut self, plan: &mut Plan) {
        for _ in 0..self.from(0, 8) {
            let store = self.from(1, plan.fleet.stores.into()) as u32;
            let (at_ms, product) = (self.from(30_000, plan.safety_ms - 1), self.product(plan));
            let action = match self.from(0, 9) {
                0..=4 => Action::Count { store, product },
                5 | 6 => Action::RetryStorm { store, last: self.from(1, 20) as u16 },
                7 => Action::Shrink { store, product, quantity: self.from(1, 5) as i64 },
                _ => Action::PushCatalogue { products: plan.fleet.products },
            };
            plan.steps.push(Step { at_ms, action });
        }
    }

    fn product(&mut self, plan: &Plan) -> u16 {
        self.from(0, u64::from(plan.fleet.products) - 1) as u16
    }
}

/// A basket in the fleet's products: lines of one product are one line.
fn lines(placed: &Placed<'_>, products: u16, lines_max: usize) -> Vec<(u16, i64, i64)> {
    let mut lines: BTreeMap<u16, (i64, i64)> = BTreeMap::new();
    for line in placed.basket.lines.iter().take(lines_max) {
        let product = (line.product.wrapping_mul(2_654_435_761) >> 12) % u32::from(products);
        let quantity = i64::from(line.quantity).min(QUANTITY_MAX);
        let price = line.charged_cents() / i64::from(line.quantity);
        let held = lines.entry(product as u16).or_insert((0, price));
        held.0 += quantity;
    }
    lines.into_iter().map(|(product, (quantity, price))| (product, quantity, price)).collect()
}

/// The sample of real baskets that ships with the node.
pub fn shipped() -> Baskets {
    let files = [BASKETS.as_bytes(), LINES.as_bytes()];
    Baskets::read(files, ["baskets.csv", "lines.csv"]).expect("the shipped sample can be read; a test does")
}

const BASKETS: &str = include_str!("../../../node/sample/baskets.csv");
const LINES: &str = include_str!("../../../node/sample/lines.csv");

/// Runs begin on a Monday at this hour.
const START_HOUR: usize = 8;

/// Tills of a store.
const TILLS: u64 = 2;

/// Units of one line beyond which it is not a household's.
const QUANTITY_MAX: i64 = 20;
