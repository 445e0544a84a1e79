//! What a member earns and spends, where her points lie, and that nobody gives more than the limit.

use stockroom_core::input::Command;
use stockroom_core::input::Refusal;
use stockroom_core::input::loyalty::PointsDeed;
use stockroom_core::input::loyalty::PointsRequest;
use stockroom_crdt::loyalty::campaign::CouponKind;
use stockroom_crdt::loyalty::rules::LoyaltyRules;
use stockroom_crdt::loyalty::rules::Tier;

use super::shop::{ANNA, HUB, OTHER, STORE, Shop, at, balance, campaign, code, key, rebuilt_alike, rules, shop};

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

#[cfg(feature = "planted")]
#[test]
fn each_planted_bug_is_found_by_the_story_that_it_breaks() {
    use stockroom_core::plant::Plant;
    let stories: [(Plant, fn()); 3] = [
        (
            Plant::DoubleCoupon,
            super::coupons::a_single_coupon_is_taken_only_where_its_right_is_and_the_right_moves_when_asked,
        ),
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
