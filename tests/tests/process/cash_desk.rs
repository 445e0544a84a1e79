//! SIGKILL while a payment terminal is asked: the customer pays once, and the till, the receipt and the drawer agree afterwards.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use stockroom_tests::terminal_server::{Health, SECRET, TerminalServer};

use super::binary::{is, must, wait_until};
use super::door::{Door, Reply};
use super::fleet::Fleet;

#[test]
fn a_node_that_is_killed_while_a_terminal_is_asked_inquires_and_never_asks_again() {
    let terminal = TerminalServer::start();
    let mut fleet = Fleet::of(1);
    let store = fleet.store(1);
    store.stop();
    let secret = store.data().join("lane-1.secret");
    fs::write(&secret, SECRET).expect("the folder is there");
    let config = format!(
        "[terminals.lane-1]\nurl = \"{}\"\nsecret_file = \"{}\"\ntimeout_s = 60\n",
        terminal.url(),
        secret.display()
    );
    fs::write(store.data().join("stockroom.toml"), config).expect("the folder is there");
    store.start();
    let open = json!({ "till": 1, "staff": "ann", "float": 1_000 });
    store.door().post("/v1/shifts", Some("open"), &open).and_then(Reply::good).expect("a drawer is taken");

    // The customer pays, and the node is killed before the terminal's answer arrives.
    terminal.then([Health::DoneAndSilent]);
    killed_while_asked(&mut fleet, &terminal, 1);
    let door = fleet.store(1).door().clone();
    let paid = wait_until(PAID_MAX, "the terminal is inquired and the basket sold", || {
        let basket = door.read("/v1/baskets/1-1")?;
        if basket["state"] == "paid" { Ok(basket) } else { Err(basket.to_string()) }
    });
    assert_eq!((&paid["receipt"], &paid["tenders"][0]["assurance"]), (&json!("1-1-1-1"), &json!("captured")));
    let reference = paid["tenders"][0]["reference"].as_str().expect("a card has a reference").to_owned();
    assert_eq!((terminal.count("PUT"), terminal.ledger()[&reference].taken, terminal.has()), (1, 1, TOTAL));
    let again = door.post("/v1/checkout", None, &card(1)).expect("the node answers");
    assert_eq!((again.status, &again.body["receipt"]), (200, &json!("1-1-1-1")), "the till asks again: {}", again.body);
    assert_eq!((terminal.count("PUT"), terminal.ledger().len()), (1, 1));

    // The terminal never heard of the request: nothing was taken, and the customer pays in cash.
    terminal.then([Health::HangsUp, Health::HangsUp]);
    killed_while_asked(&mut fleet, &terminal, 2);
    let door = fleet.store(1).door().clone();
    wait_until(PAID_MAX, "the terminal says that it took nothing", || {
        let basket = door.read("/v1/baskets/1-2")?;
        is(&basket["terminals"][0]["state"], &json!("declined"))
    });
    let tender = json!({ "till": 1, "staff": "ann", "tenders": [{ "kind": "cash", "amount": TOTAL }] });
    let sold = door.post("/v1/baskets/1-2/tender", Some("cash"), &tender).and_then(Reply::good).expect("cash is taken");
    assert_eq!((&sold["receipt"], terminal.has()), (&json!("1-1-1-2"), TOTAL));

    let drawer = door.read("/v1/shifts/1/1?approver=mia").expect("a manager sees the sums")["x"].clone();
    let sums: Vec<_> = ["receipts", "card", "cash", "expected_cash"].map(|name| drawer[name].clone()).into();
    assert_eq!(sums, [json!(2), json!(TOTAL), json!(TOTAL), json!(1_000 + TOTAL)], "{drawer}");
    assert_eq!(door.read("/v1/baskets").expect("baskets are listed")["items"], json!([]));
    fleet.store(1).stop();
    let said = must(["verify", "--data", fleet.store(1).data_text()]);
    assert!(said.contains("The database is sound."), "{said}");
}

/// Rings up a sale by card, and kills the node when the terminal has been asked.
fn killed_while_asked(fleet: &mut Fleet, terminal: &TerminalServer, number: u64) {
    let (door, before) = (fleet.store(1).door().clone(), terminal.count("PUT"));
    let till = std::thread::spawn(move || ask(&door, number));
    wait_until(PAID_MAX, "the terminal is asked", || is(&terminal.count("PUT"), &(before + 1)));
    fleet.store(1).kill();
    if let Ok(reply) = till.join().expect("a till does not panic") {
        assert_eq!(reply.status, 202, "nobody says that it is paid: {}", reply.body);
    }
    fleet.store(1).start();
}

fn ask(door: &Door, number: u64) -> Result<Reply, String> {
    door.post("/v1/checkout", None, &card(number))
}

fn card(number: u64) -> Value {
    json!({ "till": 1, "till_seq": number, "then": "pay", "cashier": "ann", "lines": [{ "sku": "milk", "quantity": 2 }],
        "terminal": { "name": "lane-1" } })
}

const TOTAL: i64 = 258;

/// An inquiry waits for the one before it for some seconds.
const PAID_MAX: Duration = Duration::from_secs(30);
