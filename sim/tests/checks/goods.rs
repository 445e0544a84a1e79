//! Goods that move other than by sales and deliveries: the books are held against what people were told of them, too.

use stockroom_core::input::Command;
use stockroom_core::input::goods::{ReceiveRequest, ShipOrder, ShipRequest};
use stockroom_core::storage::Table;
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::receiving::{Adjustment, ReceiptLine};
use stockroom_crdt::transfer::{TransferId, part};
use stockroom_sim::cast::sku;
use stockroom_sim::observe::Act;

use super::watched::{HUB, ONE, TWO, Watched, code};

#[test]
fn everything_holds_when_goods_go_to_another_store_and_are_corrected() {
    let mut watched = Watched::new(31);
    watched.day();
    let id = ship(&mut watched, 4, -4);
    watched.run_ms(5_000);
    receive(&mut watched, id, 4);
    adjust(&mut watched, -2);
    watched.count(TWO, PRODUCT);
    watched.run_ms(60_000);
    watched.end();
    watched.all_hold();
    assert_eq!(
        (watched.truth.on_shelf(1, PRODUCT), watched.truth.on_shelf(2, PRODUCT)),
        (on_shelf() - 6, on_shelf() + 4)
    );
}

#[test]
fn a_shipment_of_another_number_than_the_clerk_was_told_is_found() {
    let mut watched = Watched::new(32);
    watched.day();
    ship(&mut watched, 4, -5);
    watched.run_ms(60_000);
    watched.end();
    watched.must_find("I3 ", "store 1, P00005: the book at hub 1 says");
}

#[test]
fn goods_in_quarantine_that_no_entry_put_there_are_found() {
    let mut watched = Watched::new(33);
    watched.day();
    watched.run_ms(30_000);
    watched.tamper(HUB, Table::Accounts, |_, value| {
        let mut account = stockroom_core::books::account::from_row(&value).unwrap();
        account.aside.quarantined += 1;
        Some(stockroom_core::books::account::to_row(&account))
    });
    watched.end();
    watched.must_find("I3 ", "has 1 in quarantine, the logs add up to 0");
}

fn ship(watched: &mut Watched, quantity: i64, told: i64) -> TransferId {
    let line = ReceiptLine { sku: sku(PRODUCT), unit: Unit::Each, quantity, lot: Code::default(), expiry_day: 0 };
    let order = ShipOrder::Unasked(StoreId(2));
    let request = ShipRequest { order, due_ms: None, staff: code("kim"), approver: Code::default(), lines: vec![line] };
    let retry = watched.retry();
    let answer = watched.world.command(ONE, Command::ShipTransfer(retry, request)).unwrap();
    let deed = watched.acknowledge(ONE, Act::Moved { lines: vec![(PRODUCT, told)] }, answer);
    let (id, seq, _) = deed.entry.unwrap();
    let number = watched.union.nodes[&ONE].logs.iter().find(|(_, log)| log.id == id).map(|(number, _)| *number);
    let place = stockroom_core::journal::Place { log: number.unwrap(), seq };
    let item = stockroom_core::journal::entry_at(&*watched.world.snapshot(ONE), place).unwrap().unwrap();
    part(&item.entry.fact).unwrap().0
}

fn receive(watched: &mut Watched, id: TransferId, quantity: i64) {
    let request = ReceiveRequest { id, staff: code("joe"), lines: None };
    let retry = watched.retry();
    let answer = watched.world.command(TWO, Command::ReceiveTransfer(retry, request)).unwrap();
    watched.acknowledge(TWO, Act::Moved { lines: vec![(PRODUCT, quantity)] }, answer);
}

fn adjust(watched: &mut Watched, delta: i64) {
    let (reason, lot, staff) = (code("damage"), Code::default(), code("joe"));
    let adjustment = Adjustment { sku: sku(PRODUCT), unit: Unit::Each, delta, reason, lot, staff };
    let retry = watched.retry();
    let answer = watched.world.command(ONE, Command::Adjust(retry, adjustment)).unwrap();
    watched.acknowledge(ONE, Act::Moved { lines: vec![(PRODUCT, delta)] }, answer);
}

/// What a [`Watched::day`] leaves of the product.
fn on_shelf() -> i64 {
    let mut watched = Watched::new(31);
    watched.day();
    watched.truth.on_shelf(1, PRODUCT)
}

const PRODUCT: u16 = 5;
