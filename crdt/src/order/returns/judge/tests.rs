//! Returns of one receipt, in every order of arrival.

use super::*;
use crate::ids::{Code, Sku, TillId};
use crate::money::{Currency, Unit};
use crate::order::returns::{Origin, ReturnLine};
use crate::receiving::Disposition;
use crate::sale::ReceiptNumber;

const SELLER: StoreId = StoreId(1);

#[derive(Clone)]
enum Fact {
    Returned(GoodsReturn),
    Said(ReturnGrant),
}

fn id(store: u32) -> ReturnId {
    ReturnId { store: StoreId(store), number: u64::from(store) }
}

fn returned(store: u32, at_ms: u64, (units, amount): (i64, i64), refund: Refund) -> Fact {
    let number = ReceiptNumber { till: TillId(1), series: 1, sequence: 1 };
    let line = ReturnLine {
        line: 0,
        sku: Sku::parse("A").unwrap(),
        unit: Unit::Each,
        quantity: units,
        amount,
        disposition: Disposition::Resale,
    };
    Fact::Returned(GoodsReturn {
        id: id(store),
        origin: Origin::Receipt(SELLER, number),
        signed: refund == Refund::Cash,
        at_ms,
        currency: Currency::parse("EUR").unwrap(),
        refund,
        day: 0,
        reason: Code::default(),
        reference: Code::default(),
        staff: Code::parse("anna").unwrap(),
        approver: Code::default(),
        lines: vec![line],
    })
}

fn said(store: u32, verdict: Verdict, at_ms: u64, (units, amount): (i64, i64)) -> Fact {
    let lines = if units > 0 { vec![LineUnits { line: 0, quantity: units }] } else { Vec::new() };
    Fact::Said(ReturnGrant {
        id: id(store),
        verdict,
        at_ms,
        lines,
        amount,
        day: 0,
        note: Code::default(),
        staff: Code::default(),
    })
}

/// The outcome in every order of arrival and with every fact twice; it must be one.
fn in_every_order(facts: &[Fact]) -> BTreeMap<ReturnId, Outcome> {
    let mut orders: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in facts {
        let longer = |order: Vec<usize>| {
            let free: Vec<_> = (0..facts.len()).filter(|at| !order.contains(at)).collect();
            free.into_iter().map(move |at| [order.as_slice(), &[at]].concat())
        };
        orders = orders.into_iter().flat_map(longer).collect();
    }
    let mut seen: Option<BTreeMap<ReturnId, Outcome>> = None;
    for order in orders {
        let mut told: BTreeMap<ReturnId, Told> = BTreeMap::new();
        for at in order.iter().chain(&order) {
            match facts[*at].clone() {
                Fact::Returned(it) => told.entry(it.id).or_default().take(it),
                Fact::Said(it) => told.entry(it.id).or_default().said.push(it),
            }
        }
        let outcome = judge(SELLER, Some(&[Sold { units: 2, amount: 199 }]), &told);
        assert!(outcome.values().flat_map(|it| &it.granted).map(|units| units.quantity).sum::<i64>() <= 2);
        assert_eq!(seen.get_or_insert_with(|| outcome.clone()), &outcome, "{order:?}");
    }
    seen.unwrap()
}

fn state(outcome: &BTreeMap<ReturnId, Outcome>, store: u32) -> (State, i64, i64, i64) {
    let it = &outcome[&id(store)];
    (it.state, it.refund, it.paid, it.loss)
}

#[test]
fn a_return_at_the_seller_is_granted_at_once() {
    let outcome = in_every_order(&[returned(1, 10, (1, 99), Refund::Cash)]);
    assert_eq!(state(&outcome, 1), (State::Paid, 99, 99, 0));
}

#[test]
fn elsewhere_the_refund_waits_for_the_seller_and_is_paid_once() {
    let asked = returned(2, 10, (2, 0), Refund::Pending);
    let outcome = in_every_order(std::slice::from_ref(&asked));
    assert_eq!(state(&outcome, 2), (State::Pending, 0, 0, 0));
    let granted = said(2, Verdict::Grant, 20, (2, 199));
    let outcome = in_every_order(&[asked.clone(), granted.clone()]);
    assert_eq!(state(&outcome, 2), (State::Granted, 199, 0, 0));
    let outcome = in_every_order(&[asked, granted, said(2, Verdict::PaidBack, 30, (0, 199))]);
    assert_eq!(state(&outcome, 2), (State::Paid, 199, 199, 0));
}

#[test]
fn what_two_stores_paid_while_cut_off_is_borne_by_the_later_one() {
    let paid = [returned(2, 10, (2, 199), Refund::Cash), returned(3, 12, (2, 199), Refund::Cash)];
    let outcome = in_every_order(&paid);
    assert_eq!(state(&outcome, 2), (State::Paid, 199, 199, 0));
    assert_eq!(state(&outcome, 3), (State::PaidTwice, 0, 199, 199));
    let grants = [said(2, Verdict::Grant, 50, (2, 199)), said(3, Verdict::Grant, 60, (0, 0))];
    let decided = in_every_order(&[paid.as_slice(), &grants].concat());
    assert_eq!(decided, outcome, "the seller says what everybody saw, in the same words");
    assert_eq!(decided[&id(3)].bearer, "store 3 (anna)");
    assert!(decided[&id(3)].why.contains("store 3 had already paid 199"), "{}", decided[&id(3)].why);
    // Who has only the seller's word sees the same.
    let told = BTreeMap::from([(
        id(3),
        Told {
            returned: match &paid[1] {
                Fact::Returned(it) => Some(it.clone()),
                Fact::Said(_) => None,
            },
            said: match &grants[1] {
                Fact::Said(it) => vec![it.clone()],
                Fact::Returned(_) => Vec::new(),
            },
        },
    )]);
    assert_eq!(judge(SELLER, None, &told)[&id(3)], decided[&id(3)]);
}

#[test]
fn the_seller_s_own_returns_come_before_what_was_paid_on_a_receipt() {
    let outcome = in_every_order(&[returned(2, 10, (2, 199), Refund::Cash), returned(1, 90, (1, 99), Refund::Cash)]);
    assert_eq!(state(&outcome, 1), (State::Paid, 99, 99, 0));
    assert_eq!(state(&outcome, 2), (State::PaidTwice, 100, 199, 99), "both units together come to 199");
}

#[test]
fn more_than_was_sold_is_refused_where_nothing_was_paid() {
    let outcome = in_every_order(&[
        returned(2, 10, (2, 0), Refund::Pending),
        said(2, Verdict::Grant, 20, (2, 199)),
        returned(3, 30, (1, 0), Refund::Pending),
        said(3, Verdict::Grant, 40, (0, 0)),
    ]);
    assert_eq!(state(&outcome, 3), (State::Refused, 0, 0, 0));
    assert_eq!(outcome[&id(3)].over, [LineUnits { line: 0, quantity: 1 }]);
}

#[test]
fn parts_of_a_line_cost_exactly_the_whole_whatever_the_order() {
    for (units, amount) in [(3, 500), (7, 1), (4, 1_000), (1, 99)] {
        let sold = Sold { units, amount };
        let parts: i64 = (0..units).map(|before| sold.part(before, 1)).sum();
        assert_eq!(parts, amount, "{units} for {amount}");
        assert!((0..units).all(|before| sold.part(before, 1) <= sold.most(1)));
    }
}

#[test]
fn a_refund_goes_back_in_proportion_and_whole() {
    assert_eq!(by_tender(166, &[100, 529]), [26, 140]);
    assert_eq!(by_tender(629, &[100, 529]), [100, 529]);
    assert_eq!(by_tender(700, &[100, 529]), [100, 529], "never more than was paid");
    assert_eq!((by_tender(5, &[]), by_tender(5, &[0, -3])), (vec![], vec![0, 0]));
    assert_eq!(
        by_tender(i64::MAX, &[i64::MAX, i64::MAX]).iter().map(|part| i128::from(*part)).sum::<i128>(),
        i128::from(i64::MAX)
    );
}
