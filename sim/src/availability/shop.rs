//! A node: it promises from its own replica, and says what it did when its link lets it.

use std::collections::VecDeque;

use stockroom_core::policy::borrow;
use stockroom_core::policy::demand::Demand;
use stockroom_core::policy::outage::History;
use stockroom_core::policy::soft::{self, Cut};
use stockroom_crdt::ids::Actor;
use stockroom_crdt::stock::rights::Rights;

use super::wire::{Others, Report, Word};
use super::{Setting, Strategy};

/// One node.
#[derive(Clone, Debug)]
pub struct Shop {
    /// Who it is.
    pub me: Actor,
    centre: Actor,
    /// What it knows of rights to goods: its own row, and what the centre granted to it.
    pub goods: Rights,
    /// The same of the overbooking budget.
    pub budget: Rights,
    /// What its customers asked for.
    pub demand: Demand,
    /// Its link's past, which both ends see.
    pub history: History,
    /// Its link is down since then.
    pub cut_ms: Option<u64>,
    others: Option<(Others, u64)>,
    soft: u64,
    risk_ppm: u64,
    hard: VecDeque<(u64, u32)>,
    request: u32,
    dirty: Dirty,
}

/// What the centre has not been told.
#[derive(Clone, Copy, Debug, Default)]
struct Dirty {
    goods: bool,
    budget: bool,
    hints: bool,
    request: bool,
}

/// What became of customers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// A promise on a right.
    Promised,
    /// A promise without one.
    Soft,
    /// A soft promise has found its right.
    Confirmed,
    /// No.
    Refused,
    /// A right was granted back to the centre.
    GaveBack,
}

/// What somebody at the node may look at.
pub struct Seen<'a> {
    /// The experiment.
    pub setting: &'a Setting,
    /// How it decides.
    pub strategy: Strategy,
    /// Now.
    pub now_ms: u64,
}

impl Shop {
    /// A node without rights.
    pub fn new(me: Actor, centre: Actor, demand: Demand, (history, cut_ms): (History, Option<u64>)) -> Self {
        Self {
            me,
            centre,
            goods: Rights::default(),
            budget: Rights::default(),
            demand,
            history,
            cut_ms,
            others: None,
            soft: 0,
            risk_ppm: 0,
            hard: VecDeque::new(),
            request: 0,
            dirty: Dirty::default(),
        }
    }

    /// A customer wants one unit. `None`: the centre is asked, and the customer waits for [`Shop::impatient`] at most.
    pub fn ask(&mut self, seen: &Seen<'_>, id: u64) -> Option<Said> {
        self.demand.saw(1);
        self.dirty.hints = true;
        if self.goods.use_up(self.me, 1).is_ok() {
            self.dirty.goods = true;
            return Some(Said::Promised);
        }
        if self.cut_ms.is_none() && borrow::asks(seen.strategy.allocation()) {
            self.request += 1;
            self.hard.push_back((id, self.request));
            self.dirty.request = true;
            return None;
        }
        Some(self.otherwise(seen, false))
    }

    /// A customer has waited long enough, if it still waits.
    pub fn impatient(&mut self, seen: &Seen<'_>, id: u64) -> Option<Said> {
        let at = self.hard.iter().position(|(waiting, _)| *waiting == id)?;
        self.hard.remove(at);
        Some(self.otherwise(seen, false))
    }

    /// The link failed: nobody waits for an answer any more.
    pub fn cut(&mut self, seen: &Seen<'_>) -> Vec<Said> {
        self.cut_ms = Some(seen.now_ms);
        let waiting = std::mem::take(&mut self.hard).len();
        (0..waiting).map(|_| self.otherwise(seen, false)).collect()
    }

    /// The link is back. What was not said is said now; requests of before are void.
    pub fn mend(&mut self) {
        self.cut_ms = None;
        self.dirty.request = false;
    }

    /// Something that was said never arrived.
    pub fn lost(&mut self) {
        self.dirty = Dirty { goods: true, budget: true, hints: true, ..self.dirty };
    }

    /// Takes in what the centre says.
    pub fn hear(&mut self, seen: &Seen<'_>, word: &Word) -> Vec<Said> {
        let mut said = Vec::new();
        word.goods.iter().for_each(|row| self.goods.merge(self.centre, row));
        word.budget.iter().for_each(|row| self.budget.merge(self.centre, row));
        if let Some(others) = word.others {
            self.others = Some((others, seen.now_ms));
        }
        while self.soft > 0 && self.goods.use_up(self.me, 1).is_ok() {
            self.soft -= 1;
            self.dirty.goods = true;
            self.dirty.hints = true;
            said.push(Said::Confirmed);
        }
        while !self.hard.is_empty() && self.goods.use_up(self.me, 1).is_ok() {
            self.hard.pop_front();
            self.dirty.goods = true;
            said.push(Said::Promised);
        }
        if let Some((number, units)) = word.reclaim
            && self.goods.serve(self.me, self.centre, number)
        {
            self.dirty.goods = true;
            let units = units.min(self.goods.held(self.me));
            if units > 0 && self.goods.grant(self.me, self.centre, units).is_ok() {
                said.push(Said::GaveBack);
            }
        }
        let answered = self.goods.row(self.centre).served(self.me);
        while self.hard.front().is_some_and(|(_, number)| *number <= answered) {
            self.hard.pop_front();
            said.push(self.otherwise(seen, word.backed));
        }
        said
    }

    /// What has not been said yet, if anything that cannot wait.
    pub fn report(&mut self) -> Option<Report> {
        let dirty = std::mem::take(&mut self.dirty);
        let Dirty { goods, budget, hints, request } = dirty;
        if self.cut_ms.is_some() || !(goods || budget || hints || request) {
            self.dirty = dirty;
            return None;
        }
        Some(Report {
            goods: goods.then(|| self.goods.row(self.me)),
            budget: budget.then(|| self.budget.row(self.me)),
            seen: self.demand.seen(),
            waiting: self.soft,
            risk_ppm: self.risk_ppm,
            request: request.then_some((self.request, self.hard.len() as u64)),
        })
    }

    /// Soft promises that wait for a right.
    pub fn waiting(&self) -> u64 {
        self.soft
    }

    /// A promise without a right, if it will very likely find one; else none.
    fn otherwise(&mut self, seen: &Seen<'_>, backed: bool) -> Said {
        let soft_ppm = u64::from(seen.setting.rule.soft_ppm);
        let risk_ppm = if backed { Some(soft_ppm) } else { self.small_risk(seen) };
        match risk_ppm.filter(|_| seen.strategy.soft() && soft_ppm > 0) {
            Some(risk_ppm) if self.budget.use_up(self.me, 1).is_ok() => {
                self.soft += 1;
                self.risk_ppm += risk_ppm;
                self.dirty.budget = true;
                self.dirty.hints = true;
                Said::Soft
            }
            Some(_) | None => Said::Refused,
        }
    }

    /// The risk of a soft promise, parts per million, if it is small enough.
    fn small_risk(&self, seen: &Seen<'_>) -> Option<u64> {
        let (cut_ms, (others, told_ms)) = (self.cut_ms?, self.others?);
        // While the link was up, nothing worth saying happened since the last review.
        let stale = cut_ms.saturating_sub(told_ms).min(seen.setting.review_ms());
        let risk = soft::risk(&Cut {
            elsewhere: others.elsewhere,
            waiting: self.soft,
            others_rate: others.rate,
            stale_ms: stale as f64,
            outage: &self.history.lengths_beyond(seen.now_ms - cut_ms),
            limit_ms: seen.setting.end_ms().saturating_sub(cut_ms) as f64,
        });
        let risk_ppm = (risk * 1e6) as u64;
        (risk_ppm <= u64::from(others.allowed_ppm)).then_some(risk_ppm)
    }
}
