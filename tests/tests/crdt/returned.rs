//! Facts about goods that come back: arbitrary ones, and one fixed example of each.

use proptest::collection::vec;
use proptest::prelude::*;

use stockroom_crdt::capability::Signer;
use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::{Actor, Code, NodeId, Sku, StoreId, TenantId, TillId};
use stockroom_crdt::limits::AMOUNT_MAX;
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::order::returns::judge::Sold;
use stockroom_crdt::order::returns::receipt::{Receipt, ReceiptPart, SignedReceipt};
use stockroom_crdt::order::returns::{GoodsReturn, Origin, Refund, ReturnGrant, ReturnId, ReturnLine, Verdict};
use stockroom_crdt::order::{LineUnits, OrderId};
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::ReceiptNumber;
use stockroom_tests::property::check;

use super::arbitrary::{code, currency, quantity, sku, u32s, u64s, unit};

/// A fact about goods that come back.
pub fn fact_of(number: u16) -> BoxedStrategy<Fact> {
    match number {
        kind::GOODS_RETURN => goods_return().prop_map(Fact::GoodsReturn).boxed(),
        kind::RETURN_GRANT => grant().prop_map(Fact::ReturnGrant).boxed(),
        other => panic!("no generator for facts of kind {other}"),
    }
}

/// One example of each kind, with every optional field set.
pub fn examples() -> Vec<(&'static str, Fact)> {
    let id = ReturnId { store: StoreId(7), number: 1_234_567_890 };
    let word = |text: &str| Code::parse(text).unwrap();
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
        origin: Origin::Receipt(StoreId(9), number()),
        signed: true,
        at_ms: 1_750_000_000_000,
        currency: Currency::parse("EUR").unwrap(),
        refund: Refund::Cash,
        reason: word("stale"),
        reference: word("x-1"),
        staff: word("ben"),
        approver: word("mia"),
        lines: vec![line],
    };
    let grant = ReturnGrant {
        id,
        verdict: Verdict::Grant,
        at_ms: 1_750_000_000_001,
        lines: vec![LineUnits { line: 2, quantity: 200 }],
        amount: 399,
        note: word("returned before, or not sold"),
        staff: word("ben"),
    };
    vec![("goods_return", Fact::GoodsReturn(returned)), ("return_grant", Fact::ReturnGrant(grant))]
}

#[test]
fn a_receipt_is_believed_as_it_was_signed_and_in_its_tenant_only() {
    let (tenant, signer) = (TenantId([5; 16]), Signer::from_seed(&[3; 32]));
    check(
        "a_receipt_is_believed_as_it_was_signed",
        200,
        (receipt(), any::<usize>(), 1..=255u8),
        |(drawn, at, bits)| {
            let signed = drawn.sign(tenant, &signer);
            let bytes = signed.to_bytes().expect("a short receipt fits a code");
            prop_assert_eq!(SignedReceipt::from_bytes(&bytes), Ok(signed.clone()));
            prop_assert!(signed.verify(tenant, &signer.public()));
            prop_assert!(!signed.verify(TenantId([6; 16]), &signer.public()));
            let mut bent = bytes.clone();
            let at = at % bent.len();
            bent[at] ^= bits;
            let believed = SignedReceipt::from_bytes(&bent).is_ok_and(|bent| bent.verify(tenant, &signer.public()));
            prop_assert!(!believed, "byte {at}");
            Ok(())
        },
    );
}

fn number() -> ReceiptNumber {
    ReceiptNumber { till: TillId(3), series: 1, sequence: 4_711 }
}

fn id() -> impl Strategy<Value = ReturnId> {
    (1..=u32::MAX, 0..OrderId::NUMBER_END).prop_map(|(store, number)| ReturnId { store: StoreId(store), number })
}

fn receipt_number() -> impl Strategy<Value = ReceiptNumber> {
    (u32s(), any::<u16>(), u64s()).prop_map(|(till, series, sequence)| ReceiptNumber {
        till: TillId(till),
        series,
        sequence,
    })
}

fn origin() -> impl Strategy<Value = Origin> {
    prop_oneof![
        Just(Origin::Nothing),
        (u32s(), receipt_number()).prop_map(|(store, number)| Origin::Receipt(StoreId(store), number)),
        (u32s(), 0..OrderId::NUMBER_END)
            .prop_map(|(home, number)| Origin::Order(OrderId { home: NodeId(home), number })),
    ]
}

fn goods_return() -> impl Strategy<Value = GoodsReturn> {
    let line = (sku(), unit(), quantity(), 0..=AMOUNT_MAX, proptest::sample::select(Disposition::ALL.to_vec()));
    let line = line.prop_map(|(sku, unit, quantity, amount, disposition)| ReturnLine {
        line: 0,
        sku,
        unit,
        quantity: quantity.max(1),
        amount,
        disposition,
    });
    let words = (code(), code(), code(), code());
    (id(), origin(), (any::<bool>(), any::<bool>()), (u64s(), currency()), words, vec(line, 1..5)).prop_map(
        |(id, origin, (signed, cash), (at_ms, currency), (reason, reference, staff, approver), mut lines)| {
            lines.iter_mut().enumerate().for_each(|(at, line)| line.line = 3 * at as u16);
            let refund = if cash { Refund::Cash } else { Refund::Pending };
            GoodsReturn { id, origin, signed, at_ms, currency, refund, reason, reference, staff, approver, lines }
        },
    )
}

fn grant() -> impl Strategy<Value = ReturnGrant> {
    let lines = vec(0..=1_000i64, 0..4).prop_map(|units| {
        units.into_iter().enumerate().map(|(at, quantity)| LineUnits { line: at as u16, quantity }).collect()
    });
    let verdict = proptest::sample::select(Verdict::ALL.to_vec());
    (id(), verdict, u64s(), lines, 0..=AMOUNT_MAX, (code(), code())).prop_map(
        |(id, verdict, at_ms, lines, amount, (note, staff))| ReturnGrant {
            id,
            verdict,
            at_ms,
            lines,
            amount,
            note,
            staff,
        },
    )
}

fn receipt() -> impl Strategy<Value = Receipt> {
    let line = (sku(), unit(), 0..1_000i64, 0..100_000i64).prop_map(|(sku, unit, units, amount)| ReceiptPart {
        sku,
        unit,
        sold: Sold { units, amount },
    });
    (u32s(), receipt_number(), u64s(), currency(), vec(line, 1..6)).prop_map(
        |(store, number, rung_ms, currency, lines)| Receipt {
            store: StoreId(store),
            number,
            issuer: Actor::new(2, 1),
            rung_ms,
            currency,
            lines,
        },
    )
}
