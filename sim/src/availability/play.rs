//! One run of one strategy: events in the order of time, and an oracle that counts goods and not rights.

use std::collections::BTreeMap;

use stockroom_core::policy::demand::{Demand, pooled};
use stockroom_crdt::ids::Actor;

use super::case::Case;
use super::centre::{Centre, Known, PATIENCE_MS};
use super::draws::{Draws, Stream};
use super::shop::{Said, Seen, Shop};
use super::tally::Tally;
use super::wire::{Report, Way, Wire, Word};
use super::{Plant, Setting, Strategy};
use crate::link::{LinkSpec, Replay};

/// Plays a run.
pub fn play(setting: &Setting, case: &Case, strategy: Strategy) -> Tally {
    let mut play = Play::new(setting, case, strategy);
    play.run(case.book);
    play.tally(case)
}

enum Event {
    Customer(u64, usize),
    Impatient(u64, usize),
    Cut(usize),
    Mend(usize),
    Report(usize, u32, Report),
    Word(usize, u32, Word),
    Review,
    Backup,
    Restore,
}

struct Play<'a> {
    setting: &'a Setting,
    strategy: Strategy,
    now_ms: u64,
    events: BTreeMap<(u64, u64), Event>,
    next: u64,
    centre: Centre,
    shops: Vec<Shop>,
    wires: Vec<Wire>,
    draws: Draws,
    seen: Tally,
    /// Goods that were ever exposed, as the oracle knows them.
    exposed: u64,
    backup: Option<Shop>,
}

impl<'a> Play<'a> {
    fn new(setting: &'a Setting, case: &Case, strategy: Strategy) -> Self {
        let centre = Actor::new(1, 1);
        let (mut shops, mut nodes, mut wires) = (Vec::new(), Vec::new(), Vec::new());
        let mut draws = Draws::new(setting.seed, case.run, Stream::Wire);
        for (at, forecast) in pooled(&case.forecasts, setting.pull).iter().enumerate() {
            let actor = Actor::new(at as u32 + 2, 1);
            let demand = Demand::new(*forecast, setting.start_ms());
            let (history, down, since_ms) = case.past(setting, at);
            let cut_ms = down.then_some(since_ms);
            shops.push(Shop::new(actor, centre, demand, (history.clone(), cut_ms)));
            nodes.push(Known::new(actor, demand, (history, cut_ms, since_ms)));
            let mut wire = Wire::new(path(setting, at, &mut draws));
            wire.up = !down;
            wires.push(wire);
        }
        let mut play = Self {
            setting,
            strategy,
            now_ms: setting.start_ms(),
            events: BTreeMap::new(),
            next: 0,
            centre: Centre::new(centre, nodes),
            shops,
            wires,
            draws,
            seen: Tally::default(),
            exposed: 0,
            backup: None,
        };
        play.plan(case);
        play
    }

    fn plan(&mut self, case: &Case) {
        let (start, end) = (self.setting.start_ms(), self.setting.end_ms());
        for (id, (at, node)) in (0..).zip(&case.customers) {
            self.at(*at, Event::Customer(id, *node));
        }
        for (node, outages) in case.outages.iter().enumerate() {
            for (from, to) in outages.iter().filter(|(from, to)| *to > start && *from < end) {
                if *from > start {
                    self.at(*from, Event::Cut(node));
                }
                self.at(*to, Event::Mend(node));
            }
        }
        let reviews = (start..end).step_by(self.setting.review_ms() as usize).skip(1);
        reviews.for_each(|at| self.at(at, Event::Review));
        if self.setting.plant.is_some() {
            self.at(start + self.setting.horizon_ms / 4, Event::Backup);
            self.at(start + self.setting.horizon_ms / 2, Event::Restore);
        }
    }

    fn at(&mut self, at_ms: u64, event: Event) {
        self.events.insert((at_ms, self.next), event);
        self.next += 1;
    }

    fn run(&mut self, book: u64) {
        self.with_centre(|centre, seen| centre.receive(seen, book));
        self.words();
        self.exposed = self.centre.goods.minted();
        while let Some(((at_ms, _), event)) = self.events.pop_first() {
            if at_ms >= self.setting.end_ms() {
                break;
            }
            self.now_ms = at_ms;
            self.step(event);
        }
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Customer(id, node) => {
                self.seen.asked += 1;
                match self.with_shop(node, |shop, seen| shop.ask(seen, id)) {
                    Some(said) => self.note(node, said),
                    None => self.at(self.now_ms + PATIENCE_MS, Event::Impatient(id, node)),
                }
                self.report(node);
            }
            Event::Impatient(id, node) => {
                if let Some(said) = self.with_shop(node, |shop, seen| shop.impatient(seen, id)) {
                    self.note(node, said);
                    self.report(node);
                }
            }
            Event::Cut(node) => {
                self.wires[node].cut();
                self.centre.cut(self.now_ms, node);
                self.shops[node].history.clone_from(self.centre.history(node));
                let said = self.with_shop(node, Shop::cut);
                said.into_iter().for_each(|said| self.note(node, said));
            }
            Event::Mend(node) => {
                self.wires[node].up = true;
                self.shops[node].history = self.centre.mend(self.now_ms, node);
                self.shops[node].mend();
                if !self.report(node) {
                    // Nothing happened there: the centre knows all that it needs.
                    self.with_centre(|centre, seen| centre.meet(seen, node));
                }
                self.words();
            }
            Event::Report(node, time, report) if self.wires[node].time == time => {
                self.with_centre(|centre, seen| centre.hear(seen, node, &report));
            }
            Event::Word(node, time, word) if self.wires[node].time == time => {
                let said = self.with_shop(node, |shop, seen| shop.hear(seen, &word));
                said.into_iter().for_each(|said| self.note(node, said));
                self.report(node);
            }
            // It was under way when the link failed. The handshake after an outage tells its sender.
            Event::Report(node, ..) => {
                self.shops[node].lost();
                self.report(node);
            }
            Event::Word(node, ..) => {
                self.centre.lost(node);
                self.words();
            }
            Event::Review => self.with_centre(Centre::review),
            Event::Backup => self.backup = Some(self.shops[0].clone()),
            Event::Restore => self.restore(),
        }
    }

    /// Counts what happened as the goods see it.
    fn note(&mut self, node: usize, said: Said) {
        match said {
            Said::Promised => self.seen.hard += 1,
            Said::Soft => self.seen.soft += 1,
            Said::Confirmed => self.seen.confirmed += 1,
            Said::GaveBack => self.seen.transfers += 1,
            Said::Refused => {
                self.seen.refused += 1;
                self.seen.refused_cut += u64::from(!self.wires[node].up);
                self.seen.stranded += u64::from(self.somebody_holds());
            }
        }
    }

    fn somebody_holds(&self) -> bool {
        let centre = self.centre.goods.held(self.centre.me);
        centre > 0 || self.shops.iter().any(|shop| shop.goods.held(shop.me) > 0)
    }

    fn with_shop<R>(&mut self, node: usize, act: impl FnOnce(&mut Shop, &Seen<'_>) -> R) -> R {
        let seen = Seen { setting: self.setting, strategy: self.strategy, now_ms: self.now_ms };
        act(&mut self.shops[node], &seen)
    }

    fn with_centre(&mut self, act: impl FnOnce(&mut Centre, &Seen<'_>)) {
        let seen = Seen { setting: self.setting, strategy: self.strategy, now_ms: self.now_ms };
        act(&mut self.centre, &seen);
        self.words();
    }

    /// Sends what a node has to say, if anything.
    fn report(&mut self, node: usize) -> bool {
        let Some(report) = self.shops[node].report() else { return false };
        let sent = self.wires[node].send(self.now_ms, Way::ToCentre, report.bytes(), &mut self.draws);
        if let Some(arrives) = sent {
            self.at(arrives, Event::Report(node, self.wires[node].time, report));
        }
        true
    }

    /// Sends what the centre has to say.
    fn words(&mut self) {
        for node in 0..self.shops.len() {
            let Some(word) = self.centre.word(node) else { continue };
            let sent = self.wires[node].send(self.now_ms, Way::ToNode, word.bytes(), &mut self.draws);
            if let Some(arrives) = sent {
                self.at(arrives, Event::Word(node, self.wires[node].time, word));
            }
        }
    }

    fn restore(&mut self) {
        match self.setting.plant {
            Some(Plant::MintAfterRestore) => {
                self.centre.mint(self.exposed);
                self.with_centre(Centre::review);
            }
            Some(Plant::RestoreKeepingEpoch) => {
                if let Some(mut shop) = self.backup.take() {
                    shop.cut_ms = self.shops[0].cut_ms;
                    self.shops[0] = shop;
                }
            }
            None => {}
        }
    }

    fn tally(self, case: &Case) -> Tally {
        let mut joined = self.centre.goods.clone();
        self.shops.iter().for_each(|shop| joined.join(&shop.goods));
        let by_rows = joined.used().saturating_sub(joined.minted());
        let rightful = self.seen.hard + self.seen.confirmed;
        let by_goods = rightful.saturating_sub(self.exposed);
        Tally {
            clairvoyant: case.clairvoyant(),
            clairvoyant_link: case.clairvoyant_link(self.setting),
            kept: rightful.min(case.shelf),
            phantom: rightful.saturating_sub(case.shelf),
            hard_oversold: by_rows.max(by_goods),
            transfers: self.seen.transfers + self.centre.grants,
            budget_transfers: self.centre.budget_grants,
            bytes: self.wires.iter().map(|wire| wire.bytes).sum(),
            ..self.seen
        }
    }
}

/// The path of a node: a fixed line, or the recorded one in turn, each from a moment of its own.
fn path(setting: &Setting, node: usize, draws: &mut Draws) -> LinkSpec {
    let Some(recording) = setting.links.get(node % setting.links.len().max(1)) else { return LinkSpec::wan() };
    let back_ms = draws.below(recording.length_ms());
    let from_ms = setting.start_ms().saturating_sub(back_ms);
    LinkSpec { replay: Some(Replay { recording: recording.clone(), from_ms }), ..LinkSpec::wan() }
}
