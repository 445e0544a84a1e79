//! Lots against the figure that they must add up to and against a shelf that is emptied in the right order; transfers from
//! whichever parts are known.

use proptest::collection::vec;
use proptest::prelude::*;

use stockroom_crdt::clock::Hlc;
use stockroom_crdt::codec::{DecodeError, Sink, col};
use stockroom_crdt::entry::{Entry, Fact, kind};
use stockroom_crdt::ids::{Actor, Code, Digest, Sku, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::receiving::{Reason, ReceiptLine};
use stockroom_crdt::stock::lots::{Lots, lots};
use stockroom_crdt::stock::transit::{Part, State, Transfer, resolve};
use stockroom_crdt::stock::{Batch, Cause, Counted, Effect, Movement, Position};
use stockroom_crdt::transfer::{AskedLine, Difference, TransferAsk, TransferId, TransferReceive, TransferShip, part};
use stockroom_tests::property::check;

use super::canonical::entry_bytes;

#[test]
fn lots_add_up_to_stock_on_hand_in_whatever_order_they_came() {
    let history = (vec(movement(), 0..40), vec(movement(), 0..40), proptest::option::of(0..60i64));
    let shuffled = history.prop_flat_map(|(covered, after, counted)| {
        let orders = (Just(covered.clone()).prop_shuffle(), Just(after.clone()).prop_shuffle());
        (Just((covered, after, counted)), orders)
    });
    check("lots_add_up_to_stock_on_hand", 2_000, shuffled, |((covered, after, counted), (mixed, mixed_after))| {
        let found = lots(&covered, counted, &after);
        let count = counted.map(|quantity| (Position { actor: HOME, seq: 90 }, count_of(quantity)));
        let effects = after.iter().map(|(at, movement)| (*at, Effect::Move(movement.clone())));
        let on_hand = stockroom_crdt::stock::resolve(&effects.chain(count).collect::<Vec<_>>());
        prop_assert_eq!(found.total(), on_hand.quantity);
        prop_assert!(found.left.iter().all(|left| left.quantity > 0 && !left.batch.is_unknown()));
        prop_assert!(found.left.is_empty() || found.unassigned >= 0, "goods are owed while lots are left: {:?}", found);
        let order = |left: &stockroom_crdt::stock::lots::Left| (left.batch.expiry_day == 0, left.batch.expiry_day);
        prop_assert!(found.left.is_sorted_by_key(order), "{:?}", found);
        prop_assert_eq!(found, lots(&mixed, counted, &mixed_after));
        Ok(())
    });
}

#[test]
fn what_nobody_scanned_is_taken_from_the_lot_that_expires_first() {
    let day = [came(1, 5, "B", 30), came(2, 5, "A", 20), came(3, 4, "C", 0), came(4, 3, "", 0)];
    let sold = |units| lots(&[], None, &[&day[..], &[sold(9, units, "")]].concat());
    assert_eq!(told(&sold(3)), [("A", 2), ("B", 5), ("C", 4), ("", 3)]);
    assert_eq!(told(&sold(7)), [("B", 3), ("C", 4), ("", 3)]);
    assert_eq!(told(&sold(15)), [("", 2)], "goods of no known lot go last");
    assert_eq!(told(&sold(20)), [("", -3)]);
}

#[test]
fn a_lot_that_was_scanned_is_taken_from_and_no_other() {
    let day = [came(1, 5, "A", 20), came(2, 5, "B", 30), sold(3, 2, "B")];
    assert_eq!(told(&lots(&[], None, &day)), [("A", 5), ("B", 3)]);
    let more = [&day[..], &[sold(4, 4, "B")]].concat();
    assert_eq!(told(&lots(&[], None, &more)), [("A", 4)], "more of a lot than there was: the rest is anybody's");
    let back = [&day[..], &[came(5, 1, "B", 0)]].concat();
    assert_eq!(told(&lots(&[], None, &back)), [("A", 5), ("B", 4)], "what comes back keeps its lot's expiry");
}

#[test]
fn goods_sold_before_they_were_booked_in_come_off_what_was_booked_in() {
    assert_eq!(told(&lots(&[], None, &[sold(1, 3, ""), came(2, 10, "A", 20)])), [("A", 7)]);
}

#[test]
fn a_count_keeps_the_lots_and_settles_what_is_too_much_or_too_little() {
    let before = [came(1, 5, "A", 20), came(2, 5, "B", 30)];
    let counted = |units| told(&lots(&before, Some(units), &[]));
    assert_eq!(counted(10), [("A", 5), ("B", 5)]);
    assert_eq!(counted(7), [("A", 2), ("B", 5)]);
    assert_eq!(counted(12), [("A", 5), ("B", 5), ("", 2)]);
    assert_eq!(told(&lots(&before, Some(10), &[sold(5, 6, "")])), [("B", 4)]);
}

#[test]
fn a_transfer_is_told_from_whichever_parts_are_known() {
    let (ask, ship, receive) = (asked(12), shipped(&[("L1", 6), ("L2", 4)]), received(&[("L1", 6), ("L2", 1)], true));
    let of = |parts: &[&Fact]| joined(parts).unwrap();
    let line = |transfer: &Transfer| {
        let line = &transfer.lines[0];
        (line.asked, line.sent, line.came, line.in_transit(), line.difference())
    };
    let known = of(&[&ask]);
    assert_eq!((known.state, line(&known)), (State::Asked, (12, None, None, 0, None)));
    let known = of(&[&ask, &ship]);
    assert_eq!((known.state, line(&known)), (State::InTransit, (12, Some(10), None, 10, None)));
    let known = of(&[&ask, &ship, &receive]);
    assert_eq!((known.state, line(&known)), (State::Received, (12, Some(10), Some(7), 0, Some(-3))));
    assert_eq!((known.differs(), known.repeated, known.lines[0].reason.as_str()), (true, false, "torn"));
    // A neighbour of the destination has its word for what was sent.
    let known = of(&[&receive]);
    assert_eq!((known.state, line(&known)), (State::Received, (0, Some(10), Some(7), 0, Some(-3))));
    // Taken down by hand: nobody knows what was sent, until the hub has both.
    let by_hand = received(&[("L1", 7)], false);
    assert_eq!(line(&of(&[&by_hand])), (0, None, Some(7), 0, None));
    assert_eq!(line(&of(&[&ship, &by_hand])), (0, Some(10), Some(7), 0, Some(-3)));
    assert!(joined(&[]).is_none());
}

#[test]
fn a_transfer_is_overdue_until_it_is_received() {
    let (ship, receive) = (shipped(&[("L1", 1)]), received(&[("L1", 1)], true));
    let (on_the_way, there) = (joined(&[&ship]).unwrap(), joined(&[&ship, &receive]).unwrap());
    assert_eq!((on_the_way.from, on_the_way.to, on_the_way.due_ms), (SOURCE, DESTINATION, 500));
    assert_eq!([500, 501].map(|now_ms| on_the_way.is_overdue(now_ms)), [false, true]);
    assert!(!there.is_overdue(501) && !there.differs());
}

#[test]
fn a_step_that_was_done_twice_in_other_words_is_shown() {
    let (one, other) = (shipped(&[("L1", 1)]), shipped(&[("L1", 2)]));
    let twice = joined(&[&one, &other]).unwrap();
    assert_eq!((twice.repeated, twice.lines[0].sent), (true, Some(3)));
}

#[test]
fn the_order_of_a_transfers_parts_does_not_matter() {
    let parts = vec![asked(12), shipped(&[("L1", 6)]), received(&[("L1", 5)], true)];
    let sets =
        proptest::sample::subsequence(parts, 1..=3).prop_flat_map(|set| (Just(set.clone()), Just(set).prop_shuffle()));
    check("the_order_of_a_transfers_parts_does_not_matter", 200, sets, |(set, shuffled)| {
        let of = |facts: &[Fact]| joined(&facts.iter().collect::<Vec<_>>());
        prop_assert_eq!(of(&set), of(&shuffled));
        Ok(())
    });
}

#[test]
fn what_a_node_adds_to_a_transfer_is_not_content() {
    let (Fact::TransferShip(ship), Fact::TransferReceive(receive)) =
        (shipped(&[("L1", 1)]), received(&[("L1", 1)], true))
    else {
        panic!("they are what they are");
    };
    let later = Fact::TransferShip(TransferShip { due_ms: 9, ..ship.clone() });
    assert_eq!(part(&Fact::TransferShip(ship.clone())), part(&later));
    let blind = TransferReceive { seen: false, differences: Vec::new(), ..receive.clone() };
    assert_eq!(part(&Fact::TransferReceive(receive)), part(&Fact::TransferReceive(blind)));
    let other = TransferShip { to: StoreId(8), ..ship.clone() };
    assert_ne!(part(&Fact::TransferShip(ship)), part(&Fact::TransferShip(other)));
}

#[test]
fn one_request_opens_one_transfer() {
    let digest = |n: u64| Digest::of(&[&n.to_be_bytes()]);
    let id = |n, attempt| TransferId::of_request(SOURCE, digest(n), attempt);
    assert_eq!(id(1, 0), id(1, 0));
    assert_ne!(id(1, 0), id(1, 1));
    let many: std::collections::BTreeSet<_> = (0..10_000).map(|n| id(n, 0)).collect();
    assert_eq!(many.len(), 10_000);
    assert!(many.iter().all(|id| id.number < TransferId::NUMBER_END));
}

#[test]
fn a_standard_reason_says_which_way_goods_went() {
    for reason in Reason::ALL {
        assert_eq!(Reason::parse(reason.as_str()), Some(reason));
        let (takes, adds) = (reason.fits(-1), reason.fits(1));
        assert!(takes || adds);
        assert_eq!(adds, matches!(reason, Reason::Found | Reason::Other));
        assert_eq!(takes, reason != Reason::Found);
    }
    assert_eq!(Reason::parse("fell into the river"), None);
}

#[test]
fn goods_that_are_sold_are_not_set_aside_unless_a_void_takes_that_back() {
    const QUARANTINE: u64 = 1 << 8;
    const SCRAP: u64 = 1 << 9;
    const VOIDS: u64 = 1 << 5;
    let sale = |flags: u64, line_flags: u64, quantity: i64| {
        entry_bytes(kind::SALE, |rows| {
            rows.uint(col::FLAGS, flags);
            (0..7).for_each(|_| rows.uint(col::TILL, 1));
            rows.blob(col::STAFF, b"");
            (0..if flags == VOIDS { 3 } else { 0 }).for_each(|_| rows.uint(col::B, 1));
            rows.uint(col::LINE_COUNT, 1);
            rows.uint(col::LINE_FLAGS, line_flags);
            tea().encode(rows);
            rows.int(col::QUANTITY, quantity);
            rows.int(col::PRICE, 1);
            rows.uint(col::TENDER_COUNT, 0);
        })
    };
    for line_flags in [0, QUARANTINE, SCRAP] {
        assert!(Entry::from_bytes(&sale(0, line_flags, -1)).is_ok());
        assert!(Entry::from_bytes(&sale(VOIDS, line_flags, 1)).is_ok());
    }
    for line_flags in [QUARANTINE, SCRAP] {
        assert_eq!(Entry::from_bytes(&sale(0, line_flags, 1)), Err(DecodeError::Value("disposition")));
    }
    assert_eq!(Entry::from_bytes(&sale(0, QUARANTINE | SCRAP, -1)), Err(DecodeError::Value("disposition")));
    // The flag after it says that a tax is added, which there is none of.
    assert_eq!(Entry::from_bytes(&sale(0, SCRAP << 1, -1)), Err(DecodeError::Value("tax")));
    assert_eq!(Entry::from_bytes(&sale(0, SCRAP << 2, -1)), Err(DecodeError::Value("flags")));
}

#[test]
fn a_transfer_of_a_number_that_nobody_gives_out_is_refused() {
    let ask = |number: u64| {
        entry_bytes(kind::TRANSFER_ASK, |rows| {
            rows.uint(col::STORE, 1);
            rows.uint(col::D, number);
            rows.uint(col::E, 2);
            rows.uint(col::TIME, 0);
            rows.blob(col::STAFF, b"");
            rows.blob(col::REASON, b"");
            rows.uint(col::LINE_COUNT, 0);
        })
    };
    assert!(Entry::from_bytes(&ask(TransferId::NUMBER_END - 1)).is_ok());
    assert_eq!(Entry::from_bytes(&ask(TransferId::NUMBER_END)), Err(DecodeError::Value("transfer")));
}

fn joined(facts: &[&Fact]) -> Option<Transfer> {
    let store = |fact: &Fact| if matches!(fact, Fact::TransferShip(_)) { SOURCE } else { DESTINATION };
    let parts: Vec<_> = facts.iter().map(|fact| Part { store: store(fact), at_ms: 100, fact }).collect();
    resolve(ID, &parts)
}

fn asked(quantity: i64) -> Fact {
    let lines = vec![AskedLine { sku: tea(), unit: Unit::Each, quantity }];
    let (staff, reason) = (Code::default(), Code::default());
    Fact::TransferAsk(TransferAsk { id: ID, from: SOURCE, due_ms: 400, staff, reason, lines })
}

fn shipped(lots: &[(&str, i64)]) -> Fact {
    let (staff, approver, lines) = (Code::default(), Code::default(), goods(lots));
    Fact::TransferShip(TransferShip { id: ID, to: DESTINATION, due_ms: 500, staff, approver, lines })
}

fn received(lots: &[(&str, i64)], seen: bool) -> Fact {
    let came: i64 = lots.iter().map(|(_, quantity)| quantity).sum();
    let differs = seen && came == 7;
    let difference = Difference { sku: tea(), unit: Unit::Each, sent: 10, reason: Code::parse("torn").unwrap() };
    let differences = if differs { vec![difference] } else { Vec::new() };
    let (staff, lines) = (Code::default(), goods(lots));
    Fact::TransferReceive(TransferReceive { id: ID, from: SOURCE, seen, staff, lines, differences })
}

fn goods(lots: &[(&str, i64)]) -> Vec<ReceiptLine> {
    let line = |&(lot, quantity): &(&str, i64)| ReceiptLine {
        sku: tea(),
        unit: Unit::Each,
        quantity,
        lot: Code::parse(lot).unwrap(),
        expiry_day: 20_500,
    };
    lots.iter().map(line).collect()
}

/// Lots and what is left of them, then what is of no known lot, if anything.
fn told(lots: &Lots) -> Vec<(&'static str, i64)> {
    let name = |lot: &str| ["A", "B", "C"].into_iter().find(|name| *name == lot).unwrap();
    let left = lots.left.iter().map(|left| (name(left.batch.lot.as_str()), left.quantity));
    left.chain((lots.unassigned != 0).then_some(("", lots.unassigned))).collect()
}

fn came(ms: u64, delta: i64, lot: &str, expiry_day: u32) -> (Position, Movement) {
    let batch = Batch { lot: Code::parse(lot).unwrap(), expiry_day };
    let cause = Cause::Receipt(String::new());
    (Position { actor: HOME, seq: ms }, Movement { delta, at_ms: ms, cause, batch })
}

fn sold(ms: u64, units: i64, lot: &str) -> (Position, Movement) {
    came(ms, -units, lot, 0)
}

fn movement() -> impl Strategy<Value = (Position, Movement)> {
    let lot = proptest::sample::select(vec!["", "", "A", "B", "C"]);
    let expiry = proptest::sample::select(vec![0, 0, 20, 30]);
    (1..40u64, 0..20u64, -6..9i64, lot, expiry).prop_map(|(seq, ms, delta, lot, expiry_day)| {
        let (_, movement) = came(ms, if delta == 0 { 1 } else { delta }, lot, if delta > 0 { expiry_day } else { 0 });
        (Position { actor: HOME, seq }, movement)
    })
}

fn count_of(quantity: i64) -> Effect {
    let (hlc, others) = (Hlc::new(1, 0), Vec::new());
    Effect::Count(Counted { session: 1, quantity, cut: 0, others, scanned_ms: 0, ambiguous: false, hlc })
}

fn tea() -> Sku {
    Sku::parse("tea").unwrap()
}

const HOME: Actor = Actor::new(1, 1);
const SOURCE: StoreId = StoreId(9);
const DESTINATION: StoreId = StoreId(7);
const ID: TransferId = TransferId { store: DESTINATION, number: 4_711 };
