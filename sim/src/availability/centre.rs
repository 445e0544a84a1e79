//! The centre: it mints, spreads, answers, asks back, and serves soft promises first.

mod known;

use std::collections::VecDeque;

use stockroom_core::policy::borrow;
use stockroom_core::policy::exposure::{Leak, expose};
use stockroom_core::policy::outage::{History, Lengths};
use stockroom_core::policy::soft::{self, Ledger, Stranded};
use stockroom_core::policy::spread::{Move, Pool, Spoke, spread};
use stockroom_crdt::ids::Actor;
use stockroom_crdt::stock::rights::{Liability, Rights};

use super::shop::Seen;
use super::wire::{Others, Report, Word, facing};
pub use known::Known;
use known::Say;

/// The centre.
#[derive(Clone, Debug)]
pub struct Centre {
    /// Who it is.
    pub me: Actor,
    /// What it knows of rights to goods.
    pub goods: Rights,
    /// And to the overbooking budget.
    pub budget: Rights,
    /// The nodes, as it knows them.
    pub nodes: Vec<Known>,
    requests: VecDeque<Request>,
    funding: bool,
    held: u64,
    minted: u64,
    /// Transfers of goods that it made.
    pub grants: u64,
    /// Transfers of the budget.
    pub budget_grants: u64,
}

#[derive(Clone, Debug)]
struct Request {
    node: usize,
    number: u32,
    units: u64,
    until_ms: u64,
    tried: Vec<usize>,
}

impl Centre {
    /// A centre without rights.
    pub fn new(me: Actor, nodes: Vec<Known>) -> Self {
        let (goods, budget) = (Rights::default(), Rights::default());
        Self {
            me,
            goods,
            budget,
            nodes,
            requests: VecDeque::new(),
            funding: false,
            held: 0,
            minted: 0,
            grants: 0,
            budget_grants: 0,
        }
    }

    /// Goods come in: mints what the guard allows, and looks at the whole pool.
    pub fn receive(&mut self, seen: &Seen<'_>, book: u64) {
        let owed = Liability { minted: self.goods.minted(), burned: self.goods.burned(), ..Liability::default() };
        let units = owed.may_mint(expose(book, &seen.setting.rule, &Leak::default()));
        self.mint(units);
        if seen.strategy.soft() {
            let minted = self.budget.mint(self.me, seen.setting.budget);
            assert!(minted.is_ok(), "a budget is far below what a row holds");
            let rates: Vec<f64> = self.nodes.iter().map(|node| node.rate(seen.now_ms)).collect();
            let shares = soft::budget(seen.setting.budget, &rates);
            self.nodes.iter_mut().zip(shares).for_each(|(node, share)| node.share = share);
        }
        self.review(seen);
    }

    /// Makes rights without looking at what was made before. Only [`Centre::receive`] and planted faults do.
    pub fn mint(&mut self, units: u64) {
        let minted = self.goods.mint(self.me, units);
        assert!(minted.is_ok(), "an account's stock is far below what a row holds");
        self.held = self.goods.held(self.me);
        self.minted = self.goods.row(self.me).mint;
    }

    /// A link failed: what was under way either arrived or is said again later.
    pub fn cut(&mut self, now_ms: u64, at: usize) {
        let node = &mut self.nodes[at];
        node.history.saw_up(now_ms.saturating_sub(node.up_ms));
        node.up_mean_ms = node.history.up_mean_ms();
        node.cut_ms = Some(now_ms);
        node.reclaiming = false;
        self.requests.retain(|request| request.node != at);
    }

    /// A link is back: both ends say all that they have. Gives the link's past.
    pub fn mend(&mut self, now_ms: u64, at: usize) -> History {
        let node = &mut self.nodes[at];
        if let Some(cut_ms) = node.cut_ms.take() {
            node.history.saw_outage(now_ms - cut_ms);
        }
        node.lengths = node.history.lengths();
        node.up_ms = now_ms;
        node.fresh = true;
        node.history.clone()
    }

    /// Something that was said to a node never arrived.
    pub fn lost(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        node.told = None;
        node.say = Say { goods: true, budget: true, more: true };
    }

    /// A node is back and has nothing to say.
    pub fn meet(&mut self, seen: &Seen<'_>, at: usize) {
        self.nodes[at].fresh = false;
        self.review(seen);
    }

    /// The past of a node's link.
    pub fn history(&self, at: usize) -> &History {
        &self.nodes[at].history
    }

    /// Takes in what a node says. A report after an outage makes it look at the whole pool.
    pub fn hear(&mut self, seen: &Seen<'_>, at: usize, report: &Report) {
        let node = &mut self.nodes[at];
        if let Some(row) = &report.goods {
            self.goods.merge(node.actor, row);
            let held = self.goods.held(node.actor);
            // A node that has just promised its last right is without one until somebody looks.
            node.fresh |= held == 0 && node.held > 0;
            node.held = held;
            self.held = self.goods.held(self.me);
            node.reclaiming &= row.served(self.me) < node.reclaim;
        }
        if let Some(row) = &report.budget {
            self.budget.merge(node.actor, row);
            node.budget = self.budget.held(node.actor);
        }
        node.demand.saw(report.seen.saturating_sub(node.demand.seen()));
        node.waiting = report.waiting;
        node.risk_ppm = report.risk_ppm;
        if let Some((number, units)) = report.request {
            let until_ms = seen.now_ms + PATIENCE_MS;
            self.requests.push_back(Request { node: at, number, units, until_ms, tried: Vec::new() });
        }
        let funded = self.funding && !self.nodes.iter().any(|node| node.reclaiming);
        if std::mem::take(&mut self.nodes[at].fresh) || funded {
            return self.review(seen);
        }
        self.settle(seen);
        if seen.strategy.soft() {
            self.refill(at);
        }
    }

    /// Looks at the whole pool.
    pub fn review(&mut self, seen: &Seen<'_>) {
        self.settle(seen);
        let owed = self.owed();
        let spokes = self.spokes(seen);
        let pool = self.pool(seen, owed, &spokes);
        let moves = spread(&pool, seen.strategy.allocation(), &seen.setting.tuning);
        // What is asked back now is spread when it is here.
        self.funding = !self.funding && moves.iter().any(|step| matches!(step, Move::Reclaim { .. }));
        for step in moves {
            match step {
                Move::Grant { spoke, units } => self.grant(spoke, units),
                Move::Reclaim { spoke, units } => self.reclaim(spoke, units),
            }
        }
        if seen.strategy.soft() {
            (0..self.nodes.len()).for_each(|at| self.refill(at));
            self.tell(seen);
        }
    }

    /// What a node is to be told now, if anything.
    pub fn word(&mut self, at: usize) -> Option<Word> {
        let node = &mut self.nodes[at];
        let say = node.say;
        if node.cut_ms.is_some() || !(say.goods || say.budget || say.more) {
            return None;
        }
        node.say = Say::default();
        let mut word = std::mem::take(&mut node.word);
        word.goods = say.goods.then(|| facing(&self.goods.row(self.me), node.actor));
        word.budget = say.budget.then(|| facing(&self.budget.row(self.me), node.actor));
        Some(word)
    }

    /// Soft promises first, then who waits at a counter.
    fn settle(&mut self, seen: &Seen<'_>) {
        for at in 0..self.nodes.len() {
            let needed = self.need(at).min(self.held);
            if needed > 0 {
                self.grant(at, needed);
            }
        }
        let waiting = std::mem::take(&mut self.requests);
        for request in waiting {
            if request.until_ms >= seen.now_ms {
                self.answer(seen, request);
            }
        }
        let owed = self.owed();
        if owed > 0 && !self.nodes.iter().any(|node| node.reclaiming) {
            let spokes = self.spokes(seen);
            let pool = self.pool(seen, owed, &spokes);
            let waiting: Vec<usize> = (0..self.nodes.len()).filter(|at| self.nodes[*at].waiting > 0).collect();
            if let Some((at, units)) = borrow::donor(&pool, None, owed, &waiting) {
                self.reclaim(at, units.min(owed));
            }
        }
    }

    fn answer(&mut self, seen: &Seen<'_>, mut request: Request) {
        if self.nodes[request.node].answered >= request.number {
            self.nodes[request.node].say.goods = true;
            return;
        }
        if request.tried.last().is_some_and(|asked| self.nodes[*asked].reclaiming) {
            self.requests.push_back(request);
            return;
        }
        let owed = self.owed();
        let spokes = self.spokes(seen);
        let pool = self.pool(seen, owed, &spokes);
        let units =
            borrow::answer(&pool, request.node, request.units, seen.strategy.allocation(), &seen.setting.tuning);
        let donor = (units == 0 && request.tried.len() < DONORS_MAX)
            .then(|| borrow::donor(&pool, Some(request.node), request.units, &request.tried))
            .flatten();
        match donor {
            Some((at, wanted)) => {
                self.reclaim(at, wanted);
                request.tried.push(at);
                self.requests.push_back(request);
            }
            None => {
                let node = request.node;
                self.goods.serve(self.me, self.nodes[node].actor, request.number);
                self.nodes[node].answered = request.number;
                self.nodes[node].word.backed = units == 0 && seen.strategy.soft() && self.backed(seen);
                self.nodes[node].say.goods = true;
                if units > 0 {
                    self.grant(node, units);
                }
            }
        }
    }

    /// Rights that are cut off will come back and be enough for one more soft promise.
    fn backed(&self, seen: &Seen<'_>) -> bool {
        let cut = |node: &Known| Some((node.cut_ms?, node.held, node.rate(seen.now_ms)));
        let lengths: Vec<(Lengths, u64, f64, u64)> = self
            .nodes
            .iter()
            .filter(|node| node.held > 0)
            .filter_map(|node| {
                let (cut_ms, held, rate) = cut(node)?;
                Some((node.history.lengths_beyond(seen.now_ms - cut_ms), held, rate, seen.now_ms - cut_ms))
            })
            .collect();
        let stranded: Vec<Stranded<'_>> = lengths
            .iter()
            .map(|(outage, held, rate, gone_ms)| Stranded {
                held: *held,
                rate: *rate,
                outage,
                limit_ms: (seen.setting.end_ms() - seen.now_ms + gone_ms) as f64,
            })
            .collect();
        let waiting = self.nodes.iter().map(|node| node.waiting).sum();
        soft::stranded_risk(&stranded, waiting) <= f64::from(seen.setting.rule.soft_ppm) / 1e6
    }

    fn grant(&mut self, at: usize, units: u64) {
        let node = &mut self.nodes[at];
        if self.goods.grant(self.me, node.actor, units).is_ok() {
            self.grants += 1;
            node.held += units;
            node.granted += units;
            self.held -= units;
            node.say.goods = true;
        }
    }

    fn reclaim(&mut self, at: usize, units: u64) {
        let node = &mut self.nodes[at];
        if node.cut_ms.is_none() && !node.reclaiming {
            node.reclaim += 1;
            node.reclaiming = true;
            node.word.reclaim = Some((node.reclaim, units));
            node.say.more = true;
        }
    }

    /// Mints what was confirmed, and grants what the node lacks of its share.
    fn refill(&mut self, at: usize) {
        let node = &self.nodes[at];
        let lacks = (node.share.saturating_sub(node.waiting)).saturating_sub(node.budget);
        if lacks == 0 || node.cut_ms.is_some() {
            return;
        }
        let open = self.nodes.iter().map(|node| node.waiting).sum();
        let closed = self.budget.used().saturating_sub(open);
        let liability = Liability { minted: self.budget.minted(), burned: 0, closed, open };
        let all = self.nodes.iter().map(|node| node.share).sum();
        let may = liability.may_mint(all);
        if self.budget.mint(self.me, may).is_err() {
            return;
        }
        let units = lacks.min(self.budget.held(self.me));
        if units > 0 && self.budget.grant(self.me, self.nodes[at].actor, units).is_ok() {
            self.budget_grants += 1;
            self.nodes[at].budget += units;
            self.nodes[at].say.budget = true;
        }
    }

    /// Tells nodes what is elsewhere, where it has changed enough to matter for a soft promise.
    fn tell(&mut self, seen: &Seen<'_>) {
        let all = self.held + self.nodes.iter().map(|node| node.held).sum::<u64>();
        let rate: f64 = self.nodes.iter().map(|node| node.rate(seen.now_ms)).sum();
        let ledger = Ledger { made: self.budget.used(), risk_ppm: self.nodes.iter().map(|node| node.risk_ppm).sum() };
        let allowed_ppm = ledger.allowed_ppm(seen.setting.rule.soft_ppm);
        for node in self.nodes.iter_mut().filter(|node| node.cut_ms.is_none()) {
            let elsewhere = (all - node.held).saturating_sub(node.waiting);
            let old = node.told.map_or(u64::MAX, |told| told.elsewhere);
            let tolerance = if elsewhere < old { elsewhere / 16 } else { elsewhere / 4 };
            if old.abs_diff(elsewhere) > tolerance {
                let others = Others { elsewhere, rate: rate - node.rate(seen.now_ms), allowed_ppm };
                node.told = Some(others);
                node.word.others = Some(others);
                node.say.more = true;
            }
        }
    }

    fn need(&self, at: usize) -> u64 {
        let node = &self.nodes[at];
        if node.cut_ms.is_some() { 0 } else { node.waiting.saturating_sub(node.held) }
    }

    fn owed(&self) -> u64 {
        (0..self.nodes.len()).map(|at| self.need(at)).sum()
    }

    fn spokes(&self, seen: &Seen<'_>) -> Vec<Spoke<'_>> {
        let spoke = |node: &'_ Known| (node.rate(seen.now_ms), node.cut_ms.is_none() && !node.reclaiming);
        self.nodes
            .iter()
            .map(|node| {
                let (rate, reachable) = spoke(node);
                let (held, granted, up_mean_ms) = (node.held, node.granted, node.up_mean_ms);
                Spoke { held, granted, rate, outage: &node.lengths, up_mean_ms, reachable }
            })
            .collect()
    }

    fn pool<'a>(&self, seen: &Seen<'_>, owed: u64, spokes: &'a [Spoke<'a>]) -> Pool<'a> {
        let horizon_ms = seen.setting.end_ms().saturating_sub(seen.now_ms);
        Pool { held: self.held, owed, arrived: self.minted, rate: 0.0, horizon_ms, spokes }
    }
}

/// How long a customer waits for an answer from elsewhere.
pub const PATIENCE_MS: u64 = 2_000;

/// Donors asked for one request: each costs a round trip.
const DONORS_MAX: usize = 3;
