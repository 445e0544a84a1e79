//! Points and coupons in one commit with the sale, and back again with the goods.

use stockroom_core::books::returns;
use stockroom_core::input::Answer;
use stockroom_core::input::Command;
use stockroom_core::input::Refusal;
use stockroom_core::input::checkout::BasketDeed;
use stockroom_core::input::checkout::BasketRequest;
use stockroom_core::input::checkout::CheckoutAnswer;
use stockroom_core::input::checkout::Then;
use stockroom_core::input::loyalty::CouponRefused;
use stockroom_core::input::loyalty::IssueRequest;
use stockroom_core::input::returns::ReturnRequest;
use stockroom_core::input::returns::ReturnRequestLine;
use stockroom_crdt::checkout::basket::BasketId;
use stockroom_crdt::checkout::tender::TenderState;
use stockroom_crdt::ids::Code;
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::ids::TillId;
use stockroom_crdt::loyalty::campaign::Campaign;
use stockroom_crdt::loyalty::campaign::CouponKind;
use stockroom_crdt::order::returns::Origin;
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::TenderKind;

use super::shop::{
    HUB, STORE, Shop, balance, campaign, code, crash, judged_if, key, redemptions, refused, request, said, sale_of,
    shop, sku, tender,
};

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
    let told = returns::of_receipt(&*world.snapshot(STORE), None, (StoreId(1), receipt)).unwrap();
    let paid: Vec<i64> = told.values().map(|told| told.paid()).collect();
    assert_eq!(paid, [300], "in cash what was paid in cash");
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
        // 1,000 less the coupon's 100 less 200 by points: 7 points earned, and all 20 spent that there were.
        assert_eq!(balance(&world, STORE), 7);
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
