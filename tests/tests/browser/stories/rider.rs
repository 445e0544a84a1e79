//! Three drops: nobody at home, somebody too young, somebody who wants to see the photo; half of it without a signal. The bags come back.

use serde_json::json;
use stockroom_tests::browser::pages::sign_in;
use stockroom_tests::browser::worlds::{ANN, BO, CURRENCY, RIDER, Stage, WINE, World};
use stockroom_tests::browser::{Browser, Look, Scheme};
use stockroom_tests::nodes::binary::{is, wait_until};
use stockroom_tests::nodes::door::Reply;
use stockroom_tests::nodes::fleet::CONVERGE_MAX;

#[test]
fn three_drops_half_without_a_signal_and_the_bags_come_back_to_the_shop() {
    let mut world = World::chain();
    let absent = world.placed(Stage::WithRider).order.clone();
    let photo = world.order(1, Stage::WithRider).order;
    let wine = wine(&world);
    let Some(phone) = Browser::open(world.hub.address()) else { return };
    phone.look(Look { width: 360, scheme: Scheme::Light });
    wait_until(CONVERGE_MAX, "three stops are on the sheet", || {
        let sheet = world.hub.read(&format!("/v1/riders/{RIDER}/sheet"))?;
        is(&sheet["stops"].as_array().map(Vec::len), &Some(3))
    });
    phone.go(&world.rider_page);
    phone.wait_for("three drops", "return document.querySelectorAll('section').length", |n| *n == json!(3));
    phone.see("whoever takes it must have this age: 18");

    // Nobody opens.
    act(&phone, &absent, "form[data-act=failed] select", "customer-unreachable", "failed");
    phone.see("not delivered, sent");
    // In the yard there is no signal.
    phone.lose_network();
    // Without a proof nothing is kept that would be refused hours later.
    act(&phone, &photo, "input[name=photo]", "", "delivered");
    phone.see_not("waiting to be sent");
    act(&phone, &wine, "form[data-act=failed] select", "age-check-failed", "failed");
    phone.see("1 waiting to be sent");
    act(&phone, &photo, "input[name=photo]", "door-17.jpg", "delivered");
    phone.see("2 waiting to be sent");
    assert_ne!(state(&world, &photo).unwrap(), "delivered", "nobody can know yet");
    phone.find_network();
    phone.see_not("waiting to be sent");
    phone.see(" delivered, sent");
    for (order, wanted) in [(&photo, "delivered"), (&absent, "returning"), (&wine, "returning")] {
        wait_until(CONVERGE_MAX, &format!("the hub hears that {order} is {wanted}"), || {
            let state = state(&world, order)?;
            if state == wanted || (wanted == "returning" && state == "failed") { Ok(()) } else { Err(state) }
        });
    }
    // Both bags go back to the shop.
    for order in [&absent, &wine] {
        phone.eval(&format!("{}.querySelector('form[data-act=returning] button').click()", section(order)));
    }
    phone.see("on its way back, sent");
    drop(phone);

    // Back at the shop somebody takes the bags.
    let Some(desk) = Browser::open(world.store(1).address()) else { return };
    sign_in(&desk, &BO);
    for order in [&absent, &wine] {
        desk.go(&format!("/orders/{order}"));
        desk.click("The bags are back");
        desk.click("It lies on the shelf again");
        wait_until(CONVERGE_MAX, "the hub hears that they are back", || {
            is(&state(&world, order)?.as_str(), &"returned")
        });
    }
    desk.no_errors();
}

/// A bottle of wine that left with the rider.
fn wine(world: &World) -> String {
    let mut tries = 0;
    let made = wait_until(CONVERGE_MAX, "the wine is ordered", || {
        tries += 1;
        let body = json!({
            "channel": "delivery", "source": "app", "currency": CURRENCY, "stores": [1], "wait_ms": 2_000,
            "reference": format!("W-{tries}"), "lines": [{ "sku": WINE.sku, "quantity": 1 }],
            "contact": { "name": "Jo Young", "phone": "+86 138 0013 8001", "address": "Harbour Street 14" },
            "place": { "lat": 52.51, "lon": 13.41 },
        });
        let made = world.hub.post("/v1/orders", Some(&format!("wine-{tries}")), &body)?.good()?;
        if made["outcome"] == "placed" { Ok(made) } else { Err(made["why"].to_string()) }
    });
    let order = made["order"].as_str().expect("it was placed").to_owned();
    let store = world.store(1);
    let part = format!("/v1/fulfillments/{order}");
    wait_until(CONVERGE_MAX, "the order is at its store", || store.read(&part));
    let step = |action: &str| {
        let key = format!("wine-{action}");
        let done = store.post(&format!("{part}/{action}"), Some(&key), &json!({ "staff": ANN.staff }));
        done.and_then(Reply::good).unwrap_or_else(|error| panic!("{action}: {error}"));
    };
    ["accept", "pick", "ready"].into_iter().for_each(step);
    wait_until(CONVERGE_MAX, "the rider gets the wine", || {
        world.hub.post(&format!("/v1/deliveries/{order}/assign"), None, &json!({ "rider": RIDER }))?.good()
    });
    wait_until(CONVERGE_MAX, "the store knows who brings it", || {
        is(&store.read(&part)?["state"].as_str(), &Some("courier-assigned"))
    });
    step("dispatch");
    order
}

/// Says what became of one drop, as the rider does on her phone.
fn act(phone: &Browser, order: &str, field: &str, value: &str, deed: &str) {
    let section = section(order);
    phone.eval(&format!(
        "const one = {section}.querySelector('{field}'); one.value = '{value}'; one.dispatchEvent(new Event('input', {{ bubbles: true }}))"
    ));
    phone.eval(&format!("{section}.querySelector('form[data-act={deed}] button').click()"));
}

fn state(world: &World, order: &str) -> Result<String, String> {
    let known = world.hub.read(&format!("/v1/deliveries/{order}"))?;
    Ok(known["items"][0]["state"].as_str().unwrap_or_default().to_owned())
}

/// The part of the rider's page that is about one drop.
fn section(order: &str) -> String {
    format!("[...document.querySelectorAll('section')].find((one) => one.innerText.includes('{order}'))")
}
