//! The HTTP adapter against the test courier service: its words, its money, its tokens, its bad days.

use std::time::Duration;

use stockroom::courier::report::{Reason, State};
use stockroom::courier::{Ask, CourierError};
use stockroom_tests::courier_server::{Fate, Health};

use super::hub::{Hub, MINUTE, SECOND, contact, contact_of, job};

#[test]
fn an_order_reaches_the_service_in_its_own_words_and_on_its_own_map() {
    let mut hub = Hub::new(&["fengniao"], Fate::Delivers);
    let id = hub.request("7-1.1");
    hub.silent(10 * SECOND);
    let order = hub.server.order("7-1.1~1").unwrap().asked;
    let is = |name: &str, value: serde_json::Value| assert_eq!(order[name], value, "{name}");
    is("chain_store_id", 209_191_139.into());
    is("order_type", 1.into());
    is("position_source", 3.into());
    is("receiver_primary_phone", "13900000000".into());
    is("goods_total_amount_cent", 9_980.into());
    is("goods_actual_amount_cent", 9_480.into());
    is("order_tip_amount_cent", 200.into());
    is("goods_weight", 10.2.into());
    is("goods_count", 2.into());
    is("serial_number", "B17".into());
    // GCJ-02 lies some 400 m from WGS 84 there.
    let shift = order["receiver_longitude"].as_f64().unwrap() - 121.54;
    assert!((0.004..0.005).contains(&shift), "{shift}");
    assert_eq!((hub.server.bad_signatures(), hub.state(&id)), (0, State::Requested));
    assert_eq!(hub.delivery(&id).current().unwrap().reference(), Some("1"));
}

#[test]
fn a_quote_is_the_cheapest_offer_that_can_be_had() {
    let hub = Hub::new(&["fengniao", "riders"], Fate::Delivers);
    let quotes = hub.dispatcher.quotes(&job("a", hub.now_ms), &contact(), hub.now_ms);
    let quote = quotes[0].1.as_ref().unwrap();
    assert_eq!((quote.fee.minor, quote.reference.as_deref()), (800, Some("12")));
    assert_eq!(quote.dropoff_ms, Some(hub.now_ms + 1_800_000));
    let own = quotes[1].1.as_ref().unwrap();
    assert!(own.dropoff_ms > own.pickup_ms && own.fee.minor == 0);
}

#[test]
fn without_any_callback_polls_bring_everything() {
    let mut hub = Hub::new(&["fengniao"], Fate::Delivers);
    let id = hub.request("a");
    hub.silent(20 * MINUTE);
    use State::{Accepted, CourierAssigned, CourierAtStore, Delivered, PickedUp};
    let states: Vec<_> = hub.told().into_iter().map(|(_, state)| state).collect();
    let expected = [Accepted, CourierAssigned, CourierAtStore, PickedUp, Delivered];
    assert!(states.iter().filter(|state| expected.contains(state)).eq(expected.iter()), "{states:?}");
    let last = hub.events.last().unwrap();
    assert_eq!((last.fee.unwrap().minor, last.at_ms), (800, hub.delivery(&id).job().ask_ms + 910 * SECOND));
    assert_eq!(last.courier.as_ref().unwrap().name, "骑手1");
    assert!(!format!("{last:?}").contains("1380000"), "a telephone in a log line");
    assert_eq!(hub.dispatcher.next_due_ms(), None);
}

#[test]
fn an_answer_that_got_lost_makes_no_second_order() {
    for health in [Health::DoneButBroken(502), Health::Slow(Duration::from_secs(3))] {
        let mut hub = Hub::new(&["fengniao"], Fate::Delivers);
        hub.request("first");
        hub.silent(10 * SECOND);
        hub.server.set_health(health);
        let id = hub.request("second");
        hub.silent(10 * SECOND);
        hub.server.set_health(Health::Good);
        hub.silent(20 * MINUTE);
        assert_eq!((hub.server.order_count(), hub.state(&id)), (2, State::Delivered), "{health:?}");
        assert_eq!(hub.delivery(&id).attempts().len(), 1);
    }
}

#[test]
fn every_kind_of_bad_answer_is_an_error_that_says_whether_to_ask_again() {
    let mut hub = Hub::new(&["fengniao"], Fate::Delivers);
    hub.request("a");
    hub.silent(10 * SECOND);
    let (job, contact) = (job("b", hub.now_ms), contact());
    let ask = Ask { job: &job, contact: &contact, now_ms: hub.now_ms };
    let courier = hub.dispatcher.courier("fengniao").unwrap().clone();
    let answer = |health| {
        hub.server.set_health(health);
        courier.create(&ask, &job.delivery.external(1)).unwrap_err()
    };
    assert!(matches!(answer(Health::Broken(503)), CourierError::Busy { status: 503, .. }));
    assert!(matches!(answer(Health::Broken(429)), CourierError::Busy { status: 429, .. }));
    assert!(matches!(answer(Health::Broken(404)), CourierError::Refused { .. }));
    assert!(matches!(answer(Health::Garbage), CourierError::Strange { .. }));
    assert!(matches!(answer(Health::Endless), CourierError::Strange { .. }));
    let slow = answer(Health::Slow(Duration::from_secs(3)));
    assert!(matches!(slow, CourierError::Unreachable { .. }) && slow.is_retryable(), "{slow}");
    assert_eq!(slow.to_string(), "fengniao does not answer");
    hub.server.set_health(Health::Good);
    hub.server.set_fate(Fate::Refuses);
    let refused = courier.create(&ask, &job.delivery.external(1)).unwrap_err();
    assert_eq!((refused.reason(), refused.is_retryable()), (Reason::AddressWrong, false));
    let unknown = courier.get(&job.delivery.external(1), hub.now_ms).unwrap_err();
    assert!(matches!(unknown, CourierError::Unknown { .. }), "{unknown}");
}

#[test]
fn a_token_is_got_once_renewed_when_it_is_revoked_and_kept_over_a_restart() {
    let mut hub = Hub::new(&["fengniao"], Fate::Delivers);
    hub.request("a");
    hub.silent(10 * SECOND);
    hub.server.revoke_tokens();
    hub.request("b");
    hub.silent(10 * SECOND);
    hub.restart();
    hub.request("c");
    hub.silent(10 * SECOND);
    // The code holds once: a second use of it would have been refused.
    assert_eq!((hub.server.order_count(), hub.server.bad_signatures()), (3, 0));
}

#[test]
fn goods_that_do_not_fit_the_service_are_not_even_asked_about() {
    let mut hub = Hub::new(&["fengniao"], Fate::Delivers);
    let mut heavy = job("heavy", hub.now_ms);
    heavy.weight_g = 20_000;
    hub.dispatcher.request(heavy).unwrap();
    let events = hub.dispatcher.due(hub.now_ms, &contact_of);
    assert_eq!(hub.server.order_count(), 0);
    assert_eq!(events.last().map(|event| (event.state, event.attempt)), Some((State::Failed, 1)));
}
