//! A disk that is full: the node ends with words, and keeps what it promised.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use super::binary::{command, finish, must, path};
use super::fleet::Fleet;
use super::till::Till;

#[test]
fn a_node_whose_disk_is_full_says_so_and_keeps_every_acknowledged_sale() {
    let mut fleet = Fleet::of(1);
    fleet.hub().stop();
    fleet.store(1).stop();
    // The database may grow by this much, and then every write fails. SIGXFSZ is ignored so that it is an error, as ENOSPC is.
    let size = fs::metadata(fleet.store(1).data().join("stockroom.redb")).unwrap().len();
    let blocks = size.div_ceil(1_024) + 1_536;
    let run = fleet.store(1).command();
    let mut limited = command("bash".as_ref());
    limited
        .args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")])
        .arg(path())
        .args(run.get_args());
    fleet.store(1).start_as(limited);

    let (mut till, door) = (Till::new(1, 1), fleet.store(1).door().clone());
    let started = Instant::now();
    let mut goods = 0;
    while fleet.store(1).ended().is_none() {
        assert!(started.elapsed() < FULL_MAX, "{} sales and {goods} deliveries fit", till.sold());
        for _ in 0..5 {
            // An error means that it is not acknowledged, and the loop ends with the node.
            let _ = till.try_sell(&door);
        }
        // Sales are small; deliveries fill the disk.
        let lines: Vec<_> =
            (0..500).map(|n| json!({ "sku": "milk", "quantity": n + 1, "lot": format!("lot {n} {goods}") })).collect();
        if door
            .post("/v1/goods-receipts", Some(&format!("g{goods}")), &json!({ "lines": lines }))
            .is_ok_and(|r| r.status == 201)
        {
            goods += 1;
        }
    }
    let status = fleet.store(1).wait(Duration::from_secs(1));
    assert_eq!(status.code(), Some(1), "{status}: {}", fleet.store(1).log());
    let log = fleet.store(1).log();
    assert!(log.contains("stockroom: the node stops because"), "{log}");
    assert!(!log.contains("panicked"), "{log}");
    eprintln!("the disk was full after {} sales and {goods} deliveries", till.sold());
    assert!(till.sold() > 0, "{log}");

    // There is room again.
    fleet.store(1).start();
    let door = fleet.store(1).door().clone();
    till.sell(Duration::from_secs(10), || door.clone());
    till.check(&door);
    assert_eq!(door.receipts(1).unwrap(), till.sold(), "nothing stands twice");
    assert_eq!(door.read("/v1/status").unwrap()["epoch"]["number"], 1);
    fleet.store(1).stop();
    let data = fleet.store(1).data_text().to_owned();
    assert!(must(["verify", "--data", &data]).contains("The database is sound."));
}

#[test]
fn a_node_does_not_start_from_files_that_are_wrong() {
    let mut fleet = Fleet::of(1);
    fleet.store(1).stop();
    let config = fleet.folder().join("wrong.toml");
    let data = fleet.store(1).data_text().to_owned();
    for (text, words) in [
        ("mdns = false\nlisen = '127.0.0.1:1'\n", ["line 2", "lisen"]),
        ("\n[disk]\nlow_mib = 'much'\n", ["line 3", "low_mib"]),
        ("[api]\nlisten = '0.0.0.0:7400'\n", ["api.listen", "loopback"]),
        ("congestion = 'reno'\n", ["line 1", "reno"]),
    ] {
        fs::write(&config, text).unwrap();
        let outcome = finish(run(&data).arg("--config").arg(&config));
        assert_eq!(outcome.code, 1, "{outcome:?}");
        assert!(words.iter().all(|word| outcome.err.contains(word)), "{words:?}: {outcome:?}");
    }
    let orphan = format!("{data}-orphan");
    fs::create_dir(&orphan).unwrap();
    fs::write(format!("{orphan}/stockroom.redb"), "a database that lost its identity is no box to be set up").unwrap();
    let absent = finish(&mut run(&orphan));
    assert!(absent.code == 1 && absent.err.contains("holds no node"), "{absent:?}");
    let unknown = finish(run(&data).arg("--colour=red"));
    assert_eq!(unknown.code, 2, "{unknown:?}");
    // A database that is no database is never replaced by an empty one.
    let database = fleet.store(1).data().join("stockroom.redb");
    let whole = fs::read(&database).unwrap();
    fs::write(&database, vec![7; whole.len()]).unwrap();
    let broken = finish(run(&data).args(["--api", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--mdns", "false"]));
    assert!(broken.code == 1 && broken.err.contains("stockroom: the database cannot be opened"), "{broken:?}");
    assert_eq!(fs::metadata(&database).unwrap().len(), whole.len() as u64);
    fs::write(&database, whole).unwrap();
    fleet.store(1).start();
}

fn run(data: &str) -> Command {
    let mut run = command(path());
    run.args(["run", "--data", data]);
    run
}

/// A few hundred kilobytes are soon full.
const FULL_MAX: Duration = Duration::from_secs(40);
