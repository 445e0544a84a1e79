//! Coming in: a device, a person, her language; and what becomes of a page when its session or its node is gone.

use serde_json::json;
use stockroom_tests::browser::Browser;
use stockroom_tests::browser::pages::sign_in;
use stockroom_tests::browser::worlds::{ANN, BO, MEMBER_NAME, MIA, MILK, TEA, World};

#[test]
fn a_handheld_is_paired_by_its_address_and_believed_until_it_is_taken_back() {
    let world = World::shop();
    let Some(desk) = Browser::open(world.store(1).address()) else { return };
    let Some(handheld) = Browser::open_lan(&world.lan[0]) else { return };
    handheld.go("/stock");
    handheld.see_at("/pair");
    handheld.see("Pair this device");

    sign_in(&desk, &MIA);
    desk.fill("Name", "handheld 2");
    desk.click("Add a device");
    desk.see("Open this address on the device:");
    desk.see("handheld 2");
    let drawn =
        "const image = document.querySelector('.qr img'); return image && image.complete && image.naturalWidth > 0";
    desk.wait_for("the address is a QR code", drawn, |drawn| *drawn == json!(true));
    let said = desk.eval("return document.getElementById('said').textContent");
    let token = said.as_str().and_then(|said| Some(said.split_once('#')?.1.trim().to_owned())).expect("an address");

    // A token that nobody gave out is refused, and the page says so.
    handheld.allow("401");
    handheld.go("/pair#sd_0000000000000000");
    handheld.see("This device is not paired");
    handheld.go("/link");
    handheld.see_at("/pair");
    handheld.go(&format!("/pair?then=/stock#{token}"));
    handheld.see_at("/sign-in");
    let kept = handheld.eval(
        "return [location.hash, document.cookie, JSON.stringify({ ...localStorage, ...sessionStorage })].join(' ')",
    );
    assert!(!kept.to_string().contains(&token), "a script can read the token: {kept}");
    handheld.fill("Short name", ANN.staff);
    handheld.fill("PIN", ANN.pin);
    handheld.click("Sign in");
    handheld.see_at("/stock");
    handheld.see(TEA.name);

    desk.click("Take back: handheld 2");
    desk.see("Taken back");
    desk.see_not("handheld 2");
    handheld.go("/stock");
    handheld.see_at("/pair");
}

#[test]
fn wrong_pins_are_counted_and_a_restart_does_not_forget_them() {
    let mut world = World::shop();
    world.fleet.store(1).keeps_address();
    let Some(till) = Browser::open(world.store(1).address()) else { return };
    till.go("/stock");
    till.see_at("/sign-in");
    // What is refused stands on the console as well.
    till.allow("422");
    till.allow("429");
    let sign_in_with = |pin| {
        till.fill("Short name", ANN.staff);
        till.fill("PIN", pin);
        till.click("Sign in");
    };
    for left in (1..5).rev() {
        sign_in_with("8306");
        till.see("The PIN is wrong.");
        till.see(&format!("tries left: {left}"));
    }
    // Pulling the plug gives nobody five more.
    till.allow("net::ERR_");
    world.fleet.store(1).kill();
    world.fleet.store(1).start();
    till.go("/sign-in?then=/stock");
    sign_in_with("8306");
    till.see("tries left: 0");
    sign_in_with(ANN.pin);
    till.see("Too many wrong PINs");
    assert_eq!(till.at(), "/sign-in");
    // Somebody else is not kept out.
    till.fill("Short name", MIA.staff);
    till.fill("PIN", MIA.pin);
    till.click("Sign in");
    till.see_at("/stock");
    till.see(MIA.name);
}

#[test]
fn what_was_typed_is_there_again_after_signing_in_anew() {
    let mut world = World::shop();
    world.fleet.store(1).keeps_address();
    let Some(till) = Browser::open(world.store(1).address()) else { return };
    sign_in(&till, &BO);
    till.go(&format!("/stock/{}", MILK.sku));
    till.fill("How many more or fewer", "-2");
    till.choose("Reason", "stolen");
    // Sessions end with the node, and the page is told so by what it shows.
    till.lose_node();
    world.fleet.store(1).stop();
    till.see_in("#link-state", "The node does not answer");
    world.fleet.store(1).start();
    till.find_network();
    till.see_in("#link-state", "hub");
    till.allow("401");
    till.click("Correct it");
    till.see("Your session is over");
    till.click("Sign in");
    till.fill("Short name", BO.staff);
    till.fill("PIN", BO.pin);
    till.click("Sign in");
    till.see_at(&format!("/stock/{}", MILK.sku));
    let typed = "const form = document.querySelector('[data-post=\"/v1/adjustments\"]').elements; return [form.delta.value, form.reason.value]";
    till.wait_for("what was typed is there", typed, |typed| *typed == json!(["-2", "theft"]));
    till.click("Correct it");
    till.see("The book was corrected.");
    assert_eq!(world.fleet.store(1).door().on_hand(MILK.sku, 1), Ok(22));
}

#[test]
fn an_open_page_outlives_its_node_and_shows_what_happened_meanwhile() {
    let mut world = World::shop();
    world.fleet.store(1).keeps_address();
    let Some(desk) = Browser::open(world.store(1).address()) else { return };
    // This page is seen by everybody, so it needs no session that a restart ends.
    desk.go("/link");
    desk.see("In touch with the hub");
    desk.allow("net::ERR_");
    world.fleet.store(1).stop();
    desk.see_in("#link-state", "The node does not answer");
    world.fleet.hub().stop();
    world.fleet.store(1).start();
    desk.see_in("#link-state", "Cut off from the hub");
    desk.see_in("#truth", "new on-line orders arrive only when the link is back");
}

#[test]
fn a_person_signs_out_and_nobody_gets_her_pages_by_going_back() {
    let world = World::shop();
    let Some(till) = Browser::open(world.store(1).address()) else { return };
    sign_in(&till, &MIA);
    let member = format!("/members/{}", world.member);
    till.go(&member);
    till.see(MEMBER_NAME);
    till.click("Sign out");
    till.see_at("/sign-in");
    till.eval("history.back()");
    till.see_at("/sign-in");
    till.see_not(MEMBER_NAME);
    till.go(&member);
    till.see_at("/sign-in");
}

#[test]
fn back_leads_to_what_was_looked_at_before() {
    let world = World::shop();
    let Some(till) = Browser::open(world.store(1).address()) else { return };
    sign_in(&till, &ANN);
    till.go("/stock?q=tea");
    till.click(TEA.name);
    till.see_at(&format!("/stock/{}", TEA.sku));
    till.see("Why is this 24?");
    till.eval("history.back()");
    till.see_at("/stock");
    till.see(TEA.name);
    till.see_not(MILK.name);
}

#[test]
fn each_person_reads_her_language() {
    let world = World::shop();
    let Some(till) = Browser::open(world.store(1).address()) else { return };
    sign_in(&till, &ANN);
    till.click("中文");
    till.see("与中心");
    assert_eq!(till.eval("return document.documentElement.lang"), json!("zh-CN"));
    till.go("/stock");
    till.see("库存");
    till.see_not("On hand");
    till.click("English");
    till.see("On hand");
}

#[test]
fn a_cashier_is_told_where_a_manager_is_needed_and_sees_no_devices() {
    let world = World::shop();
    let Some(till) = Browser::open(world.store(1).address()) else { return };
    sign_in(&till, &ANN);
    till.go("/link");
    till.see("What works now");
    till.see_not("Tills and handhelds");
    // She types an address that she should not: a sentence, not a code.
    till.allow("403");
    till.go(&format!("/members/{}/report", world.member));
    till.see("This needs a manager: sign in as one.");
    till.go(&format!("/members/{}", world.member));
    till.see_not("Erase this member");
    let asked = "return fetch('/v1/devices', { headers: { 'Stockroom-Page': '1' } }).then((answer) => answer.status)";
    assert_eq!(till.eval(asked), json!(403));
}

#[test]
fn another_sites_form_does_nothing_with_this_browsers_cookies() {
    let world = World::shop();
    let Some(till) = Browser::open(world.store(1).address()) else { return };
    sign_in(&till, &MIA);
    till.allow("403");
    for (path, body) in [
        ("/v1/adjustments", "{ sku: 'milk-1l', delta: -5, reason: 'theft' }"),
        ("/v1/devices", "{ name: 'thief' }"),
        ("/pages/sign-out", "{}"),
        ("/pages/language", "{ language: 'zh-CN' }"),
    ] {
        // As a form of another site would: with the cookies, without the header that only our script sends.
        let send = format!(
            "return fetch('{path}', {{ method: 'POST', headers: {{ 'Content-Type': 'application/json', 'Idempotency-Key': 'forged' }}, \
             body: JSON.stringify({body}) }}).then((answer) => answer.status)"
        );
        assert_eq!(till.eval(&send), json!(403), "{path}");
    }
    till.reload();
    till.see(MIA.name);
    till.see_not("thief");
    assert_eq!(world.store(1).on_hand(MILK.sku, 1), Ok(24));
}
