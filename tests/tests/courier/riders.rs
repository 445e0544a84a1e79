//! Own riders: who is chosen, what they may say, what they say late.

use stockroom::courier::delivery::Standing;
use stockroom::courier::report::{Reason, State};
use stockroom::courier::riders::RiderError;
use stockroom_tests::courier_server::Fate;

use super::hub::{Hub, MINUTE, SECOND};

#[test]
fn deliveries_are_spread_and_a_sheet_holds_each_rider_s_own() {
    let mut hub = Hub::new(&["riders"], Fate::Delivers);
    hub.rider("ann");
    hub.rider("bo");
    let ids: Vec<_> = (0..12).map(|number| hub.request(&format!("d{number}"))).collect();
    hub.silent(10 * SECOND);
    let sheets = ["ann", "bo"].map(|rider| hub.riders.sheet(rider, hub.now_ms).unwrap());
    assert_eq!(sheets.each_ref().map(|sheet| sheet.stops.len()), [6, 6]);
    let mut on_sheets: Vec<_> = sheets.iter().flat_map(|sheet| &sheet.stops).map(|stop| &stop.id.delivery).collect();
    on_sheets.sort();
    let mut all: Vec<_> = ids.iter().collect();
    all.sort();
    assert_eq!(on_sheets, all);
    assert!(sheets[0].stops.windows(2).all(|two| two[0].arrive_ms < two[1].arrive_ms));
    // Nobody is left for the thirteenth: two attempts, then a person.
    let id = hub.request("d13");
    hub.silent(2 * MINUTE);
    assert_eq!((hub.delivery(&id).standing(), hub.delivery(&id).attempts().len()), (Standing::Manual, 2));
}

#[test]
fn only_the_rider_who_carries_it_is_believed() {
    let mut hub = Hub::new(&["riders"], Fate::Delivers);
    hub.rider("ann");
    let id = hub.request("a");
    hub.silent(10 * SECOND);
    hub.rider("bo");
    let first = id.external(1);
    let say = |rider: &str, state| hub.riders.step(&first, rider, state, None, hub.now_ms);
    assert_eq!(say("bo", State::Delivered), Err(RiderError::NotYours(first.clone())));
    assert_eq!(say("ann", State::Cancelled), Err(RiderError::NotARidersWord(State::Cancelled)));
    let second = id.external(2);
    let unknown = hub.riders.step(&second, "ann", State::Delivered, None, hub.now_ms);
    assert_eq!(unknown, Err(RiderError::Unknown(second)));
    let report = hub.riders.assign(&first, "bo", hub.now_ms + SECOND).unwrap();
    let events = hub.dispatcher.on_report("riders", &first, report, hub.now_ms).unwrap();
    assert_eq!(events[0].courier.as_ref().unwrap().name, "bo");
    assert!(hub.riders.sheet("ann", hub.now_ms).unwrap().stops.is_empty());
}

#[test]
fn steps_made_out_of_reach_come_late_and_in_any_order() {
    let mut hub = Hub::new(&["riders"], Fate::Delivers);
    hub.rider("ann");
    let id = hub.request("a");
    hub.silent(10 * SECOND);
    let (start_ms, first) = (hub.now_ms, id.external(1));
    let steps = [(State::Delivered, 20), (State::PickedUp, 5), (State::CourierAtStore, 3)];
    hub.now_ms += 40 * MINUTE;
    hub.restart();
    for (state, minute) in steps {
        let report = hub.riders.step(&first, "ann", state, None, start_ms + minute * MINUTE).unwrap();
        hub.dispatcher.on_report("riders", &first, report, hub.now_ms).unwrap();
    }
    let progress = hub.delivery(&id).current().unwrap().progress();
    assert_eq!(progress.state(), State::Delivered);
    for (state, minute) in steps {
        assert_eq!(progress.reached_ms(state), Some(start_ms + minute * MINUTE), "{state:?}");
    }
}

#[test]
fn a_document_that_does_not_do_brings_the_goods_back() {
    let mut hub = Hub::new(&["fengniao", "riders"], Fate::Delivers);
    hub.rider("ann");
    let mut job = super::hub::job("wine", hub.now_ms);
    job.age_min = Some(18);
    let id = job.delivery.clone();
    hub.dispatcher.request(job).unwrap();
    hub.silent(10 * SECOND);
    assert_eq!((hub.server.order_count(), hub.delivery(&id).current().unwrap().provider()), (0, "riders"));
    let external = id.external(2);
    for (state, reason) in [
        (State::PickedUp, None),
        (State::Failed, Some(Reason::AgeCheckFailed)),
        (State::Returning, Some(Reason::AgeCheckFailed)),
    ] {
        hub.now_ms += MINUTE;
        let report = hub.riders.step(&external, "ann", state, reason, hub.now_ms).unwrap();
        hub.events.extend(hub.dispatcher.on_report("riders", &external, report, hub.now_ms).unwrap());
    }
    assert_eq!(
        hub.events.last().map(|event| (event.state, event.reason)),
        Some((State::Returning, Some(Reason::AgeCheckFailed)))
    );
    hub.dispatcher.confirm_returned(&id, hub.now_ms).unwrap();
    assert_eq!(hub.state(&id), State::Returned);
}
