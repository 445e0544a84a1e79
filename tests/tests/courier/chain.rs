//! One service after the other: nobody accepts, nobody comes, goods get lost, the customer changes his mind.

use stockroom::courier::delivery::{Standing, WishError};
use stockroom::courier::dispatcher::DispatchError;
use stockroom::courier::report::{Party, Reason, State};
use stockroom_tests::courier_server::{Fate, Health};

use super::hub::{Hub, MINUTE, SECOND, job};

#[test]
fn when_nobody_accepts_own_riders_go_after_two_attempts() {
    let mut hub = Hub::new(&["fengniao", "riders"], Fate::NobodyAccepts);
    hub.rider("ann");
    let id = hub.request("a");
    hub.with_callbacks(30 * MINUTE);
    let delivery = hub.delivery(&id);
    let providers: Vec<_> = delivery.attempts().iter().map(|attempt| attempt.provider()).collect();
    assert_eq!(providers, ["fengniao", "fengniao", "riders"]);
    for attempt in &delivery.attempts()[..2] {
        let progress = attempt.progress();
        assert_eq!((progress.state(), progress.reason()), (State::Cancelled, Some(Reason::NoCourier)));
        assert!(hub.server.order(&id.external(attempt.number()).to_string()).unwrap().cancelled.is_some());
    }
    assert_eq!((hub.state(&id), delivery.standing()), (State::CourierAssigned, Standing::Trying));
    let asked: Vec<_> =
        delivery.attempts().iter().map(|attempt| attempt.progress().reached_ms(State::Requested)).collect();
    let after = |first: usize| asked[first + 1].unwrap() - asked[first].unwrap();
    assert!((10 * MINUTE..12 * MINUTE).contains(&after(0)) && (10 * MINUTE..12 * MINUTE).contains(&after(1)));
    let third = id.external(3);
    for (state, minute) in [(State::CourierAtStore, 1), (State::PickedUp, 2), (State::Delivered, 9)] {
        let report = hub.riders.step(&third, "ann", state, None, hub.now_ms + minute * MINUTE).unwrap();
        assert_eq!(hub.dispatcher.on_report("riders", &third, report, hub.now_ms).unwrap().len(), 1);
    }
    assert_eq!((hub.state(&id), hub.delivery(&id).standing()), (State::Delivered, Standing::Done));
    hub.silent(10 * MINUTE);
    assert_eq!((hub.server.order_count(), hub.dispatcher.next_due_ms()), (2, None));
}

#[test]
fn when_everybody_was_asked_a_person_decides() {
    let mut hub = Hub::new(&["fengniao", "riders"], Fate::NobodyAccepts);
    let id = hub.request("a");
    hub.silent(40 * MINUTE);
    let last = hub.events.last().unwrap();
    assert_eq!((last.standing, last.reason), (Standing::Manual, Some(Reason::NoCourier)));
    assert_eq!(hub.delivery(&id).attempts().len(), 4);
    assert_eq!(hub.events.iter().filter(|event| event.standing == Standing::Manual).count(), 1);
    hub.rider("ann");
    hub.dispatcher.redispatch(&id, hub.now_ms).unwrap();
    hub.silent(40 * MINUTE);
    assert_eq!(hub.delivery(&id).current().unwrap().provider(), "riders");
}

#[test]
fn a_refusal_for_good_is_not_asked_twice() {
    let mut hub = Hub::new(&["fengniao", "riders"], Fate::Refuses);
    hub.rider("ann");
    let id = hub.request("a");
    hub.silent(10 * SECOND);
    assert_eq!(hub.told(), [(1, State::Failed), (2, State::CourierAssigned)]);
    assert_eq!(hub.events[0].reason, Some(Reason::AddressWrong));
    assert_eq!(hub.delivery(&id).current().unwrap().provider(), "riders");
}

#[test]
fn a_courier_who_gives_back_is_followed_by_another_once_the_service_confirms() {
    let mut hub = Hub::new(&["fengniao"], Fate::CourierCancels);
    let id = hub.request("a");
    hub.with_callbacks(3 * MINUTE);
    hub.server.set_fate(Fate::Delivers);
    hub.with_callbacks(25 * MINUTE);
    assert_eq!((hub.state(&id), hub.delivery(&id).attempts().len()), (State::Delivered, 2));
    let first = hub.delivery(&id).attempts()[0].progress();
    assert_eq!((first.state(), first.by()), (State::Cancelled, Some(Party::Service)));
    assert!(hub.server.order("a~1").unwrap().cancelled.is_none(), "what is over is not called off");
}

#[test]
fn a_courier_who_never_comes_is_called_off_with_a_fee() {
    let mut hub = Hub::new(&["fengniao"], Fate::NeverComes);
    let id = hub.request("a");
    hub.with_callbacks(36 * MINUTE);
    let first = hub.delivery(&id).attempts()[0].progress();
    assert_eq!((first.state(), first.reason()), (State::Cancelled, Some(Reason::CourierLate)));
    assert_eq!(first.fee().map(|fee| fee.minor), Some(300));
    let order = hub.server.order("a~1").unwrap().cancelled.unwrap();
    assert_eq!((order["actual_cancel_cost_cent"].as_i64(), order["order_cancel_role"].as_i64()), (Some(300), Some(1)));
    assert_eq!(hub.delivery(&id).attempts().len(), 2);
}

#[test]
fn goods_that_are_lost_on_the_way_are_told_once_and_nobody_else_is_sent() {
    let mut hub = Hub::new(&["fengniao", "riders"], Fate::GetsLost);
    hub.rider("ann");
    let id = hub.request("a");
    hub.with_callbacks(3 * 60 * MINUTE);
    let late = hub.events.iter().filter(|event| event.reason == Some(Reason::CourierLate));
    assert_eq!(late.map(|event| event.state).collect::<Vec<_>>(), [State::PickedUp]);
    assert_eq!((hub.state(&id), hub.delivery(&id).attempts().len()), (State::PickedUp, 1));
    let refused = hub.dispatcher.cancel(&id, Reason::CustomerCancelled, hub.now_ms);
    assert!(matches!(refused, Err(DispatchError::Wish(WishError::GoodsAreOut))), "{refused:?}");
    assert!(hub.delivery(&id).current().unwrap().progress().position().is_some());
}

#[test]
fn what_comes_back_is_confirmed_by_the_store_and_can_go_out_again() {
    let mut hub = Hub::new(&["fengniao"], Fate::FailsAtTheDoor);
    let id = hub.request("a");
    hub.with_callbacks(30 * MINUTE);
    let progress = hub.delivery(&id).current().unwrap().progress();
    assert_eq!((progress.state(), progress.reason()), (State::Failed, Some(Reason::CustomerUnreachable)));
    assert!(progress.goods_are_out());
    assert_eq!(hub.delivery(&id).attempts().len(), 1);
    let events = hub.dispatcher.confirm_returned(&id, hub.now_ms).unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!((hub.state(&id), hub.delivery(&id).standing()), (State::Returned, Standing::Done));
    hub.server.set_fate(Fate::Delivers);
    hub.dispatcher.redispatch(&id, hub.now_ms).unwrap();
    hub.with_callbacks(25 * MINUTE);
    assert_eq!((hub.state(&id), hub.delivery(&id).attempts().len()), (State::Delivered, 2));
    let over = hub.dispatcher.redispatch(&id, hub.now_ms);
    assert!(matches!(over, Err(DispatchError::Wish(WishError::Over))), "{over:?}");
}

#[test]
fn a_customer_who_changes_his_mind_gets_nobody_sent() {
    let mut hub = Hub::new(&["fengniao", "riders"], Fate::Delivers);
    hub.rider("ann");
    let id = hub.request("a");
    hub.with_callbacks(2 * MINUTE);
    assert!(hub.dispatcher.cancel(&id, Reason::CustomerCancelled, hub.now_ms).unwrap().is_empty());
    hub.with_callbacks(30 * MINUTE);
    assert_eq!((hub.state(&id), hub.delivery(&id).standing()), (State::Cancelled, Standing::Done));
    assert_eq!((hub.delivery(&id).attempts().len(), hub.server.order("a~1").unwrap().status), (1, 4));
    let again = hub.dispatcher.cancel(&id, Reason::CustomerCancelled, hub.now_ms);
    assert!(matches!(again, Err(DispatchError::Wish(WishError::Over))), "{again:?}");
    let unasked = hub.request("later");
    let events = hub.dispatcher.cancel(&unasked, Reason::MerchantCancel, hub.now_ms).unwrap();
    assert_eq!((events[0].state, events[0].attempt, events[0].standing), (State::Cancelled, 0, Standing::Done));
}

#[test]
fn a_service_that_is_down_for_long_is_given_up_and_its_late_courier_called_off() {
    let mut hub = Hub::new(&["fengniao", "riders"], Fate::NeverComes);
    hub.rider("ann");
    hub.request("warm");
    hub.silent(10 * SECOND);
    hub.server.set_health(Health::DoneButBroken(500));
    let id = hub.request("a");
    hub.silent(8 * MINUTE);
    assert_eq!(hub.delivery(&id).current().unwrap().provider(), "riders", "{:?}", hub.told());
    hub.server.set_health(Health::Good);
    hub.with_callbacks(20 * MINUTE);
    // The order had arrived after all: its courier is not wanted any more.
    for number in 1..=2 {
        let order = hub.server.order(&id.external(number).to_string());
        assert!(order.is_none_or(|order| order.status == 4), "attempt {number}");
    }
    assert_eq!(hub.state(&id), State::CourierAssigned);
}

#[test]
fn a_restart_in_the_middle_loses_nothing_and_asks_nobody_twice() {
    for minute in [0, 1, 4, 8, 12] {
        let mut hub = Hub::new(&["fengniao"], Fate::Delivers);
        let id = hub.request("a");
        hub.silent(minute * MINUTE);
        hub.restart();
        hub.with_callbacks(25 * MINUTE);
        assert_eq!((hub.state(&id), hub.server.order_count()), (State::Delivered, 1), "minute {minute}");
    }
}

#[test]
fn one_id_is_one_delivery() {
    let mut hub = Hub::new(&["fengniao"], Fate::Delivers);
    hub.request("a");
    hub.dispatcher.request(job("a", hub.now_ms)).unwrap();
    let other = hub.dispatcher.request(job("a", hub.now_ms + 1));
    assert!(matches!(other, Err(DispatchError::Other(_))), "{other:?}");
    hub.silent(MINUTE);
    assert_eq!(hub.server.order_count(), 1);
}
