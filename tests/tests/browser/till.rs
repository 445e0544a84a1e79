//! The till: selling with a scanner and with keys alone, what is put aside, taken back and returned, and a sale while the node is gone.

use serde_json::Value;
use stockroom_tests::browser::pages::sign_in;
use stockroom_tests::browser::worlds::{ANN, APPLES, BO, MIA, MILK, Person, TEA, WINE, World};
use stockroom_tests::browser::{Browser, Key};
use stockroom_tests::nodes::binary::wait_until;
use stockroom_tests::nodes::fleet::CONVERGE_MAX;

#[test]
fn a_scanner_and_cash_make_a_sale_with_its_change() {
    let world = World::shop();
    let Some(till) = at_till(&world, &ANN, "21") else { return };
    till.scan(MILK.code);
    till.scan(MILK.code);
    till.scan("3*6901234567892");
    till.see("Longjing");
    total(&till, 2 * 129 + 3 * 1_290);
    let ms = till.wait_for(
        "a scan was measured",
        "return Number(document.getElementById('lines').dataset.scanMs || 0)",
        |ms| ms.as_f64() > Some(0.0),
    );
    assert!(ms.as_f64() < Some(1_000.0), "a line took {ms} ms");
    till.press(Key::F8);
    till.see("Left to pay");
    till.write("50");
    till.see("change €8.72");
    till.press(Key::Enter);
    till.see_in(".till-change", "€8.72");
    assert_eq!(receipts(&world, 21), 1);
    assert_eq!(last(&world, 21)["tenders"][1]["amount"], -872);
    till.see_in("#empty", "scan the first article");
    till.no_errors();
}

#[test]
fn pressing_twice_pays_once() {
    let world = World::shop();
    let Some(till) = at_till(&world, &ANN, "22") else { return };
    till.scan(MILK.code);
    total(&till, 129);
    till.click("Pay");
    till.see("Left to pay");
    till.eval("const take = document.getElementById('take-cash'); take.click(); take.click(); take.click(); return 0");
    till.see_in("#last", "€1.29");
    till.reload();
    till.see_in("#last", "€1.29");
    assert_eq!(receipts(&world, 22), 1);
    till.no_errors();
}

#[test]
fn what_is_on_the_screen_is_there_again_after_the_page_was_closed() {
    let world = World::shop();
    let Some(till) = at_till(&world, &ANN, "23") else { return };
    till.scan(TEA.code);
    till.scan("0.350*apples");
    till.see("0.350 kg");
    total(&till, 1_290 + 140);
    till.go("/link");
    till.go("/till");
    till.see("Longjing");
    total(&till, 1_290 + 140);
    till.no_errors();
}

#[test]
fn a_basket_waits_and_is_gone_on_with() {
    let world = World::shop();
    let Some(till) = at_till(&world, &ANN, "24") else { return };
    till.scan(TEA.code);
    total(&till, TEA.price);
    till.click("Put aside");
    till.see("Put aside as 24-");
    till.scan(MILK.code);
    total(&till, MILK.price);
    till.press(Key::F9);
    till.click("Go on with it");
    till.see("put that aside or pay it first");
    till.press(Key::Escape);
    pay_exactly(&till);
    till.press(Key::F9);
    till.click("Go on with it");
    total(&till, TEA.price);
    pay_exactly(&till);
    till.press(Key::F9);
    till.see("Nothing waits.");
    till.no_errors();
}

#[test]
fn age_is_looked_at_before_it_is_paid() {
    let world = World::shop();
    let Some(till) = at_till(&world, &ANN, "25") else { return };
    till.scan(WINE.code);
    till.see("must be 18");
    total(&till, WINE.price);
    till.press(Key::F8);
    till.click("Yes, old enough");
    till.see("Left to pay");
    till.press(Key::Enter);
    till.see_in("#last", "€8.99");
    till.no_errors();
}

#[test]
fn a_receipt_is_taken_back_with_a_managers_pin() {
    let world = World::shop();
    let Some(till) = at_till(&world, &ANN, "26") else { return };
    till.scan(TEA.code);
    total(&till, TEA.price);
    pay_exactly(&till);
    till.press(Key::F6);
    till.see("how many of 1 come back");
    till.click("Take the whole receipt back");
    till.fill("Manager's short name", MIA.staff);
    till.fill("PIN", MIA.pin);
    till.click("Approve");
    till.see("give €12.90 back");
    till.see("taken back (void)");
    assert_eq!(receipts(&world, 26), 2);
    assert_eq!(last(&world, 26)["approver"], MIA.staff);
    till.no_errors();
}

#[test]
fn goods_come_back_with_their_receipt() {
    let world = World::shop();
    let Some(till) = at_till(&world, &MIA, "27") else { return };
    till.scan("2*6901234567892");
    total(&till, 2 * TEA.price);
    pay_exactly(&till);
    till.press(Key::F6);
    till.fill("龙井茶 Longjing", "1");
    till.click("Take back what is chosen");
    till.click("Approve");
    till.see("give the customer €12.90 in cash");
    till.fill("龙井茶 Longjing", "2");
    till.allow("422");
    till.allow("409");
    till.click("Take back what is chosen");
    till.click("Approve");
    till.see_in("#receipt-said", "may still come back");
    till.no_errors();
}

#[test]
fn a_sale_without_a_node_is_held_and_booked_once() {
    let world = World::shop();
    let Some(till) = at_till(&world, &ANN, "28") else { return };
    till.see("8 articles");
    till.wait_for("the page is kept for later", WORKER, |ready| ready == &Value::Bool(true));
    till.go("/till");
    till.scan(TEA.code);
    total(&till, TEA.price);
    till.lose_network();
    till.scan(MILK.code);
    till.see("The node does not answer. Cash sales go on");
    total(&till, TEA.price + MILK.price);
    pay_exactly(&till);
    till.see("H-28-1");
    till.see("not yet in the books");
    // Nothing is lost by closing the page.
    till.go("/till");
    till.see("H-28-1");
    till.scan(MILK.code);
    till.see("Fresh milk");
    pay_exactly(&till);
    till.see("H-28-2");
    assert_eq!(receipts(&world, 28), 0);

    till.find_network();
    till.wait_for("everything is booked", "return document.getElementById('held').hidden", |gone| {
        gone == &Value::Bool(true)
    });
    assert_eq!(receipts(&world, 28), 2);
    assert_eq!(world.store(1).read("/v1/sales/28/1").unwrap()["total"], TEA.price + MILK.price);
    assert_eq!(world.store(1).read("/v1/sales/28/2").unwrap()["total"], MILK.price);
    till.reload();
    till.see("8 articles");
    assert_eq!(receipts(&world, 28), 2, "nothing is posted twice");
}

#[test]
fn another_person_does_not_send_what_ann_sold() {
    let world = World::shop();
    let Some(till) = at_till(&world, &ANN, "29") else { return };
    till.see("8 articles");
    till.lose_node();
    till.scan(MILK.code);
    till.see("The node does not answer. Cash sales go on");
    pay_exactly(&till);
    till.see("H-29-1");
    // Ann's session ends before the node is back: the page that comes then is somebody else's.
    till.eval("document.documentElement.dataset.staff = 'bo'; return 0");
    till.find_network();
    till.see("sold by ann");
    sign_in(&till, &BO);
    till.go("/till");
    till.see("sold by ann");
    assert_eq!(receipts(&world, 29), 0);
}

#[test]
fn keys_alone_are_enough() {
    let world = World::shop();
    let Some(till) = at_till(&world, &ANN, "30") else { return };
    till.write("rye");
    till.see("Rye bread");
    till.press(Key::Down);
    till.press(Key::Enter);
    total(&till, 349);
    till.write("+");
    total(&till, 698);
    till.write("apples");
    till.press(Key::Enter);
    till.see("Weight in kg");
    till.write("1.2");
    till.press(Key::Enter);
    total(&till, 698 + 479);
    till.press(Key::Up);
    till.write("-");
    total(&till, 349 + 479);
    till.press(Key::F8);
    till.see("Left to pay");
    till.press(Key::Enter);
    till.see_in("#last", "€8.28");
    till.scan(APPLES.sku);
    till.see("Weight in kg");
    till.press(Key::Escape);
    till.scan("9999999999994");
    till.allow("404");
    till.allow("422");
    till.see("Nothing here has this code: 9999999999994");
    till.no_errors();
}

#[test]
fn a_drawer_is_taken_counted_and_given_back() {
    let world = World::shop();
    let Some(till) = at_till(&world, &ANN, "31") else { return };
    till.press(Key::F10);
    till.fill("Cash that lies in it", "100");
    till.click("Take the drawer");
    till.see("Drawer: ann");
    till.press(Key::Escape);
    till.scan(TEA.code);
    total(&till, TEA.price);
    pay_exactly(&till);
    till.press(Key::F10);
    till.click("Count and give the drawer back");
    till.fill("What is in it", "90.00");
    till.allow("409");
    till.click("Close the shift");
    till.fill("Manager's short name", MIA.staff);
    till.fill("PIN", MIA.pin);
    till.click("Approve");
    till.see("€112.90 should be in the drawer, €90.00 were counted");
    till.no_errors();
}

/// A browser at the till of store 1, with somebody signed in and a number of its own.
fn at_till(world: &World, person: &Person, number: &str) -> Option<Browser> {
    let till = Browser::open(world.store(1).address())?;
    sign_in(&till, person);
    till.go("/till");
    till.fill("Number of this till", number);
    till.click("Use this number");
    till.wait_for("the till has its number", "return document.getElementById('till-is').textContent", |is| {
        is == number
    });
    Some(till)
}

fn total(till: &Browser, minor: i64) {
    till.wait_for("the total", "return document.getElementById('total').classList.contains('guess') ? null : Number(document.getElementById('total').dataset.minor)", |total| total.as_i64() == Some(minor));
}

fn pay_exactly(till: &Browser) {
    till.press(Key::F8);
    till.see("Left to pay");
    till.press(Key::Enter);
    till.wait_for(
        "it is paid",
        "return !document.getElementById('pay-box').open && !document.getElementById('empty').hidden",
        |paid| paid == &Value::Bool(true),
    );
}

fn receipts(world: &World, till: u32) -> u64 {
    let read = || world.store(1).read(&format!("/v1/tills/{till}"));
    wait_until(CONVERGE_MAX, "the till is known", read)["last_till_seq"].as_u64().unwrap_or(0)
}

fn last(world: &World, till: u32) -> Value {
    let known = world.store(1).read(&format!("/v1/tills/{till}")).unwrap();
    world.store(1).read(&format!("/v1/receipts/{}", known["last_receipt"].as_str().unwrap())).unwrap()
}

/// The page's worker looks after it, and keeps the page as it was seen.
const WORKER: &str =
    "return navigator.serviceWorker.controller !== null || (navigator.serviceWorker.ready.then(() => {}), false)";
