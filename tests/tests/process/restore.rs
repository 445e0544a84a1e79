//! A store that was put back to an older day, while the hub knows the newer one.

use std::time::Duration;

use super::binary::{is, must, stockroom, wait_until};
use super::fleet::{CONVERGE_MAX, Fleet, text};
use super::till::Till;

#[test]
fn a_restored_store_lives_anew_and_the_hub_gives_its_newer_sales_back() {
    let mut fleet = Fleet::of(1);
    fleet.store(1).receive("r", "milk", 100);
    let (mut till, door) = (Till::new(1, 1), fleet.store(1).door().clone());
    let backup = fleet.folder().join("monday.backup");
    let data = fleet.store(1).data_text().to_owned();
    (0..4).for_each(|_| till.sell(SALE_MAX, || door.clone()));
    must(["backup", text(&backup), "--data", &data]);
    (0..3).for_each(|_| till.sell(SALE_MAX, || door.clone()));
    let hub = fleet.hub().door().clone();
    wait_until(CONVERGE_MAX, "the hub has every sale", || is(&hub.receipts(1)?, &7));
    let before = till.series();
    assert_eq!(before.keys().copied().collect::<Vec<_>>(), [1]);

    // The restored store wakes up alone, and does not know what it has forgotten.
    fleet.store(1).stop();
    fleet.hub().stop();
    let said = must(["restore", text(&backup), "--data", &data]);
    assert!(said.contains("new epoch"), "{said}");
    fleet.store(1).start();
    let status = fleet.store(1).door().read("/v1/status").unwrap();
    assert_eq!(status["epoch"]["number"], 2, "{status}");
    assert_eq!(status["rights_locked"], true, "no rights before the hub was heard: {status}");
    let door = fleet.store(1).door().clone();
    assert_eq!(door.receipts(1).unwrap(), 4);
    // Its tills go on meanwhile.
    (0..2).for_each(|_| till.sell(SALE_MAX, || door.clone()));
    let series = till.series();
    assert_eq!((series.get(&1), series.get(&2)), (before.get(&1), Some(&vec![1, 2])), "a new epoch, a new series");

    fleet.hub().start();
    wait_until(CONVERGE_MAX, "the hub gives back what was forgotten", || is(&door.receipts(1)?, &9));
    let hub = fleet.hub().door().clone();
    wait_until(CONVERGE_MAX, "the hub has the new sales", || is(&hub.receipts(1)?, &9));
    wait_until(CONVERGE_MAX, "the hub was heard", || is(&door.read("/v1/status")?["rights_locked"], &false.into()));
    till.check(&door);
    till.check(&hub);
    for place in [&door, &hub] {
        assert_eq!(place.on_hand("milk", 1).unwrap(), 100 - till.pieces());
    }
    till.sell(SALE_MAX, || door.clone());
    till.check(&door);
    fleet.store(1).stop();
    let said = must(["verify", "--data", &data]);
    assert!(said.contains("The database is sound."), "{said}");
    fleet.store(1).start();
    assert_eq!(fleet.store(1).door().read("/v1/status").unwrap()["epoch"]["number"], 2, "one restore, one new epoch");
}

#[test]
fn a_backup_that_is_not_this_nodes_or_not_whole_is_not_restored() {
    let mut fleet = Fleet::of(1);
    let (hub, store) = (fleet.hub().data_text().to_owned(), fleet.store(1).data_text().to_owned());
    let (foreign, torn) = (fleet.folder().join("hub.backup"), fleet.folder().join("torn.backup"));
    must(["backup", text(&foreign), "--data", &hub]);
    must(["backup", text(&torn), "--data", &store]);
    let bytes = std::fs::read(&torn).unwrap();
    let mut till = Till::new(1, 1);
    let door = fleet.store(1).door().clone();
    till.sell(SALE_MAX, || door.clone());
    fleet.store(1).stop();
    let refused = |file: &std::path::Path| {
        let outcome = stockroom(["restore", text(file), "--data", &store]);
        assert!(outcome.code == 1 && !outcome.err.contains("panicked"), "{outcome:?}");
        assert!(outcome.err.contains("backup"), "{outcome:?}");
    };
    refused(&foreign);
    refused(&fleet.folder().join("nowhere.backup"));
    std::fs::write(&torn, &bytes[..bytes.len() - 9]).unwrap();
    refused(&torn);
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 0x10;
    std::fs::write(&torn, &flipped).unwrap();
    refused(&torn);
    fleet.store(1).start();
    assert_eq!(fleet.store(1).door().read("/v1/status").unwrap()["epoch"]["number"], 1, "nothing was restored");
    till.check(fleet.store(1).door());
}

const SALE_MAX: Duration = Duration::from_secs(10);
