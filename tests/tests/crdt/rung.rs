//! Facts about checkout: arbitrary ones, and one fixed example of each.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use stockroom_crdt::checkout::basket::{Basket, BasketId, BasketStep, HeldCoupon, Holds, Outcome, Waits};
use stockroom_crdt::checkout::label::LabelDone;
use stockroom_crdt::checkout::promotion::{Gives, Promotion};
use stockroom_crdt::checkout::rounding::Rounding;
use stockroom_crdt::checkout::rules::{SaleHours, TaxRate, TillRules};
use stockroom_crdt::checkout::shift::{Cash, CashMove, ShiftClose, ShiftOpen, TaxSum, Totals};
use stockroom_crdt::checkout::staff::{Role, StaffRecord};
use stockroom_crdt::checkout::tender::{Assurance, TenderState, TenderStep};
use stockroom_crdt::checkout::{Checkout, Explanation, PriceSource, Reduction, Stop};
use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::{Code, Sku, StoreId, TillId};
use stockroom_crdt::limits::AMOUNT_MAX;
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::order::rules::hours::Span;
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::{ReceiptNumber, SaleLine, Tax, Tender, TenderKind};

use super::arbitrary::{amount, code, currency, name, sku, some_code, u32s, u64s};
use super::facts::{line, receipt_number, tender};
use super::loyal::{coupon_name, debit, member, proof};

/// A fact about checkout.
pub fn fact_of(number: u16) -> BoxedStrategy<Fact> {
    match number {
        kind::TAX_RATE => tax_rate().prop_map(Fact::TaxRate).boxed(),
        kind::TILL_RULES => till_rules().prop_map(Fact::TillRules).boxed(),
        kind::PROMOTION => promotion().prop_map(Fact::Promotion).boxed(),
        kind::SALE_HOURS => sale_hours().prop_map(Fact::SaleHours).boxed(),
        kind::STAFF => staff().prop_map(Fact::Staff).boxed(),
        kind::BASKET => basket().prop_map(Fact::Basket).boxed(),
        kind::BASKET_STEP => (basket_id(), outcome(), u32s(), code())
            .prop_map(|(basket, outcome, till, staff)| {
                Fact::BasketStep(BasketStep { basket, outcome, till: TillId(till), staff })
            })
            .boxed(),
        kind::CHECKOUT => {
            (receipt_number(), u32s(), option::of(basket_id()), vec(explanation(), 0..6), vec(assurance(), 0..4))
                .prop_map(|(receipt, shift, basket, lines, assured)| {
                    Fact::Checkout(Checkout { receipt, shift, basket, lines, assured })
                })
                .boxed()
        }
        kind::SHIFT_OPEN => (u32s(), u32s(), code(), amount(), receipt_number())
            .prop_map(|(till, number, staff, float, after)| {
                Fact::ShiftOpen(ShiftOpen { till: TillId(till), number, staff, float, after })
            })
            .boxed(),
        kind::CASH_MOVE => (u32s(), u32s(), select(Cash::ALL.to_vec()), 1..=AMOUNT_MAX, (code(), code(), code()))
            .prop_map(|(till, shift, cash, amount, (reason, staff, approver))| {
                Fact::CashMove(CashMove { till: TillId(till), shift, cash, amount, reason, staff, approver })
            })
            .boxed(),
        kind::SHIFT_CLOSE => ((u32s(), u32s()), (code(), code()), amount(), receipt_number(), totals())
            .prop_map(|((till, number), (staff, approver), counted, last, totals)| {
                Fact::ShiftClose(ShiftClose { till: TillId(till), number, staff, approver, counted, last, totals })
            })
            .boxed(),
        kind::TENDER_STEP => tender_step().prop_map(Fact::TenderStep).boxed(),
        kind::LABEL_DONE => (sku(), u64s(), option::of(0..=AMOUNT_MAX), code())
            .prop_map(|(sku, from_ms, minor, staff)| Fact::LabelDone(LabelDone { sku, from_ms, minor, staff }))
            .boxed(),
        other => super::members::fact_of(other),
    }
}

/// A promotion that a hub could have written.
pub fn promotion() -> impl Strategy<Value = Promotion> {
    let times = (u64s(), 0..1_000_000u64).prop_map(|(from, lasts)| (from, from.saturating_add(lasts)));
    // One that ends when it begins has no sense; 0 is for ever.
    let times = times.prop_map(|(from, until)| (from, if until > from { until } else { 0 }));
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let goods = (btree_set(u32s(), 0..4), btree_set(sku(), 0..5), btree_set(code(), 0..4));
    let how = (gives(), any::<u8>(), prop_oneof![2 => Just(0), 1 => 1..9u16, 1 => any::<u16>()]);
    ((some_code(), some_code(), name()), times, flags, goods, how).prop_map(
        |(
            (book, id, name),
            (from_ms, until_ms),
            (ended, members_only, exclusive),
            (stores, skus, departments),
            (gives, priority, per_basket),
        )| Promotion {
            book,
            id,
            name,
            from_ms,
            until_ms,
            ended,
            members_only,
            stores: stores.into_iter().map(StoreId).collect(),
            skus: skus.into_iter().collect(),
            departments: departments.into_iter().collect(),
            gives,
            priority,
            exclusive,
            per_basket,
        },
    )
}

fn gives() -> impl Strategy<Value = Gives> {
    let money = || prop_oneof![4 => 0..5_000i64, 1 => 0..=AMOUNT_MAX];
    let some = || money().prop_map(|amount| amount.max(1));
    let part = || prop_oneof![3 => 1..=10_000u32, 1 => Just(10_000)];
    prop_oneof![
        part().prop_map(Gives::Percent),
        some().prop_map(Gives::Off),
        money().prop_map(Gives::Price),
        (1..=u16::MAX, 1..=u16::MAX, part()).prop_map(|(buy, get, off_bp)| Gives::BuyGet { buy, get, off_bp }),
        (2..=u16::MAX, money()).prop_map(|(units, price)| Gives::Bundle { units, price }),
        (money(), some()).prop_map(|(from, off)| Gives::Basket { from, off }),
    ]
}

fn tax_rate() -> impl Strategy<Value = TaxRate> {
    let rate = option::of(prop_oneof![select(vec![0, 700, 1_900]), 0..=100_000u32]);
    ((some_code(), code()), u64s(), rate, (any::<bool>(), any::<bool>()), rounding()).prop_map(
        |((code, area), from_ms, rate_bp, (inclusive, per_receipt), rounding)| TaxRate {
            code,
            area,
            from_ms,
            rate_bp,
            inclusive,
            rounding,
            per_receipt,
        },
    )
}

fn rounding() -> impl Strategy<Value = Rounding> {
    select(Rounding::ALL.to_vec())
}

/// A store, or all of them.
fn store() -> impl Strategy<Value = Option<StoreId>> {
    option::of((1..=u32::MAX).prop_map(StoreId))
}

fn till_rules() -> impl Strategy<Value = TillRules> {
    let money = || prop_oneof![3 => 0..10_000i64, 1 => 0..=AMOUNT_MAX];
    let flags = (any::<bool>(), any::<bool>());
    ((store(), flags), (code(), code()), (0..=100_000u32, rounding()), (money(), money(), money())).prop_map(
        |(
            (store, (ended, shift_needed)),
            (tax_area, floor_bearer),
            (cash_step, cash_rounding),
            (floor_limit, cashier_limit, drawer_limit),
        )| TillRules {
            store,
            ended,
            tax_area,
            cash_step,
            cash_rounding,
            floor_limit,
            floor_bearer,
            cashier_limit,
            drawer_limit,
            shift_needed,
        },
    )
}

fn sale_hours() -> impl Strategy<Value = SaleHours> {
    // Ends of spans, ascending and apart: some days close after midnight.
    let day = || {
        btree_set(0..1_440u16, 0..=8).prop_map(|ends| {
            let ends: Vec<_> = ends.into_iter().collect();
            let spans = ends.chunks_exact(2).map(|two| Span { from: two[0], until: two[1] });
            let mut spans: Vec<_> = spans.collect();
            spans.dedup_by(|next, kept| next.from <= kept.until);
            if let Some(last) = spans.last_mut().filter(|last| last.from > 720) {
                last.until = 1_440 + last.from / 2;
            }
            spans
        })
    };
    let week = (day(), day(), day(), day(), day(), day(), day());
    (some_code(), store(), week, any::<bool>()).prop_map(|(department, store, (a, b, c, d, e, f, g), ended)| {
        SaleHours { department, store, week: [a, b, c, d, e, f, g], ended }
    })
}

fn staff() -> impl Strategy<Value = StaffRecord> {
    let pin = prop_oneof![Just(String::new()), "[a-zA-Z0-9+/]{1,86}".prop_map(|hash| format!("$argon2id${hash}"))];
    (some_code(), name(), select(Role::ALL.to_vec()), btree_set(u32s(), 0..5), pin, any::<bool>()).prop_map(
        |(staff, name, role, stores, pin, ended)| {
            let stores = stores.into_iter().map(StoreId).collect();
            StaffRecord { staff, name, role, stores, pin, ended }
        },
    )
}

fn basket_id() -> impl Strategy<Value = BasketId> {
    (u32s(), u64s()).prop_map(|(till, number)| BasketId { till: TillId(till), number })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Resume),
        Just(Outcome::Abandon),
        receipt_number().prop_map(Outcome::Sold),
        Just(Outcome::Release)
    ]
}

fn explanation() -> impl Strategy<Value = Explanation> {
    let source = prop_oneof![3 => u64s().prop_map(PriceSource::Book), 1 => Just(PriceSource::Code), 1 => Just(PriceSource::Entered)];
    let reduction = (code(), amount()).prop_map(|(promotion, amount)| Reduction { promotion, amount });
    let stops = btree_set(select(Stop::ALL.to_vec()), 0..=Stop::ALL.len());
    (source, vec(reduction, 0..4), stops).prop_map(|(source, reductions, stops)| Explanation {
        source,
        reductions,
        stops: stops.into_iter().collect(),
    })
}

fn assurance() -> impl Strategy<Value = Assurance> {
    select(Assurance::ALL.to_vec())
}

fn basket() -> impl Strategy<Value = Basket> {
    let head = (basket_id(), select(Waits::ALL.to_vec()), currency(), u32s(), u64s());
    let people = (code(), code(), code());
    let paid = vec((tender(), assurance()), 0..3);
    let goods = (vec((line(), explanation()), 1..6), amount(), paid, option::of(basket_id()), any::<[u8; 16]>());
    let goods = (goods, holds());
    (head, people, goods).prop_map(
        |(
            (id, waits, currency, shift, rung_ms),
            (cashier, approver, owner),
            ((lines, cash_rounding, paid, slip, body), holds),
        )| {
            let (lines, explained) = lines.into_iter().unzip();
            let (tenders, assured) = paid.into_iter().unzip();
            Basket {
                id,
                waits,
                currency,
                cashier,
                approver,
                owner,
                slip,
                shift,
                rung_ms,
                lines,
                explained,
                cash_rounding,
                tenders,
                assured,
                body,
                holds,
            }
        },
    )
}

fn holds() -> impl Strategy<Value = Holds> {
    let points = vec((member(), debit()), 0..3);
    let coupon = (coupon_name(), amount(), proof());
    let coupon = coupon.prop_map(|(coupon, worth, proof)| HeldCoupon { coupon, worth, proof });
    (option::of(member()), code(), points, vec(coupon, 0..3)).prop_map(|(member, tier, points, coupons)| Holds {
        member,
        tier,
        points,
        coupons,
    })
}

fn totals() -> impl Strategy<Value = Totals> {
    let taxes = btree_map((code(), u32s()), (any::<i64>(), amount()), 0..5);
    let sums = (any::<i64>(), any::<[i64; 5]>(), any::<i64>(), any::<[i64; 4]>());
    ((u32s(), u32s()), sums, taxes).prop_map(|((receipts, voids), (sales, tenders, float, moved), taxes)| {
        let sum = |((code, rate_bp), (goods, tax))| TaxSum { code, rate_bp, goods, tax };
        let taxes: BTreeMap<(Code, u32), (i64, i64)> = taxes;
        Totals { receipts, voids, sales, tenders, float, moved, taxes: taxes.into_iter().map(sum).collect() }
    })
}

fn tender_step() -> impl Strategy<Value = TenderStep> {
    let kind = select(vec![TenderKind::Card, TenderKind::Voucher, TenderKind::Other]);
    let what = (basket_id(), 1..=u16::MAX, select(TenderState::ALL.to_vec()), kind, 1..=AMOUNT_MAX);
    (what, (some_code(), code(), code(), code()), assurance()).prop_map(
        |((basket, number, state, kind, amount), (reference, terminal, said, staff), assurance)| TenderStep {
            basket,
            number,
            state,
            kind,
            amount,
            reference,
            terminal,
            said,
            assurance,
            staff,
        },
    )
}

/// One example of each kind, with every optional field set.
pub fn examples() -> Vec<(&'static str, Fact)> {
    let id = BasketId { till: TillId(3), number: 4_711 };
    let receipt = ReceiptNumber { till: TillId(3), series: 2, sequence: 815 };
    let (lines, explained) = (vec![sold()], vec![explained()]);
    let checkout = Checkout {
        receipt,
        shift: 12,
        basket: Some(id),
        lines: explained.clone(),
        assured: vec![Assurance::Offline, Assurance::Cash],
    };
    let basket = Basket {
        id,
        waits: Waits::Slip,
        currency: Currency::parse("USD").unwrap(),
        cashier: word("anna"),
        approver: word("ben"),
        owner: word("sushi bar"),
        slip: Some(BasketId { till: TillId(9), number: 17 }),
        shift: 12,
        rung_ms: MS,
        lines,
        explained,
        cash_rounding: -2,
        tenders: vec![Tender { kind: TenderKind::Voucher, amount: 500, reference: word("v-9") }],
        assured: vec![Assurance::Seen],
        body: [0xb0; 16],
        holds: Holds::default(),
    };
    let step = BasketStep { basket: id, outcome: Outcome::Sold(receipt), till: TillId(4), staff: word("anna") };
    let label = LabelDone {
        sku: Sku::parse("bread-7").unwrap(),
        from_ms: 1_750_000_000_000,
        minor: Some(249),
        staff: word("anna"),
    };
    let tender_step = TenderStep {
        basket: id,
        number: 2,
        state: TenderState::Approved,
        kind: TenderKind::Card,
        amount: 1_234,
        reference: word("7-3-4711-2"),
        terminal: word("north"),
        said: word("A1B2C3"),
        assurance: Assurance::Offline,
        staff: word("anna"),
    };
    let baskets = vec![
        ("basket", Fact::Basket(basket)),
        ("basket_step", Fact::BasketStep(step)),
        ("checkout", Fact::Checkout(checkout)),
        ("tender_step", Fact::TenderStep(tender_step)),
        ("label_done", Fact::LabelDone(label)),
    ];
    [rules(), baskets, drawer(receipt)].concat()
}

/// What the hub decides.
fn rules() -> Vec<(&'static str, Fact)> {
    let rate = TaxRate {
        code: word("food"),
        area: word("NY"),
        from_ms: MS,
        rate_bp: Some(887),
        inclusive: false,
        rounding: Rounding::HalfEven,
        per_receipt: true,
    };
    let rules = TillRules {
        store: Some(StoreId(7)),
        ended: true,
        tax_area: word("NY"),
        cash_step: 5,
        cash_rounding: Rounding::HalfDown,
        floor_limit: 2_500,
        floor_bearer: word("acquirer"),
        cashier_limit: 1_000,
        drawer_limit: 300,
        shift_needed: true,
    };
    let promotion = Promotion {
        book: word("north"),
        id: word("spring-3"),
        name: "Drei für zwei, 三付二".into(),
        from_ms: MS,
        until_ms: MS + 86_400_000,
        ended: true,
        members_only: true,
        stores: vec![StoreId(7), StoreId(9)],
        skus: vec![Sku::parse("1080414").unwrap(), Sku::parse("tea-7").unwrap()],
        departments: vec![word("GROCERY"), word("TEA")],
        gives: Gives::BuyGet { buy: 2, get: 1, off_bp: 10_000 },
        priority: 9,
        exclusive: true,
        per_basket: 4,
    };
    let morning = || vec![Span { from: 480, until: 720 }, Span { from: 1_020, until: 1_500 }];
    let week = [morning(), morning(), morning(), morning(), morning(), Vec::new(), Vec::new()];
    let hours = SaleHours { department: word("WINE"), store: Some(StoreId(7)), week, ended: true };
    let staff = StaffRecord {
        staff: word("anna"),
        name: "Anna Ö.".into(),
        role: Role::Manager,
        stores: vec![StoreId(7), StoreId(9)],
        pin: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".into(),
        ended: true,
    };
    vec![
        ("tax_rate", Fact::TaxRate(rate)),
        ("till_rules", Fact::TillRules(rules)),
        ("promotion", Fact::Promotion(promotion)),
        ("sale_hours", Fact::SaleHours(hours)),
        ("staff", Fact::Staff(staff)),
    ]
}

/// What happens to a drawer.
fn drawer(last: ReceiptNumber) -> Vec<(&'static str, Fact)> {
    let till = TillId(3);
    let after = ReceiptNumber { sequence: 800, ..last };
    let open = ShiftOpen { till, number: 12, staff: word("anna"), float: 10_000, after };
    let moved = CashMove {
        till,
        shift: 12,
        cash: Cash::PaidOut,
        amount: 450,
        reason: word("postage"),
        staff: word("anna"),
        approver: word("ben"),
    };
    let sum = |code, rate_bp, goods, tax| TaxSum { code: word(code), rate_bp, goods, tax };
    let totals = Totals {
        receipts: 15,
        voids: 1,
        sales: 43_210,
        tenders: [20_000, 23_000, 500, -290, 0],
        float: 10_000,
        moved: [100, 450, 5_000, 75],
        taxes: vec![sum("food", 700, 40_000, 2_617), sum("std", 1_900, 3_210, 513)],
    };
    let (staff, approver) = (word("anna"), word("ben"));
    let close = ShiftClose { till, number: 12, staff, approver, counted: 24_570, last, totals };
    vec![
        ("shift_open", Fact::ShiftOpen(open)),
        ("cash_move", Fact::CashMove(moved)),
        ("shift_close", Fact::ShiftClose(close)),
    ]
}

fn sold() -> SaleLine {
    SaleLine {
        sku: Sku::parse("tea-7").unwrap(),
        unit: Unit::Gram,
        quantity: 750,
        unit_price: 1_290,
        discount: 68,
        discount_reason: word("dented"),
        tax: Some(Tax { code: word("food"), rate_bp: 887, amount: 80, added: true }),
        unknown: false,
        overridden: true,
        lot: word("L42"),
        original: None,
        disposition: Disposition::Resale,
    }
}

fn explained() -> Explanation {
    let reduction = |promotion, amount| Reduction { promotion: word(promotion), amount };
    Explanation {
        source: PriceSource::Book(MS - 1_000),
        reductions: vec![reduction("spring-3", 48), reduction("", 20)],
        stops: vec![Stop::Recall, Stop::Expired],
    }
}

fn word(text: &str) -> Code {
    Code::parse(text).unwrap()
}

const MS: u64 = 1_750_000_000_000;
