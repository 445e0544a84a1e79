//! Callbacks that are lost, doubled, reordered, forged or about nothing: a clear problem, the state unchanged, the attempt counted.

use std::sync::{Arc, Mutex};

use stockroom::courier::CallbackError;
use stockroom::courier::limits::CALLBACK_BYTES_MAX;
use stockroom::courier::report::State;
use stockroom_tests::courier_server::door::Door;
use stockroom_tests::courier_server::{Fate, Mail};

use super::hub::{Hub, MINUTE, SECOND};

#[test]
fn however_the_post_fails_the_delivery_ends_the_same() {
    let mut calm = Hub::new(&["fengniao"], Fate::Delivers);
    let id = calm.request("a");
    calm.silent(25 * MINUTE);
    let right = calm.delivery(&id).current().unwrap().progress().clone();
    for seed in 1..=12 {
        let mut hub = Hub::new(&["fengniao"], Fate::Delivers);
        hub.server.set_mail(Mail { lost: 30, doubled: 40, forged: 20, shuffled: 1 }, seed);
        let id = hub.request("a");
        hub.with_callbacks(25 * MINUTE);
        let progress = hub.delivery(&id).current().unwrap().progress().clone();
        assert_eq!((progress.state(), progress.fee()), (right.state(), right.fee()), "seed {seed}");
        for state in [State::Accepted, State::CourierAssigned, State::PickedUp, State::Delivered] {
            assert_eq!(progress.reached_ms(state), right.reached_ms(state), "seed {seed}, {state:?}");
        }
        assert_eq!((hub.server.order_count(), hub.delivery(&id).attempts().len()), (1, 1), "seed {seed}");
    }
}

#[test]
fn the_same_callback_ten_times_is_told_once() {
    let mut hub = Hub::new(&["fengniao"], Fate::Delivers);
    let id = hub.request("a");
    hub.silent(10 * SECOND);
    hub.now_ms += MINUTE;
    hub.server.advance(hub.now_ms);
    let mail = hub.server.mail();
    let assigned = mail.last().unwrap();
    let told: Vec<_> = (0..10)
        .map(|_| hub.dispatcher.on_callback("fengniao", assigned, hub.now_ms).unwrap())
        .map(|events| events.len())
        .collect();
    assert_eq!(told, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(hub.state(&id), State::CourierAssigned);
    let tally = hub.dispatcher.tally();
    assert_eq!((tally.taken, tally.without_effect), (10, 9));
}

#[test]
fn what_is_not_for_us_is_refused_by_name_and_changes_nothing() {
    let mut hub = Hub::new(&["fengniao"], Fate::Delivers);
    hub.request("a");
    hub.silent(5 * MINUTE);
    let good = hub.server.mail().pop().unwrap();
    let before = hub.dispatcher.save().unwrap();
    let mut say = |name: &str, body: &[u8]| hub.dispatcher.on_callback(name, body, hub.now_ms).unwrap_err();
    let text = String::from_utf8(good.clone()).unwrap();
    assert_eq!(say("fengniao", text.replace("80", "81").as_bytes()), CallbackError::Signature);
    assert_eq!(say("fengniao", text.replace("test-app", "other").as_bytes()), CallbackError::Signature);
    assert_eq!(say("riders", &good), CallbackError::Nobody);
    assert_eq!(say("nobody", &good), CallbackError::Nobody);
    assert_eq!(say("fengniao", &vec![b' '; CALLBACK_BYTES_MAX + 1]), CallbackError::Long);
    assert!(matches!(say("fengniao", b"{}"), CallbackError::Malformed(_)));
    assert!(matches!(say("fengniao", &good[..good.len() - 1]), CallbackError::Malformed(_)));
    // A real order of another hub with the same application.
    let mut other = Hub::new(&["fengniao"], Fate::Delivers);
    other.request("stranger");
    other.silent(MINUTE);
    assert_eq!(say("fengniao", &other.server.mail().pop().unwrap()), CallbackError::Unknown);
    let tally = hub.dispatcher.tally();
    assert_eq!((tally.unsigned, tally.malformed, tally.unknown, tally.taken), (2, 5, 1, 0));
    let after = hub.dispatcher.save().unwrap();
    let deliveries = |saved: &str| serde_json::from_str::<serde_json::Value>(saved).unwrap()["deliveries"].clone();
    assert_eq!(deliveries(&before), deliveries(&after));
}

#[test]
fn callbacks_come_over_http_and_liars_get_an_error() {
    let mut hub = Hub::new(&["fengniao"], Fate::Delivers);
    let id = hub.request("a");
    hub.silent(10 * SECOND);
    hub.server.set_mail(Mail { forged: 40, ..Mail::default() }, 3);
    let now_ms = hub.now_ms + 20 * MINUTE;
    hub.server.advance(now_ms);
    let server = hub.server;
    let dispatcher = Arc::new(Mutex::new(hub.dispatcher));
    let behind = dispatcher.clone();
    let door = Door::open(move |body| match behind.lock().unwrap().on_callback("fengniao", body, now_ms) {
        Ok(_) => 200,
        Err(CallbackError::Signature) => 401,
        Err(_) => 400,
    });
    let answers = server.post_mail(&door.url());
    assert!(answers.contains(&200) && answers.contains(&401) && !answers.contains(&0), "{answers:?}");
    let tally = dispatcher.lock().unwrap().tally();
    let count = |status: u16| answers.iter().filter(|answer| **answer == status).count() as u64;
    assert_eq!((tally.taken, tally.unsigned), (count(200), count(401)));
    let mut dispatcher = dispatcher.lock().unwrap();
    dispatcher.on_poll(&id, now_ms).unwrap();
    assert_eq!(dispatcher.delivery(&id).unwrap().state(), State::Delivered);
}
