//! What is wrong with coupons, points and members is found.

use stockroom_core::input::checkout::{CheckoutAnswer, CheckoutRequest, Then};
use stockroom_core::input::members::{EnrolMember, MemberAnswer, NewConsent, NewValue, Personal};
use stockroom_core::input::{Answer, Command};
use stockroom_core::storage::Table;
use stockroom_crdt::batch::Item;
use stockroom_crdt::checkout::basket::BasketId;
use stockroom_crdt::checkout::promotion::{Gives, Promotion};
use stockroom_crdt::checkout::quote::AskedLine;
use stockroom_crdt::checkout::tender::Assurance;
use stockroom_crdt::clock::Hlc;
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{Actor, Code, Digest, MemberId, StoreId, TillId};
use stockroom_crdt::loyalty::campaign::{Bearer, Campaign, CouponKind, CouponName};
use stockroom_crdt::loyalty::coupon::{Proof, Redemption};
use stockroom_crdt::loyalty::points::{PointsRow, PointsSide, StorePoints};
use stockroom_crdt::loyalty::rules::LoyaltyRules;
use stockroom_crdt::member::value::{Field, Purpose};
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::{ReceiptNumber, Tender, TenderKind};
use stockroom_crdt::scope::Scope;
use stockroom_sim::observe::{Act, RowChange, Seen};
use stockroom_sim::truth::persons::Person;

use crate::watched::{HUB, ONE, TWO, Watched, code, number, run_row, sku};

const ANNA: MemberId = MemberId(0xa11a);

#[test]
fn everything_holds_where_coupons_are_shown_points_spent_and_members_forgotten() {
    let mut watched = shop(90);
    let coupon = printed().code(0).unwrap();
    buy(&mut watched, (ONE, 1), &[], 0);
    watched.run_ms(3_000);
    buy(&mut watched, (ONE, 2), &[&coupon], 2);
    enrolled(&mut watched, 1);
    watched.run_ms(20_000);
    watched.end();
    watched.all_hold();
}

#[test]
fn a_redemption_without_its_sale_and_a_double_one_that_nobody_names_are_found() {
    let mut watched = shop(91);
    let coupon = printed().code(0).unwrap();
    watched.world.cut(HUB, ONE);
    watched.world.cut(HUB, TWO);
    watched.world.cut(ONE, TWO);
    buy(&mut watched, (ONE, 1), &[&coupon], 0);
    buy(&mut watched, (TWO, 1), &[&coupon], 0);
    watched.connect();
    watched.run_ms(20_000);
    watched.end();
    watched.all_hold();
    let redemption = Redemption {
        coupon: CouponName { campaign: code("LEAF"), serial: Some(3) },
        sale: BasketId { till: TillId(1), number: 77 },
        receipt: ReceiptNumber { till: TillId(1), series: 1, sequence: 77 },
        member: None,
        at_ms: watched.world.now_ms,
        worth: 10,
        proof: Proof::Limit,
        undone: false,
    };
    write(&mut watched, Fact::Redemption(redemption));
    watched.must_find("M1", "which does not stand in the same commit");
    let rows = watched.rows(HUB, Table::Coupons);
    for (key, _) in rows.into_iter().filter(|(key, _)| key.starts_with(&2_u32.to_be_bytes())) {
        watched.tamper_if(HUB, Table::Coupons, |at| at == key, |_, _| None);
    }
    watched.end();
    watched.must_find("M1", "stands redeemed 2 times, and hub 1 names 0 of them double");
}

#[test]
fn points_beyond_the_limit_and_points_that_are_made_are_found() {
    let mut watched = shop(92);
    buy(&mut watched, (ONE, 1), &[], 0);
    watched.run_ms(10_000);
    watched.end();
    watched.all_hold();
    let says = StorePoints { soft: 31, ..StorePoints::default() };
    let row = PointsRow { member: ANNA, holder: Actor::new(ONE, 1), says: PointsSide::Store(says) };
    write(&mut watched, Fact::PointsRow(row));
    watched.must_find("M2", "lets 31 points be spent without a right, of 30 that it may");
    let says = StorePoints { spent: 1_000, ..StorePoints::default() };
    let row = PointsRow { member: ANNA, holder: Actor::new(ONE, 1), says: PointsSide::Store(says) };
    write(&mut watched, Fact::PointsRow(row));
    watched.must_find("M2", "used 1000 points by right");
    for (key, _) in watched.rows(HUB, Table::Points) {
        watched.tamper_if(HUB, Table::Points, |at| at == key, |_, _| None);
    }
    watched.end();
    watched.must_find("M2", "has 0 points, its entries add up to 2");
}

#[test]
fn a_value_that_went_elsewhere_and_a_key_that_was_kept_are_found() {
    let mut watched = shop(93);
    enrolled(&mut watched, 1);
    watched.run_ms(10_000);
    watched.end();
    watched.all_hold();
    let row = RowChange { table: Table::Meta, key: vec![9], old: None, new: Some(b"is SENTINEL-name-1.".to_vec()) };
    watched.pretend(ONE, Seen::Committed(vec![row]));
    watched.must_find("M4", "commits a name or a remark in plain words");
    watched.truth.persons.known.get_mut(&1).unwrap().erased = true;
    watched.end();
    watched.must_find("M4", "MemberKeys of node 1 has the key of");
    watched.must_find("M4", "MemberKeys of node 2 has the key of");
    let (key, _) = watched.rows(HUB, Table::Members).pop().unwrap();
    watched.tamper_if(HUB, Table::Members, |at| at == key, |_, _| None);
    watched.end();
    watched.must_find("M3", "has 0 values of account");
}

/// A watched world with a programme, 30 points without a right, and printed codes.
fn shop(seed: u64) -> Watched {
    let mut watched = Watched::new(seed);
    let rules = LoyaltyRules {
        ended: false,
        earn_per: 100,
        worth: 10,
        months: 12,
        offline_limit: 30,
        share: 1_000,
        tiers: Vec::new(),
    };
    let retry = watched.retry();
    watched.world.command(HUB, Command::Loyalty(retry, Box::new(rules))).unwrap();
    let retry = watched.retry();
    watched.world.command(HUB, Command::Campaigns(retry, vec![printed()])).unwrap();
    watched.run_ms(5_000);
    watched
}

fn printed() -> Campaign {
    let terms = Promotion {
        book: code("LEAF"),
        id: code("LEAF"),
        name: "leaf".into(),
        from_ms: 0,
        until_ms: 0,
        ended: false,
        members_only: false,
        stores: Vec::new(),
        skus: Vec::new(),
        departments: Vec::new(),
        gives: Gives::Basket { from: 0, off: 10 },
        priority: 0,
        exclusive: false,
        per_basket: 1,
    };
    Campaign {
        terms,
        issuer: code("brand"),
        funder: code("brand"),
        bearer: Bearer::Funder,
        alone: false,
        returns: false,
        budget: 0,
        worth_max: 0,
        kind: CouponKind::Printed { coupons: 9, store_limit: 1_000 },
        secret: [7; 16],
    }
}

/// Anna buys two units at 100 each, with coupons of 10 and so many points of 10; the rest is cash.
fn buy(watched: &mut Watched, (node, till_seq): (u32, u64), coupons: &[&Code], points: i64) {
    let line = AskedLine {
        sku: sku(1),
        unit: None,
        quantity: 2,
        code_price: Some(100),
        entered_price: None,
        discount: 0,
        discount_reason: Code::default(),
        lot: Code::default(),
        expires: None,
        original: None,
        disposition: Disposition::Resale,
    };
    let total = 200 - 10 * coupons.len() as i64;
    let tender = |kind, amount| Tender { kind, amount, reference: Code::default() };
    let mut tenders = vec![(tender(TenderKind::Cash, total - 10 * points), Assurance::Cash)];
    if points > 0 {
        tenders.push((tender(TenderKind::Points, 10 * points), Assurance::Seen));
    }
    let request = CheckoutRequest {
        basket: BasketId { till: TillId(1), number: till_seq },
        body: Digest::of(&[&node.to_be_bytes(), &till_seq.to_be_bytes()]),
        rung_ms: None,
        cashier: code("anna"),
        approver: Code::default(),
        age_checked: false,
        member: Some(ANNA),
        accounts: Vec::new(),
        coupons: coupons.iter().map(|&code| code.clone()).collect(),
        lines: vec![line],
        expected_total: None,
        then: Then::Pay { tenders, terminal: None },
    };
    watched.truth.money.agree((node - 1, 1, till_seq), total);
    let answer = watched.world.command(node, Command::Checkout(Box::new(request))).unwrap();
    assert!(matches!(answer, Answer::Checkout(CheckoutAnswer::Paid(_))), "{answer:?}");
    let snapshot = watched.world.snapshot(node);
    let store = StoreId(node - 1);
    let place = stockroom_core::books::sales::by_till(&*snapshot, store, TillId(1), till_seq).unwrap().unwrap();
    let act = Act::Sale { till: 1, till_seq, lines: vec![(1, 2)], total };
    watched.acknowledge(node, act, Answer::Written { place, replayed: false });
}

fn enrolled(watched: &mut Watched, person: u32) {
    let value = |field, text: &str| NewValue { field, text: Personal::new(text), verified: false };
    let request = EnrolMember {
        home: None,
        values: vec![value(Field::Name, &format!("SENTINEL-name-{person}")), value(Field::Phone, "+8613900000001")],
        consents: vec![NewConsent { purpose: Purpose::Membership, given: true, source: code("form") }],
        staff: code("eva"),
    };
    watched.truth.persons.known.insert(person, Person::default());
    let retry = watched.retry();
    let answer = watched.world.command(ONE, Command::EnrolMember(retry, Box::new(request))).unwrap();
    let Answer::Member(MemberAnswer::Enrolled { member, .. }) = answer else { panic!("{answer:?}") };
    watched.look();
    watched.truth.persons.known.get_mut(&person).unwrap().member = Some(member);
}

/// A store's node commits this to its log about members.
fn write(watched: &mut Watched, fact: Fact) {
    use stockroom_core::journal::Log;
    let logs = watched.rows(ONE, Table::Logs).into_iter();
    let mut logs = logs.map(|(key, value)| (key, Log::from_row(&value).unwrap()));
    let own = |log: &Log| log.id.scope == Scope::StoreMembers(StoreId(1)) && log.id.actor.node.0 == ONE;
    let (key, log) = logs.find(|(_, log)| own(log)).unwrap();
    let item = Item::new(Entry { hlc: Hlc::new(watched.world.now_ms, 0), fact });
    watched.pretend(ONE, Seen::Committed(vec![run_row(number(&key), &log, &[item])]));
}
