//! Customers who want goods kept, and what shops do for them: they reserve, confirm, pick, hand over, and find that goods are
//! missing. What they say is what really happened, as far as they can see the shelf.

use stockroom_core::input::promises::{DecreeRequest, ReserveRequest, StepRequest};
use stockroom_core::input::{Answer, Command, Refusal, RetryKey};
use stockroom_crdt::ids::{Code, Digest, NodeId, StoreId};
use stockroom_crdt::product::Channel;
use stockroom_crdt::stock::promise::{Claim, PromiseId, Step};

use super::{Play, Todo};
use crate::cast::sku;
use crate::observe::{Act, Deed, Seen};
use crate::plan::{Wanted, Who};

/// What one customer wants, and what came of it.
pub(crate) struct Order {
    wanted: Wanted,
    asked_ms: u64,
    tries: u8,
    /// What was promised, where.
    promise: Option<(PromiseId, u32)>,
    /// Something was asked and not answered: nobody knows whether it was done.
    open: Option<Step>,
}

impl Order {
    /// Goods may have been handed over, and nobody knows it yet.
    fn is_doubtful(&self, store: u32, product: u16) -> bool {
        self.open.is_some() && self.wanted.product == product && self.promise.is_some_and(|(_, at)| at == store)
    }
}

impl Play<'_> {
    /// A customer comes.
    pub(crate) fn order(&mut self, wanted: &Wanted) {
        let asked_ms = self.world.now_ms;
        if self.orders.contains_key(&wanted.order) {
            // The answer was lost on its way: the same is asked for again.
            return self.reserve(wanted.order);
        }
        let order = Order { wanted: wanted.clone(), asked_ms, tries: 0, promise: None, open: None };
        self.orders.insert(wanted.order, order);
        self.reserve(wanted.order);
    }

    /// Asks for a promise, once more. People ask again when they are turned down, and when nobody answers.
    pub(crate) fn reserve(&mut self, number: u32) {
        let Some(order) = self.orders.get_mut(&number) else { return };
        order.tries = order.tries.saturating_add(1);
        let (wanted, asked_ms, tries) = (order.wanted.clone(), order.asked_ms, order.tries);
        let again = tries < wanted.tries;
        let node = self.cast.node(wanted.at);
        let answer = self.world.ask(node, Command::Reserve(retry(number, 0), request(&wanted)));
        self.look();
        let now_ms = self.world.now_ms;
        match answer {
            Some(Ok(Answer::Reserved { promise, place, replayed, .. })) => {
                let (id, store) = (promise.id, promise.account.store.0);
                let (quantity, hard) = (wanted.quantity as i64, promise.claim == Claim::Hard);
                let what = Act::Promise { id, product: wanted.product, quantity, hard };
                let deed = Deed { store, what, entry: self.entry(node, place), replayed, asked_ms };
                self.truth.acknowledged(&deed);
                self.orders.get_mut(&number).expect("looked up above").promise = Some((id, store));
                self.saw(now_ms, node, Seen::Acknowledged(deed));
            }
            // Turned down, or refused: by what nobody wrote down.
            Some(Ok(_) | Err(_)) if !again => {}
            Some(Ok(_) | Err(_)) => self.at(now_ms + AGAIN_MS * u64::from(tries), Todo::Reserve(number)),
            None => {
                let what = format!("order {number}");
                self.saw(now_ms, node, Seen::Unanswered { what, refusal: None });
                if again {
                    self.at(now_ms + AGAIN_MS * u64::from(tries), Todo::Reserve(number));
                }
            }
        }
    }

    /// Asks for one unit, now and without a plan. True when it is promised.
    pub(crate) fn reserve_free(&mut self, node: u32, (store, product): (u32, u16), number: u32) -> bool {
        let wanted = Wanted {
            order: u32::MAX - number,
            at: Who::Hub(1),
            product,
            quantity: 1,
            stores: vec![store],
            soft: false,
            hold_ms: None,
            tries: 1,
        };
        let answer = self.world.ask(node, Command::Reserve(retry(wanted.order, 0), request(&wanted)));
        self.look();
        matches!(answer, Some(Ok(Answer::Reserved { .. })))
    }

    /// Says something about an order's promise, if it has one; asks again until there is an answer.
    pub(crate) fn say_of(&mut self, number: u32, step: Step, tries: u8) {
        let Some(order) = self.orders.get_mut(&number) else { return };
        let Some((promise, store)) = order.promise else { return };
        if order.open.is_some_and(|open| open != step) {
            // One thing at a time: who does not know what became of the last one waits.
            return self.later(number, step, tries);
        }
        let wanted = order.wanted.clone();
        let asked_ms = self.world.now_ms;
        let node = if step.is_of_home() { self.cast.stores[&store] } else { self.cast.node(wanted.at) };
        let quantity = wanted.quantity as i64;
        let truth = self.truth.stores.entry(store).or_default();
        let (staged, issued) = (truth.staged.contains_key(&promise), truth.issued.contains_key(&promise));
        let takes =
            matches!(step, Step::Pick | Step::Fulfil) && !staged && !issued && self.orders[&number].open.is_none();
        if takes && self.free(store, wanted.product) < quantity {
            if self.in_baskets(store, wanted.product) > 0 {
                // Somebody stands at the till with them.
                return self.later(number, step, tries);
            }
            return self.say_of(number, Step::NotFound, 0);
        }
        let request =
            StepRequest { promise, step, note: Code::default(), staff: Code::parse("bo").expect("a short word") };
        let answer = self.world.ask(node, Command::Step(retry(number, step as u64), request));
        self.look();
        let now_ms = self.world.now_ms;
        let order = self.orders.get_mut(&number).expect("looked up above");
        order.open = None;
        match answer {
            Some(Ok(Answer::Written { place, replayed })) => {
                let what = Act::Said { id: promise, step, product: wanted.product, quantity };
                let deed = Deed { store, what, entry: self.entry(node, place), replayed, asked_ms };
                self.truth.acknowledged(&deed);
                self.saw(now_ms, node, Seen::Acknowledged(deed));
            }
            Some(Ok(_)) => {}
            Some(Err(refusal)) => {
                let (what, unknown) =
                    (format!("order {number}: {}", step.as_str()), matches!(refusal, Refusal::Unknown { .. }));
                self.saw(now_ms, node, Seen::Unanswered { what, refusal: Some(refusal.to_string()) });
                if unknown && tries < TRIES_MAX {
                    self.later(number, step, tries + 1);
                }
            }
            None => {
                order.open = Some(step);
                let what = format!("order {number}: {}", step.as_str());
                self.saw(now_ms, node, Seen::Unanswered { what, refusal: None });
                self.later(number, step, tries);
            }
        }
    }

    fn later(&mut self, number: u32, step: Step, tries: u8) {
        let at = self.world.now_ms + LATER_MS;
        self.at(at, Todo::Say(number, step, tries));
    }

    /// Units that a customer or a picker can take: on the shelf, not set apart, in nobody's basket.
    pub(crate) fn free(&self, store: u32, product: u16) -> i64 {
        let there = self.truth.stores.get(&store).map_or(0, |truth| truth.free(product));
        there - self.in_baskets(store, product)
    }

    /// Somebody does not know yet whether goods of this product were handed over.
    pub(crate) fn is_in_doubt(&self, store: u32, product: u16) -> bool {
        self.orders.values().any(|order| order.is_doubtful(store, product))
    }

    /// Nobody waits for the answer to a step, unless whoever ought to give it is gone for good.
    pub(crate) fn orders_are_served(&self) -> bool {
        let waits = |order: &Order| {
            let (Some(step), Some((_, store))) = (order.open, order.promise) else { return false };
            let node = if step.is_of_home() { self.cast.stores[&store] } else { self.cast.node(order.wanted.at) };
            !self.written_off.contains(&node)
        };
        !self.orders.values().any(waits)
    }

    /// Head office writes off what a node holds, and accepts the risk that it is told.
    pub(crate) fn decree(&mut self, node: u32) {
        let hub = self.cast.hubs[0];
        let key = self.wishes;
        let ask = |play: &mut Self, accept: Option<u64>, part: u64| {
            let reason = Code::parse("lost").expect("a short word");
            let request = DecreeRequest { node: NodeId(node), reason, staff: Code::default(), accept };
            let digest = Digest::of(&[b"decree", &node.to_be_bytes(), &key.to_be_bytes(), &part.to_be_bytes()]);
            let answer = play.world.ask(hub, Command::Retire(RetryKey { key: digest, body: digest }, request));
            play.look();
            answer
        };
        let Some(Err(refusal)) = ask(self, None, 0) else { return };
        let words = refusal.to_string();
        let Some(risk) = words.rsplit("accept ").next().and_then(|risk| risk.parse().ok()) else { return };
        self.mark("W16 decree", node, None, format!("{risk} units at risk"));
        drop(ask(self, Some(risk), 1));
    }
}

fn request(wanted: &Wanted) -> ReserveRequest {
    ReserveRequest {
        sku: sku(wanted.product),
        unit: None,
        quantity: wanted.quantity,
        stores: wanted.stores.iter().map(|store| StoreId(*store)).collect(),
        channel: Channel::Pickup,
        priority: 100,
        wanted_ms: 0,
        hold_ms: wanted.hold_ms,
        reference: Code::default(),
        soft: wanted.soft,
    }
}

fn retry(order: u32, part: u64) -> RetryKey {
    let key = Digest::of(&[b"order", &order.to_be_bytes(), &part.to_be_bytes()]);
    RetryKey { key, body: key }
}

/// A customer who was turned down asks again after so long, later each time.
const AGAIN_MS: u64 = 3_000;

/// Who got no answer asks again.
const LATER_MS: u64 = 5_000;

/// How often somebody comes back for a promise that has not arrived at the store.
const TRIES_MAX: u8 = 40;
