//! The manager's day: a price list that is late, two people who count what is being sold, a drawer that is 50 short, and the day closed while the
//! hub does not hear of it.

use serde_json::json;
use stockroom_tests::browser::pages::sign_in;
use stockroom_tests::browser::worlds::{ANN, BO, CURRENCY, HANNA, MIA, MILK, TEA, World};
use stockroom_tests::browser::{Browser, Key};
use stockroom_tests::nodes::binary::{is, wait_until};
use stockroom_tests::nodes::door::Reply;
use stockroom_tests::nodes::fleet::CONVERGE_MAX;

use super::{at_till, confirm, count_drawer, pay_exactly, put_away, take_drawer, total};

#[test]
fn a_price_list_that_comes_late_is_on_the_label_page_until_the_labels_hang() {
    let world = World::shop();
    let Some(mia) = Browser::open(world.store(1).address()) else { return };
    sign_in(&mia, &MIA);
    mia.go("/labels");
    mia.see("Every shelf shows what the till takes.");
    // Head office meant it to hold since 2021.
    let new = json!({ "prices": [
        { "sku": MILK.sku, "book": "default", "price": 149, "currency": CURRENCY, "from": "2021-01-01T00:00:00Z" }
    ] });
    world.hub.post("/v1/prices", Some("late"), &new).and_then(Reply::good).unwrap();
    // The page hears of it by itself.
    mia.see("late");
    mia.see_in("#labels tbody tr", "Fresh milk 1 l milk-1l late €1.29 €1.49");
    mia.click("It hangs");
    mia.see("Every shelf shows what the till takes.");
    at_till(&mia, &MIA, "4");
    mia.scan(MILK.code);
    total(&mia, 149);
}

#[test]
fn two_people_count_what_is_sold_meanwhile_and_the_figure_explains_itself() {
    let world = World::shop();
    let (Some(mia), Some(bo)) = (Browser::open(world.store(1).address()), Browser::open(world.store(1).address()))
    else {
        return;
    };
    sign_in(&bo, &BO);
    bo.go("/counts");
    bo.fill("Product numbers", TEA.sku);
    bo.click("Start");
    bo.see("Scan, or type a number");
    let session = bo.at();
    sign_in(&mia, &MIA);
    mia.go("/counts");
    mia.see("1 products");
    mia.go(&session);
    // Ten on the shelf, thirteen in the back room: one of the 24 is gone. Then one is sold.
    record(&mia, TEA.code, "10", "shelf");
    bo.see_in("#lines", "10");
    record(&bo, TEA.code, "13", "back room");
    mia.see_in("#lines", "23");
    at_till(&mia, &MIA, "5");
    mia.scan(TEA.code);
    total(&mia, TEA.price);
    pay_exactly(&mia);
    bo.click("Close the count");
    confirm(&bo);
    bo.see("The books follow the count.");
    mia.go(&format!("/stock/{}", TEA.sku));
    mia.see("Why is this 22?");
    let why = mia.text();
    assert!(why.contains("= 23") && why.contains("1-5-1-1"), "{why}");
    assert_eq!(world.store(1).on_hand(TEA.sku, 1).unwrap(), 22);
}

#[test]
fn a_drawer_is_short_the_day_is_closed_unheard_and_the_hub_says_what_it_lacks() {
    let world = World::shop();
    let headers = [("content-type", "text/csv"), ("idempotency-key", "consigned")];
    let list = format!(
        "sku,name,unit,barcodes,price,currency,department,age_min,item_number,tax_code,owner\n\
         olive-oil,Olive oil on consignment,each,,990,{CURRENCY},oil,0,0,food,olive-coop\n"
    );
    let path = "/v1/products/import?book=default&from=2020-01-01T00:00:00Z";
    world.hub.send("POST", path, &headers, &list).and_then(Reply::good).unwrap();
    let store = world.store(1).clone();
    wait_until(CONVERGE_MAX, "the oil has its price", || {
        is(&store.read("/v1/prices?sku=olive-oil")?["items"][0]["price"], &json!(990))
    });
    let Some(till) = Browser::open(store.address()) else { return };
    at_till(&till, &ANN, "6");
    take_drawer(&till);
    let cut = |cut: bool| world.hub.post("/v1/test/isolate", None, &json!({ "cut": cut })).and_then(Reply::good);
    till.scan(MILK.code);
    total(&till, MILK.price);
    pay_exactly(&till);
    wait_until(CONVERGE_MAX, "the hub has the first receipt", || is(&world.hub.receipts(1)?, &1));
    cut(true).unwrap();
    till.scan("2*olive-oil");
    total(&till, 2 * 990);
    pay_exactly(&till);
    // 121.09 should be there.
    till.allow("409");
    count_drawer(&till, "71.09");
    till.fill("Manager's short name", MIA.staff);
    till.fill("PIN", MIA.pin);
    till.click("Approve");
    till.see("€121.09 should be in the drawer, €71.09 were counted, difference −€50.00");
    put_away(&till);

    sign_in(&till, &MIA);
    till.go("/today");
    till.click("The day, drawers and statements");
    till.see_in("#day", "−€50.00");
    till.see("olive-coop");
    till.click("Close the day");
    confirm(&till);
    till.see("The day is closed.");
    let day = till.at();
    drop(till);

    let Some(hub) = Browser::open(world.hub.address()) else { return };
    sign_in(&hub, &HANNA);
    hub.go(&format!("{day}?store=1"));
    hub.see("Not complete yet:");
    let said = hub.text();
    assert!(said.contains("(node "), "{said}");
    cut(false).unwrap();
    wait_until(CONVERGE_MAX, "the hub has the day", || {
        is(&world.hub.read(&format!("/v1/stores/1{day}/certificate"))?["complete"], &json!(true))
    });
    hub.reload();
    hub.see("Complete: nothing of this day is missing here.");
    hub.see_in("#day", "−€50.00");
    hub.see("olive-coop 1 €19.80");
}

fn record(page: &Browser, code: &str, quantity: &str, place: &str) {
    page.fill("Scan, or type a number", code);
    page.press(Key::Enter);
    page.see_in("#counting", "Longjing");
    page.fill("How many are there", quantity);
    page.fill("Where (shelf, back room)", place);
    page.click("Record");
    page.see(&format!("Recorded: {quantity}"));
}
