//! What one run is about: customers, outages, forecasts and the true shelf. Drawn once, and the same for every strategy.

use stockroom_core::policy::outage::History;

use super::draws::{Draws, Stream};
use super::outages::{self, Outages};
use super::{DAY_MS, Setting};

/// One run before anybody decided anything.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its number.
    pub run: u64,
    /// Customers: when, and at which node. Each wants one unit; ascending.
    pub customers: Vec<(u64, usize)>,
    /// When each node's link is down.
    pub outages: Vec<Outages>,
    /// What is forecast for each node, units per day.
    pub forecasts: Vec<f64>,
    /// Units in the book at the beginning.
    pub book: u64,
    /// Units on the shelf.
    pub shelf: u64,
}

impl Case {
    /// Draws a run.
    pub fn draw(setting: &Setting, run: u64) -> Self {
        let (customers, forecasts, book) = match &setting.purchases {
            Some(purchases) => purchases.window(setting, run),
            None => {
                let shares = zipf(setting.nodes, setting.zipf);
                let customers = arrivals(setting, &shares, &mut Draws::new(setting.seed, run, Stream::Demand));
                let mut draws = Draws::new(setting.seed, run, Stream::Forecasts);
                let daily = setting.demand * DAY_MS as f64 / setting.horizon_ms as f64;
                (
                    customers,
                    shares.iter().map(|share| share * daily * factor(setting, &mut draws)).collect(),
                    setting.stock,
                )
            }
        };
        let mut draws = Draws::new(setting.seed, run, Stream::Outages);
        let base = match &setting.recorded {
            Some(recorded) => recorded.draw(setting.nodes, setting.end_ms(), &mut draws),
            None => setting.failing.draw(setting.nodes, setting.end_ms(), &mut draws),
        };
        let within = (setting.start_ms(), setting.end_ms());
        let outages = outages::all(base, setting.district, within, (setting.seed, run));
        let shelf = shelf(setting, book, &mut Draws::new(setting.seed, run, Stream::Shelf));
        Self { run, customers, outages, forecasts, book, shelf }
    }

    /// What each link did before the run begins, and whether it is down then, and since when it is as it is.
    pub fn past(&self, setting: &Setting, node: usize) -> (History, bool, u64) {
        let start = setting.start_ms();
        let mut history = History::default();
        let mut since = 0;
        for &(from, to) in self.outages[node].iter().filter(|(from, _)| *from <= start) {
            history.saw_up(from - since);
            if to > start {
                return (history, true, from);
            }
            history.saw_outage(to - from);
            since = to;
        }
        (history, false, since)
    }

    /// What somebody keeps who knows every customer beforehand and needs no link.
    pub fn clairvoyant(&self) -> u64 {
        self.shelf.min(self.customers.len() as u64)
    }

    /// What somebody keeps who knows every customer and every outage beforehand, and can bring a right to a node only while its link is
    /// up: a customer can be served if the link was up at any time since the goods came in.
    pub fn clairvoyant_link(&self, setting: &Setting) -> u64 {
        let first_up = |node: usize| {
            let down =
                self.outages[node].iter().find(|(from, to)| *from <= setting.start_ms() && *to > setting.start_ms());
            down.map_or(setting.start_ms(), |(_, to)| *to)
        };
        let first_up: Vec<u64> = (0..self.outages.len()).map(first_up).collect();
        let reached = self.customers.iter().filter(|(at, node)| *at >= first_up[*node]).count() as u64;
        self.shelf.min(reached)
    }
}

/// Shares of demand that sum to 1.
fn zipf(nodes: usize, exponent: f64) -> Vec<f64> {
    let weights: Vec<f64> = (1..=nodes).map(|rank| (rank as f64).powf(-exponent)).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

fn factor(setting: &Setting, draws: &mut Draws) -> f64 {
    if setting.exact { 1.0 } else { draws.gamma2() }
}

fn arrivals(setting: &Setting, shares: &[f64], draws: &mut Draws) -> Vec<(u64, usize)> {
    let gap_ms = setting.horizon_ms as f64 / setting.demand.max(1e-9);
    let sums: Vec<f64> = shares
        .iter()
        .scan(0.0, |sum, share| {
            *sum += share;
            Some(*sum)
        })
        .collect();
    let mut customers = Vec::new();
    let mut at = draws.exponential(gap_ms);
    while at < setting.horizon_ms as f64 {
        let pick = draws.unit();
        let node = sums.partition_point(|sum| *sum < pick).min(shares.len() - 1);
        customers.push((setting.start_ms() + at as u64, node));
        at += draws.exponential(gap_ms);
    }
    customers
}

fn shelf(setting: &Setting, book: u64, draws: &mut Draws) -> u64 {
    let Some(error) = setting.record_error.filter(|error| draws.chance(error.share)) else { return book };
    let size = draws.exponential(error.size * book as f64).round().max(1.0) as u64;
    if draws.chance(0.5) { book.saturating_sub(size) } else { book + size }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::availability::RecordError;

    #[test]
    fn customers_come_as_often_as_expected_and_most_to_the_first_node() {
        let setting = Setting { demand: 5_000.0, ..Setting::default() };
        let case = Case::draw(&setting, 1);
        assert!((4_700..5_300).contains(&case.customers.len()));
        let at = |node| case.customers.iter().filter(|(_, at)| *at == node).count();
        assert!(at(0) > at(4) && at(4) > at(40));
        assert!(case.customers.is_sorted());
        assert!(case.customers.iter().all(|(at, _)| (setting.start_ms()..setting.end_ms()).contains(at)));
    }

    #[test]
    fn a_clairvoyant_is_bounded_by_goods_customers_and_links() {
        let setting = Setting { history_ms: 0, nodes: 2, ..Setting::default() };
        let case = Case {
            run: 0,
            customers: vec![(5, 0), (10, 1), (20, 1), (30, 0)],
            outages: vec![vec![(0, 8)], vec![(15, 90)]],
            forecasts: vec![1.0, 1.0],
            book: 10,
            shelf: 10,
        };
        assert_eq!((case.clairvoyant(), case.clairvoyant_link(&setting)), (4, 3));
        let few = Case { shelf: 2, ..case };
        assert_eq!((few.clairvoyant(), few.clairvoyant_link(&setting)), (2, 2));
    }

    #[test]
    fn books_are_as_wrong_as_was_asked_for() {
        let setting = Setting { record_error: Some(RecordError { share: 0.65, size: 0.35 }), ..Setting::default() };
        let shelves: Vec<u64> = (0..2_000).map(|run| Case::draw(&setting, run).shelf).collect();
        let wrong = shelves.iter().filter(|shelf| **shelf != 50).count();
        assert!((1_200..1_400).contains(&wrong), "{wrong}");
        let off: u64 = shelves.iter().map(|shelf| shelf.abs_diff(50)).sum();
        assert!(
            (0.28..0.36).contains(&(off as f64 / wrong as f64 / 50.0)),
            "{off} by {wrong}: too few is never below none"
        );
    }

    #[test]
    fn the_past_ends_where_the_run_begins() {
        let setting = Setting { history_ms: 100_000, ..Setting::default() };
        let case = |outages| Case { outages: vec![outages], ..Case::draw(&setting, 0) };
        let (history, down, since) = case(vec![(10_000, 20_000), (90_000, 300_000)]).past(&setting, 0);
        assert_eq!((history.seen(), down, since), (1, true, 90_000));
        let (history, down, since) = case(vec![(10_000, 20_000), (200_000, 300_000)]).past(&setting, 0);
        assert_eq!((history.seen(), down, since), (1, false, 20_000));
    }
}
