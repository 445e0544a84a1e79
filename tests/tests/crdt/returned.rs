//! Facts about returns: arbitrary ones, and one fixed example of each.

use proptest::collection::vec;
use proptest::prelude::*;

use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::{Code, NodeId, Sku, StoreId, TillId};
use stockroom_crdt::limits::{AMOUNT_MAX, QUANTITY_MAX};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::order::returns::{GoodsReturn, Origin, Refund, ReturnGrant, ReturnId, ReturnLine, Verdict};
use stockroom_crdt::order::{LineUnits, OrderId};
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::ReceiptNumber;

use super::arbitrary::{code, currency, quantity, sku, u32s, u64s, unit};

/// A fact about returns.
pub fn fact_of(number: u16) -> BoxedStrategy<Fact> {
    match number {
        kind::GOODS_RETURN => goods_return().prop_map(Fact::GoodsReturn).boxed(),
        kind::RETURN_GRANT => {
            (id(), verdict(), u64s(), vec(0..=QUANTITY_MAX, 0..4), 0..=AMOUNT_MAX, (u32s(), code(), code()))
                .prop_map(|(id, verdict, at_ms, units, amount, (day, note, staff))| {
                    let of = |(at, quantity)| LineUnits { line: at as u16, quantity };
                    let lines = units.into_iter().enumerate().map(of).collect();
                    Fact::ReturnGrant(ReturnGrant { id, verdict, at_ms, lines, amount, day, note, staff })
                })
                .boxed()
        }
        other => super::rung::fact_of(other),
    }
}

/// One example of each kind, with every optional field set.
pub fn examples() -> Vec<(&'static str, Fact)> {
    let word = |text: &str| Code::parse(text).unwrap();
    let id = ReturnId { store: StoreId(9), number: 1_234_567_890 };
    let receipt = ReceiptNumber { till: TillId(3), series: 2, sequence: 4_711 };
    let line = ReturnLine {
        line: 2,
        sku: Sku::parse("tea-7").unwrap(),
        unit: Unit::Gram,
        quantity: 250,
        amount: 499,
        disposition: Disposition::Quarantine,
    };
    let returned = GoodsReturn {
        id,
        origin: Origin::Receipt(StoreId(7), receipt),
        signed: true,
        at_ms: 1_750_000_000_000,
        currency: Currency::parse("EUR").unwrap(),
        refund: Refund::Cash,
        day: 0,
        reason: word("damp"),
        reference: word("exchange-1"),
        staff: word("anna"),
        approver: word("ben"),
        lines: vec![line],
    };
    let grant = ReturnGrant {
        id,
        verdict: Verdict::PaidCash,
        at_ms: 1_750_000_000_500,
        lines: vec![LineUnits { line: 2, quantity: 250 }],
        amount: 499,
        day: 0,
        note: word("g-3"),
        staff: word("anna"),
    };
    // Without a day they are as they were written before days stood in them.
    let (paid, paid_later) = (GoodsReturn { day: 41, ..returned.clone() }, ReturnGrant { day: 42, ..grant.clone() });
    vec![
        ("goods_return", Fact::GoodsReturn(returned)),
        ("goods_return_of_a_day", Fact::GoodsReturn(paid)),
        ("return_grant", Fact::ReturnGrant(grant)),
        ("return_grant_of_a_day", Fact::ReturnGrant(paid_later)),
    ]
}

fn id() -> impl Strategy<Value = ReturnId> {
    (1..=u32::MAX, 0..OrderId::NUMBER_END).prop_map(|(store, number)| ReturnId { store: StoreId(store), number })
}

fn verdict() -> impl Strategy<Value = Verdict> {
    proptest::sample::select(Verdict::ALL.to_vec())
}

fn goods_return() -> impl Strategy<Value = GoodsReturn> {
    let receipt = (u32s(), u32s(), any::<u16>(), u64s()).prop_map(|(store, till, series, sequence)| {
        Origin::Receipt(StoreId(store), ReceiptNumber { till: TillId(till), series, sequence })
    });
    let order = (u32s(), 0..OrderId::NUMBER_END)
        .prop_map(|(home, number)| Origin::Order(OrderId { home: NodeId(home), number }));
    let origin = prop_oneof![Just(Origin::Nothing), receipt, order];
    let disposition = proptest::sample::select(Disposition::ALL.to_vec());
    let line = (sku(), unit(), quantity(), 0..=AMOUNT_MAX, disposition).prop_map(
        |(sku, unit, quantity, amount, disposition)| ReturnLine { line: 0, sku, unit, quantity, amount, disposition },
    );
    let words = (code(), code(), code(), code());
    (id(), origin, (any::<bool>(), any::<bool>(), u64s(), (currency(), u32s())), words, vec(line, 1..4)).prop_map(
        |(id, origin, (signed, cash, at_ms, (currency, day)), (reason, reference, staff, approver), mut lines)| {
            lines.iter_mut().enumerate().for_each(|(at, line)| line.line = at as u16 * 3);
            let refund = if cash { Refund::Cash } else { Refund::Pending };
            GoodsReturn { id, origin, signed, at_ms, currency, refund, day, reason, reference, staff, approver, lines }
        },
    )
}
