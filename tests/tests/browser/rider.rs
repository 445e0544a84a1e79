//! The page on a rider's phone: what a rider says while there is no signal is sent, once, when there is one.

use stockroom_tests::browser::worlds::{Stage, World};
use stockroom_tests::browser::{Browser, Look, Scheme};
use stockroom_tests::nodes::binary::wait_until;
use stockroom_tests::nodes::fleet::CONVERGE_MAX;

#[test]
fn a_delivery_without_signal_is_told_when_the_signal_is_back() {
    let world = World::chain();
    let Some(phone) = Browser::open(world.hub.address()) else { return };
    phone.look(Look { width: 360, scheme: Scheme::Light });
    let placed = world.placed(Stage::WithRider);
    phone.go(&world.rider_page);
    phone.see("Route of Ren Fei");
    phone.see("Harbour Street 12");
    phone.no_errors();

    phone.lose_network();
    phone.fill("Code of the customer", &placed.code);
    phone.click("Delivered");
    phone.see("delivered (not sent yet)");
    phone.see("1 waiting to be sent");
    let state = |path: &str| world.hub.read(path).map(|order| order["state"].to_string());
    let order = format!("/v1/orders/{}", placed.order);
    assert_ne!(state(&order).unwrap(), "\"completed\"", "nobody can know yet");

    phone.find_network();
    phone.see("delivered, sent");
    phone.see_not("waiting to be sent");
    wait_until(CONVERGE_MAX, "the order is completed", || {
        let state = state(&order)?;
        if state == "\"completed\"" { Ok(()) } else { Err(state) }
    });
}
