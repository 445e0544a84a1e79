//! Who picks: people of a shop look at the list now and then, accept, pick, pack, and put back what nobody wants any more.
//!
//! A picker takes what is on the shelf, whatever the book says, and what is taken lies apart from then on.

use stockroom_core::input::orders::FulfilRequest;
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::resolve::{Fulfillment, Known, State};
use stockroom_crdt::order::step::{Step, StepLine};
use stockroom_crdt::product::Channel;
use stockroom_crdt::stock::promise::PromiseId;

use super::{Errand, Goods, goods_of, product_of, step, word};
use crate::plan::orders::Shopfloor;
use crate::run::{Play, Todo};

/// A picker is busy with a fulfillment.
#[derive(Clone, Copy)]
pub(crate) struct Job {
    order: OrderId,
    generation: u16,
    until_ms: u64,
}

/// What somebody took from the shelf.
pub(crate) struct Found {
    /// As the node is told.
    pub(crate) lines: Vec<StepLine>,
    /// What was taken just now.
    pub(crate) fresh: Vec<PromiseId>,
    /// Fewer than wanted were there.
    pub(crate) is_short: bool,
}

impl Play<'_> {
    /// The people of a store look at what there is to do.
    pub(crate) fn shift(&mut self, store: u32) {
        let Some(floor) = self.plan.shopfloor.clone() else { return };
        let at = self.world.now_ms + SHIFT_MS;
        self.at(at, Todo::Shift(store));
        let node = self.cast.stores[&store];
        if !self.world.is_up(node) || self.world.nodes[&node].suspended {
            return;
        }
        let now_ms = self.world.now_ms;
        let jobs = self.fulfil.jobs.remove(&store).unwrap_or_default();
        let (over, rest): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| job.until_ms <= now_ms);
        self.fulfil.jobs.insert(store, rest);
        for job in over {
            self.pick((node, store), job, &floor);
        }
        let works = self.read_at(node, |view| view.works(StoreId(store), None, usize::MAX));
        for work in works {
            if !self.busy(work.order, store) && self.world.is_up(node) {
                self.work((node, store), (work.order, work.generation), &floor);
            }
        }
    }

    fn work(&mut self, (node, store): (u32, u32), (order, generation): (OrderId, u16), floor: &Shopfloor) {
        let known = self.read_at(node, |view| view.order_at(StoreId(store), order));
        let Some(part) = known.fulfillments().into_iter().find(|part| part.generation == generation) else { return };
        let offer = known.parts.get(&(generation, part.store)).and_then(|part| part.offer.as_ref());
        let is_pickup = offer.is_some_and(|offer| offer.channel == Channel::Pickup);
        let at_work = self.fulfil.jobs.get(&store).into_iter().flatten();
        let (mut busy, mut mine) = (0, false);
        for job in at_work {
            busy += 1;
            mine |= job.order == order && job.generation == generation;
        }
        if mine {
            return;
        }
        if part.to_put_back {
            // Also when it is on hold: a hold stops what is open, and what is over cannot be resumed any more.
            let goods = staged(&known, &part);
            return self.say((node, store), (order, generation), (Step::PutBack, ""), goods);
        }
        if part.held.is_some() || known.held().is_some() {
            return;
        }
        let about = [order.number, u64::from(generation), u64::from(store)];
        let place = ((node, store), (order, generation));
        match part.state {
            State::Offered if part.withdrawn => {}
            State::Offered if floor.roll(&[&about[..], &[1]].concat()) < floor.refuses && !self.fulfil.closing => {
                self.say(place.0, place.1, (Step::Refuse, "too busy"), Vec::new());
            }
            State::Offered => self.say(place.0, place.1, (Step::Accept, ""), Vec::new()),
            State::Accepted | State::Picking if busy < floor.pickers as usize => {
                let wanted = part.lines.iter().filter(|line| line.picked.is_none() && line.open() > 0);
                let units: Vec<i64> = wanted.map(|line| line.open()).collect();
                let takes_ms = floor.takes_ms(units.len() as u64, units.iter().sum::<i64>().unsigned_abs());
                if part.state == State::Accepted {
                    self.say(place.0, place.1, (Step::StartPicking, ""), Vec::new());
                }
                let until_ms = self.world.now_ms + takes_ms;
                self.fulfil.jobs.entry(store).or_default().push(Job { order, generation, until_ms });
            }
            State::Accepted | State::Picking => {}
            State::Picked | State::Packed => {
                self.say(place.0, place.1, (Step::Ready, ""), goods_of(&known, &part));
            }
            State::Ready if is_pickup => {
                if self.fulfil.closing {
                    self.say(place.0, place.1, (Step::Uncollected, "closing"), Vec::new());
                }
            }
            State::Ready | State::Awaited => self.send_out(place.0, (&known, &part), floor),
            State::Out | State::Returning => {
                self.has_left(place.0.1, (&known, &part), floor);
                self.take_back(place.0, place.1);
            }
            State::HandedOver
            | State::Delivered
            | State::Refused
            | State::StoodDown
            | State::Cancelled
            | State::Declined
            | State::Uncollected
            | State::Returned
            | State::Lost => {}
        }
    }

    /// Says a step at the store.
    pub(crate) fn say(
        &mut self,
        at: (u32, u32),
        (order, generation): (OrderId, u16),
        (what, note): (Step, &str),
        goods: Goods,
    ) {
        let request = FulfilRequest { note: word(note), ..step((order, at.1), generation, what) };
        let errand = self.errand(at, request, goods);
        self.go(errand);
    }

    /// A picker is through: what is there lies in a bag, and the node is told.
    fn pick(&mut self, (node, store): (u32, u32), job: Job, floor: &Shopfloor) {
        let known = self.read_at(node, |view| view.order_at(StoreId(store), job.order));
        let part = known.fulfillments().into_iter().find(|part| part.generation == job.generation);
        let Some(part) = part.filter(|part| matches!(part.state, State::Accepted | State::Picking)) else { return };
        if self.busy(job.order, store) || part.held.is_some() || known.held().is_some() {
            return;
        }
        let about = [job.order.number, u64::from(job.generation), u64::from(store)];
        let overlooks = floor.roll(&[&about[..], &[2]].concat()) < floor.overlooks;
        let found = self.take(store, &known, &part, overlooks);
        let request = FulfilRequest { lines: found.lines, ..step((job.order, store), job.generation, Step::Pick) };
        let errand = Errand { fresh: found.fresh, ..self.errand((node, store), request, Vec::new()) };
        self.go(errand);
    }

    /// Takes what is wanted and there from the shelf.
    pub(crate) fn take(&mut self, store: u32, known: &Known, part: &Fulfillment, overlooks: bool) -> Found {
        let mut found = Found { lines: Vec::new(), fresh: Vec::new(), is_short: false };
        let offer = known.parts.get(&(part.generation, part.store)).and_then(|part| part.offer.as_ref());
        let Some(offer) = offer else { return found };
        for (at, line) in part.lines.iter().enumerate().filter(|(_, line)| line.picked.is_none()) {
            let Some(product) = product_of(&line.offered.sku) else { continue };
            let id = offer.promise(part.store, line.offered.line);
            let wanted = (line.offered.quantity - line.cancelled).max(0);
            let free = self.free(store, product).max(0);
            let truth = self.truth.stores.entry(store).or_default();
            let there = if truth.staged.contains_key(&id) || truth.issued.contains_key(&id) {
                wanted
            } else {
                let there = if overlooks && at == 0 { 0 } else { free.min(wanted) };
                if there > 0 {
                    truth.staged.insert(id, (product, there));
                    found.fresh.push(id);
                }
                if overlooks && free > 0 {
                    truth.misled.insert(product);
                }
                there
            };
            found.is_short |= there < wanted;
            let reason = if there < wanted { word("not-found") } else { Code::default() };
            found.lines.push(StepLine { line: line.offered.line, quantity: there, reason, substitute: None });
        }
        found
    }
}

/// Goods that lie apart for a fulfillment.
fn staged(known: &Known, part: &Fulfillment) -> Goods {
    let offer = known.parts.get(&(part.generation, part.store)).and_then(|part| part.offer.as_ref());
    let Some(offer) = offer else { return Vec::new() };
    let of = |line: &stockroom_crdt::order::resolve::PartLine| {
        Some((offer.promise(part.store, line.offered.line), product_of(&line.offered.sku)?, line.picked? - line.handed))
    };
    part.lines.iter().filter_map(of).collect()
}

/// How often people look at the list.
const SHIFT_MS: u64 = 20_000;
