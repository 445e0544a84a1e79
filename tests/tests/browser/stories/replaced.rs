//! The box of a shop dies with an order ready. A new one joins and sells within minutes; the dead one's disk is found and switched on by mistake.

use serde_json::json;
use stockroom_tests::browser::pages::sign_in;
use stockroom_tests::browser::worlds::{ANN, HANNA, MILK, STAFF, Stage, World};
use stockroom_tests::browser::{Browser, Key};
use stockroom_tests::nodes::binary::{is, wait_until};
use stockroom_tests::nodes::door::{Door, Reply};
use stockroom_tests::nodes::fleet::{CONVERGE_MAX, START_MAX};

use super::{at_till, confirm, count_drawer, join, pay_exactly, put_away, token_of, total};

#[test]
fn a_new_box_takes_the_shop_over_and_the_old_disk_is_not_believed() {
    let mut world = World::chain();
    let ready = [world.placed(Stage::Ready).clone(), world.order(1, Stage::Ready), world.order(1, Stage::Ready)];
    // A drawer is open.
    let old = world.store(1).clone();
    let shift = json!({ "till": 9, "float": 10_000, "staff": ANN.staff });
    old.post("/v1/shifts", Some("drawer"), &shift).and_then(Reply::good).unwrap();
    wait_until(CONVERGE_MAX, "the hub has all of it", || is(&old.read("/v1/status")?["backlog"]["entries"], &json!(0)));
    let Some(office) = Browser::open(world.hub.address()) else { return };
    world.fleet.store(1).kill();
    sign_in(&office, &HANNA);
    let token = token_of(&office, 1, "");

    let (at, address) = world.fleet.empty_box("new-box");
    let new = u32::try_from(at).unwrap();
    world.fleet.store(new).begin();
    let there = Door::new(&address);
    wait_until(START_MAX, "the box shows its page", || there.send("GET", "/setup", &[], "").map(|_| ()));
    let Some(till) = Browser::open(&address) else { return };
    till.go("/setup");
    join(&till, &token, &world.fleet.enrol_address());
    world.fleet.store(new).becomes_ready();
    let door = world.fleet.store(new).door().clone();
    wait_until(CONVERGE_MAX, "the new box has heard of everything", || {
        is(&door.read("/v1/staff")?["items"].as_array().map(Vec::len), &Some(STAFF.len()))?;
        for placed in &ready {
            is(&door.read(&format!("/v1/fulfillments/{}", placed.order))?["state"].as_str(), &Some("ready"))?;
        }
        is(&door.read("/v1/shifts?till=9&limit=1")?["items"][0]["state"], &json!("open"))?;
        is(&door.read("/v1/status")?["rights_locked"], &json!(false))
    });
    // The page goes on to the node by itself.
    till.wait_for("the page of the node", "return location.pathname", |at| *at != json!("/setup"));
    // Who joined last keeps the goods; the hub's page says which node that is.
    let home = world.hub.read("/v1/stores/1/home").unwrap();
    let number = door.read("/v1/status").unwrap()["node"].clone();
    assert_eq!(home["home"], number, "{home}");
    office.go("/fleet/1");
    office.see("keeps the goods");

    at_till(&till, &ANN, "9");
    till.scan(MILK.code);
    total(&till, MILK.price);
    pay_exactly(&till);
    // The drawer that was open is the one that is counted: what lay in it, and what was sold since.
    count_drawer(&till, "101.29");
    till.see("€101.29 should be in the drawer, €101.29 were counted, difference €0.00");
    put_away(&till);
    till.go("/handover");
    for placed in &ready {
        till.scan(&placed.code);
        till.see_in("#found", "Hand over");
        till.press(Key::Enter);
        till.see_in("#counter-said", "is handed over");
    }
    till.no_errors();
    drop(till);

    // The dead box is not to be believed any more.
    let gone = home["nodes"].as_array().unwrap().iter().find(|node| node["node"] != number).unwrap()["node"].clone();
    office.go("/enrol");
    office.click(&format!("Revoke {gone}"));
    office.eval(&format!("document.querySelector('#revoke-{gone} select').value = 'replaced'"));
    office.eval(&format!("document.querySelector('#revoke-{gone} form button').click()"));
    confirm(&office);
    office.see(&format!("Node {gone} is revoked"));
    wait_until(CONVERGE_MAX, "the hub has what was handed over", || {
        ready.iter().try_for_each(|placed| {
            let order = world.hub.read(&format!("/v1/orders/{}", placed.order))?;
            is(&order["state"].as_str(), &Some("completed")).map_err(|_| order.to_string())
        })
    });

    // Its disk is found, and switched on by mistake.
    world.fleet.store(1).start();
    let dead = world.fleet.store(1).door().clone();
    let Some(found) = Browser::open(dead.address()) else { return };
    found.go("/link");
    // It says so itself, on every page, and promises nothing.
    found.see("Nobody: no link is up.");
    found.see("Not believed by the hub");
    found.see("The hub does not let this node in any more");
    assert_eq!(dead.read("/v1/status").unwrap()["rights_locked"], json!(true));
    // Whatever it believes, the hub lets it in no more, and the new box keeps the goods.
    let nodes = world.hub.read("/v1/nodes").unwrap();
    let is_fenced =
        nodes["items"].as_array().unwrap().iter().any(|node| node["node"] == gone && node["fenced"] == true);
    assert!(is_fenced, "{nodes}");
    assert_eq!(world.hub.read("/v1/stores/1/home").unwrap()["home"], number);
    office.go("/fleet/1");
    office.see("revoked");
}
