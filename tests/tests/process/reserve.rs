//! The last unit, asked for at once on line and at two stores: real processes, with their links and without.

use std::thread;

use serde_json::{Value, json};

use super::binary::{is, must, stockroom, wait_until};
use super::door::Door;
use super::fleet::{CONVERGE_MAX, Fleet};

#[test]
fn the_last_unit_goes_to_one_of_three_who_ask_at_once_and_a_till_still_sells_it() {
    let mut fleet = fleet();
    let doors = doors(&mut fleet);
    for (sku, cut) in [("milk", false), ("bread", true)] {
        one_unit(&mut fleet, &doors, sku);
        if cut {
            doors.iter().for_each(|door| isolate(door, true));
            for door in &doors {
                wait_until(CONVERGE_MAX, "all links are down", || {
                    let peers = door.read("/v1/status")?["peers"].as_array().map_or(0, Vec::len);
                    is(&peers, &0)
                });
            }
        }
        let promised = ask_everywhere(&doors, sku, cut);
        assert_eq!(promised.len(), 1, "{sku}, cut {cut}: {promised:?}");
        let id = promised[0].as_str();
        // The customer who stands in the shop has it in the hand.
        sell(&mut fleet, sku, 1 + u64::from(cut));
        if cut {
            doors.iter().for_each(|door| isolate(door, false));
        }
        for door in &doors {
            wait_until(CONVERGE_MAX, "everybody knows who goes without", || {
                let held = door.read(&format!("/v1/reservations/{id}"))?;
                is(&held["state"], &json!("shorted"))?;
                is(&held["compensation"]["remedy"], &json!("refund"))?;
                is(&held["shortage"]["victims"], &json!([id]))
            });
        }
        let tasks = doors[0].read("/v1/tasks").unwrap();
        let owed = tasks["compensations"].as_array().unwrap();
        assert!(owed.iter().any(|task| task["reservation"] == *id), "{tasks}");
    }
}

#[test]
fn the_commands_reserve_and_explain() {
    let mut fleet = fleet();
    let hub = fleet.hub().data_text().to_owned();
    let store = fleet.store(1).data_text().to_owned();
    let rules = must(["policy", "list", "--data", &hub]);
    assert!(rules.contains("everything") && rules.contains("littlewood"), "{rules}");
    fleet.store(1).receive("m", "milk", 10);
    let door = fleet.hub().door().clone();
    wait_until(CONVERGE_MAX, "the hub holds rights", || {
        let seen = door.read("/v1/availability?sku=milk&store=1")?;
        if seen["items"][0]["can_promise"] == "hard" { Ok(()) } else { Err(seen.to_string()) }
    });
    let said = must(["reserve", "milk", "1", "--store", "1", "--reference", "W-1", "--data", &hub]);
    let id = said.split_whitespace().skip_while(|word| *word != "Reservation").nth(1).unwrap().trim_end_matches(';');
    let confirmed = must(["reservation", id, "confirm", "--staff", "ann", "--data", &hub]);
    assert!(confirmed.contains("confirmed") && confirmed.contains("ann"), "{confirmed}");
    let own = fleet.store(1).door().clone();
    wait_until(CONVERGE_MAX, "the store knows", || {
        is(&own.read(&format!("/v1/reservations/{id}"))?["state"], &json!("confirmed"))
    });
    must(["reservation", id, "pick", "--data", &store]);
    let shown = must(["reservation", id, "fulfil", "--data", &store]);
    assert!(shown.contains("handed over"), "{shown}");
    let again = stockroom(["reservation", id, "fulfil", "--data", &store]);
    assert!(again.code == 1 && again.err.contains("is fulfilled"), "{again:?}");
    let why = must(["stock", "milk", "--why", "--data", &store]);
    for words in ["10 received", "handed over for reservation", "rights made from goods", "used for a promise"] {
        assert!(why.contains(words), "{words:?} is not in {why}");
    }
    let rights = must(["rights", "milk", "--data", &store]);
    assert!(rights.contains("9 each in the book") && rights.contains("hub"), "{rights}");
    let none = stockroom(["reserve", "milk", "1000", "--wait", "0s", "--data", &hub]);
    assert!(none.code == 1 && none.err.contains("are not promised"), "{none:?}");
    let ghost = stockroom(["reserve", "ghost", "1", "--data", &hub]);
    assert!(ghost.code == 1 && ghost.err.contains("no such product"), "{ghost:?}");
    must(["policy", "set", "--sku", "milk", "--allocation", "hub-only", "--safety", "2", "--data", &hub]);
    let now = must(["policy", "remove", "--sku", "milk", "--data", &hub]);
    assert!(now.contains("littlewood"), "{now}");
    let risk = stockroom(["retire", "3", "--data", &hub]);
    assert!(risk.code == 1 && !risk.err.is_empty(), "{risk:?}");
    sell(&mut fleet, "milk", 1);
    let file = fleet.folder().join("sales.csv");
    must(["export", "sales", "--out", super::fleet::text(&file), "--data", &store]);
    let table = std::fs::read_to_string(&file).unwrap();
    assert!(table.starts_with("store,sku,at_ms,quantity\n1,milk,") && table.ends_with(",1\n"), "{table}");
    assert_eq!(must(["export", "outages", "--data", &store]).lines().next(), Some("node,from_ms,to_ms"));
}

/// A hub and two stores of one group, that all know each other. The rule is the one that `init` made.
fn fleet() -> Fleet {
    let mut fleet = Fleet::of(2);
    for store in [1, 2] {
        let door = fleet.store(store).door().clone();
        wait_until(CONVERGE_MAX, "the rule has arrived", || {
            is(&door.read("/v1/policies")?["items"].as_array().map_or(0, Vec::len), &1)
        });
    }
    fleet
}

fn doors(fleet: &mut Fleet) -> [Door; 3] {
    [fleet.hub().door().clone(), fleet.store(1).door().clone(), fleet.store(2).door().clone()]
}

/// Books one unit in at store 1 and waits until everybody sees a right to it somewhere.
fn one_unit(fleet: &mut Fleet, doors: &[Door; 3], sku: &str) {
    fleet.store(1).receive(sku, sku, 1);
    for door in doors {
        wait_until(CONVERGE_MAX, "the right is known everywhere", || {
            let seen = door.read(&format!("/v1/availability?sku={sku}&store=1"))?;
            let item = &seen["items"][0];
            let rights = item["available_here"].as_u64().unwrap_or(0) + item["elsewhere"].as_u64().unwrap_or(0);
            is(&rights, &1)
        });
    }
}

/// Everybody asks at the same time, again and again, as people do. Gives the reservations that were made.
fn ask_everywhere(doors: &[Door; 3], sku: &str, cut: bool) -> Vec<String> {
    let ask = |index: usize, door: &Door| -> Vec<String> {
        let wait_ms = if cut { 0 } else { 500 };
        let body =
            json!({ "sku": sku, "quantity": 1, "channel": "pickup", "stores": [1], "wait_ms": wait_ms, "soft": false });
        let tries = (0..5).map(|n| door.post("/v1/reservations", Some(&format!("{sku}-{index}-{n}")), &body));
        let answers = tries.map(|reply| reply.and_then(super::door::Reply::good).expect("an answer"));
        answers.filter_map(|answer: Value| answer["id"].as_str().map(str::to_owned)).collect()
    };
    thread::scope(|scope| {
        let ask = &ask;
        let threads: Vec<_> =
            doors.iter().enumerate().map(|(index, door)| scope.spawn(move || ask(index, door))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("asking does not fail")).collect()
    })
}

fn sell(fleet: &mut Fleet, sku: &str, till_seq: u64) {
    let price = if sku == "milk" { 129 } else { 250 };
    let body = json!({
        "till": 9, "till_seq": till_seq,
        "lines": [{ "sku": sku, "quantity": 1, "unit_price": price }],
        "tenders": [{ "kind": "cash", "amount": price }],
    });
    let reply = fleet.store(1).door().post("/v1/sales", None, &body).unwrap();
    assert_eq!(reply.status, 201, "a till is never refused: {}", reply.body);
}

fn isolate(door: &Door, cut: bool) {
    door.post("/v1/test/isolate", None, &json!({ "cut": cut })).and_then(super::door::Reply::good).expect("a test aid");
}
