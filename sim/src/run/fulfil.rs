//! Customers who order on line, the counter where they collect, and the gateway that pays back.
//!
//! Whoever gets no answer asks the same again until there is one. What people take and give is what really happens to the goods; the
//! books hear of it by what they say. [`staff`] knows who picks, [`couriers`] who drives, [`closing`] how the day ends, [`figures`] what came of it, [`bound`] what could have come of it at best.

pub mod bound;
pub mod closing;
pub mod couriers;
pub mod figures;
pub mod staff;

use std::collections::BTreeMap;

use stockroom_core::input::orders::{FulfilRequest, PassRequest, PlaceLine, PlaceRequest, Proof, SayRequest};
use stockroom_core::input::{Answer, Command, RetryKey};
use stockroom_core::journal::Place;
use stockroom_core::storage::{Snapshot, StoreError};
use stockroom_core::view::View;
use stockroom_crdt::ids::{Code, Digest, Sku, StoreId};
use stockroom_crdt::money::Currency;
use stockroom_crdt::order::intent::Saying;
use stockroom_crdt::order::resolve::{Fulfillment, Known, Outcome};
use stockroom_crdt::order::rules::limits::OrderLimits;
use stockroom_crdt::order::step::Step;
use stockroom_crdt::order::{LineUnits, OrderId};
use stockroom_crdt::product::Channel;
use stockroom_crdt::stock::promise::PromiseId;

use super::{Play, Todo};
use crate::cast::sku;
use crate::observe::{Act, Deed, OrderAct, Seen};
use crate::plan::orders::{Choice, OrderDeed, Purchase, Shows};
use couriers::Ride;
use staff::Job;

/// Goods of a fulfillment: the promise behind a line, the product, units.
pub(crate) type Goods = Vec<(PromiseId, u16, i64)>;

/// Everything about orders in a run.
#[derive(Default)]
pub(crate) struct Fulfilment {
    /// Customers, by the order's number in the plan.
    pub(crate) buyers: BTreeMap<u32, Buyer>,
    /// Pickers at work, by store.
    pub(crate) jobs: BTreeMap<u32, Vec<Job>>,
    /// What was asked and not answered.
    pub(crate) errands: BTreeMap<u64, Errand>,
    /// Who drives.
    pub(crate) rides: BTreeMap<(OrderId, u16, u32), Ride>,
    /// What the gateway paid back, by the compensation's id.
    pub(crate) paid: BTreeMap<[u8; 16], i64>,
    /// When units of an order were ready.
    pub(crate) ready: BTreeMap<OrderId, Vec<(u64, i64)>>,
    /// The day ends: nobody waits any longer.
    pub(crate) closing: bool,
    /// Requests so far: each has a number of its own.
    pub(crate) asked: u64,
}

/// One customer.
pub(crate) struct Buyer {
    pub(crate) wanted: Purchase,
    asked_ms: u64,
    tries: u8,
    /// The order is placed.
    pub(crate) placed: Option<Placed>,
    /// What the phone shows: the pass, when it was issued, and for which store.
    pass: Option<(Vec<u8>, u64, u32)>,
    /// Somebody asked to place it and got no answer.
    open: bool,
    /// The customer wanted less or nothing of it.
    pub(crate) cancelled: bool,
}

/// An order that was placed.
#[derive(Clone)]
pub(crate) struct Placed {
    pub(crate) id: OrderId,
    code: String,
    pub(crate) home: u32,
    pub(crate) at_ms: u64,
    /// Where the customer was told to collect it, if the home could choose.
    told: Option<u32>,
}

/// Something that is said of a fulfillment, until there is an answer.
#[derive(Clone)]
pub(crate) struct Errand {
    /// Who is asked.
    pub(crate) node: u32,
    /// At which store the goods are.
    pub(crate) store: u32,
    pub(crate) request: FulfilRequest,
    pub(crate) retry: RetryKey,
    /// The goods that it is about.
    pub(crate) goods: Goods,
    /// Of them, those that were taken from the shelf just for this.
    pub(crate) fresh: Vec<PromiseId>,
    /// Why what was shown must not be accepted.
    pub(crate) unsound: Option<&'static str>,
    /// It was asked for, and nobody knows whether it was done.
    pub(crate) open: bool,
    /// It is said again when it is refused, so many times.
    pub(crate) patience: u32,
    pub(crate) asked_ms: u64,
}

impl Play<'_> {
    /// A customer orders, or presses the button again.
    pub(crate) fn buy(&mut self, wanted: &Purchase) {
        let asked_ms = self.world.now_ms;
        self.fulfil.buyers.entry(wanted.order).or_insert_with(|| Buyer {
            wanted: wanted.clone(),
            asked_ms,
            tries: 0,
            placed: None,
            pass: None,
            open: false,
            cancelled: false,
        });
        self.place(wanted.order);
    }

    /// Asks for the order to be placed, once more.
    pub(crate) fn place(&mut self, number: u32) {
        let Some(buyer) = self.fulfil.buyers.get_mut(&number) else { return };
        let wanted = buyer.wanted.clone();
        let asked_ms = buyer.asked_ms;
        let node = self.cast.node(wanted.home);
        let answer =
            self.world.ask(node, Command::PlaceOrder(retry(number, 0), Box::new(place_request(&wanted, asked_ms))));
        self.look();
        let now_ms = self.world.now_ms;
        let buyer = self.fulfil.buyers.get_mut(&number).expect("looked up above");
        buyer.open = answer.is_none();
        match answer {
            Some(Ok(Answer::Placed { order, place, code, replayed, .. })) => {
                if buyer.placed.is_none() {
                    let told = self.told(node, order, &wanted);
                    let buyer = self.fulfil.buyers.get_mut(&number).expect("looked up above");
                    buyer.placed = Some(Placed { id: order, code, home: node, at_ms: now_ms, told });
                }
                let paid = wanted.lines.iter().map(|(_, units)| units * PRICE).sum();
                self.said(
                    node,
                    (wanted.stores.first().copied().unwrap_or(1), place),
                    (order, OrderAct::Placed { paid }),
                    (replayed, asked_ms),
                );
            }
            Some(Ok(_) | Err(_)) => {
                let buyer = self.fulfil.buyers.get_mut(&number).expect("looked up above");
                buyer.tries = buyer.tries.saturating_add(1);
                if buyer.tries < wanted.tries && !self.fulfil.closing {
                    self.at(now_ms + AGAIN_MS, Todo::Place(number));
                }
            }
            None => {
                self.saw(now_ms, node, Seen::Unanswered { what: format!("order {number}"), refusal: None });
                let wait = if self.fulfil.closing { LATER_MS } else { AGAIN_MS };
                self.at(now_ms + wait, Todo::Place(number));
            }
        }
    }

    /// Where the goods will be, when that was for the home to choose.
    fn told(&self, home: u32, order: OrderId, wanted: &Purchase) -> Option<u32> {
        if wanted.delivery || wanted.stores.len() < 2 || !self.world.is_up(home) {
            return None;
        }
        let parts = self.outcome_at(home, order)?.fulfillments;
        parts.iter().max_by_key(|part| part.generation).map(|part| part.store.0)
    }

    /// Something is done about an order.
    pub(crate) fn order_deed(&mut self, (number, deed): (u32, OrderDeed), key: u64) {
        let Some(buyer) = self.fulfil.buyers.get_mut(&number) else { return };
        let Some(placed) = buyer.placed.clone() else { return };
        let said = |saying: Saying, note: &str| SayRequest {
            order: placed.id,
            saying,
            lines: Vec::new(),
            note: word(note),
            by: word("customer"),
            stores: Vec::new(),
        };
        let request = match deed {
            OrderDeed::Cancel(units) => {
                buyer.cancelled = true;
                let at = units.and_then(|(product, units)| {
                    let line = buyer.wanted.lines.iter().position(|(held, _)| *held == product)?;
                    Some(LineUnits { line: line as u16, quantity: units })
                });
                SayRequest { lines: at.into_iter().collect(), ..said(Saying::AskCancel, "") }
            }
            OrderDeed::Choose(Choice::Partial) => said(Saying::Choose, "partial"),
            OrderDeed::Choose(Choice::Cancel) => {
                buyer.cancelled = true;
                said(Saying::Choose, "cancel")
            }
            OrderDeed::Choose(Choice::Store(store)) => {
                SayRequest { stores: vec![StoreId(store)], ..said(Saying::Choose, "") }
            }
            OrderDeed::Hold => said(Saying::Hold, "address"),
            OrderDeed::Resume => said(Saying::Resume, ""),
            OrderDeed::TakePass => return self.take_pass(number, key),
            OrderDeed::Collect(store, shows) => return self.collect(number, (store, shows), key),
        };
        let asked_ms = self.world.now_ms;
        let answer = self.world.ask(placed.home, Command::SayOrder(retry(number, key), request));
        self.look();
        match answer {
            Some(Ok(Answer::Written { place, replayed })) => {
                self.said(placed.home, (1, place), (placed.id, OrderAct::Said("a wish")), (replayed, asked_ms));
            }
            Some(Ok(_)) => {}
            Some(Err(refusal)) => self.refused(placed.home, format!("{deed:?} of order {number}"), refusal.to_string()),
            None => self.again(number, deed, key),
        }
    }

    fn again(&mut self, number: u32, deed: OrderDeed, key: u64) {
        let at = self.world.now_ms + LATER_MS;
        self.at(at, Todo::OrderDeed(number, deed, key));
    }

    fn take_pass(&mut self, number: u32, key: u64) {
        let Some(placed) = self.fulfil.buyers.get(&number).and_then(|buyer| buyer.placed.clone()) else { return };
        let request = PassRequest { order: placed.id, store: None, delegate: Code::default() };
        let now_ms = self.world.now_ms;
        let answer = self.world.ask(placed.home, Command::IssuePass(retry(number, key), request));
        self.look();
        match answer {
            Some(Ok(Answer::Pass { bytes, .. })) => {
                let shown = stockroom_crdt::order::pass::SignedPass::from_bytes(&bytes);
                let store = shown.map_or(0, |shown| shown.pass.store.0);
                self.fulfil.buyers.get_mut(&number).expect("looked up above").pass = Some((bytes, now_ms, store));
            }
            Some(Ok(_)) => {}
            Some(Err(refusal)) => self.refused(placed.home, format!("a pass for order {number}"), refusal.to_string()),
            None => self.again(number, OrderDeed::TakePass, key),
        }
    }

    /// Somebody stands at a counter. What was not picked before is fetched now.
    fn collect(&mut self, number: u32, (store, shows): (u32, Shows), key: u64) {
        let Some(buyer) = self.fulfil.buyers.get(&number) else { return };
        let Some(placed) = buyer.placed.clone() else { return };
        let first = buyer.wanted.stores.first() == Some(&store);
        let store = placed.told.filter(|_| first).unwrap_or(store);
        let Some(&node) = self.cast.stores.get(&store) else { return };
        let (order, now_ms) = (placed.id, self.world.now_ms);
        let pass = buyer.pass.clone();
        let proof = match (shows, &pass) {
            (Shows::Code, _) => Proof::Code(placed.code.clone()),
            (Shows::WrongCode, _) => Proof::Code(wrong(&placed.code)),
            (Shows::Pass, Some((bytes, ..))) => Proof::Pass(bytes.clone()),
            (Shows::Pass, None) => return,
        };
        let unsound = self.unsound(store, shows, &pass);
        if !self.world.is_up(node) || self.busy(order, store) {
            // The customer waits while the system is away, or while somebody is busy with it.
            return self.again(number, OrderDeed::Collect(store, shows), key);
        }
        if let (Proof::Pass(bytes), true) = (&proof, self.newest_part(node, store, order).is_none()) {
            let answer = self.world.ask(node, Command::ShowPass(retry(number, key | 1 << 40), bytes.clone()));
            self.look();
            match answer {
                Some(Ok(_)) => {}
                Some(Err(refusal)) => {
                    return self.refused(node, format!("the pass of order {number}"), refusal.to_string());
                }
                None => return self.again(number, OrderDeed::Collect(store, shows), key),
            }
        }
        let mut fresh = Vec::new();
        if let Some((known, part)) = self.newest_part(node, store, order)
            && part.state.is_open()
            && unsound.is_none()
            && part.held.is_none()
        {
            let found = self.take(store, &known, &part, false);
            fresh = found.fresh;
            if found.is_short {
                let request = FulfilRequest { lines: found.lines, ..step((order, store), part.generation, Step::Pick) };
                let goods = Vec::new();
                let errand = Errand { fresh: fresh.clone(), ..self.errand((node, store), request, goods) };
                if !self.go(errand) {
                    return self.again(number, OrderDeed::Collect(store, shows), key);
                }
                fresh.clear();
            }
        }
        let part = self.newest_part(node, store, order);
        let goods = part.as_ref().map_or(Vec::new(), |(known, part)| goods_of(known, part));
        let generation = part.map(|(_, part)| part.generation);
        let request = FulfilRequest { proof, generation, ..step((order, store), 1, Step::HandOver) };
        let errand = Errand {
            retry: retry(number, key),
            fresh,
            unsound,
            asked_ms: now_ms,
            ..self.errand((node, store), request, goods)
        };
        self.go(errand);
    }

    /// Why what somebody shows must not be accepted here, if clocks are right.
    fn unsound(&self, store: u32, shows: Shows, pass: &Option<(Vec<u8>, u64, u32)>) -> Option<&'static str> {
        let right = self.world.nodes.values().all(|node| node.clock_error_ms == 0);
        match (shows, pass) {
            (Shows::WrongCode, _) => Some("a wrong code"),
            (Shows::Pass, Some((_, issued_ms, at))) => {
                let life_ms = self.life_ms() + PASS_SLACK_MS;
                if *at != store {
                    Some("a pass for another store")
                } else if right && issued_ms + life_ms < self.world.now_ms {
                    Some("an expired pass")
                } else {
                    None
                }
            }
            (Shows::Code | Shows::Pass, _) => None,
        }
    }

    fn life_ms(&self) -> u64 {
        let limits = self.plan.steps.iter().filter_map(|step| match &step.action {
            crate::plan::Action::Limits(limits) => Some(limits.qr_life_ms),
            _ => None,
        });
        limits.max().unwrap_or(OrderLimits::default().qr_life_ms)
    }

    /// Something is asked of a node, and done when it is answered. True when it was done.
    pub(crate) fn go(&mut self, errand: Errand) -> bool {
        let (node, order, what) = (errand.node, errand.request.order, errand.request.step);
        let answer = self.world.ask(node, Command::Fulfil(errand.retry, Box::new(errand.request.clone())));
        self.look();
        let now_ms = self.world.now_ms;
        match answer {
            Some(Ok(Answer::Written { place, replayed })) => {
                self.done(errand, place, replayed);
                true
            }
            Some(Ok(_)) => {
                self.put_down(&errand);
                false
            }
            Some(Err(refusal)) => {
                self.refused(node, format!("{} of order {order}", what.as_str()), refusal.to_string());
                self.put_down(&errand);
                if errand.patience > 0 {
                    let later = Errand { patience: errand.patience - 1, open: false, ..errand };
                    self.later_errand(later, now_ms + PATIENCE_MS);
                }
                false
            }
            None => {
                let what = format!("{} of order {order}", what.as_str());
                self.saw(now_ms, node, Seen::Unanswered { what, refusal: None });
                self.later_errand(Errand { open: true, ..errand }, now_ms + LATER_MS);
                false
            }
        }
    }

    pub(crate) fn later_errand(&mut self, errand: Errand, at_ms: u64) {
        self.fulfil.asked += 1;
        let number = self.fulfil.asked;
        self.fulfil.errands.insert(number, errand);
        self.at(at_ms, Todo::Errand(number));
    }

    /// An errand is tried again.
    pub(crate) fn errand_again(&mut self, number: u64) {
        if let Some(errand) = self.fulfil.errands.remove(&number) {
            self.go(errand);
        }
    }

    /// Goods that were taken for nothing lie on the shelf again.
    fn put_down(&mut self, errand: &Errand) {
        let truth = self.truth.stores.entry(errand.store).or_default();
        errand.fresh.iter().for_each(|id| {
            truth.staged.remove(id);
        });
    }

    fn done(&mut self, errand: Errand, place: Place, replayed: bool) {
        let Errand { node, store, request, goods, unsound, asked_ms, .. } = errand;
        let (order, generation) = (request.order, request.generation.unwrap_or(0));
        let now_ms = self.world.now_ms;
        let act = match request.step {
            Step::HandOver | Step::Dispatch => {
                if request.step == Step::HandOver {
                    let units = goods.iter().map(|(_, _, units)| units).sum();
                    self.fulfil.ready.entry(order).or_default().push((now_ms, units));
                }
                OrderAct::Given { generation, goods, unsound, hand: request.step == Step::HandOver }
            }
            Step::Returned => OrderAct::Back { goods },
            Step::PutBack => {
                let truth = self.truth.stores.entry(store).or_default();
                goods.iter().for_each(|(id, ..)| {
                    truth.staged.remove(id);
                });
                OrderAct::Said("put back")
            }
            Step::Ready => {
                let units = goods.iter().map(|(_, _, units)| units).sum();
                self.fulfil.ready.entry(order).or_default().push((now_ms, units));
                OrderAct::Said("ready")
            }
            other => OrderAct::Said(other.as_str()),
        };
        self.said(node, (store, place), (order, act), (replayed, asked_ms));
    }

    /// Somebody was told that something about an order is written down.
    pub(crate) fn said(
        &mut self,
        node: u32,
        (store, place): (u32, Place),
        (order, said): (OrderId, OrderAct),
        (replayed, asked_ms): (bool, u64),
    ) {
        let what = Act::Order { order, said };
        let deed = Deed { store, what, entry: self.entry(node, place), replayed, asked_ms };
        self.truth.acknowledged(&deed);
        let now_ms = self.world.now_ms;
        self.saw(now_ms, node, Seen::Acknowledged(deed));
    }

    pub(crate) fn refused(&mut self, node: u32, what: String, refusal: String) {
        let now_ms = self.world.now_ms;
        self.saw(now_ms, node, Seen::Unanswered { what, refusal: Some(refusal) });
    }

    pub(crate) fn errand(&mut self, (node, store): (u32, u32), request: FulfilRequest, goods: Goods) -> Errand {
        self.fulfil.asked += 1;
        let key = Digest::of(&[b"errand", &self.fulfil.asked.to_be_bytes()]);
        let retry = RetryKey { key, body: key };
        let asked_ms = self.world.now_ms;
        Errand {
            node,
            store,
            request,
            retry,
            goods,
            fresh: Vec::new(),
            unsound: None,
            open: false,
            patience: 0,
            asked_ms,
        }
    }

    /// Somebody waits for an answer about an order at a store.
    pub(crate) fn busy(&self, order: OrderId, store: u32) -> bool {
        self.fulfil.errands.values().any(|errand| errand.open && errand.request.order == order && errand.store == store)
    }

    /// The newest fulfillment of an order at a store that is open there, or else the newest.
    pub(crate) fn newest_part(&self, node: u32, store: u32, order: OrderId) -> Option<(Known, Fulfillment)> {
        let known = self.read_at(node, |view| view.order_at(StoreId(store), order));
        let parts = known.fulfillments();
        let part = parts.into_iter().max_by_key(|part| (part.state.is_open(), part.to_put_back, part.generation))?;
        Some((known, part))
    }

    /// What somebody sees at a node; nothing when it is down, which it may be since the last thing that was done there.
    pub(crate) fn read_at<T: Default>(
        &self,
        node: u32,
        read: impl FnOnce(&View<'_, dyn Snapshot>) -> Result<T, StoreError>,
    ) -> T {
        if !self.world.is_up(node) {
            return T::default();
        }
        read(&View::new(&*self.world.snapshot(node))).unwrap_or_default()
    }

    /// What an order adds up to at a running node.
    pub(crate) fn outcome_at(&self, node: u32, order: OrderId) -> Option<Outcome> {
        self.read_at(node, |view| view.outcome(order))
    }

    /// Somebody does not know yet whether goods of this product left or came back.
    pub(crate) fn is_errand_about(&self, store: u32, product: u16) -> bool {
        let is_about = |errand: &Errand| errand.open && errand.goods.iter().any(|(_, held, _)| *held == product);
        self.fulfil.errands.values().any(|errand| errand.store == store && is_about(errand))
    }

    /// Nobody waits for an answer about an order.
    pub(crate) fn buyers_are_served(&self) -> bool {
        let waits = |node: u32| !self.written_off.contains(&node);
        let errands = self.fulfil.errands.values().any(|errand| errand.open && waits(errand.node));
        let buyers = self.fulfil.buyers.values().any(|buyer| buyer.open && waits(self.cast.node(buyer.wanted.home)));
        !errands && !buyers
    }
}

/// Units of each line that are there and not given yet, with the promises behind them.
pub(crate) fn goods_of(known: &Known, part: &Fulfillment) -> Goods {
    let offer = known.parts.get(&(part.generation, part.store)).and_then(|part| part.offer.as_ref());
    let Some(offer) = offer else { return Vec::new() };
    let lines = part.lines.iter().filter(|line| line.open() > 0);
    let of = |line: &stockroom_crdt::order::resolve::PartLine| {
        Some((offer.promise(part.store, line.offered.line), product_of(&line.offered.sku)?, line.open()))
    };
    lines.filter_map(of).collect()
}

/// The product's number in the plan.
pub(crate) fn product_of(sku: &Sku) -> Option<u16> {
    sku.as_str().strip_prefix('P')?.parse().ok()
}

/// Something about a fulfillment, by nobody in particular.
pub(crate) fn step((order, store): (OrderId, u32), generation: u16, step: Step) -> FulfilRequest {
    FulfilRequest {
        order,
        store: Some(StoreId(store)),
        generation: Some(generation),
        step,
        lines: Vec::new(),
        note: Code::default(),
        staff: word("bo"),
        device: 1,
        proof: Proof::None,
        holder: Code::default(),
        anew: false,
    }
}

pub(crate) fn word(text: &str) -> Code {
    Code::parse(text).unwrap_or_default()
}

fn wrong(code: &str) -> String {
    code.chars().map(|digit| if digit == '9' { '0' } else { char::from(digit as u8 + 1) }).collect()
}

fn place_request(wanted: &Purchase, asked_ms: u64) -> PlaceRequest {
    let line = |(product, quantity): &(u16, i64)| PlaceLine {
        sku: sku(*product),
        unit: None,
        quantity: *quantity,
        unit_price: Some(PRICE),
        preference: wanted.preference,
        tolerance_percent: None,
    };
    PlaceRequest {
        channel: if wanted.delivery { Channel::Delivery } else { Channel::Pickup },
        source: word("app"),
        reference: word(&format!("{}", wanted.order)),
        entity: Code::default(),
        currency: Currency::parse("EUR"),
        due_ms: wanted.due_in_ms.map(|ms| asked_ms + ms),
        release_ms: 0,
        priority: 100,
        place: None,
        stores: wanted.stores.iter().map(|store| StoreId(*store)).collect(),
        contact: Vec::new(),
        phone_end: Code::default(),
        authorised: None,
        captured: wanted.lines.iter().map(|(_, units)| units * PRICE).sum(),
        payment: Code::default(),
        partial: wanted.partial,
        lines: wanted.lines.iter().map(line).collect(),
    }
}

fn retry(order: u32, part: u64) -> RetryKey {
    let key = Digest::of(&[b"purchase", &order.to_be_bytes(), &part.to_be_bytes()]);
    RetryKey { key, body: key }
}

/// What a unit of anything costs on line.
pub const PRICE: i64 = 100;

/// Who was turned away asks again.
const AGAIN_MS: u64 = 120_000;

/// Who got no answer asks again.
const LATER_MS: u64 = 5_000;

/// A report that came too early is made again.
const PATIENCE_MS: u64 = 20_000;

/// A pass may be shown so much later than it says: clocks of stores are a little behind.
const PASS_SLACK_MS: u64 = 3 * 60_000;
