//! Stock on hand, against a shelf that is simulated, and against a list of movements.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use stockroom_crdt::clock::Hlc;
use stockroom_crdt::count::{CountClose, CountLine};
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{Actor, Code, Sku, TillId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::receiving::{Adjustment, Decision, Disposition, GoodsReceipt, ReceiptLine};
use stockroom_crdt::sale::{ReceiptNumber, Sale, SaleLine};
use stockroom_crdt::stock::{Batch, Cause, Counted, Effect, Movement, OnHand, Position, Recount, effects, resolve};
use stockroom_tests::property::check;

use super::arbitrary::entry;

#[test]
fn the_order_of_facts_does_not_matter() {
    let history = btree_map(position(), effect(), 0..30).prop_map(|facts| facts.into_iter().collect::<Vec<_>>());
    let orders = history.prop_flat_map(|facts| (Just(facts.clone()), Just(facts).prop_shuffle()));
    check("the_order_of_facts_does_not_matter", 1_000, orders, |(facts, shuffled)| {
        let on_hand = resolve(&facts);
        prop_assert_eq!(&on_hand, &resolve(&shuffled));
        prop_assert_eq!(on_hand, naive(&facts));
        Ok(())
    });
}

#[test]
fn after_a_count_the_book_is_the_shelf() {
    let days = (vec(event(), 1..40), any::<u64>());
    check("after_a_count_the_book_is_the_shelf", 1_000, days, |(events, shuffle)| {
        let mut store = Store::default();
        store.receive(100_000);
        for event in events {
            store.happen(event);
        }
        store.deliver();
        let mut facts = store.facts();
        facts.sort_by_key(|(at, _)| (at.seq.wrapping_mul(shuffle | 1), at.actor));
        let on_hand = resolve(&facts);
        prop_assert_eq!(on_hand.quantity, store.shelf + store.stolen - store.late);
        let recount = (store.late != 0).then_some(Recount::LateSale);
        prop_assert_eq!(on_hand.recount, recount);
        prop_assert_eq!(on_hand.base, store.base);
        Ok(())
    });
}

#[test]
fn a_sale_rung_up_before_the_count_that_arrives_after_it_asks_for_a_recount() {
    let mut store = Store::default();
    store.receive(10);
    store.happen(Event::SellLate(3));
    store.happen(Event::Scan);
    store.happen(Event::Close);
    assert_eq!(resolve(&store.facts()), OnHand { quantity: 7, base: store.base, movements: 0, recount: None });
    store.deliver();
    let on_hand = resolve(&store.facts());
    assert_eq!((on_hand.quantity, on_hand.recount), (4, Some(Recount::LateSale)));
}

#[test]
fn a_sale_between_scan_and_close_is_not_lost() {
    let mut store = Store::default();
    store.receive(10);
    store.happen(Event::Scan);
    store.happen(Event::Sell(2));
    store.happen(Event::Close);
    let on_hand = resolve(&store.facts());
    assert_eq!((on_hand.quantity, on_hand.movements, on_hand.recount), (8, 1, None));
}

#[test]
fn goods_that_moved_between_zones_scans_ask_for_a_recount() {
    let at = Position { actor: HOME, seq: 9 };
    let ambiguous = Counted { ambiguous: true, ..counted_at(5, 9, 1_000) };
    let facts = [(at, Effect::Count(ambiguous))];
    assert_eq!(resolve(&facts).recount, Some(Recount::MovedWhileCounting));
}

#[test]
fn a_count_of_a_later_epoch_wins_whatever_the_clocks_said() {
    let later = Actor::new(1, 2);
    let old = (Position { actor: HOME, seq: 900 }, Effect::Count(counted_at(5, 900, 2_000)));
    let new = (Position { actor: later, seq: 2 }, Effect::Count(counted_at(7, 2, 1_000)));
    for facts in [[old.clone(), new.clone()], [new, old]] {
        let on_hand = resolve(&facts);
        assert_eq!((on_hand.quantity, on_hand.base.map(|at| at.actor)), (7, Some(later)));
    }
}

#[test]
fn what_was_never_booked_in_can_still_be_sold() {
    let mut store = Store::default();
    store.happen(Event::Sell(3));
    assert_eq!(resolve(&store.facts()).quantity, -3);
}

#[test]
fn every_line_has_its_effect_and_other_facts_have_none() {
    check("every_line_has_its_effect_and_other_facts_have_none", 2_000, entry(), |entry| {
        let found = effects(&entry);
        let moved: i64 = found.iter().map(|(_, _, effect)| delta(effect)).sum();
        let aside = found.iter().map(|(_, _, effect)| aside(effect)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        let units = |lines: &[ReceiptLine]| lines.iter().map(|line| line.quantity).sum::<i64>();
        let (lines, units, set_aside) = match &entry.fact {
            Fact::Sale(sale) => {
                let back = |disposition| {
                    let lines = sale.lines.iter().filter(|line| line.disposition == disposition);
                    lines.map(|line| -line.quantity).sum::<i64>()
                };
                let set_aside = (back(Disposition::Quarantine), back(Disposition::Scrap));
                (sale.lines.len(), back(Disposition::Resale), set_aside)
            }
            Fact::GoodsReturn(returned) => {
                let back = |disposition| {
                    let lines = returned.lines.iter().filter(|line| line.disposition == disposition);
                    lines.map(|line| line.quantity).sum::<i64>()
                };
                let set_aside = (back(Disposition::Quarantine), back(Disposition::Scrap));
                (returned.lines.len(), back(Disposition::Resale), set_aside)
            }
            Fact::GoodsReceipt(receipt) => (receipt.lines.len(), units(&receipt.lines), (0, 0)),
            Fact::TransferShip(ship) => (ship.lines.len(), -units(&ship.lines), (0, 0)),
            Fact::TransferReceive(receive) => (receive.lines.len(), units(&receive.lines), (0, 0)),
            Fact::Adjustment(adjustment) => (1, adjustment.delta, (0, 0)),
            Fact::GoodsIssue(issue) => (1, -issue.quantity, (0, 0)),
            Fact::Decision(Decision { resale: true, quantity, .. }) => (2, *quantity, (-quantity, 0)),
            Fact::Decision(Decision { resale: false, quantity, .. }) => (1, 0, (-quantity, *quantity)),
            Fact::CountClose(close) => (close.lines.len(), 0, (0, 0)),
            _ => (0, 0, (0, 0)),
        };
        prop_assert_eq!((found.len(), moved, aside), (lines, units, set_aside));
        Ok(())
    });
}

/// The model: keep the newest count, then go through the list.
fn naive(facts: &[(Position, Effect)]) -> OnHand {
    let mut counts = BTreeMap::new();
    for (at, effect) in facts {
        if let Effect::Count(counted) = effect {
            counts.insert((at.actor, at.seq, counted.hlc), counted);
        }
    }
    let base = counts.last_key_value();
    let covered = |position: &Position| {
        base.is_some_and(|((actor, _, _), counted)| {
            let mut cuts: Vec<(Actor, u64)> = counted.others.iter().copied().filter(|(a, _)| a != actor).collect();
            cuts.push((*actor, counted.cut));
            cuts.iter().any(|(a, seq)| *a == position.actor && *seq >= position.seq)
        })
    };
    let open: Vec<&Movement> = facts
        .iter()
        .filter(|(at, _)| !covered(at))
        .filter_map(|(_, effect)| if let Effect::Move(movement) = effect { Some(movement) } else { None })
        .collect();
    let late = base.is_some_and(|(_, counted)| open.iter().any(|movement| movement.at_ms < counted.scanned_ms));
    let ambiguous = base.is_some_and(|(_, counted)| counted.ambiguous);
    OnHand {
        quantity: base.map_or(0, |(_, counted)| counted.quantity) + open.iter().map(|m| m.delta).sum::<i64>(),
        base: base.map(|(&(actor, seq, _), _)| Position { actor, seq }),
        movements: open.len() as u64,
        recount: if ambiguous { Some(Recount::MovedWhileCounting) } else { late.then_some(Recount::LateSale) },
    }
}

fn delta(effect: &Effect) -> i64 {
    match effect {
        Effect::Move(movement) => movement.delta,
        Effect::Count(_) | Effect::Aside(_) => 0,
    }
}

fn aside(effect: &Effect) -> (i64, i64) {
    match effect {
        Effect::Aside(aside) => (aside.quarantined, aside.scrapped),
        Effect::Move(_) | Effect::Count(_) => (0, 0),
    }
}

fn position() -> impl Strategy<Value = Position> {
    (1..4u32, 1..3u16, 1..12u64).prop_map(|(node, epoch, seq)| Position { actor: Actor::new(node, epoch), seq })
}

fn effect() -> impl Strategy<Value = Effect> {
    let cause = Cause::Adjustment("x".into());
    let movement = (-9..9i64, 0..20u64).prop_map(move |(delta, at_ms)| {
        Effect::Move(Movement { delta, at_ms, cause: cause.clone(), batch: Batch::default() })
    });
    let others = vec((position(), 1..12u64).prop_map(|(at, seq)| (at.actor, seq)), 0..4);
    let counted = (0..50i64, 0..12u64, others, 0..20u64, any::<bool>(), 0..6u64).prop_map(
        |(quantity, cut, others, scanned_ms, ambiguous, ms)| {
            let hlc = Hlc::new(ms, 0);
            Effect::Count(Counted { session: 1, quantity, cut, others, scanned_ms, ambiguous, hlc })
        },
    );
    prop_oneof![3 => movement, 1 => counted]
}

fn counted_at(quantity: i64, cut: u64, ms: u64) -> Counted {
    let hlc = Hlc::new(ms, 0);
    Counted { session: 1, quantity, cut, others: vec![], scanned_ms: ms, ambiguous: false, hlc }
}

/// What can happen to one SKU in one store.
#[derive(Clone, Copy, Debug)]
enum Event {
    Receive(i64),
    Sell(i64),
    /// Sold now at a till whose connection is down.
    SellLate(i64),
    /// The tills' connections are up again.
    Deliver,
    /// Taken from the shelf without an entry.
    Steal(i64),
    /// Another node of the store takes a broken unit off the shelf and says so in its own log.
    BreakElsewhere,
    Scan,
    Close,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        1 => (1..100i64).prop_map(Event::Receive),
        4 => (1..5i64).prop_map(Event::Sell),
        2 => (1..5i64).prop_map(Event::SellLate),
        1 => Just(Event::Deliver),
        1 => (1..5i64).prop_map(Event::Steal),
        1 => Just(Event::BreakElsewhere),
        2 => Just(Event::Scan),
        2 => Just(Event::Close),
    ]
}

/// A shelf with goods on it, and what its two nodes wrote down.
#[derive(Default)]
struct Store {
    ms: u64,
    shelf: i64,
    entries: Vec<(Position, Entry)>,
    seqs: BTreeMap<Actor, u64>,
    waiting: Vec<(u64, i64)>,
    scan: Option<CountClose>,
    /// The newest closed count, units stolen since its scan, and units sold before its scan but booked after it.
    base: Option<Position>,
    stolen: i64,
    late: i64,
    stolen_since_scan: i64,
}

impl Store {
    fn happen(&mut self, event: Event) {
        self.ms += 10;
        match event {
            Event::Receive(units) => self.receive(units),
            Event::Sell(units) => {
                self.shelf -= units;
                self.book_sale(self.ms, units);
            }
            Event::SellLate(units) => {
                self.shelf -= units;
                self.waiting.push((self.ms, units));
            }
            Event::Deliver => self.deliver(),
            Event::Steal(units) => {
                self.shelf -= units;
                self.stolen += units;
                self.stolen_since_scan += units;
            }
            Event::BreakElsewhere => {
                self.shelf -= 1;
                let delta = -1;
                let (reason, staff) = (Code::parse("broken").unwrap(), Code::default());
                let adjustment =
                    Adjustment { sku: tea(), unit: Unit::Each, delta, reason, lot: Code::default(), staff };
                self.write(OTHER, Fact::Adjustment(adjustment));
            }
            Event::Scan => self.scan(),
            Event::Close => self.close(),
        }
    }

    fn receive(&mut self, units: i64) {
        self.shelf += units;
        let none = Code::default();
        let line = ReceiptLine { sku: tea(), unit: Unit::Each, quantity: units, lot: none.clone(), expiry_day: 0 };
        let receipt = GoodsReceipt { document: none.clone(), staff: none, lines: vec![line] };
        self.write(HOME, Fact::GoodsReceipt(receipt));
    }

    fn deliver(&mut self) {
        for (rung_ms, units) in std::mem::take(&mut self.waiting) {
            self.book_sale(rung_ms, units);
        }
    }

    fn book_sale(&mut self, rung_ms: u64, units: i64) {
        let seq = self.write(HOME, Fact::Sale(sale_of(rung_ms, units)));
        let newest = self.entries.iter().rev().find_map(|(_, entry)| line_of(entry));
        if newest.is_some_and(|line| seq > line.cut && rung_ms < line.scanned_ms) {
            self.late += units;
        }
    }

    fn scan(&mut self) {
        let cut = self.seqs.get(&HOME).copied().unwrap_or(0);
        let line = CountLine {
            sku: tea(),
            unit: Unit::Each,
            quantity: self.shelf.max(0),
            cut,
            scanned_ms: self.ms,
            ambiguous: false,
        };
        let others = self.seqs.get(&OTHER).map(|&seq| (OTHER, seq)).into_iter().collect();
        self.scan = Some(CountClose { session: self.ms, staff: Code::default(), others, lines: vec![line] });
        self.stolen_since_scan = 0;
    }

    /// The book becomes what was seen; of what was stolen or booked late, only what came after the scan still counts.
    fn close(&mut self) {
        let Some(close) = self.scan.take() else { return };
        let line = close.lines[0].clone();
        self.stolen = self.stolen_since_scan;
        self.late = self
            .entries
            .iter()
            .filter(|(at, _)| at.actor == HOME && at.seq > line.cut)
            .filter_map(|(_, entry)| if let Fact::Sale(sale) = &entry.fact { Some(sale) } else { None })
            .filter(|sale| sale.rung_ms < line.scanned_ms)
            .map(|sale| sale.lines[0].quantity)
            .sum();
        let seq = self.write(HOME, Fact::CountClose(close));
        self.base = Some(Position { actor: HOME, seq });
    }

    fn write(&mut self, actor: Actor, fact: Fact) -> u64 {
        let seq = self.seqs.entry(actor).or_insert(0);
        *seq += 1;
        let at = Position { actor, seq: *seq };
        self.entries.push((at, Entry { hlc: Hlc::new(self.ms, at.seq as u16), fact }));
        at.seq
    }

    fn facts(&self) -> Vec<(Position, Effect)> {
        let of = |(at, entry): &(Position, Entry)| {
            let at = *at;
            effects(entry).into_iter().filter(|(sku, _, _)| *sku == tea()).map(move |(_, _, effect)| (at, effect))
        };
        self.entries.iter().flat_map(of).collect()
    }
}

fn line_of(entry: &Entry) -> Option<&CountLine> {
    if let Fact::CountClose(close) = &entry.fact { close.lines.first() } else { None }
}

fn sale_of(rung_ms: u64, units: i64) -> Sale {
    let line = |sku| SaleLine {
        sku,
        unit: Unit::Each,
        quantity: units,
        unit_price: 100,
        discount: 0,
        discount_reason: Code::default(),
        tax: None,
        unknown: false,
        overridden: false,
        lot: Code::default(),
        original: None,
        disposition: Disposition::Resale,
    };
    Sale {
        till_seq: rung_ms,
        receipt: ReceiptNumber { till: TillId(1), series: 1, sequence: rung_ms },
        day: 1,
        late: false,
        rung_ms,
        currency: Currency::parse("EUR").unwrap(),
        cashier: Code::default(),
        approver: Code::default(),
        seller: Code::default(),
        foreign_key: Code::default(),
        fiscal: Vec::new(),
        voids: None,
        lines: vec![line(tea()), line(Sku::parse("milk").unwrap())],
        cash_rounding: 0,
        tenders: Vec::new(),
    }
}

fn tea() -> Sku {
    Sku::parse("tea").unwrap()
}

const HOME: Actor = Actor::new(1, 1);
const OTHER: Actor = Actor::new(2, 1);
