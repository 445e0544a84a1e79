//! Tills and staff: they ask, wait, and ask again until they have an answer, one thing at a time per desk.

use std::collections::VecDeque;

use stockroom_core::input::goods::{Doubtful, Uncounted};
use stockroom_core::input::sales::{SellLine, SellRequest};
use stockroom_core::input::{Answer, Command, Refusal, RetryKey};
use stockroom_core::journal::Place;
use stockroom_crdt::chain::LogId;
use stockroom_crdt::count::CountScan;
use stockroom_crdt::ids::{Code, Digest, NodeId, TillId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::order::rules::limits::OrderLimits;
use stockroom_crdt::receiving::{Disposition, GoodsReceipt, ReceiptLine};
use stockroom_crdt::sale::{Tender, TenderKind};
use stockroom_crdt::stock::policy::PolicyRule;

use super::{Play, Todo};
use crate::cast::{put_products, sku};
use crate::observe::{Act, Deed, Seen};
use crate::plan::Action;
use crate::plan::tills::{DrawerDo, Pays};

/// A till of a store, or its staff as till 0.
pub(crate) type Desk = (u32, u32);

/// What a desk has to do, in order.
#[derive(Default)]
pub(crate) struct Queue {
    tasks: VecDeque<Task>,
    /// Numbers given out at this desk.
    numbers: u64,
    /// Failed attempts in a row.
    tries: u32,
    /// The last sales, as they were sent.
    sent: VecDeque<(SellRequest, Act)>,
}

impl Queue {
    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}

struct Task {
    wish: Wish,
    asked_ms: u64,
}

enum Wish {
    Sell {
        request: Box<SellRequest>,
        act: Act,
        repeats: u8,
    },
    Receive {
        number: u64,
        product: u16,
        quantity: i64,
    },
    /// First the scan, then the closing.
    Count {
        number: u64,
        product: u16,
        /// What is counted is off by so much.
        off: i64,
    },
    /// A basket that the node prices, by its number in the plan.
    Ring(u32),
    Drawer {
        number: u64,
        deed: DrawerDo,
    },
}

impl Play<'_> {
    /// Somebody wants something.
    pub(crate) fn wish(&mut self, action: &Action) {
        let asked_ms = self.world.now_ms;
        self.wishes += 1;
        let number = self.wishes;
        let (desk, wish) = match action {
            Action::Sell { store, till, lines, repeats } => {
                let desk = (*store, *till);
                let lines = &if self.plan.scarce { self.what_is_there(*store, lines) } else { lines.clone() };
                if lines.is_empty() {
                    return;
                }
                let queue = self.desks.entry(desk).or_default();
                queue.numbers += 1;
                let (request, act) = basket(*till, queue.numbers, lines);
                (desk, Wish::Sell { request: Box::new(request), act, repeats: *repeats })
            }
            Action::Receive { store, product, quantity } => {
                (self.staff(*store), Wish::Receive { number, product: *product, quantity: *quantity })
            }
            Action::Count { store, product } => (self.staff(*store), Wish::Count { number, product: *product, off: 0 }),
            Action::Ring(ringing) => {
                let desk = (ringing.store, ringing.till);
                let number = self.next_number(desk);
                self.rung(ringing, number);
                (desk, Wish::Ring(ringing.ring))
            }
            Action::Drawer { store, till, deed } => ((*store, *till), Wish::Drawer { number, deed: *deed }),
            Action::Tariff(tariff) => return self.tariff(tariff),
            Action::Programme(programme) => return self.programme(programme),
            Action::Person(person, deed) => return self.person(*person, *deed, number),
            Action::RetryStorm { store, last } => return self.retry_storm(*store, *last),
            Action::PushCatalogue { products } => {
                put_products(&mut self.world, *products, number);
                return self.mark("W5 catalogue push", self.cast.hubs[0], None, format!("{products} products"));
            }
            Action::Shrink { store, product, quantity } => {
                // Nobody steals what is not there.
                let quantity = if self.plan.scarce { (*quantity).min(self.free(*store, *product)) } else { *quantity };
                if quantity <= 0 {
                    return;
                }
                self.truth.shrank(*store, *product, quantity);
                let node = self.cast.stores[store];
                return self.mark("W15 shrinkage", node, None, format!("{quantity} of product {product}"));
            }
            Action::FenceHostile => return self.fence_hostile(),
            Action::Miscount { store, product, off } => {
                (self.staff(*store), Wish::Count { number, product: *product, off: *off })
            }
            Action::Rule(rule) => return self.rule(rule),
            Action::Reserve(wanted) => return self.order(wanted),
            Action::Say { order, step } => return self.say_of(*order, *step, 0),
            Action::Limits(limits) => return self.limits(limits),
            Action::Order(wanted) => return self.buy(wanted),
            Action::Retire(who) => {
                let node = self.cast.node(*who);
                return self.decree(node);
            }
            Action::Replace(store) => return self.replace(*store),
            Action::Fault(_) | Action::OrderDeed(..) => return,
        };
        self.enqueue(desk, wish, asked_ms);
    }

    fn enqueue(&mut self, desk: Desk, wish: Wish, asked_ms: u64) {
        let queue = self.desks.entry(desk).or_default();
        queue.tasks.push_back(Task { wish, asked_ms });
        if queue.tasks.len() == 1 {
            self.serve(desk);
        }
    }

    /// The next number that a till gives to a sale.
    pub(crate) fn next_number(&mut self, desk: Desk) -> u64 {
        let queue = self.desks.entry(desk).or_default();
        queue.numbers += 1;
        queue.numbers
    }

    /// Somebody comes back for a basket that was put aside.
    pub(crate) fn taken_up(&mut self, ring: u32) {
        let Some(plan) = self.tills.rings.get(&ring).map(|ring| ring.plan.clone()) else { return };
        let (Pays::Suspended { till, .. } | Pays::Slip { till, .. }) = plan.pays else { return };
        let desk = (plan.store, till);
        let number = self.next_number(desk);
        self.take_up(ring, number);
        self.enqueue(desk, Wish::Ring(ring), self.world.now_ms);
    }

    /// A desk goes on with what it has to do.
    pub(crate) fn serve(&mut self, desk: Desk) {
        while self.desks.get(&desk).is_some_and(|queue| !queue.is_empty()) {
            let done = self.attempt(desk);
            let queue = self.desks.get_mut(&desk).expect("looked up above");
            if done {
                let task = queue.tasks.pop_front();
                if task.is_some_and(|task| matches!(task.wish, Wish::Ring(_))) {
                    // Whoever stood behind a customer who waited for a terminal is served from now on.
                    let now_ms = self.world.now_ms;
                    queue.tasks.iter_mut().for_each(|task| task.asked_ms = now_ms);
                }
                queue.tries = 0;
                continue;
            }
            queue.tries += 1;
            let wait = (RETRY_MS << queue.tries.min(6)).min(RETRY_MS_MAX);
            let at = self.world.now_ms + wait;
            return self.at(at, Todo::Serve(desk));
        }
    }

    /// The desk's first task, once. True when it is done.
    fn attempt(&mut self, desk: Desk) -> bool {
        let node = self.cast.stores[&desk.0];
        let queue = self.desks.get_mut(&desk).expect("the caller looked it up");
        let Some(Task { wish, asked_ms }) = queue.tasks.front_mut() else { return true };
        let asked_ms = *asked_ms;
        match wish {
            Wish::Sell { request, act, repeats } => {
                let (request, act) = (request.as_ref().clone(), act.clone());
                let left = std::mem::take(repeats);
                if !self.ask(desk, node, Command::Sell(request.clone()), act.clone(), asked_ms) {
                    return false;
                }
                for _ in 0..left {
                    self.ask(desk, node, Command::Sell(request.clone()), act.clone(), self.world.now_ms);
                }
                let queue = self.desks.get_mut(&desk).expect("looked up above");
                queue.sent.push_back((request, act));
                if queue.sent.len() > SENT_KEPT {
                    queue.sent.pop_front();
                }
                true
            }
            Wish::Receive { number, product, quantity } => {
                let (number, product, quantity) = (*number, *product, *quantity);
                let command = Command::Receive(retry(desk, number, 0), goods(product, quantity));
                self.ask(desk, node, command, Act::Receipt { product, quantity }, asked_ms)
            }
            Wish::Count { number, product, off } => {
                let (number, product, off) = (*number, *product, *off);
                self.count(desk, node, (number, product, off), asked_ms)
            }
            Wish::Ring(ring) => {
                let ring = *ring;
                self.ring(desk, node, ring)
            }
            Wish::Drawer { number, deed } => {
                let about = (*number, *deed);
                self.drawer(desk, node, about)
            }
        }
    }

    /// Counts a product that lies in no open basket, then closes the count.
    fn count(&mut self, desk: Desk, node: u32, (number, product, off): (u64, u16, i64), asked_ms: u64) -> bool {
        if self.in_baskets(desk.0, product) > 0
            || self.is_in_doubt(desk.0, product)
            || self.is_errand_about(desk.0, product)
        {
            return false;
        }
        let quantity = self.truth.on_shelf(desk.0, product);
        if quantity < 0 {
            return true; // Shelves do not hold less than nothing: the plan sold what was never delivered.
        }
        let quantity = (quantity + off).max(0);
        let attempt = self.desks[&desk].tries;
        let scan = CountScan {
            session: number,
            zone: code("shelf"),
            sku: sku(product),
            unit: Unit::Each,
            quantity,
            settles: false,
            staff: code("bo"),
        };
        let command = Command::CountScan(retry(desk, number, 1 + attempt), scan);
        if !self.ask(desk, node, command, Act::Other("count scan"), asked_ms) {
            return false;
        }
        let close = Command::CountClose {
            retry: retry(desk, number, 1_000),
            session: number,
            staff: code("bo"),
            doubtful: Doubtful::Accept,
            uncounted: Uncounted::Keep,
        };
        self.ask(desk, node, close, Act::Count { product, quantity }, asked_ms)
    }

    /// Asks a node. True when the matter is settled: done, or refused for good.
    fn ask(&mut self, desk: Desk, node: u32, command: Command, act: Act, asked_ms: u64) -> bool {
        let answer = self.world.ask(node, command);
        self.look();
        let now_ms = self.world.now_ms;
        match answer {
            Some(Ok(Answer::Written { place, replayed })) => {
                let entry = self.entry(node, place);
                let deed = Deed { store: desk.0, what: act, entry, replayed, asked_ms };
                if desk.1 != 0 {
                    let able = self.able_ms.get(&desk.0).copied().unwrap_or(0);
                    self.recorder.served(now_ms.saturating_sub(asked_ms.max(able + super::RETURN_MS)));
                }
                if let Act::Sale { till, total, .. } = deed.what
                    && !self.truth.has_sold(&deed)
                {
                    self.truth.money.cash(desk.0, till, total);
                }
                self.truth.acknowledged(&deed);
                self.saw(now_ms, node, Seen::Acknowledged(deed));
                true
            }
            Some(Ok(_)) => true,
            Some(Err(refusal)) => {
                let what = format!("{act:?}");
                let again = matches!(refusal, Refusal::State(_) if desk.1 == 0);
                self.saw(now_ms, node, Seen::Unanswered { what, refusal: Some(refusal.to_string()) });
                // A count that was closed before its answer was lost is done.
                desk.1 == 0 || !again
            }
            None => {
                let what = format!("{act:?}");
                self.saw(now_ms, node, Seen::Unanswered { what, refusal: None });
                false
            }
        }
    }

    /// Where an entry stands for everybody: its log, its number, and its content.
    pub(crate) fn entry(&self, node: u32, place: Place) -> Option<(LogId, u64, Digest)> {
        let log = self.union.nodes.get(&node)?.logs.get(&place.log)?.id.clone();
        Some((log, place.seq, self.world.entry(node, place)?))
    }

    /// Units of a product in baskets that wait for their till's answer.
    pub(crate) fn in_baskets(&self, store: u32, product: u16) -> i64 {
        let holds = |task: &Task| match &task.wish {
            Wish::Sell { act: Act::Sale { lines, .. }, .. } => {
                lines.iter().filter(|(line, _)| *line == product).map(|(_, units)| *units).sum()
            }
            Wish::Ring(ring) => self.tills.rings.get(ring).map_or(0, |ring| ring.units(product)),
            Wish::Sell { .. } | Wish::Receive { .. } | Wish::Count { .. } | Wish::Drawer { .. } => 0,
        };
        self.desks.range((store, 1)..=(store, u32::MAX)).flat_map(|(_, queue)| queue.tasks.iter().map(holds)).sum()
    }

    /// A basket, cut to what its customer finds on the shelf.
    fn what_is_there(&self, store: u32, lines: &[(u16, i64, i64)]) -> Vec<(u16, i64, i64)> {
        let found = |&(product, quantity, price): &(u16, i64, i64)| {
            let quantity = quantity.min(self.free(store, product));
            (quantity > 0).then_some((product, quantity, price))
        };
        lines.iter().filter_map(found).collect()
    }

    /// A store whose box is gone for good gets another one, as soon as a hub can enrol it.
    fn replace(&mut self, store: u32) {
        let old = self.cast.stores[&store];
        if !self.written_off.contains(&old) {
            return;
        }
        let fleet = self.plan.fleet.clone();
        if self.cast.replace(&mut self.world, &fleet, store) {
            let id = self.cast.stores[&store];
            self.mark("W17 another box", id, None, format!("for node {old}"));
        }
    }

    /// Head office says how goods may be promised. A hub that is down is told another day.
    fn rule(&mut self, rule: &PolicyRule) {
        let key = Digest::of(&[b"rule", &self.wishes.to_be_bytes()]);
        let _ = self.world.ask(self.cast.hubs[0], Command::PolicyRule(RetryKey { key, body: key }, rule.clone()));
    }

    /// Head office says how long everything about an order may take.
    fn limits(&mut self, limits: &OrderLimits) {
        let key = Digest::of(&[b"limits", &self.wishes.to_be_bytes()]);
        let key = RetryKey { key, body: key };
        let _ = self.world.ask(self.cast.hubs[0], Command::OrderLimits(key, Box::new(limits.clone())));
    }

    /// Tills send their last sales again, as after a power cut of the shop's LAN.
    fn retry_storm(&mut self, store: u32, last: u16) {
        let node = self.cast.stores[&store];
        self.mark("W9 till retry storm", node, None, format!("the last {last} sales of each till"));
        let now_ms = self.world.now_ms;
        let desks: Vec<_> = self.desks.range((store, 1)..=(store, u32::MAX)).map(|(desk, _)| *desk).collect();
        for desk in desks {
            let sent = &self.desks[&desk].sent;
            let again: Vec<_> = sent.iter().rev().take(last.into()).cloned().collect();
            for (request, act) in again {
                self.ask(desk, node, Command::Sell(request), act, now_ms);
            }
        }
    }

    /// Somebody noticed: the top hub stops believing whoever holds stolen keys.
    fn fence_hostile(&mut self) {
        let hub = self.cast.hubs[0];
        for node in self.cast.hostile.clone() {
            self.mark("W13 fence", hub, None, format!("node {node}"));
            let command = Command::Fence { node: NodeId(node), reason: code("stolen") };
            let _ = self.world.ask(hub, command);
        }
    }

    fn staff(&self, store: u32) -> Desk {
        (store, 0)
    }
}

/// A basket as a till sends it.
fn basket(till: u32, till_seq: u64, lines: &[(u16, i64, i64)]) -> (SellRequest, Act) {
    let total: i64 = lines.iter().map(|(_, quantity, price)| quantity * price).sum();
    let line = |&(product, quantity, price): &(u16, i64, i64)| SellLine {
        sku: sku(product),
        unit: Some(Unit::Each),
        quantity,
        unit_price: Some(price),
        discount: 0,
        discount_reason: Code::default(),
        tax: None,
        lot: Code::default(),
        original: None,
        disposition: Disposition::Resale,
    };
    let request = SellRequest {
        till: TillId(till),
        till_seq,
        body: Digest::of(&[&till_seq.to_be_bytes(), format!("{lines:?}").as_bytes()]),
        rung_ms: None,
        currency: Currency::parse("EUR"),
        cashier: code("anna"),
        approver: Code::default(),
        seller: Code::default(),
        foreign_key: Code::default(),
        fiscal: Vec::new(),
        lines: lines.iter().map(line).collect(),
        cash_rounding: 0,
        tenders: vec![Tender { kind: TenderKind::Cash, amount: total, reference: Code::default() }],
    };
    let lines = lines.iter().map(|(product, quantity, _)| (*product, *quantity)).collect();
    (request, Act::Sale { till, till_seq, lines, total })
}

fn goods(product: u16, quantity: i64) -> GoodsReceipt {
    let line = ReceiptLine { sku: sku(product), unit: Unit::Each, quantity, lot: Code::default(), expiry_day: 0 };
    GoodsReceipt { document: code("DN"), staff: code("bo"), lines: vec![line] }
}

fn retry(desk: Desk, number: u64, part: u32) -> RetryKey {
    let key = Digest::of(&[b"staff", &desk.0.to_be_bytes(), &number.to_be_bytes(), &part.to_be_bytes()]);
    RetryKey { key, body: key }
}

pub(crate) fn code(text: &str) -> Code {
    Code::parse(text).expect("a short word")
}

/// How long a till waits before it asks again at first, and at most.
const RETRY_MS: u64 = 500;
const RETRY_MS_MAX: u64 = 30_000;

/// Sales that a till can send again.
const SENT_KEPT: usize = 32;
