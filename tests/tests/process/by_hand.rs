//! Two nodes set up as the README says, and what their people see.

use std::time::{Duration, Instant};

use super::binary::{is, must, stockroom, wait_until};
use super::fleet::{CONVERGE_MAX, Fleet};
use super::till::Till;

#[test]
fn a_sale_reaches_the_hub_also_after_the_hub_was_down_and_the_store_killed() {
    let mut fleet = Fleet::of(1);
    let (hub, store) = (fleet.hub().data_text().to_owned(), fleet.store(1).data_text().to_owned());
    fleet.store(1).receive("r1", "milk", 10);
    let said = must(["sell", "milk:2", "bread", "--data", &store]);
    assert!(said.contains("Receipt 1-1-1-1: 508") || said.contains("Receipt 1-1-1-1: 5.08"), "{said}");
    arrives(&mut fleet, 8);
    let stock = must(["stock", "milk", "--store", "1", "--data", &hub]);
    assert!(stock.contains('8') && stock.contains("milk"), "{stock}");
    let why = must(["stock", "milk", "--why", "--store", "1", "--data", &hub]);
    assert!(why.contains("1-1-1-1"), "{why}");
    drained(&mut fleet, &store);

    fleet.hub().kill();
    must(["sell", "milk:3", "--data", &store]);
    // A status is renewed a few times a second.
    let backlog = wait_until(Duration::from_secs(5), "the store owes something", || {
        fleet.store(1).door().backlog().and_then(|owed| if owed > 0 { Ok(owed) } else { Err("nothing".into()) })
    });
    let status = must(["status", "--data", &store]);
    assert!(status.contains("entries are not at the hub yet"), "{status}");
    fleet.store(1).kill();
    assert_eq!(stockroom(["status", "--data", &store]).code, 1, "nobody answers");
    fleet.store(1).start();
    assert!(fleet.store(1).door().backlog().unwrap() >= backlog, "the killed store remembers what it owes");
    let said = must(["sell", "milk", "--cash", "--data", &store]);
    assert!(said.contains("Receipt 1-1-1-3"), "{said}");

    fleet.hub().start();
    arrives(&mut fleet, 4);
    drained(&mut fleet, &store);
    assert_eq!(fleet.hub().door().receipts(1).unwrap(), 3);
    let status = fleet.store(1).door().read("/v1/status").unwrap();
    assert_eq!((status["epoch"]["number"].as_u64(), status["rights_locked"].as_bool()), (Some(1), Some(false)));
}

#[test]
fn a_store_sells_within_seconds_of_power_on_without_a_network() {
    let mut fleet = Fleet::of(1);
    fleet.hub().stop();
    fleet.store(1).kill();
    let started = Instant::now();
    fleet.store(1).start();
    let door = fleet.store(1).door().clone();
    Till::new(1, 1).sell(SALE_MAX, || door.clone());
    let took = started.elapsed();
    eprintln!("power-on to first sale without network: {took:?}");
    assert!(took < SALE_MAX, "{took:?}");
}

fn arrives(fleet: &mut Fleet, on_hand: i64) {
    let door = fleet.hub().door().clone();
    wait_until(CONVERGE_MAX, "the hub knows the stock", || is(&door.on_hand("milk", 1)?, &on_hand));
}

fn drained(fleet: &mut Fleet, store: &str) {
    let door = fleet.store(1).door().clone();
    wait_until(CONVERGE_MAX, "the store has brought everything", || is(&door.backlog()?, &0));
    let status = must(["status", "--data", store]);
    assert!(status.contains("Everything written here is durable at the hub."), "{status}");
}

/// The promise is 5 s for a release build; this is a debug one beside other tests.
const SALE_MAX: Duration = Duration::from_secs(15);
