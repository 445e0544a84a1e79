//! She stands at the counter with a QR. The store is cut off and has never heard of the order. Her husband tries the same QR at the other till and at
//! the other store, and she cancels on the way home.

use serde_json::json;
use stockroom_tests::browser::pages::sign_in;
use stockroom_tests::browser::worlds::{ANN, BO, CURRENCY, MILK, TEA, World};
use stockroom_tests::browser::{Browser, Key};
use stockroom_tests::nodes::binary::{is, wait_until};
use stockroom_tests::nodes::door::Reply;
use stockroom_tests::nodes::fleet::CONVERGE_MAX;

#[test]
fn a_pass_is_good_once_at_one_store_and_a_cancel_afterwards_is_too_late() {
    let world = World::chain();
    let (here, there) = (world.store(1).clone(), world.store(2).clone());
    let before = here.on_hand(TEA.sku, 1).unwrap();
    world.hub.post("/v1/test/isolate", None, &json!({ "cut": true })).and_then(Reply::good).unwrap();
    here.post("/v1/test/isolate", None, &json!({ "cut": true })).and_then(Reply::good).unwrap();
    let body = json!({
        "channel": "pickup", "source": "app", "reference": "pass", "currency": CURRENCY, "stores": [1],
        "lines": [{ "sku": TEA.sku, "quantity": 1 }, { "sku": MILK.sku, "quantity": 2 }],
    });
    let made = world.hub.post("/v1/orders", Some("pass-order"), &body).and_then(Reply::good).unwrap();
    let order = made["order"].as_str().expect("the hub holds rights").to_owned();
    let pass =
        world.hub.post(&format!("/v1/orders/{order}/pass"), Some("pass"), &json!({})).and_then(Reply::good).unwrap();
    let qr = pass["qr_text"].as_str().expect("a text").to_owned();
    let part = format!("/v1/fulfillments/{order}");
    assert_eq!(here.send("GET", &part, &[], "").unwrap().status, 404, "the store has never heard of it");

    // Three interactions: the QR, and Enter; a third for the next customer.
    let Some(counter) = Browser::open(here.address()) else { return };
    sign_in(&counter, &ANN);
    counter.go("/handover");
    counter.scan(&qr);
    counter.see_in("#found", MILK.name);
    counter.press(Key::Enter);
    counter.see_in("#counter-said", "is handed over");
    assert_eq!(here.read(&part).unwrap()["state"], "handed-over");
    assert_eq!(here.on_hand(TEA.sku, 1).unwrap(), before - 1);

    // Her husband, at the other till.
    let Some(other) = Browser::open(here.address()) else { return };
    sign_in(&other, &BO);
    other.go("/handover");
    other.allow("409");
    other.scan(&qr);
    other.see_in("#counter-said", "it was handed over at");
    assert_eq!(here.on_hand(TEA.sku, 1).unwrap(), before - 1, "nothing left the store twice");
    drop(other);

    // And at the other store.
    let Some(elsewhere) = Browser::open(there.address()) else { return };
    sign_in(&elsewhere, &ANN);
    elsewhere.go("/handover");
    elsewhere.allow("409");
    elsewhere.allow("422");
    elsewhere.scan(&qr);
    elsewhere.see_in("#counter-said", "store 1");
    assert_eq!(there.send("GET", &part, &[], "").unwrap().status, 404, "it is not this store's");
    drop(elsewhere);

    // She cancels: nobody can say yes before the store was heard, and then it is too late.
    let cancel = json!({ "by": "customer" });
    world.hub.post(&format!("/v1/orders/{order}/cancel"), Some("cancel"), &cancel).unwrap();
    let known = || world.hub.read(&format!("/v1/orders/{order}"));
    assert_eq!(known().unwrap()["fulfillments"][0]["cancel_asked"], json!(true));
    world.hub.post("/v1/test/isolate", None, &json!({ "cut": false })).and_then(Reply::good).unwrap();
    here.post("/v1/test/isolate", None, &json!({ "cut": false })).and_then(Reply::good).unwrap();
    let ended = wait_until(CONVERGE_MAX, "the hub knows that she has it", || {
        let order = known()?;
        is(&order["state"], &json!("completed"))?;
        Ok(order)
    });
    assert_eq!(ended["compensations"], json!([]), "nothing is paid back: {ended}");
    assert!(ended["lines"].as_array().unwrap().iter().all(|line| line["handed"] == line["ordered"]), "{ended}");
    counter.no_errors();
}
