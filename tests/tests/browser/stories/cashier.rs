//! 17:40. The link has been down since lunch, and the card terminal has just approved when the power fails.

use std::fs;

use serde_json::{Value, json};
use stockroom_tests::browser::pages::sign_in;
use stockroom_tests::browser::worlds::{ANN, APPLES, CAMPAIGN, MILK, TEA, TERMINAL, World};
use stockroom_tests::browser::{Browser, Key};
use stockroom_tests::nodes::binary::{is, wait_until};
use stockroom_tests::nodes::door::Reply;
use stockroom_tests::nodes::fleet::{CONVERGE_MAX, text};
use stockroom_tests::terminal_server::{Health, SECRET, TerminalServer};

use super::{AT_SCAN, MORE, TOTAL, at_till, count_drawer, more_goods, pay_exactly, put_away, take_drawer, total};

#[test]
fn the_power_fails_when_the_terminal_has_approved_and_everything_agrees_afterwards() {
    let (mut world, terminal) = shop_with_terminal();
    let coupon = coupon(&world);
    world.fleet.hub().stop();
    let Some(till) = Browser::open(world.store(1).address()) else { return };
    at_till(&till, &ANN, "3");
    take_drawer(&till);

    // Fourteen lines: two weighed, one whose code nobody knows, one for which a document is looked at.
    till.allow("404");
    till.allow("422");
    till.scan(MILK.code);
    for code in [TEA.code, "1.250*apples", "eggs-10", "rice-5kg", "soap"] {
        till.scan(code);
    }
    till.scan("9999999999994");
    till.see("Nothing here has this code: 9999999999994");
    // She finds it by its name.
    till.write("rye");
    till.see("Rye bread");
    till.press(Key::Down);
    till.press(Key::Enter);
    till.scan("bananas");
    till.see("Weight in kg");
    till.write("0.8");
    till.press(Key::Enter);
    till.wait_for("the field for codes", AT_SCAN, |at| *at == json!(true));
    MORE.iter().filter(|(sku, ..)| *sku != "bananas").for_each(|(sku, ..)| till.scan(sku));
    till.wait_for("fourteen lines", "return document.querySelectorAll('#lines > li').length", |n| *n == json!(14));
    till.press(Key::F4);
    till.fill("Card or telephone", CARD);
    till.press(Key::Enter);
    till.see("Member S**** L****");
    till.wait_for("the field for codes", AT_SCAN, |at| *at == json!(true));
    till.press(Key::F7);
    till.fill("Coupon code", &coupon);
    till.press(Key::Enter);
    till.see("Tea week −€1.00");
    let owed = total_of(&till);

    // The terminal has the money; nobody hears it say so.
    terminal.then([Health::DoneAndSilent]);
    till.press(Key::F8);
    till.click("Yes, old enough");
    till.click(&format!("Card at terminal {TERMINAL}"));
    wait_until(CONVERGE_MAX, "the terminal approved", || is(&terminal.has(), &owed));
    till.allow("net::ERR_");
    world.fleet.store(1).kill();
    till.see("what the terminal did is not known");
    world.fleet.store(1).start();
    // The page asks at once; nobody is signed in any more, and that says nothing of the sale.
    till.allow("401");
    till.see("Sign in");

    // The basket is still there; asking again counts once.
    sign_in(&till, &ANN);
    till.go("/till");
    till.see_in("#last", "1-3-1-1");
    till.see_in("#empty", "scan the first article");
    assert_eq!((terminal.has(), terminal.count("PUT"), terminal.count("DELETE")), (owed, 1, 0));
    assert_eq!(terminal.ledger().values().map(|entry| entry.taken).collect::<Vec<_>>(), [1]);
    let store = world.store(1).clone();
    let sold = store.read("/v1/receipts/1-3-1-1").unwrap();
    assert_eq!((&sold["total"], sold["lines"].as_array().map(Vec::len)), (&json!(owed), Some(14)), "{sold}");
    assert_eq!(store.on_hand(APPLES.sku, 1).unwrap(), 25_000 - 1_250);
    assert_eq!(store.on_hand(TEA.sku, 1).unwrap(), 23);

    // Her coupon is spent; the next customer pays in cash, under the next number.
    till.scan(MILK.code);
    till.scan(TEA.code);
    till.press(Key::F7);
    till.fill("Coupon code", &coupon);
    till.press(Key::Enter);
    till.see_in("#benefits .bad", &coupon);
    till.click(&format!("Take out {coupon}"));
    let cash = MILK.price + TEA.price;
    total(&till, cash);
    pay_exactly(&till);
    till.see_in("#last", "1-3-1-2");

    // The drawer fits: the card is not in it.
    count_drawer(&till, &format!("{}.{:02}", (10_000 + cash) / 100, cash % 100));
    till.see("€114.19 should be in the drawer, €114.19 were counted, difference €0.00");
    let shift = store.read("/v1/shifts?till=3&limit=1").unwrap();
    let z = &shift["items"][0]["z"]["totals"];
    assert_eq!((&z["card"], &z["cash"]), (&json!(owed), &json!(cash)), "{shift}");
    put_away(&till);

    // The hub comes back and hears one sale of each, and of one coupon.
    world.fleet.hub().start();
    let hub = world.fleet.hub().door().clone();
    wait_until(CONVERGE_MAX, "the hub has both receipts", || is(&hub.receipts(1)?, &2));
    wait_until(CONVERGE_MAX, "the hub has the coupon", || {
        let campaign = hub.read(&format!("/v1/campaigns/{CAMPAIGN}"))?;
        is(&campaign["redeemed"], &json!(1))
    });
    assert_eq!(hub.on_hand(TEA.sku, 1).unwrap(), 22);
    till.no_errors();
}

/// The shop of all tests with more on the shelf, a member with a card, and a terminal that can be silent.
fn shop_with_terminal() -> (World, TerminalServer) {
    let mut world = World::shop();
    let terminal = TerminalServer::start();
    more_goods(&world);
    let member = json!({
        "home": 1, "consents": [{ "purpose": "membership", "given": true, "source": "app" }],
        "values": [{ "field": "name", "value": "Sun Li" }, { "field": "card", "value": CARD }],
    });
    world.hub.post("/v1/members", Some("with-card"), &member).and_then(Reply::good).unwrap();
    let store = world.fleet.store(1);
    let secret = store.data().join("terminal.secret");
    fs::write(&secret, SECRET).unwrap();
    let config = format!(
        "[terminals.{TERMINAL}]\nurl = \"{}\"\nsecret_file = \"{}\"\ntimeout_s = 30\n",
        terminal.url(),
        text(&secret)
    );
    fs::write(store.data().join("stockroom.toml"), config).unwrap();
    store.stop();
    store.start();
    let door = world.store(1);
    wait_until(CONVERGE_MAX, "the store knows the goods and the card", || {
        let prices = door.read("/v1/prices?limit=200")?;
        let priced =
            prices["items"].as_array().map_or(0, |items| items.iter().filter(|it| it["price"].is_i64()).count());
        is(&priced, &(8 + MORE.len()))?;
        let asked = json!({ "field": "card", "value": CARD });
        let found = door.post("/v1/members/find", None, &asked)?.good()?;
        is(&found["members"].as_array().map(Vec::len), &Some(1))
    });
    (world, terminal)
}

/// One code of the paper.
fn coupon(world: &World) -> String {
    let codes = world.hub.read(&format!("/v1/campaigns/{CAMPAIGN}/codes?first=7&count=1")).unwrap();
    codes["items"][0]["code"].as_str().expect("codes are printed").to_owned()
}

fn total_of(till: &Browser) -> i64 {
    till.wait_for("the node's price", TOTAL, Value::is_i64).as_i64().unwrap_or_default()
}

const CARD: &str = "2900000417";
