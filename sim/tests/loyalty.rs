//! Points and coupons in a small world: what a member earns and spends while her store is cut off, and what becomes of one coupon that is shown
//! at two stores.

#![allow(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test says its seed and stops where it fails")]

use stockroom_core::books::loyalty as book;
use stockroom_core::input::checkout::{BasketDeed, BasketRequest, CheckoutAnswer, CheckoutRequest, TerminalSaid, Then};
use stockroom_core::input::loyalty::{
    CouponDeed, CouponRefused, CouponRequest, IssueRequest, PointsDeed, PointsRequest, Quoted,
};
use stockroom_core::input::returns::{ReturnRequest, ReturnRequestLine};
use stockroom_core::input::{Answer, Command, Refusal, RetryKey, VoidRequest};
use stockroom_core::loyalty::hub::verdict;
use stockroom_core::view::View;
use stockroom_crdt::checkout::basket::BasketId;
use stockroom_crdt::checkout::promotion::{Gives, Promotion};
use stockroom_crdt::checkout::quote::AskedLine;
use stockroom_crdt::checkout::tender::{Assurance, TenderState};
use stockroom_crdt::ids::{Code, Digest, MemberId, Sku, StoreId, TillId};
use stockroom_crdt::loyalty::campaign::{Bearer, Campaign, CouponKind, CouponName};
use stockroom_crdt::loyalty::coupon::{Proof, bears};
use stockroom_crdt::loyalty::points::Account;
use stockroom_crdt::loyalty::rules::{LoyaltyRules, Tier};
use stockroom_crdt::money::Unit;
use stockroom_crdt::order::returns::Origin;
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::{ReceiptNumber, Tender, TenderKind};
use stockroom_sim::world::World;

const HUB: u32 = 1;
const STORE: u32 = 2;
const OTHER: u32 = 3;
const ANNA: MemberId = MemberId(0xa11a);

#[test]
fn points_are_spent_by_right_then_within_the_limit_and_not_beyond_it() {
    let mut world = shop(1);
    world.sell_to(STORE, (1, 100), &[]).unwrap();
    world.run_ms(3_000);
    assert_eq!(at(&world, STORE).held(world.actor(STORE)), 100, "the hub granted what she earned");
    world.cut(STORE, HUB);
    world.points(STORE, (2, 6), 60).unwrap();
    world.points(STORE, (3, 7), 70).unwrap();
    let refused = world.points(STORE, (4, 1), 10).unwrap_err();
    assert_eq!(refused, Refusal::Points { wanted: 10, may: 0 });
    assert_eq!(balance(&world, STORE), -30);
    world.connect(STORE, HUB);
    world.run_ms(3_000);
    assert_eq!(balance(&world, HUB), -30, "the limit, and no more");
    assert_eq!(world.points(STORE, (5, 1), 10), Err(Refusal::Points { wanted: 10, may: 0 }), "it is still owed");
    world.sell_to(STORE, (6, 50), &[]).unwrap();
    world.run_ms(3_000);
    let (hub, store) = (at(&world, HUB), at(&world, STORE));
    assert_eq!(
        (hub.balance(world.now()), hub.uncovered(world.actor(STORE))),
        (20, 0),
        "netted against what she earned"
    );
    assert_eq!(store.held(world.actor(STORE)), 20);
    world.points(STORE, (7, 5), 50).unwrap();
}

#[test]
fn a_store_gets_points_that_lie_elsewhere_when_it_asks() {
    let mut world = shop(2);
    world.sell_to(STORE, (1, 100), &[]).unwrap();
    world.run_ms(3_000);
    assert_eq!(world.points(OTHER, (1, 10), 100), Err(Refusal::Points { wanted: 100, may: 30 }));
    let ask = PointsRequest { member: ANNA, deed: PointsDeed::Ask(80) };
    world.command(OTHER, Command::Points(key("ask"), ask)).unwrap();
    world.run_ms(3_000);
    assert_eq!(at(&world, STORE).held(world.actor(STORE)), 20, "what is asked for elsewhere is given back");
    let again = PointsRequest { member: ANNA, deed: PointsDeed::Ask(80) };
    world.command(OTHER, Command::Points(key("again"), again)).unwrap();
    world.run_ms(3_000);
    assert_eq!(at(&world, OTHER).held(world.actor(OTHER)), 80);
    world.points(OTHER, (2, 8), 80).unwrap();
    world.run_ms(3_000);
    assert_eq!(balance(&world, HUB), 20);
}

#[test]
fn a_sale_earns_once_however_often_it_is_sent_also_to_a_node_that_was_set_back() {
    let mut world = shop(3);
    world.sell_to(STORE, (1, 10), &[]).unwrap();
    world.run_ms(3_000);
    let disk = world.nodes[&STORE].disk.image();
    world.sell_to(STORE, (2, 20), &[]).unwrap();
    world.sell_to(STORE, (2, 20), &[]).unwrap();
    world.run_ms(3_000);
    assert_eq!(balance(&world, HUB), 30);
    world.cut(STORE, HUB);
    world.crash(STORE);
    world.nodes.get_mut(&STORE).unwrap().disk = disk;
    world.start(STORE);
    world.sell_to(STORE, (2, 20), &[]).unwrap();
    assert_eq!(world.points(STORE, (3, 1), 10), Err(Refusal::Points { wanted: 10, may: 0 }), "it may have spent them");
    world.connect(STORE, HUB);
    world.run_ms(20_000);
    assert_eq!(balance(&world, HUB), 30, "both entries are of one sale");
    assert_eq!(balance(&world, STORE), 30);
    assert_eq!(at(&world, STORE).held(world.actor(STORE)), 30, "what the lost life held lies with the new one");
    rebuilt_alike(&mut world);
}

#[test]
fn goods_that_come_back_take_their_points_with_them_and_bring_back_what_paid_for_them() {
    let mut world = shop(4);
    world.sell_to(STORE, (1, 100), &[]).unwrap();
    world.run_ms(3_000);
    // Ten teas: 400 with 40 points, the rest in cash, which earns 6.
    let (points, cash) = (tender(TenderKind::Points, 400), tender(TenderKind::Cash, 600));
    let receipt = world.paid(STORE, (2, 10), &[], vec![points, cash]).unwrap();
    world.run_ms(3_000);
    assert_eq!(balance(&world, HUB), 66);
    let line = ReturnRequestLine {
        line: 0,
        sku: sku(),
        unit: None,
        quantity: 5,
        amount: None,
        disposition: Disposition::Resale,
    };
    let half = ReturnRequest {
        origin: Origin::Receipt(StoreId(1), receipt),
        signed: Vec::new(),
        cash: true,
        till: None,
        reason: Code::default(),
        reference: Code::default(),
        staff: code("mia"),
        approver: code("mia"),
        lines: vec![line],
    };
    world.command(STORE, Command::ReturnGoods(key("half"), Box::new(half))).unwrap();
    let told = View::new(&*world.snapshot(STORE)).returns_of(StoreId(1), receipt);
    assert_eq!(told, 300, "in cash what was paid in cash");
    world.run_ms(3_000);
    let said = sale_of(&world, receipt);
    assert_eq!((said.earned, said.taken_back, said.spent, said.restored), (6, 3, 40, 20));
    assert_eq!(balance(&world, HUB), 66 - 3 + 20);
    let stopped = world.back(STORE, (3, receipt)).unwrap_err();
    assert!(matches!(&stopped, Refusal::Stopped { reason, .. } if reason.contains("points")), "{stopped}");
    let other = world.sell_to(STORE, (4, 10), &[]).unwrap();
    world.void(STORE, (5, other)).unwrap();
    world.run_ms(3_000);
    assert_eq!(balance(&world, HUB), 83, "a void takes all of it back");
}

#[test]
fn a_single_coupon_is_taken_only_where_its_right_is_and_the_right_moves_when_asked() {
    let mut world = shop(5);
    let campaign = world.campaign(campaign("SAVE", CouponKind::Single(10)));
    let issue = IssueRequest { campaign: code("SAVE"), first: 0, count: 2, store: StoreId(1), member: None };
    world.command(HUB, Command::IssueCoupons(key("issue"), issue)).unwrap();
    world.run_ms(3_000);
    let (first, second) = (campaign.code(0).unwrap(), campaign.code(1).unwrap());
    [STORE, OTHER].into_iter().for_each(|store| world.cut(store, HUB));
    assert_eq!(refused(world.sell_to(OTHER, (1, 10), &[&first])), CouponRefused::NotHere);
    world.sell_to(STORE, (1, 10), &[&first]).unwrap();
    let used = refused(world.sell_to(STORE, (2, 10), &[&first]));
    assert!(matches!(used, CouponRefused::Used { store: Some(StoreId(1)), .. }), "{used:?}");
    let ask = CouponRequest { code: second.clone(), deed: CouponDeed::Ask };
    world.command(OTHER, Command::Coupon(key("ask"), ask)).unwrap();
    let ask = CouponRequest { code: first.clone(), deed: CouponDeed::Ask };
    world.command(OTHER, Command::Coupon(key("ask too"), ask)).unwrap();
    [STORE, OTHER].into_iter().for_each(|store| world.connect(store, HUB));
    world.run_ms(5_000);
    assert_eq!(refused(world.sell_to(STORE, (3, 10), &[&second])), CouponRefused::NotHere, "it was given up");
    world.sell_to(OTHER, (2, 10), &[&second]).unwrap();
    let used = refused(world.sell_to(OTHER, (3, 10), &[&first]));
    assert!(matches!(used, CouponRefused::Used { store: Some(StoreId(1)), .. }), "{used:?}");
    world.run_ms(3_000);
    for serial in 0..2 {
        let verdict = judged(&world, "SAVE", serial);
        assert!(verdict.winner.by_right && verdict.doubles.is_empty(), "{verdict:?}");
    }
}

#[test]
fn a_printed_code_at_two_stores_that_are_cut_off_is_found_double_with_its_proof() {
    let mut world = shop(6);
    let kind = CouponKind::Printed { coupons: 100, store_limit: 250 };
    let campaign = world.campaign(Campaign { bearer: Bearer::Store, ..campaign("LEAF", kind) });
    [STORE, OTHER].into_iter().for_each(|store| world.cut(store, HUB));
    let codes: Vec<Code> = (0..4).map(|serial| campaign.code(serial).unwrap()).collect();
    world.sell_to(OTHER, (1, 10), &[&codes[0]]).unwrap();
    world.run_ms(1_000);
    let receipt = world.sell_to(STORE, (1, 10), &[&codes[0]]).unwrap();
    let used = refused(world.sell_to(STORE, (2, 10), &[&codes[0]]));
    assert!(matches!(used, CouponRefused::Used { .. }), "the same store knows: {used:?}");
    world.sell_to(STORE, (3, 10), &[&codes[1]]).unwrap();
    assert_eq!(refused(world.sell_to(STORE, (4, 10), &[&codes[2]])), CouponRefused::Limit);
    let invented = code(&codes[3].as_str().replace("-00000003", "-00000005"));
    assert_eq!(refused(world.sell_to(STORE, (5, 10), &[&invented])), CouponRefused::Wrong);
    [STORE, OTHER].into_iter().for_each(|store| world.connect(store, HUB));
    world.run_ms(5_000);
    let verdict = judged(&world, "LEAF", 0);
    assert_eq!(verdict.winner.store, StoreId(2), "the earlier one counts");
    let [double] = verdict.doubles.as_slice() else { panic!("{verdict:?}") };
    assert_eq!((double.store, double.redemption.receipt, double.redemption.proof), (StoreId(1), receipt, Proof::Limit));
    assert_eq!(bears(&campaign, double.store), "store 1");
    assert!(judged(&world, "LEAF", 1).doubles.is_empty());
    assert!(world.reached().contains_key("a coupon was redeemed twice"));
    world.sell_to(STORE, (6, 10), &[&codes[2]]).unwrap();
}

#[test]
fn a_pool_is_shared_out_before_it_begins_and_no_more_is_given_than_there_is() {
    let mut world = shop(7);
    let begins_ms = world.now() + 60_000;
    let mut pool = campaign("FIRST", CouponKind::FirstN(6));
    pool.terms.from_ms = begins_ms;
    world.campaign(pool);
    world.run_ms(3_000);
    [STORE, OTHER].into_iter().for_each(|store| world.cut(store, HUB));
    let name = code("FIRST");
    assert_eq!(refused(world.sell_to(STORE, (1, 10), &[&name])), CouponRefused::NotYet);
    world.run_ms(61_000);
    let mut given = 0;
    for n in 2..9 {
        for store in [STORE, OTHER] {
            match world.sell_to(store, (n, 10), &[&name]) {
                Ok(_) => given += 1,
                Err(Refusal::Coupon { why, .. }) => assert_eq!(why, CouponRefused::PoolGone),
                Err(other) => panic!("{other}"),
            }
        }
    }
    assert!((2..=6).contains(&given), "{given} while cut off");
    [STORE, OTHER].into_iter().for_each(|store| world.connect(store, HUB));
    for n in 20..40 {
        let ask = CouponRequest { code: name.clone(), deed: CouponDeed::Ask };
        let store = if n % 2 == 0 { STORE } else { OTHER };
        world.command(store, Command::Coupon(key(&format!("ask {n}")), ask)).unwrap();
        world.run_ms(3_000);
        given += usize::from(world.sell_to(store, (n, 10), &[&name]).is_ok());
    }
    assert_eq!(given, 6);
}

#[test]
fn a_budget_ends_and_coupons_that_do_not_go_together_or_fit_are_refused_with_a_reason() {
    let mut world = shop(8);
    let codes = |world: &World, id: &str| {
        let campaign = View::new(&*world.snapshot(HUB)).campaign(&code(id)).unwrap().unwrap();
        (0..9).map(|serial| campaign.code(serial).unwrap()).collect::<Vec<_>>()
    };
    let printed = CouponKind::Printed { coupons: 9, store_limit: 100_000 };
    world.campaign(Campaign { budget: 450, worth_max: 100, ..campaign("PURSE", printed) });
    world.campaign(Campaign { alone: true, ..campaign("ALONE", printed) });
    let mut elsewhere = campaign("THERE", printed);
    elsewhere.terms.stores = vec![StoreId(2)];
    world.campaign(elsewhere);
    let mut over = campaign("OVER", printed);
    over.terms.until_ms = 1;
    world.campaign(over);
    let mut members = campaign("CLUB", printed);
    members.terms.members_only = true;
    world.campaign(members);
    let mut wine = campaign("WINE", printed);
    wine.terms.departments = vec![code("wine")];
    world.campaign(wine);
    world.run_ms(3_000);
    let first = |world: &World, id: &str| codes(world, id)[0].clone();
    let purse = codes(&world, "PURSE");
    let (alone, there, over) = (first(&world, "ALONE"), first(&world, "THERE"), first(&world, "OVER"));
    let (club, wine) = (first(&world, "CLUB"), first(&world, "WINE"));
    assert_eq!(refused(world.sell_to(STORE, (1, 10), &[&there])), CouponRefused::OtherStore);
    assert_eq!(refused(world.sell_to(STORE, (2, 10), &[&over])), CouponRefused::Expired);
    assert_eq!(refused(world.sell_to(STORE, (3, 10), &[&wine])), CouponRefused::Nothing);
    let together = refused(world.sell_to(STORE, (4, 10), &[&purse[0], &alone]));
    assert_eq!(together, CouponRefused::Together(code("ALONE")));
    let mut anybody = request((5, 10), &[&club], pay(tender(TenderKind::Cash, 900)));
    anybody.member = None;
    let answer = world.command(STORE, Command::Checkout(Box::new(anybody)));
    assert!(matches!(answer, Err(Refusal::Coupon { why: CouponRefused::Member { another: false }, .. })), "{answer:?}");
    let quoted = world.quoted(STORE, (6, 10), &[&there, &purse[0]], 5);
    let (quote, points) = (&quoted.quote, quoted.points.as_ref().unwrap());
    assert_eq!((quote.total, quoted.coupons[1].worth), (900, 100), "the other one is quoted with");
    assert_eq!(quoted.coupons[0].refused, Some(CouponRefused::OtherStore));
    assert_eq!((points.earned, points.pays, points.soft), (8, 50, 30));
    // The hub fills a share up again while it can be asked; what there is in all is not exceeded.
    let taken = (0..9).filter(|n| {
        let sold = world.sell_to(STORE, (10 + n, 10), &[&purse[*n as usize]]);
        world.run_ms(3_000);
        match sold {
            Ok(_) => true,
            Err(refusal) => {
                assert!(matches!(refusal, Refusal::Coupon { why: CouponRefused::BudgetGone, .. }), "{refusal}");
                false
            }
        }
    });
    assert_eq!(taken.count(), 4, "450 are four coupons of 100");
}

#[test]
fn a_card_checkout_with_points_and_a_coupon_is_all_or_nothing_wherever_it_is_cut() {
    // 0: before the terminal answered; 1: after; 2: thrown away.
    for step in 0..3 {
        let mut world = shop(20 + step);
        let campaign = world.campaign(campaign("SAVE", CouponKind::Single(2)));
        let issue = IssueRequest { campaign: code("SAVE"), first: 0, count: 1, store: StoreId(1), member: None };
        world.command(HUB, Command::IssueCoupons(key("issue"), issue)).unwrap();
        world.sell_to(STORE, (1, 20), &[]).unwrap();
        world.run_ms(3_000);
        world.cut(STORE, HUB);
        let coupon = campaign.code(0).unwrap();
        let then = Then::Pay {
            tenders: vec![tender(TenderKind::Points, 200)],
            terminal: Some((code("T1"), TenderKind::Card)),
        };
        let asked = world.command(STORE, Command::Checkout(Box::new(request((2, 10), &[&coupon], then.clone()))));
        let basket = BasketId { till: TillId(1), number: 2 };
        assert_eq!(asked, Ok(Answer::Checkout(CheckoutAnswer::Ask { basket, number: 1 })));
        crash(&mut world);
        // It holds what it was promised, also after a crash.
        assert_eq!(refused(world.sell_to(STORE, (3, 10), &[&coupon])), CouponRefused::Held(1));
        assert_eq!(world.points(STORE, (4, 6), 60), Err(Refusal::Points { wanted: 60, may: 30 }));
        assert!(redemptions(&world, STORE).is_empty());
        assert_eq!(balance(&world, STORE), 20);
        if step == 2 {
            let request = BasketRequest { basket, till: TillId(1), staff: code("ann"), what: BasketDeed::Abandon };
            world.command(STORE, Command::Basket(key("gone"), Box::new(request))).unwrap();
            said(&mut world, basket, TenderState::Declined);
            crash(&mut world);
            assert_eq!(balance(&world, STORE), 20);
            world.sell_to(STORE, (5, 10), &[&coupon]).unwrap();
            continue;
        }
        if step == 1 {
            crash(&mut world);
        }
        said(&mut world, basket, TenderState::Approved);
        crash(&mut world);
        let redeemed = redemptions(&world, STORE);
        assert_eq!(redeemed.len(), 1);
        assert_eq!(redeemed[0].sale, basket);
        // 1,000 less the coupon's 100 less 200 by points: 7 points earned.
        assert_eq!(balance(&world, STORE), 20 - 20 + 7);
        let again = world.command(STORE, Command::Checkout(Box::new(request((2, 10), &[&coupon], then))));
        assert!(matches!(again, Ok(Answer::Checkout(CheckoutAnswer::Paid(_)))), "{again:?}");
        assert_eq!(balance(&world, STORE), 7);
        world.connect(STORE, HUB);
        world.run_ms(5_000);
        assert_eq!(balance(&world, HUB), 7);
    }
}

#[test]
fn a_coupon_whose_goods_all_come_back_may_be_used_again_if_its_campaign_says_so() {
    for (returns, seed) in [(true, 30), (false, 31)] {
        let mut world = shop(seed);
        let campaign = world.campaign(Campaign { returns, ..campaign("SAVE", CouponKind::Single(1)) });
        let issue = IssueRequest { campaign: code("SAVE"), first: 0, count: 1, store: StoreId(1), member: None };
        world.command(HUB, Command::IssueCoupons(key("issue"), issue)).unwrap();
        world.run_ms(3_000);
        let coupon = campaign.code(0).unwrap();
        let receipt = world.sell_to(STORE, (1, 10), &[&coupon]).unwrap();
        world.void(STORE, (2, receipt)).unwrap();
        let again = world.sell_to(STORE, (3, 10), &[&coupon]);
        assert_eq!(again.is_ok(), returns, "{again:?}");
        world.run_ms(3_000);
        assert!(judged_if(&world, "SAVE", 0).is_none_or(|verdict| verdict.doubles.is_empty()));
    }
}

#[test]
fn who_shopped_much_earns_more_and_has_promotions_of_her_own() {
    let mut world = shop(32);
    let gold = Tier { name: code("gold"), from: 50, multiplier_bp: 20_000, promotions: vec![code("golden")] };
    world
        .command(HUB, Command::Loyalty(key("tiers"), Box::new(LoyaltyRules { tiers: vec![gold], ..rules() })))
        .unwrap();
    let mut golden = campaign("golden", CouponKind::FirstN(1)).terms;
    (golden.book, golden.members_only) = (code("default"), true);
    world.command(HUB, Command::Promotions(key("golden"), vec![golden])).unwrap();
    world.run_ms(3_000);
    assert_eq!(world.quoted(STORE, (1, 10), &[], 0).quote.total, 1_000, "she is in no tier yet");
    world.sell_to(STORE, (2, 60), &[]).unwrap();
    world.run_ms(3_000);
    let quoted = world.quoted(STORE, (3, 10), &[], 0);
    let points = quoted.points.unwrap();
    assert_eq!((points.tier.as_str(), quoted.quote.total, points.earned), ("gold", 900, 18));
    assert_eq!(points.balance.map(|(balance, _)| balance), Some(60));
}

trait Shop {
    fn now(&self) -> u64;
    fn actor(&self, node: u32) -> stockroom_crdt::ids::Actor;
    fn campaign(&mut self, campaign: Campaign) -> Campaign;
    fn sell_to(&mut self, node: u32, what: (u64, i64), coupons: &[&Code]) -> Result<ReceiptNumber, Refusal>;
    fn points(&mut self, node: u32, what: (u64, i64), points: i64) -> Result<ReceiptNumber, Refusal>;
    fn paid(
        &mut self,
        node: u32,
        what: (u64, i64),
        coupons: &[&Code],
        tenders: Vec<(Tender, Assurance)>,
    ) -> Result<ReceiptNumber, Refusal>;
    fn quoted(&mut self, node: u32, what: (u64, i64), coupons: &[&Code], points: u64) -> Quoted;
    fn void(&mut self, node: u32, what: (u64, ReceiptNumber)) -> Result<Answer, Refusal>;
    fn back(&mut self, node: u32, what: (u64, ReceiptNumber)) -> Result<Answer, Refusal>;
}

impl Shop for World {
    fn now(&self) -> u64 {
        self.clock(HUB).wall_ms
    }

    fn actor(&self, node: u32) -> stockroom_crdt::ids::Actor {
        stockroom_crdt::ids::Actor::new(node, self.status(node).epoch.0)
    }

    fn campaign(&mut self, campaign: Campaign) -> Campaign {
        let id = campaign.id().clone();
        let command = Command::Campaigns(key(id.as_str()), vec![campaign]);
        self.command(HUB, command).unwrap();
        self.run_ms(3_000);
        View::new(&*self.snapshot(HUB)).campaign(&id).unwrap().unwrap()
    }

    /// Sells teas at 100 each to Anna, for cash, after asking what they cost.
    fn sell_to(&mut self, node: u32, what: (u64, i64), coupons: &[&Code]) -> Result<ReceiptNumber, Refusal> {
        let total = self.quoted(node, what, coupons, 0).quote.total;
        self.paid(node, what, coupons, vec![tender(TenderKind::Cash, total)])
    }

    fn points(&mut self, node: u32, what: (u64, i64), points: i64) -> Result<ReceiptNumber, Refusal> {
        let mut tenders = vec![tender(TenderKind::Points, points * 10)];
        if what.1 * 100 > points * 10 {
            tenders.push(tender(TenderKind::Cash, what.1 * 100 - points * 10));
        }
        self.paid(node, what, &[], tenders)
    }

    fn paid(
        &mut self,
        node: u32,
        what: (u64, i64),
        coupons: &[&Code],
        tenders: Vec<(Tender, Assurance)>,
    ) -> Result<ReceiptNumber, Refusal> {
        let request = request(what, coupons, Then::Pay { tenders, terminal: None });
        match self.command(node, Command::Checkout(Box::new(request)))? {
            Answer::Checkout(CheckoutAnswer::Paid(receipt)) => Ok(receipt),
            other => panic!("{other:?}"),
        }
    }

    fn quoted(&mut self, node: u32, what: (u64, i64), coupons: &[&Code], points: u64) -> Quoted {
        match self.command(node, Command::Checkout(Box::new(request(what, coupons, Then::Quote { points })))) {
            Ok(Answer::Quoted(quoted)) => *quoted,
            other => panic!("{other:?}"),
        }
    }

    fn void(&mut self, node: u32, (number, receipt): (u64, ReceiptNumber)) -> Result<Answer, Refusal> {
        let body = Digest::of(&[&number.to_be_bytes()]);
        let (cashier, approver) = (code("ann"), code("mia"));
        let request = VoidRequest { till: TillId(1), till_seq: number, body, receipt, cashier, approver };
        self.command(node, Command::Void(request))
    }

    fn back(&mut self, node: u32, (number, receipt): (u64, ReceiptNumber)) -> Result<Answer, Refusal> {
        let mut request = request((number, -1), &[], pay(tender(TenderKind::Cash, -100)));
        request.approver = code("mia");
        request.lines[0].original = Some((receipt, 1));
        self.command(node, Command::Checkout(Box::new(request)))
    }
}

/// A hub and two stores that have met, and a programme: a point for each 100, worth 10, 30 of them without a right.
fn shop(seed: u64) -> World {
    println!("seed {seed}");
    let mut world = World::with_stores(seed, 2);
    world.put_products(&[("TEA", Unit::Each)]);
    [STORE, OTHER].into_iter().for_each(|store| world.connect(store, HUB));
    world.command(HUB, Command::Loyalty(key("rules"), Box::new(rules()))).unwrap();
    world.run_ms(3_000);
    world
}

fn rules() -> LoyaltyRules {
    LoyaltyRules {
        ended: false,
        earn_per: 100,
        worth: 10,
        months: 12,
        offline_limit: 30,
        share: 1_000,
        tiers: Vec::new(),
    }
}

/// 100 off a basket.
fn campaign(id: &str, kind: CouponKind) -> Campaign {
    let terms = Promotion {
        book: code(id),
        id: code(id),
        name: id.into(),
        from_ms: 0,
        until_ms: 0,
        ended: false,
        members_only: false,
        stores: Vec::new(),
        skus: Vec::new(),
        departments: Vec::new(),
        gives: Gives::Basket { from: 0, off: 100 },
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
        kind,
        secret: [0; 16],
    }
}

fn request((number, teas): (u64, i64), coupons: &[&Code], then: Then) -> CheckoutRequest {
    let line = AskedLine {
        sku: sku(),
        unit: None,
        quantity: teas,
        code_price: None,
        entered_price: None,
        discount: 0,
        discount_reason: Code::default(),
        lot: Code::default(),
        expires: None,
        original: None,
        disposition: Disposition::Resale,
    };
    let line = AskedLine { code_price: Some(100), ..line };
    CheckoutRequest {
        basket: BasketId { till: TillId(1), number },
        body: Digest::of(&[&number.to_be_bytes(), &teas.to_be_bytes()]),
        rung_ms: None,
        cashier: code("ann"),
        approver: Code::default(),
        age_checked: false,
        member: Some(ANNA),
        accounts: Vec::new(),
        coupons: coupons.iter().map(|&code| code.clone()).collect(),
        lines: vec![line],
        expected_total: None,
        then,
    }
}

fn pay(tender: (Tender, Assurance)) -> Then {
    Then::Pay { tenders: vec![tender], terminal: None }
}

fn tender(kind: TenderKind, amount: i64) -> (Tender, Assurance) {
    let assurance = if kind == TenderKind::Cash { Assurance::Cash } else { Assurance::Seen };
    (Tender { kind, amount, reference: Code::default() }, assurance)
}

fn said(world: &mut World, basket: BasketId, state: TenderState) {
    let said = TerminalSaid {
        basket,
        number: 1,
        state,
        said: code("A1"),
        assurance: Assurance::Captured,
        amount: None,
        staff: Code::default(),
    };
    world.command(STORE, Command::TerminalSaid(said)).unwrap();
}

fn crash(world: &mut World) {
    world.crash(STORE);
    world.run_ms(1_000);
    world.start(STORE);
    world.run_ms(1_000);
}

fn refused(answer: Result<ReceiptNumber, Refusal>) -> CouponRefused {
    match answer {
        Err(Refusal::Coupon { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

fn at(world: &World, node: u32) -> Account {
    book::account(&*world.snapshot(node), ANNA, None).unwrap()
}

fn balance(world: &World, node: u32) -> i64 {
    at(world, node).balance(world.now())
}

fn sale_of(world: &World, receipt: ReceiptNumber) -> stockroom_crdt::loyalty::points::SalePoints {
    book::of_receipt(&*world.snapshot(HUB), StoreId(1), receipt).unwrap().remove(0)
}

fn redemptions(world: &World, node: u32) -> Vec<stockroom_crdt::loyalty::coupon::Redemption> {
    book::redeemed_at(&*world.snapshot(node), StoreId(1), &code("SAVE")).unwrap()
}

fn judged(world: &World, campaign: &str, serial: u32) -> stockroom_crdt::loyalty::coupon::Verdict {
    judged_if(world, campaign, serial).unwrap()
}

fn judged_if(world: &World, campaign: &str, serial: u32) -> Option<stockroom_crdt::loyalty::coupon::Verdict> {
    let name = CouponName { campaign: code(campaign), serial: Some(serial) };
    verdict(&*world.snapshot(HUB), &name).unwrap()
}

/// The hub throws its books of a store away, makes them again, and finds the same points.
fn rebuilt_alike(world: &mut World) {
    let before = at(world, HUB);
    let now_ms = world.now_ms;
    let node = world.nodes.get_mut(&HUB).unwrap();
    let now = node.now(now_ms);
    let core = node.core.as_mut().unwrap();
    core.rebuild(StoreId(1)).unwrap();
    core.commit(now).unwrap();
    assert_eq!(at(world, HUB), before);
}

fn key(words: &str) -> RetryKey {
    RetryKey { key: Digest::of(&[b"loyalty", words.as_bytes()]), body: Digest::of(&[words.as_bytes()]) }
}

fn sku() -> Sku {
    Sku::parse("TEA").unwrap()
}

fn code(text: &str) -> Code {
    if text.is_empty() { Code::default() } else { Code::parse(text).unwrap() }
}

#[cfg(feature = "planted")]
#[test]
fn each_planted_bug_is_found_by_the_story_that_it_breaks() {
    use stockroom_core::plant::Plant;
    let stories: [(Plant, fn()); 3] = [
        (Plant::DoubleCoupon, a_single_coupon_is_taken_only_where_its_right_is_and_the_right_moves_when_asked),
        (Plant::PointsTwice, a_sale_earns_once_however_often_it_is_sent_also_to_a_node_that_was_set_back),
        (Plant::SoftWithoutLimit, points_are_spent_by_right_then_within_the_limit_and_not_beyond_it),
    ];
    for (plant, story) in stories {
        Plant::set(Some(plant));
        let outcome = std::panic::catch_unwind(story);
        Plant::set(None);
        assert!(outcome.is_err(), "{} is not found", plant.name());
    }
}
