//! Rights of one, printed codes, pools and budgets: at stores that are cut off, and when the hub hears of it.

use stockroom_core::input::Command;
use stockroom_core::input::Refusal;
use stockroom_core::input::loyalty::CouponDeed;
use stockroom_core::input::loyalty::CouponRefused;
use stockroom_core::input::loyalty::CouponRequest;
use stockroom_core::input::loyalty::IssueRequest;
use stockroom_core::view::View;
use stockroom_crdt::ids::Code;
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::loyalty::campaign::Bearer;
use stockroom_crdt::loyalty::campaign::Campaign;
use stockroom_crdt::loyalty::campaign::CouponKind;
use stockroom_crdt::loyalty::coupon::Proof;
use stockroom_crdt::loyalty::coupon::bears;
use stockroom_crdt::sale::TenderKind;
use stockroom_sim::world::World;

use super::shop::{HUB, OTHER, STORE, Shop, campaign, code, judged, key, pay, refused, request, shop, tender};

#[test]
pub fn a_single_coupon_is_taken_only_where_its_right_is_and_the_right_moves_when_asked() {
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
    let doubles = View::new(&*world.snapshot(HUB)).rollout(&campaign).unwrap().doubles;
    assert_eq!(doubles.iter().map(|(name, _)| name.serial).collect::<Vec<_>>(), [Some(0)]);
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
    assert_eq!(taken.count(), 3);
    world.sell_to(OTHER, (1, 10), &[&purse[8]]).unwrap();
    world.run_ms(3_000);
    assert_eq!(refused(world.sell_to(OTHER, (2, 10), &[&purse[7]])), CouponRefused::BudgetGone, "four of 100 in all");
}
