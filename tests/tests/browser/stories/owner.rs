//! One till, one phone, no engineer: from the box to the first correct sale, the plug pulled at night, and the takings read on the phone.

use serde_json::json;
use stockroom_tests::browser::pages::sign_in;
use stockroom_tests::browser::worlds::{GOODS, HANNA, MIA, MILK, STAFF, TEA, World};
use stockroom_tests::browser::{Browser, Look, Scheme};
use stockroom_tests::nodes::binary::{is, wait_until};
use stockroom_tests::nodes::door::Door;
use stockroom_tests::nodes::fleet::{CONVERGE_MAX, START_MAX};

use super::{at_till, join, pay_exactly, token_of, total};

#[test]
fn a_box_sells_after_its_page_got_a_token_and_again_after_its_plug_was_pulled() {
    let mut world = World::shop();
    let Some(office) = Browser::open(world.hub.address()) else { return };
    sign_in(&office, &HANNA);
    let token = token_of(&office, 2, "Kiosk");
    drop(office);

    let (kiosk, address) = world.fleet.empty_box("kiosk");
    let kiosk = u32::try_from(kiosk).unwrap();
    let node = world.fleet.store(kiosk);
    node.begin();
    let there = Door::new(&address);
    wait_until(START_MAX, "the box shows its page", || there.send("GET", "/setup", &[], "").map(|_| ()));
    let Some(phone) = Browser::open(&address) else { return };
    phone.look(Look { width: 360, scheme: Scheme::Light });
    phone.go("/setup");
    phone.see("This box is new");
    phone.tick("One person with one till");
    join(&phone, &token, &world.fleet.enrol_address());
    world.fleet.store(kiosk).becomes_ready();
    let door = world.fleet.store(kiosk).door().clone();
    wait_until(CONVERGE_MAX, "goods, prices, tax and people are there", || {
        let prices = door.read("/v1/prices")?;
        let priced = prices["items"].as_array().map_or(0, |all| all.iter().filter(|it| it["price"].is_i64()).count());
        is(&priced, &GOODS.len())?;
        is(&door.read("/v1/staff")?["items"].as_array().map(Vec::len), &Some(STAFF.len()))?;
        let taxes = door.read("/v1/till-rules/taxes")?;
        is(&taxes["items"].as_array().map(Vec::len), &Some(1))
    });
    // The page went on to the node by itself.
    phone.wait_for("the page of the node", "return location.pathname", |at| *at != json!("/setup"));
    at_till(&phone, &MIA, "1");
    phone.scan(MILK.code);
    total(&phone, MILK.price);
    pay_exactly(&phone);
    phone.see_in("#last", "2-1-1-1");
    assert_eq!(door.read("/v1/status").unwrap()["profile"], "solo");
    assert_eq!(
        phone.eval("return document.getElementById('drawer-box')"),
        json!(null),
        "there is no drawer to hand over"
    );
    let sold = door.read("/v1/receipts/2-1-1-1").unwrap();
    assert_eq!((&sold["total"], &sold["lines"][0]["tax"]["rate_bp"]), (&json!(MILK.price), &json!(700)), "{sold}");
    phone.no_errors();

    // She closes by pulling the plug; next morning it works.
    world.fleet.store(kiosk).kill();
    world.fleet.store(kiosk).start();
    // Nobody is signed in any more.
    sign_in(&phone, &MIA);
    phone.go("/till");
    phone.see("articles, prices read");
    phone.scan(TEA.code);
    total(&phone, TEA.price);
    pay_exactly(&phone);
    phone.see_in("#last", "2-1-1-2");
    phone.no_errors();
    drop(phone);

    wait_until(CONVERGE_MAX, "the hub has both receipts", || is(&world.hub.receipts(2)?, &2));
    let Some(phone) = Browser::open(world.hub.address()) else { return };
    phone.look(Look { width: 360, scheme: Scheme::Light });
    sign_in(&phone, &HANNA);
    phone.go("/fleet/2");
    phone.see("Kiosk");
    phone.see("€14.19");
    let wide = phone.eval("return document.documentElement.scrollWidth");
    assert!(wide.as_i64() <= Some(360), "the page is {wide} px wide");
}
