//! The power goes in the middle of a day and comes back: nobody presses a key, the line is still down, and a customer waits. And what the
//! node says to a service manager meanwhile.

use std::time::{Duration, Instant};

use stockroom_tests::service_manager::NotifySocket;

use super::binary::wait_until;
use super::fleet::Fleet;
use super::till::Till;

#[test]
fn after_a_power_cut_the_first_sale_comes_within_a_minute_and_without_a_line() {
    let mut fleet = Fleet::of(1);
    fleet.store(1).add_arguments(&["--profile", "solo"]);
    fleet.store(1).receive("r", "milk", 100);
    let (mut till, door) = (Till::new(1, 1), fleet.store(1).door().clone());
    till.sell(SALE_MAX, || door.clone());
    let day =
        |door: &super::door::Door| door.read("/v1/days").unwrap()["items"].as_array().unwrap().last().unwrap().clone();
    let evening = day(&door);
    // She pulls the plug, and so does whoever runs the hub.
    fleet.hub().kill();
    fleet.store(1).kill();

    let begun = Instant::now();
    fleet.store(1).start();
    let door = fleet.store(1).door().clone();
    till.sell(SALE_MAX, || door.clone());
    let took = begun.elapsed();
    eprintln!("from power to the first sale: {:.2} s", took.as_secs_f64());
    assert!(took < FIRST_SALE_MAX, "{took:?}");
    till.check(&door);
    assert_eq!(door.read("/v1/status").unwrap()["profile"], "solo");
    // The same evening: the day that was open when the power went goes on. What closes it is its store's hour.
    let now = day(&door);
    assert_eq!((&now["number"], &now["receipts"]), (&evening["number"], &2.into()), "{now}");
}

#[test]
fn the_service_manager_hears_that_the_node_serves_beats_and_stops() {
    let mut fleet = Fleet::of(1);
    fleet.store(1).stop();
    let mut socket = NotifySocket::bind(fleet.folder()).unwrap();
    let mut run = fleet.store(1).command();
    run.env("NOTIFY_SOCKET", socket.path()).env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
    let begun = Instant::now();
    fleet.store(1).start_as(run);
    let ready = socket.await_said("READY=1", 1, begun, SALE_MAX).unwrap();
    let beats = socket.await_said("WATCHDOG=1", 4, begun, 10 * WATCHDOG).unwrap();
    assert!(ready[0] <= beats[0], "nothing beats before it serves: {:?}", socket.words());
    wait_until(SALE_MAX, "the status says that the hub is there", || {
        socket.listen_for(WATCHDOG / 2).map_err(|error| error.to_string())?;
        let status = socket.status().unwrap_or_default();
        let good = status.starts_with("store 1 of Corner Shops: serving; hub connected");
        if good { Ok(()) } else { Err(status.to_owned()) }
    });
    assert!(socket.said("STOPPING=1", begun).is_empty());
    let asked = Instant::now();
    fleet.store(1).stop();
    socket.await_said("STOPPING=1", 1, asked, SALE_MAX).unwrap();
    let ended = Instant::now();
    socket.listen_for(WATCHDOG).unwrap();
    assert!(socket.said("WATCHDOG=1", ended + WATCHDOG / 4).is_empty(), "{:?}", socket.words());
}

const SALE_MAX: Duration = Duration::from_secs(30);

/// What a shop bears.
const FIRST_SALE_MAX: Duration = Duration::from_secs(60);

const WATCHDOG: Duration = Duration::from_millis(1_500);
