//! Days in the life, each played from the pages by whoever lives it, against real nodes that die, are cut off and come back.

mod cashier;
mod engineer;
mod operator;
mod owner;
mod picker;
mod pickup;
mod replaced;
mod rider;
mod store_day;

use serde_json::{Value, json};
use stockroom_tests::browser::pages::sign_in;
use stockroom_tests::browser::worlds::{CURRENCY, Person, World};
use stockroom_tests::browser::{Browser, Key};
use stockroom_tests::nodes::door::Reply;

/// Signs in at the till, which gets a number of its own.
fn at_till(till: &Browser, person: &Person, number: &str) {
    sign_in(till, person);
    till.go("/till");
    till.fill("Number of this till", number);
    till.click("Use this number");
    till.wait_for("the till has its number", "return document.getElementById('till-is').textContent", |is| {
        is == number
    });
    till.see("articles, prices read");
    till.wait_for("the field for codes", AT_SCAN, |at| *at == Value::Bool(true));
}

/// Ann takes the drawer of her till with a hundred in it.
fn take_drawer(till: &Browser) {
    till.press(Key::F10);
    till.fill("Cash that lies in it", "100");
    till.click("Take the drawer");
    till.see("Drawer: ann");
    put_away(till);
}

/// Counts the drawer and gives it back; what the page says to that is for the story.
fn count_drawer(till: &Browser, counted: &str) {
    till.press(Key::F10);
    till.click("Count and give the drawer back");
    till.fill("What is in it", counted);
    till.click("Close the shift");
}

/// Puts a dialog away; the next code goes to the field for it.
fn put_away(till: &Browser) {
    till.press(Key::Escape);
    till.wait_for("the field for codes", AT_SCAN, |at| *at == Value::Bool(true));
}

/// Waits until the node has said that this is to be paid.
fn total(till: &Browser, minor: i64) {
    till.wait_for("the total", TOTAL, |total| *total == json!(minor));
}

fn pay_exactly(till: &Browser) {
    till.press(Key::F8);
    till.see("Left to pay");
    till.press(Key::Enter);
    till.wait_for("it is paid", PAID, |paid| *paid == Value::Bool(true));
    till.wait_for("the field for codes", AT_SCAN, |at| *at == Value::Bool(true));
}

/// Seven more products, priced everywhere, on nobody's shelf yet.
fn more_goods(world: &World) {
    let lines = MORE.iter().map(|(sku, unit, age, price)| {
        format!("{sku},{},{unit},,{price},{CURRENCY},more,{age},0,food\n", sku.replace('-', " "))
    });
    let head = "sku,name,unit,barcodes,price,currency,department,age_min,item_number,tax_code\n".to_owned();
    let headers = [("content-type", "text/csv"), ("idempotency-key", "more-goods")];
    let path = "/v1/products/import?book=default&from=2020-01-01T00:00:00Z";
    let list: String = std::iter::once(head).chain(lines).collect();
    world.hub.send("POST", path, &headers, &list).and_then(Reply::good).unwrap();
}

/// Says yes to what the page asks.
pub fn confirm(page: &Browser) {
    page.wait_for("a question", "return document.querySelector('dialog[open] button.main') !== null", |it| {
        *it == json!(true)
    });
    page.eval("document.querySelector('dialog[open] button.main').click()");
}

/// A token that somebody at head office makes on the page for it.
pub fn token_of(office: &Browser, store: u32, name: &str) -> String {
    office.go("/enrol");
    office.fill("Number of the store", &store.to_string());
    office.fill("Its name", name);
    office.click("Make a token");
    let said = office.wait_for("a token", TOKEN, Value::is_string);
    said.as_str().map(str::to_owned).expect("waited for")
}

/// Makes a new box a node, on the page that it shows.
fn join(page: &Browser, token: &str, hub: &str) {
    // While it becomes a node, nobody answers for a moment.
    page.allow("net::ERR_");
    page.fill("Token", token);
    page.click("Join");
    if !token.contains('@') {
        page.allow("422");
        page.fill("Address of the hub", hub);
        page.click("Join");
    }
}

/// The total once the node has said it.
const TOTAL: &str =
    "const total = document.getElementById('total'); return self.till.quote ? Number(total.dataset.minor) : null";

const AT_SCAN: &str =
    "return !document.querySelector('dialog[open]') && document.activeElement === document.getElementById('scan')";

const PAID: &str = "return !document.getElementById('pay-box').open && !document.getElementById('empty').hidden";

/// The token as a text.
const TOKEN: &str = "const said = document.getElementById('said'); return said.hidden ? null : said.textContent.split(/\\s+/).find((word) => word.length > 100) || null";

/// SKU, unit, age and price of more goods.
const MORE: [(&str, &str, u8, i64); 7] = [
    ("bananas", "gram", 0, 179),
    ("wheat-beer", "each", 16, 119),
    ("butter", "each", 0, 229),
    ("yoghurt", "each", 0, 89),
    ("pasta", "each", 0, 139),
    ("plum-jam", "each", 0, 279),
    ("hard-cheese", "each", 0, 549),
];
