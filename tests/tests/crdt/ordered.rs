//! Facts about orders: arbitrary ones, and one fixed example of each.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use stockroom_crdt::capability::Signer;
use stockroom_crdt::control::Coordinates;
use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::{Actor, Code, NodeId, Sku, StoreId, TenantId};
use stockroom_crdt::limits::{AMOUNT_MAX, QUANTITY_MAX};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::order::header::{Order, OrderLine, Payment, Preference};
use stockroom_crdt::order::intent::{OrderStep, Saying};
use stockroom_crdt::order::offer::{Offer, OfferLine, code_hash, phone_hash};
use stockroom_crdt::order::pass::{Pass, SignedPass};
use stockroom_crdt::order::redress::Redress;
use stockroom_crdt::order::rules::RoutingRules;
use stockroom_crdt::order::rules::hours::{Span, StoreService};
use stockroom_crdt::order::rules::limits::OrderLimits;
use stockroom_crdt::order::step::{FulfillmentStep, Step, StepLine, Substitute};
use stockroom_crdt::order::{LineUnits, OrderId};
use stockroom_crdt::product::Channel;
use stockroom_tests::property::check;

use super::arbitrary::{actor, code, currency, quantity, sku, u32s, u64s, unit};

/// A fact about orders.
pub fn fact_of(number: u16) -> BoxedStrategy<Fact> {
    match number {
        kind::ORDER => order().prop_map(Fact::Order).boxed(),
        kind::OFFER => offer().prop_map(Fact::Offer).boxed(),
        kind::FULFILLMENT_STEP => step().prop_map(Fact::FulfillmentStep).boxed(),
        kind::ORDER_STEP => order_step().prop_map(Fact::OrderStep).boxed(),
        kind::PAYMENT => payment().prop_map(Fact::Payment).boxed(),
        kind::REDRESS => redress().prop_map(Fact::Redress).boxed(),
        kind::PASS_SHOWN => pass().prop_map(Fact::PassShown).boxed(),
        kind::ROUTING => (option::of(channel()), any::<bool>(), 0..1_000_000i64, 0..1_000u32)
            .prop_map(|(channel, ended, split_value_min, safety_pieces)| {
                let usual = RoutingRules::default();
                Fact::Routing(RoutingRules { channel, ended, split_value_min, safety_pieces, ..usual })
            })
            .boxed(),
        kind::SERVICE => (1..=u32::MAX, option::of(1..500u32), 0..600u16)
            .prop_map(|(store, parts_per_day, from)| {
                let mut service = StoreService::always_open(StoreId(store));
                service.week[6] = vec![Span { from, until: from + 600 }];
                Fact::Service(StoreService { parts_per_day, ..service })
            })
            .boxed(),
        kind::ORDER_LIMITS => (option::of(1..=u32::MAX), any::<bool>(), 1..10u8)
            .prop_map(|(store, ended, code_tries)| {
                let store = store.map(StoreId);
                Fact::OrderLimits(OrderLimits { store, ended, code_tries, ..OrderLimits::default() })
            })
            .boxed(),
        other => super::returned::fact_of(other),
    }
}

/// One example of each kind, with every optional field set.
pub fn examples() -> Vec<(&'static str, Fact)> {
    let order = OrderId { home: NodeId(1), number: 1_234_567_890 };
    let word = |text: &str| Code::parse(text).unwrap();
    let euros = Currency::parse("EUR").unwrap();
    let tea = Sku::parse("tea-7").unwrap();
    let line = OfferLine {
        line: 3,
        sku: tea.clone(),
        unit: Unit::Gram,
        quantity: 500,
        unit_price: 1_999,
        age_min: 18,
        preference: Preference::Partial,
        tolerance_percent: 10,
    };
    let header = Order {
        id: order,
        channel: Channel::Delivery,
        source: word("app"),
        reference: word("A-17"),
        entity: word("gmbh"),
        currency: euros,
        placed_ms: 1_750_000_000_000,
        due_ms: 1_750_007_200_000,
        release_ms: 1_750_000_600_000,
        priority: 7,
        place: Coordinates::new(52_520_008, 13_404_954),
        contact: vec![9; 48],
        phone: phone_hash(order, "1234"),
        lines: vec![OrderLine {
            sku: tea.clone(),
            unit: Unit::Gram,
            quantity: 500,
            unit_price: 1_999,
            age_min: 18,
            preference: Preference::Substitute,
            tolerance_percent: 10,
        }],
    };
    let offer = Offer {
        order,
        generation: 2,
        issuer: Actor::new(1, 4),
        channel: Channel::Delivery,
        speculative: true,
        entity: word("gmbh"),
        currency: euros,
        due_ms: header.due_ms,
        accept_within_ms: 900_000,
        release_ms: header.release_ms,
        hold_ms: 604_800_000,
        code: code_hash(order, "123456"),
        phone: header.phone,
        contact: vec![7; 48],
        lines: vec![line.clone()],
    };
    let said = StepLine {
        line: 3,
        quantity: 480,
        reason: word("too-few"),
        substitute: Some(Substitute { sku: tea, unit: Unit::Gram, unit_price: 1_500 }),
    };
    let pass = Pass {
        store: StoreId(7),
        order,
        generation: 2,
        issuer: Actor::new(1, 4),
        channel: Channel::Pickup,
        entity: word("gmbh"),
        currency: euros,
        due_ms: header.due_ms,
        issued_ms: header.placed_ms,
        until_ms: header.placed_ms + 1_800_000,
        delegate: word("uncle"),
        lines: vec![line],
    };
    let signed = pass.sign(TenantId([5; 16]), &Signer::from_seed(&[3; 32]));
    let mut service = StoreService::always_open(StoreId(7));
    service.week[6] = vec![Span { from: 600, until: 1_560 }];
    vec![
        ("order", Fact::Order(header)),
        ("offer", Fact::Offer(offer)),
        (
            "fulfillment_step",
            Fact::FulfillmentStep(FulfillmentStep {
                order,
                generation: 2,
                step: Step::Pick,
                lines: vec![said],
                note: word("bay 3"),
                staff: word("anna"),
                device: 4,
            }),
        ),
        (
            "take_along",
            Fact::FulfillmentStep(FulfillmentStep {
                order,
                generation: 2,
                step: Step::TakeAlong,
                lines: Vec::new(),
                note: word("0123456789abcdef"),
                staff: word("anna"),
                device: 4,
            }),
        ),
        (
            "bring_back",
            Fact::FulfillmentStep(FulfillmentStep {
                order,
                generation: 2,
                step: Step::BringBack,
                lines: Vec::new(),
                note: Code::default(),
                staff: word("anna"),
                device: 4,
            }),
        ),
        (
            "order_step",
            Fact::OrderStep(OrderStep {
                order,
                generation: 2,
                saying: Saying::AskCancel,
                lines: vec![LineUnits { line: 0, quantity: 100 }],
                until_ms: 1_750_000_000_001,
                note: word("changed her mind"),
                by: word("customer"),
            }),
        ),
        (
            "payment",
            Fact::Payment(Payment { order, authorised: 2_000, captured: 1_000, refunded: 100, reference: word("g-1") }),
        ),
        (
            "redress",
            Fact::Redress(Redress {
                id: [6; 16],
                order,
                amount: 100,
                done: true,
                reference: word("g-2"),
                staff: word("gateway"),
            }),
        ),
        ("pass_shown", Fact::PassShown(signed)),
        ("routing", Fact::Routing(RoutingRules { channel: Some(Channel::Delivery), ..RoutingRules::default() })),
        ("service", Fact::Service(StoreService { parts_per_day: Some(40), closed_days: vec![20_447], ..service })),
        ("order_limits", Fact::OrderLimits(OrderLimits { store: Some(StoreId(7)), ..OrderLimits::default() })),
    ]
}

#[test]
fn a_pass_is_believed_as_it_was_signed_and_in_its_tenant_only() {
    let (tenant, signer) = (TenantId([5; 16]), Signer::from_seed(&[3; 32]));
    check("a_pass_is_believed_as_it_was_signed", 200, (pass(), any::<usize>(), 1..=255u8), |(drawn, at, bits)| {
        let signed = drawn.pass.sign(tenant, &signer);
        let bytes = signed.to_bytes();
        prop_assert_eq!(SignedPass::from_bytes(&bytes), Ok(signed.clone()));
        prop_assert!(signed.verify(tenant, &signer.public()));
        prop_assert!(!signed.verify(TenantId([6; 16]), &signer.public()));
        let mut bent = bytes.clone();
        let at = at % bent.len();
        bent[at] ^= bits;
        let believed = SignedPass::from_bytes(&bent).is_ok_and(|bent| bent.verify(tenant, &signer.public()));
        prop_assert!(!believed, "byte {at}");
        Ok(())
    });
}

fn id() -> impl Strategy<Value = OrderId> {
    (u32s(), 0..OrderId::NUMBER_END).prop_map(|(home, number)| OrderId { home: NodeId(home), number })
}

fn channel() -> impl Strategy<Value = Channel> {
    proptest::sample::select(Channel::ALL.to_vec())
}

fn preference() -> impl Strategy<Value = Preference> {
    proptest::sample::select(Preference::ALL.to_vec())
}

fn price() -> impl Strategy<Value = i64> {
    prop_oneof![4 => 0..20_000i64, 1 => 0..=AMOUNT_MAX]
}

fn sealed() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![2 => Just(Vec::new()), 1 => vec(any::<u8>(), 1..200)]
}

fn order() -> impl Strategy<Value = Order> {
    let words = (code(), code(), code(), currency());
    let times = (u64s(), u64s(), u64s(), any::<u8>());
    let place = option::of((-90_000_000..=90_000_000, -180_000_000..=180_000_000));
    let line = (sku(), unit(), quantity(), price(), any::<u8>(), preference(), 0..=100u8).prop_map(
        |(sku, unit, quantity, unit_price, age_min, preference, tolerance_percent)| OrderLine {
            sku,
            unit,
            quantity,
            unit_price,
            age_min,
            preference,
            tolerance_percent,
        },
    );
    (id(), channel(), words, times, (place, sealed(), any::<[u8; 8]>()), vec(line, 1..6)).prop_map(
        |(id, channel, (source, reference, entity, currency), times, (place, contact, phone), lines)| {
            let (placed_ms, due_ms, release_ms, priority) = times;
            let place = place.and_then(|(latitude, longitude)| Coordinates::new(latitude, longitude));
            Order {
                id,
                channel,
                source,
                reference,
                entity,
                currency,
                placed_ms,
                due_ms,
                release_ms,
                priority,
                place,
                contact,
                phone,
                lines,
            }
        },
    )
}

fn offer_lines() -> impl Strategy<Value = Vec<OfferLine>> {
    let line = (sku(), unit(), quantity(), price(), any::<u8>(), preference(), 0..=100u8);
    vec(line, 1..6).prop_map(|lines| {
        let numbered = lines.into_iter().enumerate();
        numbered
            .map(|(at, (sku, unit, quantity, unit_price, age_min, preference, tolerance_percent))| OfferLine {
                line: at as u16 * 2,
                sku,
                unit,
                quantity,
                unit_price,
                age_min,
                preference,
                tolerance_percent,
            })
            .collect()
    })
}

fn offer() -> impl Strategy<Value = Offer> {
    let who = (id(), 1..=u16::MAX, actor(), channel(), any::<bool>());
    let what = (code(), currency(), sealed(), any::<[u8; 16]>(), any::<[u8; 8]>());
    (who, what, (u64s(), u64s(), u64s(), u64s()), offer_lines()).prop_map(
        |(
            (order, generation, issuer, channel, speculative),
            (entity, currency, contact, code, phone),
            times,
            lines,
        )| {
            let (due_ms, accept_within_ms, release_ms, hold_ms) = times;
            Offer {
                order,
                generation,
                issuer,
                channel,
                speculative,
                entity,
                currency,
                due_ms,
                accept_within_ms,
                release_ms,
                hold_ms,
                code,
                phone,
                contact,
                lines,
            }
        },
    )
}

fn step() -> impl Strategy<Value = FulfillmentStep> {
    let other = option::of((sku(), unit(), price()));
    let line = (0..=QUANTITY_MAX, code(), other).prop_map(|(quantity, reason, other)| StepLine {
        line: 0,
        quantity,
        reason,
        substitute: other.map(|(sku, unit, unit_price)| Substitute { sku, unit, unit_price }),
    });
    let kinds = proptest::sample::select(Step::ALL.to_vec());
    (id(), 1..=u16::MAX, kinds, vec(line, 0..4), (code(), code(), u32s())).prop_map(
        |(order, generation, step, mut lines, (note, staff, device))| {
            lines.iter_mut().enumerate().for_each(|(at, line)| line.line = at as u16);
            FulfillmentStep { order, generation, step, lines, note, staff, device }
        },
    )
}

fn order_step() -> impl Strategy<Value = OrderStep> {
    let kinds = proptest::sample::select(Saying::ALL.to_vec());
    (id(), any::<u16>(), kinds, vec(0..=QUANTITY_MAX, 0..4), (u64s(), code(), code())).prop_map(
        |(order, generation, saying, units, (until_ms, note, by))| {
            let of = |(at, quantity)| LineUnits { line: at as u16, quantity };
            let lines = units.into_iter().enumerate().map(of).collect();
            OrderStep { order, generation, saying, lines, until_ms, note, by }
        },
    )
}

fn payment() -> impl Strategy<Value = Payment> {
    (id(), price(), price(), 0..=1_000u32, code()).prop_map(|(order, authorised, captured, share, reference)| {
        let refunded = i64::try_from(i128::from(captured) * i128::from(share) / 1_000).unwrap();
        Payment { order, authorised, captured, refunded, reference }
    })
}

fn redress() -> impl Strategy<Value = Redress> {
    (any::<[u8; 16]>(), id(), price(), any::<bool>(), code(), code())
        .prop_map(|(id, order, amount, done, reference, staff)| Redress { id, order, amount, done, reference, staff })
}

fn pass() -> impl Strategy<Value = SignedPass> {
    let who = (u32s(), id(), 1..=u16::MAX, actor(), channel());
    let signature = (any::<[u8; 32]>(), any::<[u8; 32]>());
    (who, (code(), currency(), code()), (u64s(), u64s(), u64s()), offer_lines(), signature).prop_map(
        |((store, order, generation, issuer, channel), (entity, currency, delegate), times, lines, (a, b))| {
            let (due_ms, issued_ms, until_ms) = times;
            let pass = Pass {
                store: StoreId(store),
                order,
                generation,
                issuer,
                channel,
                entity,
                currency,
                due_ms,
                issued_ms,
                until_ms,
                delegate,
                lines,
            };
            let mut signature = [0; 64];
            signature[..32].copy_from_slice(&a);
            signature[32..].copy_from_slice(&b);
            SignedPass { pass, signature }
        },
    )
}
