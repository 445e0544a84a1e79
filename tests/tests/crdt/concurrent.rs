//! The concurrency table of orders: what happens when two things were said apart from each other, in every order of arrival.
//!
//! Each row says the situation, what the order adds up to, and what is owed. The outcome must be the same, to the last word, for every
//! permutation in which the entries arrive.

use stockroom_crdt::clock::Hlc;
use stockroom_crdt::ids::{Actor, Code, NodeId, Sku, StoreId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::order::header::{Order, OrderLine, Payment, Preference};
use stockroom_crdt::order::intent::{OrderStep, Saying};
use stockroom_crdt::order::offer::{Offer, OfferLine};
use stockroom_crdt::order::redress::Redress;
use stockroom_crdt::order::resolve::{Event, HOME_GENERATIONS, Known, Outcome, resolve};
use stockroom_crdt::order::step::{FulfillmentStep, Step, StepLine, Substitute};
use stockroom_crdt::order::{LineUnits, OrderId};
use stockroom_crdt::product::Channel;
use stockroom_crdt::stock::Position;

/// One thing that can arrive.
#[derive(Clone)]
enum Said {
    Offer(u32, u16, Vec<(u16, i64)>),
    Step(u32, FulfillmentStep),
    Order(u32, OrderStep),
    Pay(Payment),
    Given(Redress),
}

#[test]
fn cancel_against_handover_the_store_that_holds_it_decides() {
    // The store confirmed: one refund.
    row(&[5], &[offer(1, 1), at(1, Step::Accept), asked(1), at(1, Step::ConfirmCancel)], |outcome| {
        assert_eq!(told(outcome), "cancelled, stable: 0 handed, 5 cancelled, 0 failed, 0 open; cancelled 500");
    });
    // It was handed over before: nothing is owed, and the reason says so.
    row(
        &[5],
        &[offer(1, 1), at(1, Step::Accept), at(1, Step::HandOver), asked(1), at(1, Step::DenyCancel)],
        |outcome| {
            assert_eq!(told(outcome), "completed, stable: 5 handed, 0 cancelled, 0 failed, 0 open; nothing owed");
            assert!(
                words(outcome).iter().any(|word| word.contains("before the cancel arrived")),
                "{:?}",
                words(outcome)
            );
        },
    );
    // Not answered: nothing is decided, and nothing is paid back.
    row(&[5], &[offer(1, 1), at(1, Step::Accept), asked(1)], |outcome| {
        assert_eq!(told(outcome), "accepted, tentative: 0 handed, 0 cancelled, 0 failed, 5 open; nothing owed");
    });
}

#[test]
fn cancel_against_handover_at_two_tills_that_were_split_the_fact_beats_the_decision() {
    let given = refund_of(&[5], &[offer(1, 1), at(1, Step::Accept), at(1, Step::ConfirmCancel)]);
    let steps = [offer(1, 1), at(1, Step::Accept), at(1, Step::ConfirmCancel), at(1, Step::HandOver)];
    // Not paid back yet: it will not be.
    row(&[5], &steps, |outcome| {
        assert_eq!(told(outcome), "completed, stable: 5 handed, 0 cancelled, 0 failed, 0 open; nothing owed");
    });
    row(&[5], &[steps.as_slice(), &[Said::Given(given)]].concat(), |outcome| {
        let expected = "completed, stable: 5 handed, 0 cancelled, 0 failed, 0 open; refunded-and-handed 500 by \
                        the order's home, cancelled 500 done";
        assert_eq!(told(outcome), expected);
    });
}

#[test]
fn a_cancel_before_any_store_accepted_is_the_homes_alone() {
    let said = [offer(1, 1), to(1, 1, Saying::Withdraw), here(Saying::Cancel, 5)];
    row(&[5], &said, |outcome| {
        assert_eq!(told(outcome), "cancelled, tentative: 0 handed, 5 cancelled, 0 failed, 0 open; cancelled 500");
    });
    row(&[5], &[said.as_slice(), &[at(1, Step::StandDown)]].concat(), |outcome| {
        assert_eq!(told(outcome), "cancelled, stable: 0 handed, 5 cancelled, 0 failed, 0 open; cancelled 500");
    });
    // The store had accepted meanwhile: it has to stand down, since nobody wants the units.
    row(&[5], &[said.as_slice(), &[at(1, Step::Accept)]].concat(), |outcome| {
        assert_eq!(outcome.losers, [(1, StoreId(1))]);
    });
}

#[test]
fn a_refund_at_risk_and_a_handover_name_who_bears_it() {
    let mut risk = here(Saying::RiskRefund, 5);
    if let Said::Order(_, step) = &mut risk {
        step.note = word("store manager");
    }
    let early = [offer(1, 1), at(1, Step::Accept), risk];
    row(&[5], &early, |outcome| {
        assert_eq!(told(outcome), "accepted, tentative: 0 handed, 0 cancelled, 0 failed, 5 open; cancelled 500");
    });
    // The store confirms what was paid back already: it is one cancel, and paid back once.
    row(&[5], &[early.as_slice(), &[at(1, Step::ConfirmCancel)]].concat(), |outcome| {
        assert_eq!(told(outcome), "cancelled, stable: 0 handed, 5 cancelled, 0 failed, 0 open; cancelled 500");
    });
    let given = Said::Given(refund_of(&[5], &early));
    row(&[5], &[early.as_slice(), &[given, at(1, Step::HandOver)]].concat(), |outcome| {
        let expected = "completed, stable: 5 handed, 0 cancelled, 0 failed, 0 open; refunded-and-handed 500 by store \
                        manager, cancelled 500 done";
        assert_eq!(told(outcome), expected);
    });
}

#[test]
fn of_two_stores_the_one_that_is_further_wins_then_the_earlier_offer_then_the_smaller_store() {
    // Ready beats accepted, although it was asked later.
    let both = [offer(1, 1), offer(2, 2)];
    let further = [at(1, Step::Accept), with(at(2, Step::Accept), 2), with(at(2, Step::Ready), 2)];
    row(&[5], &[both.as_slice(), &further].concat(), |outcome| assert_eq!(outcome.losers, [(1, StoreId(1))]));
    // Both accepted: the earlier offer wins.
    row(&[5], &[both.as_slice(), &further[..2]].concat(), |outcome| assert_eq!(outcome.losers, [(2, StoreId(2))]));
    // One generation, two stores: the smaller one wins.
    let same = [offer(2, 1), offer(1, 1), at(2, Step::Accept), at(1, Step::Accept)];
    row(&[5], &same, |outcome| assert_eq!(outcome.losers, [(1, StoreId(2))]));
    // Nobody accepted anything: nobody has lost, but what was withdrawn counts for less.
    row(&[5], &[both.as_slice(), &[to(1, 1, Saying::Withdraw)]].concat(), |outcome| {
        assert_eq!(told(outcome), "offered, tentative: 0 handed, 0 cancelled, 0 failed, 5 open; nothing owed");
        assert_eq!(outcome.lines[0].unplaced, 0);
    });
    // Handed over in two places: both facts stay, the customer pays once, and the home bears the rest.
    let twice = [at(1, Step::HandOver), with(at(2, Step::HandOver), 2)];
    row(&[5], &[both.as_slice(), &twice].concat(), |outcome| {
        let home = "handed-twice 500 by the order's home, which gave it to two stores";
        assert_eq!(told(outcome), format!("completed, stable: 5 handed, 0 cancelled, 0 failed, 0 open; {home}"));
        assert_eq!((outcome.charge, outcome.lines[0].over), (500, 5));
    });
}

#[test]
fn of_two_homes_the_one_that_took_over_decides_and_the_facts_of_both_stay() {
    let later = HOME_GENERATIONS + 1;
    let both = [offer(1, 2), offer(2, later)];
    row(&[5], &both, |outcome| {
        assert_eq!(outcome.losers, [(2, StoreId(1))], "what the earlier home offered has to go")
    });
    // But what a store has in hand stays.
    row(&[5], &[both.as_slice(), &[with(at(1, Step::HandOver), 2)]].concat(), |outcome| {
        assert_eq!(outcome.losers, [(later, StoreId(2))]);
        assert_eq!(outcome.lines[0].handed, 5);
    });
}

#[test]
fn parts_only_add_up() {
    let parts = [Said::Offer(1, 1, vec![(0, 2)]), Said::Offer(2, 2, vec![(0, 3)])];
    let steps = [at(1, Step::HandOver), with(at(2, Step::Accept), 2)];
    row(&[5], &[parts.as_slice(), &steps].concat(), |outcome| {
        assert_eq!(told(outcome), "accepted, tentative: 2 handed, 0 cancelled, 0 failed, 3 open; nothing owed");
        assert!(outcome.losers.is_empty());
    });
    // A part of a line is picked, and the customer takes what is there.
    let few = lines(at(1, Step::Pick), &[(0, 3, "not-found")]);
    let partly = [offer(1, 1), few, at(1, Step::HandOver)];
    row(&[5], &partly, |outcome| {
        assert_eq!(told(outcome), "waiting, tentative: 3 handed, 0 cancelled, 0 failed, 2 open; nothing owed");
    });
    row(&[5], &[partly.as_slice(), &[here(Saying::GiveUp, 2)]].concat(), |outcome| {
        assert_eq!(told(outcome), "partly-completed, stable: 3 handed, 0 cancelled, 2 failed, 0 open; short 200");
    });
}

#[test]
fn an_amendment_meets_picking_only_what_is_not_picked_is_cancelled() {
    let picked = lines(at(1, Step::Pick), &[(0, 5, "")]);
    let confirmed = lines(at(1, Step::ConfirmCancel), &[(1, 2, "")]);
    let said = [Said::Offer(1, 1, vec![(0, 5), (1, 3)]), picked, asked(1), confirmed];
    row(&[5, 3], &said, |outcome| {
        let of = |line: usize| (outcome.lines[line].open, outcome.lines[line].cancelled);
        assert_eq!((of(0), of(1)), ((5, 0), (1, 2)));
        assert_eq!(outcome.due.iter().map(|due| (due.line, due.amount)).collect::<Vec<_>>(), [(1, 200)]);
    });
}

#[test]
fn a_second_capture_is_paid_back() {
    let twice = Said::Pay(Payment { captured: 1_000, authorised: 500, ..Payment::none(ORDER) });
    row(&[5], &[offer(1, 1), at(1, Step::HandOver), twice], |outcome| {
        assert_eq!(told(outcome), "completed, stable: 5 handed, 0 cancelled, 0 failed, 0 open; overpaid 500");
    });
}

#[test]
fn delivered_beats_failed_whichever_was_said_last() {
    let start = [delivered_by(1), with(at(1, Step::Pick), DELIVERED), at(1, Step::Dispatch)];
    for ends in [[Step::Deliver, Step::FailDelivery], [Step::FailDelivery, Step::Deliver]] {
        let ends: Vec<_> = ends.into_iter().map(|step| at(1, step)).collect();
        row(&[5], &[start.as_slice(), &ends].concat(), |outcome| {
            assert_eq!(told(outcome), "completed, stable: 5 handed, 0 cancelled, 0 failed, 0 open; nothing owed");
        });
    }
    row(&[5], &[start.as_slice(), &[at(1, Step::FailDelivery), at(1, Step::Returned)]].concat(), |outcome| {
        assert_eq!(told(outcome), "failed, stable: 0 handed, 0 cancelled, 5 failed, 0 open; not-delivered 500");
    });
}

#[test]
fn a_second_handover_at_a_split_till_is_a_loss_with_a_name() {
    let mut second = at(1, Step::HandOver);
    if let Said::Step(_, step) = &mut second {
        (step.device, step.staff) = (9, word("ben"));
    }
    row(&[5], &[offer(1, 1), at(1, Step::HandOver), second], |outcome| {
        let loss = "handed-twice 500 by store 1, device";
        assert!(told(outcome).contains(loss), "{}", told(outcome));
    });
    // The same step, written again after a restore, is one handover.
    row(&[5], &[offer(1, 1), at(1, Step::HandOver), at(1, Step::HandOver)], |outcome| {
        assert_eq!(told(outcome), "completed, stable: 5 handed, 0 cancelled, 0 failed, 0 open; nothing owed");
    });
}

#[test]
fn weighed_goods_and_substitutes_cost_no_more_than_what_was_ordered_allows() {
    // 500 g at 20.00 a kilogram; 480 g were picked, then 540 g with 10% allowed.
    let grams = |picked: i64| {
        let order = Order { lines: vec![line(500, Unit::Gram, 2_000)], ..order(&[1]) };
        let said = [offer_of(&order), lines(at(1, Step::Pick), &[(0, picked, "")]), at(1, Step::HandOver)];
        outcome_of(&order, &said)
    };
    let (lighter, heavier) = (grams(480), grams(540));
    assert_eq!((lighter.charge, lighter.due[0].amount, lighter.due[0].rule.as_str()), (960, 40, "difference"));
    assert_eq!((heavier.charge, heavier.due.len()), (1_000, 0), "never above the authorisation");
    assert_eq!(lighter.state.as_str(), "completed");
    let cheaper = Substitute { sku: Sku::parse("other").unwrap(), unit: Unit::Each, unit_price: 80 };
    let mut taken = lines(at(1, Step::Pick), &[(0, 5, "")]);
    if let Said::Step(_, step) = &mut taken {
        step.lines[0].substitute = Some(cheaper);
    }
    row(&[5], &[offer(1, 1), taken, at(1, Step::HandOver)], |outcome| {
        assert_eq!(told(outcome), "completed, stable: 5 handed, 0 cancelled, 0 failed, 0 open; difference 100");
        assert_eq!(outcome.charge, 400);
    });
}

/// Checks that the outcome is the same for every permutation, and gives it to `expect`.
fn row(quantities: &[i64], said: &[Said], expect: impl Fn(&Outcome)) {
    let order = order(quantities);
    let outcome = outcome_of(&order, said);
    for line in &outcome.lines {
        assert_eq!(line.ordered, line.open + line.handed + line.cancelled + line.failed, "{outcome:?}");
    }
    let refunds: i64 = outcome.due.iter().filter(|due| due.rule.is_refund()).map(|due| due.amount).sum();
    assert!(refunds <= 1_000, "more is paid back than was captured: {outcome:?}");
    let numbered: Vec<_> = said.iter().enumerate().collect();
    let mut count = 0;
    permute(&numbered, &mut |said| {
        count += 1;
        let known = known(&order, said.iter().copied());
        assert_eq!(
            resolve(&known).unwrap(),
            outcome,
            "arrived as {:?}",
            said.iter().map(|(at, _)| at).collect::<Vec<_>>()
        );
    });
    assert_eq!(count, (1..=said.len()).product::<usize>());
    expect(&outcome);
}

fn outcome_of(order: &Order, said: &[Said]) -> Outcome {
    resolve(&known(order, said.iter().enumerate())).unwrap()
}

/// The first refund that follows, as carried out.
fn refund_of(quantities: &[i64], said: &[Said]) -> Redress {
    let due = outcome_of(&order(quantities), said).due.into_iter().next().unwrap();
    let (reference, staff) = (Code::default(), Code::default());
    Redress { id: due.id, order: ORDER, amount: due.amount, done: true, reference, staff }
}

fn known<'a>(order: &Order, said: impl Iterator<Item = (usize, &'a Said)>) -> Known {
    let paid = Payment { authorised: order.total(), captured: order.total(), ..Payment::none(ORDER) };
    let mut known = Known { order: Some(order.clone()), payment: Some(paid), ..Known::default() };
    for (number, said) in said {
        let hlc = Hlc::new(1_000 + number as u64, 0);
        let position = |store: u32| Position { actor: Actor::new(store + 1, 1), seq: number as u64 };
        match said.clone() {
            Said::Offer(store, generation, units) => {
                let part = known.parts.entry((generation, StoreId(store))).or_default();
                (part.offer, part.offered) = (Some(offered(order, generation, &units)), hlc);
            }
            Said::Step(store, says) => {
                let part = known.parts.entry((says.generation, StoreId(store))).or_default();
                part.steps.push(Event { store: StoreId(store), at: position(store), hlc, says });
            }
            Said::Order(store, says) => {
                known.sayings.push(Event { store: StoreId(store), at: position(0), hlc, says });
            }
            Said::Pay(payment) => known.payment.as_mut().unwrap().join(&payment),
            Said::Given(redress) => _ = known.redresses.insert(redress.id, redress),
        }
    }
    known
}

fn permute<T: Copy>(items: &[T], visit: &mut impl FnMut(&[T])) {
    fn go<T: Copy>(left: &mut Vec<T>, taken: &mut Vec<T>, visit: &mut impl FnMut(&[T])) {
        if left.is_empty() {
            visit(taken);
        }
        for at in 0..left.len() {
            taken.push(left.remove(at));
            go(left, taken, visit);
            left.insert(at, taken.pop().unwrap());
        }
    }
    go(&mut items.to_vec(), &mut Vec::new(), visit);
}

/// State, units of the first line, and what is owed.
fn told(outcome: &Outcome) -> String {
    let line = &outcome.lines[0];
    let due = outcome.due.iter().map(|due| {
        let by = if due.bearer.is_empty() { String::new() } else { format!(" by {}", due.bearer) };
        format!("{} {}{by}{}", due.rule.as_str(), due.amount, if due.done { " done" } else { "" })
    });
    let due = due.collect::<Vec<_>>().join(", ");
    format!(
        "{}, {}: {} handed, {} cancelled, {} failed, {} open; {}",
        outcome.state.as_str(),
        if outcome.stable { "stable" } else { "tentative" },
        line.handed,
        line.cancelled,
        line.failed,
        line.open,
        if due.is_empty() { "nothing owed" } else { &due }
    )
}

fn words(outcome: &Outcome) -> Vec<String> {
    outcome.reasons.iter().map(|reason| reason.why.to_string()).collect()
}

fn order(quantities: &[i64]) -> Order {
    Order {
        id: ORDER,
        channel: Channel::Pickup,
        source: Code::default(),
        reference: Code::default(),
        entity: Code::default(),
        currency: Currency::parse("EUR").unwrap(),
        placed_ms: 0,
        due_ms: 0,
        release_ms: 0,
        priority: 0,
        place: None,
        contact: Vec::new(),
        phone: [0; 8],
        lines: quantities.iter().map(|quantity| line(*quantity, Unit::Each, 100)).collect(),
    }
}

fn line(quantity: i64, unit: Unit, unit_price: i64) -> OrderLine {
    let sku = Sku::parse("tea").unwrap();
    OrderLine { sku, unit, quantity, unit_price, age_min: 0, preference: Preference::Ask, tolerance_percent: 10 }
}

fn offered(order: &Order, generation: u16, units: &[(u16, i64)]) -> Offer {
    let of = |(line, quantity): &(u16, i64)| {
        let ordered = &order.lines[usize::from(*line)];
        OfferLine {
            line: *line,
            sku: ordered.sku.clone(),
            unit: ordered.unit,
            quantity: *quantity,
            unit_price: ordered.unit_price,
            age_min: 0,
            preference: ordered.preference,
            tolerance_percent: ordered.tolerance_percent,
        }
    };
    Offer {
        order: ORDER,
        generation,
        issuer: Actor::new(1, 1),
        channel: if generation == DELIVERED { Channel::Delivery } else { Channel::Pickup },
        speculative: false,
        entity: Code::default(),
        currency: order.currency,
        due_ms: 0,
        accept_within_ms: 0,
        release_ms: 0,
        hold_ms: 0,
        code: [0; 16],
        phone: [0; 8],
        contact: Vec::new(),
        lines: units.iter().map(of).collect(),
    }
}

fn offer(store: u32, generation: u16) -> Said {
    Said::Offer(store, generation, vec![(0, 5)])
}

fn offer_of(order: &Order) -> Said {
    Said::Offer(1, 1, vec![(0, order.lines[0].quantity)])
}

/// An offer of a delivery: steps about generation 1 are about it.
fn delivered_by(store: u32) -> Said {
    Said::Offer(store, DELIVERED, vec![(0, 5)])
}

/// A step of a store about its offer of generation 1, or of the delivery.
fn at(store: u32, step: Step) -> Said {
    let is_delivery = matches!(step, Step::Dispatch | Step::Deliver | Step::FailDelivery | Step::Returned);
    let generation = if is_delivery { DELIVERED } else { 1 };
    let (note, staff) = (Code::default(), word("anna"));
    Said::Step(store, FulfillmentStep { order: ORDER, generation, step, lines: Vec::new(), note, staff, device: 1 })
}

fn with(said: Said, generation: u16) -> Said {
    match said {
        Said::Step(store, step) => Said::Step(store, FulfillmentStep { generation, ..step }),
        other => other,
    }
}

fn lines(said: Said, units: &[(u16, i64, &str)]) -> Said {
    let of = |(line, quantity, reason): &(u16, i64, &str)| StepLine {
        line: *line,
        quantity: *quantity,
        reason: word(reason),
        substitute: None,
    };
    match said {
        Said::Step(store, step) => Said::Step(store, FulfillmentStep { lines: units.iter().map(of).collect(), ..step }),
        other => other,
    }
}

/// The home says something to a store of an offer.
fn to(store: u32, generation: u16, saying: Saying) -> Said {
    let (note, by) = (Code::default(), Code::default());
    Said::Order(store, OrderStep { order: ORDER, generation, saying, lines: Vec::new(), until_ms: 0, note, by })
}

fn asked(store: u32) -> Said {
    to(store, 1, Saying::AskCancel)
}

/// The home says something of units of the first line.
fn here(saying: Saying, units: i64) -> Said {
    let (note, by) = (Code::default(), Code::default());
    let lines = vec![LineUnits { line: 0, quantity: units }];
    Said::Order(0, OrderStep { order: ORDER, generation: 0, saying, lines, until_ms: 0, note, by })
}

fn word(text: &str) -> Code {
    Code::parse(text).unwrap()
}

const ORDER: OrderId = OrderId { home: NodeId(1), number: 17 };

/// Offers of this generation are deliveries.
const DELIVERED: u16 = 7;
