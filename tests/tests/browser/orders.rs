//! Orders as a store's people work on them: picking with a scanner, a cold room without a network, the customer at the counter, two people at one
//! order.

use std::time::Duration;

use fantoccini::key::Key;
use serde_json::{Value, json};
use stockroom_tests::browser::pages::sign_in;
use stockroom_tests::browser::worlds::{ANN, BO, MILK, Placed, Stage, TEA, World};
use stockroom_tests::browser::{Browser, Look, Scheme};
use stockroom_tests::nodes::binary::{is, wait_until};

#[test]
fn an_order_is_picked_by_scans_with_a_shortage_and_handed_over_while_the_hub_is_gone() {
    let mut world = World::chain();
    let placed = world.placed(Stage::Accepted).clone();
    let Some(picker) = Browser::open(world.store(1).address()) else { return };
    picker.look(Look { width: 360, scheme: Scheme::Light });
    sign_in(&picker, &BO);
    picker.go("/orders");
    picker.see(&end(&placed));
    picker.go(&format!("/picking?orders={}", placed.order));
    picker.see_in("#totes", &end(&placed));
    picker.scan(TEA.code);
    picker.see_in("#scanned", "Longjing");
    picker.scan(MILK.code);
    picker.see_in("#scanned", "1 of 2");
    picker.scan("4012345678901");
    picker.see_in("#scanned", "not on this list");
    picker.click(&format!("Missing: {}", MILK.name));
    picker.fill("How many are there", "1");
    picker.choose("Why fewer", "too few");
    picker.click("Missing Save");
    picker.see_in("#totes", "2 of 2");
    picker.fill("Bay", "B7");
    picker.fill("Bags", "1");
    picker.click("Into the bay: ready");
    picker.see_in("#totes", "Ready");
    wait_until(PATIENCE, "the store knows that it is ready", || is(&state(&world, &placed)?.as_str(), &"ready"));
    let part = part(&world, &placed).unwrap();
    assert_eq!((&part["bay"], &part["bags"], &part["lines"][1]["picked"]), (&json!("B7"), &json!("1"), &json!(1)));
    picker.no_errors();
    drop(picker);

    world.fleet.hub().stop();
    let Some(counter) = Browser::open(world.store(1).address()) else { return };
    sign_in(&counter, &ANN);
    counter.allow("422");
    counter.allow("409");
    counter.go("/handover");
    // By the end of its number, with a wrong code first.
    counter.scan(&placed.order[placed.order.len() - 4..]);
    counter.see_in("#found", "B7");
    counter.scan(if placed.code == "000000" { "111111" } else { "000000" });
    counter.see_in("#counter-said", "tries left: 4");
    counter.scan(&placed.code);
    counter.see_in("#counter-said", "is handed over");
    // A second time, and what was ready all along: code, Enter, Enter.
    counter.scan(&placed.order);
    counter.see_in("#counter-said", "it was handed over at");
    let ready = world.placed(Stage::Ready).clone();
    counter.scan(&ready.code);
    counter.see_in("#found", "Hand over");
    counter.press(Key::Enter);
    counter.see_in("#counter-said", "is handed over");
    assert_eq!(state(&world, &ready).unwrap(), "handed-over");
}

#[test]
fn a_shop_of_one_person_picks_without_bays() {
    let mut world = World::chain();
    let placed = world.placed(Stage::Accepted).clone();
    let node = world.fleet.store(1);
    node.keeps_address();
    node.stop();
    let config = node.data().join("stockroom.toml");
    let held = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("profile = \"solo\"\n{held}")).unwrap();
    node.start();
    let Some(shop) = Browser::open(world.store(1).address()) else { return };
    shop.look(Look { width: 360, scheme: Scheme::Light });
    sign_in(&shop, &ANN);
    shop.go(&format!("/picking?orders={}", placed.order));
    shop.see_in("#totes", &end(&placed));
    shop.scan(TEA.code);
    shop.see_in("#scanned", "Longjing");
    shop.scan(MILK.code);
    shop.scan(MILK.code);
    shop.see_in("#totes", "2 of 2");
    shop.see_not("Bay");
    shop.fill("Bags", "1");
    shop.click("It is ready");
    shop.see_in("#totes", "Ready");
    wait_until(PATIENCE, "the store knows that it is ready", || is(&state(&world, &placed)?.as_str(), &"ready"));
    shop.go("/handover");
    shop.scan(&placed.code);
    shop.see_in("#found", "Hand over");
    shop.press(Key::Enter);
    shop.see_in("#counter-said", "is handed over");
    shop.no_errors();
}

#[test]
fn a_pass_hands_over_what_a_store_that_is_cut_off_has_never_heard_of() {
    let mut world = World::chain();
    world.fleet.store(1).keeps_address();
    let Some(counter) = Browser::open(world.store(1).address()) else { return };
    let store = world.store(1).clone();
    world.fleet.store(1).stop();
    let body = json!({
        "channel": "pickup", "source": "app", "reference": "pass", "currency": "EUR", "stores": [1],
        "lines": [{ "sku": MILK.sku, "quantity": 1 }],
    });
    let made = world.hub.post("/v1/orders", Some("pass-order"), &body).unwrap().good().unwrap();
    let order = made["order"].as_str().unwrap().to_owned();
    let pass = world.hub.post(&format!("/v1/orders/{order}/pass"), Some("pass"), &json!({})).unwrap().good().unwrap();
    world.fleet.hub().stop();
    world.fleet.store(1).start();
    sign_in(&counter, &ANN);
    counter.go("/handover");
    counter.scan(pass["qr_text"].as_str().unwrap());
    counter.see_in("#found", MILK.name);
    counter.press(Key::Enter);
    counter.see_in("#counter-said", "is handed over");
    let part = store.read(&format!("/v1/fulfillments/{order}")).unwrap();
    assert_eq!((&part["state"], &part["by_pass"]), (&json!("handed-over"), &json!(true)));
}

#[test]
fn what_is_picked_where_the_network_does_not_reach_is_kept_and_sent_when_it_is_back() {
    let world = World::chain();
    let placed = world.placed(Stage::Accepted).clone();
    let Some(picker) = Browser::open(world.store(1).address()) else { return };
    sign_in(&picker, &BO);
    picker.go("/picking");
    worker_is_ready(&picker);
    picker.go(&format!("/picking?orders={}", placed.order));
    picker.see_in("#totes", &end(&placed));
    picker.lose_network();
    picker.scan(TEA.code);
    picker.see("waiting to be sent: 1");
    picker.scan(MILK.code);
    picker.see("waiting to be sent: 2");
    // The handheld is put away and taken up again, still in the cold room.
    picker.reload();
    picker.see_in("#totes", "1 of 2");
    picker.scan(MILK.code);
    picker.see("waiting to be sent: 3");
    picker.see_in("#totes", "2 of 2");
    assert_ne!(state(&world, &placed).unwrap(), "picked", "nobody can know yet");
    picker.find_network();
    picker.see_not("waiting to be sent");
    wait_until(PATIENCE, "the store knows what was picked", || is(&state(&world, &placed)?.as_str(), &"picked"));
    let part = part(&world, &placed).unwrap();
    assert_eq!((&part["lines"][0]["picked"], &part["lines"][1]["picked"]), (&json!(1), &json!(2)));
}

#[test]
fn a_handheld_off_the_network_hands_over_only_what_was_checked_out_to_it() {
    let world = World::chain();
    let placed = world.placed(Stage::Ready).clone();
    let (Some(handheld), Some(counter)) =
        (Browser::open(world.store(1).address()), Browser::open(world.store(1).address()))
    else {
        return;
    };
    sign_in(&handheld, &BO);
    handheld.go("/handover");
    worker_is_ready(&handheld);
    handheld.go("/handover");
    handheld.scan(&placed.order);
    handheld.click("Take it along with this handheld");
    handheld.see_in("#counter-said", "goes along with this handheld");
    // Nobody else hands it over meanwhile.
    sign_in(&counter, &ANN);
    counter.allow("409");
    counter.go("/handover");
    counter.scan(&placed.code);
    counter.click("Hand over");
    counter.see_in("#counter-said", "Somebody else is at this order");

    handheld.lose_network();
    handheld.reload();
    handheld.see_in("#along", &end(&placed));
    handheld.scan("4711");
    handheld.see_in("#counter-said", "Only orders that were taken along");
    handheld.scan(if placed.code == "000000" { "111111" } else { "000000" });
    handheld.see_in("#counter-said", "Tries left on this handheld: 4");
    handheld.scan(&placed.code);
    handheld.see_in("#found", "Hand over");
    handheld.press(Key::Enter);
    handheld.see_in("#counter-said", "The node hears of it when it is back");
    assert_eq!(state(&world, &placed).unwrap(), "ready");
    handheld.find_network();
    wait_until(PATIENCE, "the store hears of it", || is(&state(&world, &placed)?.as_str(), &"handed-over"));
    handheld.see_not("waiting to be sent");
}

#[test]
fn the_second_of_two_people_sees_who_is_at_an_order_and_overwrites_nothing() {
    let world = World::chain();
    let placed = world.placed(Stage::Accepted).clone();
    let (Some(bo), Some(ann)) = (Browser::open(world.store(1).address()), Browser::open(world.store(1).address()))
    else {
        return;
    };
    sign_in(&bo, &BO);
    sign_in(&ann, &ANN);
    ann.go("/orders");
    ann.see(&end(&placed));
    bo.go(&format!("/picking?orders={}", placed.order));
    bo.see_in("#totes", &end(&placed));
    // Without loading it again.
    ann.see_in("#queue", "being picked by bo");
    ann.go(&format!("/picking?orders={}", placed.order));
    ann.see("bo is picking");
    ann.click("Take it over");
    ann.see_in("#totes", &end(&placed));
    bo.click(&format!("All found: {}", TEA.name));
    bo.see_in("#totes", "1 of 2");
    ann.see_in("#totes", "1 of 2");
    ann.see_in("#totes", "bo is picking this order as well");
}

#[test]
fn an_order_is_accepted_and_handed_over_with_the_keyboard_alone() {
    let world = World::chain();
    let placed = world.placed(Stage::Offered).clone();
    let ready = world.placed(Stage::Ready).clone();
    let Some(browser) = Browser::open(world.store(1).address()) else { return };
    sign_in(&browser, &ANN);
    browser.go(&format!("/orders/{}", placed.order));
    tab_to(&browser, "Accept");
    browser.press(Key::Enter);
    browser.see_in("#order", "to be picked");
    browser.go("/handover");
    assert_eq!(browser.focused(), "Pickup code, pass, order number or phone ending");
    browser.write(&ready.code);
    browser.press(Key::Enter);
    browser.see_in("#found", "Hand over");
    browser.press(Key::Enter);
    browser.see_in("#counter-said", "is handed over");
    assert_eq!(state(&world, &ready).unwrap(), "handed-over");
}

fn tab_to(browser: &Browser, name: &str) {
    for _ in 0..60 {
        browser.press(Key::Tab);
        if browser.focused() == name {
            return;
        }
    }
    panic!("no key leads to {name:?}");
}

/// A page is kept for when the network is gone once its worker looks after it.
fn worker_is_ready(browser: &Browser) {
    browser
        .wait_for("the page's worker", "return navigator.serviceWorker.controller !== null", |it| *it == json!(true));
}

fn end(placed: &Placed) -> String {
    format!("…{}", &placed.order[placed.order.len() - 4..])
}

fn part(world: &World, placed: &Placed) -> Result<Value, String> {
    world.store(placed.store).read(&format!("/v1/fulfillments/{}", placed.order))
}

fn state(world: &World, placed: &Placed) -> Result<String, String> {
    Ok(part(world, placed)?["state"].as_str().unwrap_or_default().to_owned())
}

const PATIENCE: Duration = Duration::from_secs(20);
