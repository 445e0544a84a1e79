//! 11.11, 20:00: the stores go dark. What is due, what is paused, who collects all the same, and what became of it when they are back.

use serde_json::{Value, json};
use stockroom_tests::browser::pages::sign_in;
use stockroom_tests::browser::worlds::{ANN, HANNA, Stage, World};
use stockroom_tests::browser::{Browser, Key, Look, Scheme};
use stockroom_tests::nodes::binary::{is, wait_until};
use stockroom_tests::nodes::door::Reply;
use stockroom_tests::nodes::fleet::CONVERGE_MAX;

use super::confirm;

#[test]
fn stores_go_dark_are_named_with_their_promises_and_paused_and_are_heard_of_again() {
    let world = World::chain();
    let ready = world.placed(Stage::Ready).clone();
    // Her card was charged when she ordered.
    let charged = json!({ "authorised": 1_548, "captured": 1_548, "reference": "GW-1" });
    world
        .hub
        .post(&format!("/v1/orders/{}/payments", ready.order), Some("charged"), &charged)
        .and_then(Reply::good)
        .unwrap();
    let Some(office) = Browser::open(world.hub.address()) else { return };
    office.look(Look { width: 1440, scheme: Scheme::Dark });
    sign_in(&office, &HANNA);
    office.go(EVERYTHING);
    office.see("Every store is connected");
    let cut = |cut: bool| world.hub.post("/v1/test/isolate", None, &json!({ "cut": cut })).and_then(Reply::good);
    cut(true).unwrap();
    // The page learns of it by itself, and says how old each store's figures are.
    office.see("2 stores without contact");
    office.see(&ready.order);
    let ages = office.eval("return document.querySelectorAll('#chosen li [data-age]').length");
    assert!(ages.as_u64() >= Some(2), "each store says how old what is known of it is: {ages}");

    office.tick("Choose the store 1");
    office.tick("Choose the store 2");
    office.click("Pause the chosen stores");
    confirm(&office);
    office.see("Done.");
    office.see("takes nothing new");
    let service = world.hub.read("/v1/order-rules/service").unwrap();
    let paused = service["items"].as_array().unwrap().iter().filter(|rule| rule["parts_per_day"] == 0).count();
    assert_eq!(paused, 2, "{service}");

    office.no_errors();

    // Her husband asked for the money; head office pays it back without the store's answer, and says who bears it if the goods go out.
    let refund = format!("#refund-{}", ready.order);
    office.eval(&format!("document.querySelector('{refund}').open = true"));
    office.eval(&format!("document.querySelector('{refund} input[name=note]').value = 'marketing'"));
    office.eval(&format!("document.querySelector('{refund} button').click()"));
    confirm(&office);
    wait_until(CONVERGE_MAX, "the money is due back", || is(&owed(&world, &ready.order)?, &vec![json!("due"); 2]));
    office.go(&format!("/chain/orders/{}", ready.order));
    office.see("A store that holds a part has not said all yet");
    // And why it went there.
    office.see_in("#order", "Routed");
    office.see_in("#order", "store 1: chosen");
    // The gateway has paid: line by line.
    for number in ["R-1", "R-2"] {
        office.fill("Gateway's number", number);
        office.click("It was paid back");
        wait_until(CONVERGE_MAX, "it is written down", || {
            let left = owed(&world, &ready.order)?.iter().filter(|state| **state == json!("due")).count();
            is(&left, &usize::from(number == "R-1"))
        });
        office.reload();
    }
    office.no_errors();

    // She comes to collect all the same; the store has not heard.
    let Some(counter) = Browser::open(world.store(1).address()) else { return };
    sign_in(&counter, &ANN);
    counter.go("/handover");
    counter.scan(&ready.code);
    counter.see_in("#found", "Hand over");
    counter.press(Key::Enter);
    counter.see_in("#counter-said", "is handed over");
    drop(counter);

    cut(false).unwrap();
    wait_until(CONVERGE_MAX, "the hub knows that she has the goods", || {
        let order = world.hub.read(&format!("/v1/orders/{}", ready.order))?;
        is(&order["fulfillments"][0]["state"].as_str(), &Some("handed-over")).map_err(|_| order.to_string())
    });
    office.go(EVERYTHING);
    office.tick("Choose the store 1");
    office.tick("Choose the store 2");
    office.click("Let the chosen stores take orders again");
    confirm(&office);
    office.see("Done.");
    office.see("Every store is connected");
    office.go(&format!("/chain/orders/{}", ready.order));
    office.see("Why this store");
    office.see("handed over");
    // Both happened: it is a loss, and it says whose.
    office.see("borne by marketing");
    office.no_errors();
}

/// What is due at any time: the day in the shops may be over when this runs.
const EVERYTHING: &str = "/chain/risk?by=2099-01-01T00:00";

/// How every compensation of an order stands.
fn owed(world: &World, order: &str) -> Result<Vec<Value>, String> {
    let order = world.hub.read(&format!("/v1/orders/{order}"))?;
    Ok(order["compensations"].as_array().into_iter().flatten().map(|due| due["state"].clone()).collect())
}
