//! The gateway that pays back, and the end of the day: everybody finishes.

use std::collections::{BTreeMap, BTreeSet};

use stockroom_core::input::orders::RedressRequest;
use stockroom_core::input::{Answer, Command, RetryKey};
use stockroom_core::view::View;
use stockroom_crdt::ids::{Code, Digest, StoreId};
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::resolve::Outcome;

use super::{Buyer, word};
use crate::observe::OrderAct;
use crate::plan::orders::{Choice, OrderDeed};
use crate::run::Play;

impl Play<'_> {
    /// The gateway pays back what is due at a home.
    pub(crate) fn pay_back(&mut self, home: u32, order: OrderId, outcome: &Outcome) {
        for due in outcome.due.iter().filter(|due| !due.done && due.rule.is_refund() && due.amount > 0) {
            let amount = *self.fulfil.paid.entry(due.id).or_insert(due.amount);
            let key = Digest::of(&[b"redress", &due.id]);
            let request = RedressRequest {
                order,
                id: due.id,
                amount,
                done: true,
                reference: word("gateway"),
                staff: Code::default(),
            };
            let asked_ms = self.world.now_ms;
            let answer = self.world.ask(home, Command::Redress(RetryKey { key, body: key }, request));
            self.look();
            match answer {
                Some(Ok(Answer::Written { place, replayed })) => {
                    let act = OrderAct::Paid { id: due.id, amount };
                    self.said(home, (1, place), (order, act), (replayed, asked_ms));
                }
                Some(Err(refusal)) => self.refused(home, format!("paying back order {order}"), refusal.to_string()),
                Some(Ok(_)) | None => {}
            }
        }
    }

    /// The day ends: everybody finishes what is open. What nobody comes for is put back, and who still waits gives up.
    pub(crate) fn finish_orders(&mut self) {
        if self.plan.shopfloor.is_none() {
            return;
        }
        self.fulfil.closing = true;
        for round in 0..FINISH_ROUNDS {
            let waiting = self.open_orders();
            if waiting.is_empty() && self.works_left() == 0 && self.buyers_are_served() {
                break;
            }
            let numbers: BTreeMap<OrderId, u32> = self.numbers();
            for number in waiting.iter().filter_map(|order| numbers.get(order)) {
                if round % 6 == 2 {
                    self.order_deed((*number, OrderDeed::Resume), 1 << 50 | round);
                } else if round % 6 == 4 {
                    self.order_deed((*number, OrderDeed::Choose(Choice::Cancel)), 1 << 50 | round);
                }
            }
            let next = self.world.now_ms + FINISH_MS;
            self.play_to(next);
        }
    }

    pub(crate) fn numbers(&self) -> BTreeMap<OrderId, u32> {
        let of = |(number, buyer): (&u32, &Buyer)| Some((buyer.placed.as_ref()?.id, *number));
        self.fulfil.buyers.iter().filter_map(of).collect()
    }

    /// Orders that are not settled at their homes.
    fn open_orders(&self) -> BTreeSet<OrderId> {
        let healthy = self.cast.all().filter(|id| !self.written_off.contains(id) && self.world.is_up(*id));
        let open = |id: u32| self.read_at(id, |view| view.open_orders(None, usize::MAX));
        healthy
            .flat_map(|id| open(id).into_iter().filter(move |work| work.order.home.0 == id))
            .map(|work| work.order)
            .collect()
    }

    fn works_left(&self) -> usize {
        let healthy =
            self.cast.stores.iter().filter(|(_, id)| !self.written_off.contains(id) && self.world.is_up(**id));
        healthy
            .map(|(store, id)| {
                View::new(&*self.world.snapshot(*id))
                    .works(StoreId(*store), None, usize::MAX)
                    .map_or(0, |works| works.len())
            })
            .sum()
    }
}

/// Rounds, and their length, in which people finish at the end.
const FINISH_ROUNDS: u64 = 240;
const FINISH_MS: u64 = 20_000;
