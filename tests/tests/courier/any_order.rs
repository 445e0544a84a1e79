//! Any permutation, repetition and loss of callbacks, and then one poll, ends the same.

use std::sync::Mutex;

use proptest::collection::vec;
use proptest::prelude::*;
use stockroom::courier::job::{Amount, Person};
use stockroom::courier::report::{Party, Position, Progress, Reason, Report, State};
use stockroom_crdt::control::Coordinates;
use stockroom_crdt::money::Currency;
use stockroom_tests::courier_server::Fate;
use stockroom_tests::property::check;

use super::hub::{Hub, MINUTE, SECOND};

#[test]
fn callbacks_in_any_order_and_then_a_poll_end_the_same() {
    for fate in [Fate::Delivers, Fate::CourierCancels, Fate::FailsAtTheDoor, Fate::GetsLost] {
        let mut hub = Hub::new(&["fengniao"], fate);
        let id = hub.request("a");
        hub.silent(10 * SECOND);
        let saved = hub.dispatcher.save().unwrap();
        let now_ms = hub.now_ms + 20 * MINUTE;
        hub.server.advance(now_ms);
        let mail = hub.server.mail();
        hub.dispatcher.on_poll(&id, now_ms).unwrap();
        let progress = |hub: &Hub| hub.delivery(&id).current().unwrap().progress().clone();
        let right = progress(&hub);
        let hub = Mutex::new(hub);
        let cases = vec(0..mail.len(), 0..3 * mail.len());
        check(&format!("callbacks of {fate:?}"), 40, cases, |order| {
            let mut hub = hub.lock().unwrap();
            hub.dispatcher.restore(&saved).unwrap();
            for index in &order {
                hub.dispatcher.on_callback("fengniao", &mail[*index], now_ms).unwrap();
            }
            hub.dispatcher.on_poll(&id, now_ms).unwrap();
            let got = progress(&hub);
            prop_assert_eq!(got.state(), right.state());
            prop_assert_eq!(
                (got.fee(), got.courier(), got.since_ms()),
                (right.fee(), right.courier(), right.since_ms())
            );
            prop_assert_eq!(got.goods_are_out(), right.goods_are_out());
            for state in STATES {
                prop_assert_eq!(got.reached_ms(state), right.reached_ms(state));
            }
            Ok(())
        });
    }
}

#[test]
fn reports_join_to_the_same_whatever_their_order_and_number() {
    let strategy = (vec(report(), 0..12), vec(any::<prop::sample::Index>(), 0..24));
    check("reports join", 400, strategy, |(reports, picks)| {
        let mut straight = Progress::requested(0);
        for report in &reports {
            straight.join(report);
        }
        let mut crooked = Progress::requested(0);
        if !reports.is_empty() {
            for pick in &picks {
                crooked.join(pick.get(&reports));
            }
        }
        for report in reports.iter().rev() {
            crooked.join(report);
        }
        prop_assert_eq!(straight, crooked);
        Ok(())
    });
}

fn report() -> impl Strategy<Value = Report> {
    let reason = prop_oneof![
        Just(None),
        Just(Some((Reason::System, Party::Service))),
        Just(Some((Reason::NoCourier, Party::Courier)))
    ];
    let who = prop_oneof![Just(None), Just(Person::of("a", "1")), Just(Person::of("b", "2"))];
    let fee = prop::option::of(0..3_i64);
    let place = prop::option::of((0..3_i32, 0..4_u64));
    (0..STATES.len(), 0..6_u64, reason, who, fee, place).prop_map(|(state, at_ms, reason, courier, fee, place)| {
        Report {
            reason: reason.map(|(reason, _)| reason),
            by: reason.map(|(_, by)| by),
            courier,
            fee: fee.map(|minor| Amount { minor, currency: Currency::parse("CNY").unwrap() }),
            position: place.map(|(latitude, at_ms)| Position { point: Coordinates { latitude, longitude: 0 }, at_ms }),
            ..Report::new(STATES[state], at_ms)
        }
    })
}

const STATES: [State; 12] = [
    State::Requested,
    State::Accepted,
    State::CourierAssigned,
    State::CourierAtStore,
    State::PickedUp,
    State::NearDropoff,
    State::Expired,
    State::Cancelled,
    State::Failed,
    State::Delivered,
    State::Returning,
    State::Returned,
];
