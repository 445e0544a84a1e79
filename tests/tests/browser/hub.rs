//! Pages of the hub: a node let in by its page, a store that is cut off, what was promised there, and a node that nobody believes any more.

use serde_json::{Value, json};
use stockroom_tests::browser::{Browser, Look, Scheme};
use stockroom_tests::nodes::binary::wait_until;
use stockroom_tests::nodes::door::{Door, Reply};
use stockroom_tests::nodes::fleet::{CONVERGE_MAX, Fleet};

use super::stories::{confirm, token_of};

/// The state of a store in the table of the fleet.
fn shows_state(page: &Browser, store: u32, wanted: &str) {
    let look = format!(
        "const row = document.querySelector('tr[data-store=\"{store}\"] [data-state]'); return row && row.dataset.state;"
    );
    page.wait_for(&format!("store {store} is {wanted}"), &look, |state| *state == json!(wanted));
}

fn is_at_hub(hub: &Door, path: &str, what: &str, good: impl Fn(&Value) -> bool) {
    wait_until(CONVERGE_MAX, what, || {
        let answer = hub.read(path)?;
        if good(&answer) { Ok(()) } else { Err(answer.to_string()) }
    });
}

#[test]
fn a_node_is_let_in_by_the_page_and_appears_green_until_its_line_is_cut() {
    let mut fleet = Fleet::of(1);
    let hub = fleet.hub().door().clone();
    // A store that never wrote anything cannot say that the hub has all of it.
    fleet.store(1).receive("goods", "milk", 10);
    let Some(page) = Browser::open(hub.address()) else { return };
    page.look(Look { width: 1440, scheme: Scheme::Light });
    page.go("/fleet");
    shows_state(&page, 1, "in-sync");
    page.see_in("tr[data-store='1']", env!("CARGO_PKG_VERSION"));

    let token = token_of(&page, 2, "Harbour");
    let joined = fleet.try_join("store-2", &token);
    assert_eq!(joined.code, 0, "{joined:?}");
    page.go("/fleet");
    page.see("Harbour");
    shows_state(&page, 2, "never");
    page.no_errors();

    // The page learns by itself that the line is cut, and that it is mended.
    let cut = |cut: bool| hub.post("/v1/test/isolate", None, &json!({ "cut": cut })).and_then(Reply::good);
    shows_state(&page, 1, "in-sync");
    cut(true).unwrap();
    shows_state(&page, 1, "cut-off");
    cut(false).unwrap();
    shows_state(&page, 1, "in-sync");
}

#[test]
fn head_office_makes_another_box_the_home_of_a_stores_goods() {
    let mut fleet = Fleet::of(1);
    let hub = fleet.hub().door().clone();
    let home = || hub.read("/v1/stores/1/home").unwrap()["home"].as_u64().unwrap();
    let first = home();
    let Some(page) = Browser::open(hub.address()) else { return };
    let token = token_of(&page, 1, "");
    let joined = fleet.try_join("spare", &token);
    assert_eq!(joined.code, 0, "{joined:?}");
    assert_ne!(home(), first, "who joined last is the home");

    page.go("/fleet/1");
    page.see(&format!("Node {first}: Make it the home"));
    let form = format!("#promote-{first}");
    page.eval(&format!("document.querySelector('{form}').open = true"));
    page.fill("Why (one word)", "spare");
    page.eval(&format!("document.querySelector('{form} form button').click()"));
    confirm(&page);
    page.see(&format!("Node {first} keeps the goods now, term"));
    assert_eq!(home(), first);
    page.no_errors();
}

#[test]
fn promises_at_a_store_without_contact_are_named_and_the_store_is_paused() {
    let mut fleet = Fleet::of(1);
    let hub = fleet.hub().door().clone();
    fleet.store(1).receive("goods", "milk", 10);
    let rule = json!({ "allocation": "hub-only", "lead_min": 0 });
    hub.put("/v1/policies", "rule", &rule).and_then(Reply::good).unwrap();
    let order = json!({ "channel": "pickup", "source": "app", "reference": "A-1", "stores": [1],
        "lines": [{ "sku": "milk", "quantity": 2, "unit_price": 129 }] });
    let placed = wait_until(CONVERGE_MAX, "the hub holds rights", || {
        hub.post("/v1/orders", Some("order"), &order).and_then(Reply::good)
    });
    let number = placed["order"]["order"].as_str().or_else(|| placed["order"].as_str()).expect("a number").to_owned();
    let Some(page) = Browser::open(hub.address()) else { return };
    hub.post("/v1/test/isolate", None, &json!({ "cut": true })).and_then(Reply::good).unwrap();
    is_at_hub(&hub, "/v1/stores/1", "the line is down", |store| store["connected"] == false);
    page.look(Look { width: 360, scheme: Scheme::Dark });
    // The day in the shops may be over when this runs.
    page.go("/chain/risk?by=2099-01-01T00:00");
    page.see("1 stores without contact");
    page.see(&number);
    page.tick("Choose the store 1");
    page.click("Pause the chosen stores");
    page.see("what it has stays");
    page.eval("[...document.querySelectorAll('dialog button')].find((button) => button.className === 'main').click()");
    page.see("takes nothing new");
    let service = hub.read("/v1/order-rules/service").unwrap();
    assert_eq!(service["items"][0]["parts_per_day"], 0, "{service}");
    page.go(&format!("/chain/orders/{number}"));
    page.see("Why this store");
    page.no_errors();
}

#[test]
fn a_revoked_node_is_red_on_every_page_and_stands_among_the_security_events() {
    let mut fleet = Fleet::of(1);
    let hub = fleet.hub().door().clone();
    let Some(page) = Browser::open(hub.address()) else { return };
    page.go("/enrol");
    page.click("Revoke 2");
    page.eval("document.querySelector('details[open] form button').click()");
    page.see("cannot be taken back. Revoke it?");
    page.eval("[...document.querySelectorAll('dialog button')].find((button) => button.className === 'main').click()");
    page.see("Node 2 is revoked");
    is_at_hub(&hub, "/v1/nodes", "it is fenced", |nodes| nodes["items"][1]["fenced"] == true);
    page.go("/fleet?lang=zh-CN");
    shows_state(&page, 1, "revoked");
    page.go("/security?lang=en");
    page.see("node 2 is no longer believed");
    page.no_errors();
    fleet.store(1).kill();
}
